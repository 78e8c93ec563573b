/* What a sandbox costs without the rest of blast: each line on stdin runs the command once in the sandbox of a policy,
 * as `blast sandbox show --json` prints it, and prints microseconds of wall clock and of processor time. See
 * bench/sandbox-start, which calls it.
 *
 *     tools/build-dir bench -Dbuildtype=release -Dbench=true && ninja -C build/bench
 *     BLAST_JAIL=build/bench/src/main/blast-jail build/bench/bench/bench-jail POLICY COMMAND...
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/policy.h"
#include "jail/run.h"

static uint64_t used_us(void)
{
    struct rusage r;

    (void)getrusage(RUSAGE_CHILDREN, &r);
    return (uint64_t)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static bool load(const char *path, struct arena *a, struct jail_policy *out, struct err *e)
{
    AUTO_BUF text = { .limit = JAIL_POLICY_MAX };
    AUTO_FD fd = -1;

    return fd_open(AT_FDCWD, path, O_RDONLY, 0, &fd, e) && fd_read_all(fd, &text, path, e) &&
           jail_policy_parse(arena_str(a, buf_done(&text)), a, out, e);
}

static bool run_once(const struct jail_policy *p, const char *const *argv, struct err *e)
{
    static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
    struct jail_command c = { .argv = argv, .env = env, .cwd = "/", .fd = { 0, 1, 2 } };
    AUTO_ARENA a = { 0 };
    struct jail_result r;
    uint64_t before = used_us();

    arena_init(&a);
    if (!jail_run(p, &c, &a, &r, e))
        return false;
    if (r.code != 0)
        return err_set(e, ERR_ENVIRONMENT, "%s ended with exit code %d", argv[0], r.code);
    (void)printf("%" PRIu64 " %" PRIu64 "\n", r.wall_us, used_us() - before);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    AUTO_ARENA a = { 0 };
    struct jail_policy p;
    struct err e = { 0 };
    char line[8];

    arena_init(&a);
    if (argc < 3)
        (void)err_set(&e, ERR_CONFIG, "usage: bench-jail POLICY COMMAND...");
    else if (load(argv[1], &a, &p, &e))
        while (fgets(line, sizeof line, stdin) && run_once(&p, (const char *const *)argv + 2, &e))
            ;
    if (e.kind != ERR_NONE)
        (void)fprintf(stderr, "%s\n", e.text);
    return e.kind != ERR_NONE;
}
