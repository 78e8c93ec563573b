/* blastd: the daemon. Started by blast, by the service manager, or by hand with `blast daemon run`. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "build_config.h"
#include "config/dirs.h"
#include "daemon/notify.h"
#include "daemon/server.h"

#define IDLE_MS (UINT64_C(10) * 60 * 1000)

static const char usage[] =
    "usage: blastd [--verbose] [--idle-ms=N] [--version]\n"
    "The daemon of blast; `blast daemon` starts, asks and stops it.\n";

static bool number(struct str word, const char *option, uint64_t *out)
{
    return str_cut_prefix(&word, str_of(option)) && str_to_u64(word, out);
}

static bool descriptor(struct str word, const char *option, int *out)
{
    uint64_t n;

    if (!number(word, option, &n) || n > 1 << 20)
        return false;
    *out = (int)n;
    return true;
}

static bool parse(int argc, char **argv, struct server_config *c)
{
    for (int i = 1; i < argc; i++) {
        struct str word = str_of(argv[i]);

        if (str_eq(word, STR("--verbose")))
            c->verbose = true;
        else if (str_eq(word, STR("--activated")))
            c->activated = true;
        else if (!descriptor(word, "--ready-fd=", &c->ready_fd) && !descriptor(word, "--start-fd=", &c->start_fd) &&
                 !descriptor(word, "--lock-fd=", &c->lock_fd) && !descriptor(word, "--listen-fd=", &c->listen_fd) &&
                 !number(word, "--idle-ms=", &c->idle_ms))
            return false;
    }
    return true;
}

static bool run(const struct server_config *wanted, bool *ran, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct dirs dirs;
    struct server_config c = *wanted;

    if (c.listen_fd < 0) {
        if (!notify_listen_fd(&c.listen_fd, e))
            return false;
        c.activated = c.listen_fd >= 0;
    }
    c.dirs = &dirs;
    return dirs_find(NULL, &a, &dirs, e) && server_run(&c, ran, e);
}

/* The starter still waits at the other end of the pipe: the number may be another file's by now. */
static bool is_waited_for(int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* To the starter, who is the one to tell the user, else to stderr. */
static void complain(const struct server_config *c, const struct err *e)
{
    int to = is_waited_for(c->ready_fd) ? c->ready_fd : STDERR_FILENO;
    const char *frame;
    unsigned n;

    for (unsigned i = 0; err_frame(e, i, &frame, &n); i++)
        (void)dprintf(to, "%s%.*s", i ? ": " : "", (int)n, frame); /* nobody is left to be told */
    (void)dprintf(to, "%s%s\n", e->hint[0] ? "; help: " : "", e->hint);
}

int main(int argc, char **argv)
{
    struct server_config c = { .listen_fd = -1, .lock_fd = -1, .start_fd = -1, .ready_fd = -1, .idle_ms = IDLE_MS };
    struct err e = { 0 };
    const char *idle = getenv("BLAST_DAEMON_IDLE_MS");
    bool ran = true;

    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("blastd " BLAST_VERSION) < 0;
    if (idle && !str_to_u64(str_of(idle), &c.idle_ms)) {
        (void)fprintf(stderr, "blastd: BLAST_DAEMON_IDLE_MS is not a number: %s\n", idle);
        return 2;
    }
    if (!parse(argc, argv, &c)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)signal(SIGHUP, SIG_IGN);  /* a question, whose answer comes later: daemon/server.c */
    (void)signal(SIGPIPE, SIG_IGN); /* a client that went away is an error of the write */
    if (!run(&c, &ran, &e)) {
        complain(&c, &e);
        return 1;
    }
    if (!ran && c.verbose)
        (void)fputs("a daemon runs already\n", stderr);
    return 0;
}
