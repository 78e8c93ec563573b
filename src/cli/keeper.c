#include "cli/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cell.h"
#include "cli/cell_journal.h"
#include "cli/common.h"
#include "cli/observe.h"
#include "cli/outside.h"
#include "cli/sockets.h"
#include "jail/policy.h"
#include "jail/run.h"
#include "sync/audit.h"

/* Where its descriptors are. The journal is locked for as long as one of the keeper's is open, which is its life. */
enum { ORDER = 3, SERVE, STATUS, JOURNAL, BEHIND };

#define HIGH 20 /* out of their way */

/* ------------------------------------------------------------ how it comes to be */

/* Ours, without what makes a process one of the environment's: it is not run there. It must read the configuration as
 * we do. */
static char **outside_environment(struct arena *a)
{
    size_t n = 0;

    while (environ[n])
        n++;
    char **out = ARENA_ARRAY(a, char *, n + 1);

    n = 0;
    for (char **v = environ; *v; v++)
        if (!str_starts(str_of(*v), STR("VIRTUAL_ENV=")))
            out[n++] = *v;
    out[n] = NULL;
    return out;
}

static void become_quiet(void)
{
    sigset_t none;

    (void)setsid();
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
}

/* fd[i] to ORDER + i; what is none (-1), standard input and output are nowhere; nothing else is open. */
static bool place(const int fd[BEHIND - ORDER])
{
    int high[BEHIND], nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool ok = nowhere >= 0;

    for (int to = 0; ok && to < BEHIND; to++) {
        int from = to < ORDER || fd[to - ORDER] < 0 ? nowhere : fd[to - ORDER];

        ok = (high[to] = fcntl(from, F_DUPFD_CLOEXEC, HIGH)) >= 0;
    }
    for (int to = 0; ok && to < BEHIND; to++)
        ok = dup2(high[to], to) == to;
    return ok && close_range(BEHIND, ~0u, 0) == 0;
}

NORETURN static void become_keeper(const struct workspace *w, const struct keeper_job *job, const char *self)
{
    char digest[JAIL_DIGEST], pid[16];
    struct jail_begun begun;
    struct err e = { 0 };
    struct arena a = { 0 };

    become_quiet();
    arena_init(&a);
    jail_policy_digest(job->policy, digest);
    int journal = job->dir < 0 ? -1 : cell_journal_open(job->dir, job->name, digest);
    int control = outside_listen(w);

    if (!jail_begin(job->order, job->serve, control, &begun, &e)) {
        outside_remove(w);
        if (job->dir >= 0)
            cell_journal_remove(job->dir, job->name);
        jail_refuse(job->serve, &e);
        _exit(EXIT_FAILURE);
    }
    (void)snprintf(pid, sizeof pid, "%d", (int)begun.pid);
    const char *const argv[] = { "blast", "--project", w->where.dir, "sandbox", "keep", pid, digest, NULL };
    const int fd[] = { job->order, job->serve, begun.status, journal };

    if (place(fd))
        (void)execve(self, (char **)(uintptr_t)argv, outside_environment(&a));
    _exit(EXIT_FAILURE); /* blast-jail ends with its parent */
}

bool keeper_start(const struct workspace *w, const struct keeper_job *job, struct err *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return err_sys(e, "find the program blast");
    self[n] = '\0';
    pid_t pid = fork();

    if (pid == 0)
        become_keeper(w, job, self);
    return pid > 0 || err_sys(e, "start the keeper of the sandbox");
}

/* ------------------------------------------------------------ while it is there */

struct keeping {
    struct workspace *w;
    struct observe *observe;
    const char *digest; /* of the policy */
};

/* "made" with the enforcement report, "run" for each command that is over, "ended". */
static void record(struct keeping *k, const char *what, const char *member, struct str value)
{
    AUTO_BUF b = { .limit = AUDIT_LINE_MAX };

    (void)buf_printf(&b, "{\"sandbox\":\"%s\",", what);
    if (member)
        (void)buf_printf(&b, "\"policy\":\"%s\",\"%s\":" STR_FMT "}", k->digest, member, STR_ARG(value));
    else /* its members beside ours */
        (void)buf_printf(&b, STR_FMT, STR_ARG(str_sub(value, 1, value.n)));
    audit_record(k->w, AUDIT_SANDBOX, 0, buf_done(&b));
}

static void hear(void *ctx, struct str key, struct str value)
{
    struct keeping *k = ctx;

    observe_hear(k->observe, key, value);
    if (str_eq(key, STR("connection")))
        outside_record(k->w, value);
    else if (str_eq(key, STR("report")))
        record(k, "made", "enforcement", value);
    else if (str_eq(key, STR("over")))
        record(k, "run", NULL, value);
    else if (str_eq(key, STR("limit")))
        record(k, "limit", NULL, value);
    else if (str_eq(key, STR("end")))
        record(k, "ended", NULL, value);
}

/* The socket is bound by way of a directory's descriptor; the last part is its name. */
static void learn_name(int serve, char out[SOCKETS_NAME])
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    socklen_t size = sizeof at;

    out[0] = '\0';
    if (getsockname(serve, (struct sockaddr *)&at, &size) < 0)
        return;
    const char *slash = strrchr(at.sun_path, '/');

    if (slash)
        (void)snprintf(out, SOCKETS_NAME, "%.*s", SOCKETS_NAME - 1, slash + 1);
}

/* Not one that another keeper has made there since. */
static void remove_name(int dir, const char *name)
{
    if (dir < 0 || !*name || flock(dir, LOCK_EX) < 0)
        return;
    AUTO_FD there = sockets_connect(dir, name);

    if (there < 0) {
        (void)unlinkat(dir, name, 0);
        cell_journal_remove(dir, name);
    }
    (void)flock(dir, LOCK_UN);
}

bool keeper_run(struct workspace *w, const struct keeper_words *words, struct err *e)
{
    struct jail_policy p;
    AUTO_OBSERVE observe = { 0 };
    struct keeping k = { w, &observe, words->digest };
    AUTO_FD dir = -1, order = ORDER;
    char name[SOCKETS_NAME];
    uint64_t pid;

    if (!str_to_u64(str_of(words->pid), &pid) || pid > INT_MAX || strlen(words->digest) != JAIL_DIGEST - 1 ||
        fcntl(STATUS, F_SETFD, FD_CLOEXEC) < 0) {
        (void)err_set(e, ERR_CONFIG, "blast sandbox keep is what a command becomes that has a sandbox made");
        return err_hint(e, "blast sandbox check");
    }
    const struct jail_keeping keeping = { { STATUS, (pid_t)pid }, SERVE, hear, &k };
    bool ok = jail_order_read(order, w->a, &p, e);

    if (ok)
        observe_init(&observe, w, w->a, &p);
    learn_name(SERVE, name);
    if (ok)
        jail_keep(&keeping);
    outside_remove(w);
    if (sockets_open_dir(w, CELL_DIR, false, &dir))
        remove_name(dir, name);
    return ok;
}
