#include "wire/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "wire/seat.h"

#define PATIENCE_MS 10000 /* for a daemon that ends, and for one that begins */
#define READY_FD 3
#define START_FD 4

/* Of the user, not of the project or of the activated environment. A name that ends in * is a prefix. */
static const char *const kept[] = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_*", "BLAST_*",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "PIP_CONFIG_FILE", "PYENV_ROOT",
    "DBUS_SESSION_BUS_ADDRESS", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH",
};

/* Said for one command, not for all that follow. */
static const char *const dropped[] = {
    "BLAST_PROJECT", "BLAST_NO_DAEMON", "BLAST_ACTOR", "BLAST_REASON", "BLAST_ENV", "BLAST_JSON", "BLAST_FORMAT",
    "BLAST_QUIET", "BLAST_VERBOSE", "BLAST_DRY_RUN", "BLAST_PYTHON", "BLAST_NOW",
};

static bool names(const char *pattern, struct str name)
{
    size_t n = strlen(pattern);

    return pattern[n - 1] == '*' ? str_starts(name, (struct str){ pattern, n - 1 }) : str_eq(name, str_of(pattern));
}

static bool is_kept(struct str name)
{
    for (size_t i = 0; i < COUNT(dropped); i++)
        if (names(dropped[i], name))
            return false;
    for (size_t i = 0; i < COUNT(kept); i++)
        if (names(kept[i], name))
            return true;
    return false;
}

/* PATH without the folder of the activated environment. */
static struct str without_environment(struct str path, struct str environment, struct arena *a)
{
    struct str bin = arena_printf(a, STR_FMT "/bin", STR_ARG(environment)), out = STR("");

    for (struct str part, rest = path; str_next(&rest, ':', &part);)
        if (!str_eq(part, bin))
            out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(out), out.n ? ":" : "", STR_ARG(part));
    return out;
}

static struct str value_in(const char *const *env, struct str name)
{
    for (; *env; env++) {
        struct str line = str_of(*env);

        if (str_cut_prefix(&line, name) && str_cut_prefix(&line, STR("=")))
            return line;
    }
    return STR("");
}

char **launch_environment(const char *const *env, struct arena *a)
{
    VEC(char *) out = { 0 };
    struct str activated = value_in(env, STR("VIRTUAL_ENV"));

    for (const char *const *v = env; *v; v++) {
        struct str line = str_of(*v), name = str_sub(line, 0, str_find(line, '='));

        if (!is_kept(name))
            continue;
        if (activated.n && str_eq(name, STR("PATH")))
            line = arena_printf(a, "PATH=" STR_FMT,
                                STR_ARG(without_environment(str_sub(line, 5, line.n), activated, a)));
        VEC_PUSH_IN(a, &out, arena_cstr(a, line));
    }
    VEC_PUSH_IN(a, &out, NULL);
    return out.p;
}

static bool find_program(const char *const *places, size_t n, const char *name, struct arena *a, const char **out,
                         struct err *e)
{
    char self[PATH_MAX];
    ssize_t k = readlink("/proc/self/exe", self, sizeof self);

    if (k <= 0 || (size_t)k >= sizeof self)
        return err_sys(e, "find the running program");
    struct str path = { self, (size_t)k };

    (void)str_cut_suffix(&path, STR(" (deleted)")); /* replaced by a newer one, which is what we want */
    struct str dir = str_sub(path, 0, str_rfind(path, '/'));

    for (size_t i = 0; i < n; i++) {
        const char *candidate = arena_printf(a, STR_FMT "/%s%s", STR_ARG(dir), places[i], name).p;

        if (access(candidate, X_OK) == 0) {
            *out = candidate;
            return true;
        }
    }
    return err_set(e, ERR_DAEMON, "there is no %s beside " STR_FMT, name, STR_ARG(path));
}

bool launch_program(struct arena *a, const char **out, struct err *e)
{
    static const char *const places[] = { "", "../libexec/blast/", "../lib/blast/" };

    return find_program(places, COUNT(places), "blastd", a, out, e);
}

bool launch_beside(const char *name, struct arena *a, const char **out, struct err *e)
{
    static const char *const places[] = { "", "../../bin/" };

    return find_program(places, COUNT(places), name, a, out, e);
}

bool launch_find(const struct seat *s, int *fd, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct seat_holder h;

    *fd = -1;
    if (!seat_holder(s, &a, &h, e))
        return false;
    if (h.held && h.socket.n && !seat_connect(arena_cstr(&a, h.socket), fd, e))
        return false;
    /* without a daemon the service manager may listen in the usual place */
    return *fd >= 0 || (h.held && str_eq(h.socket, str_of(s->socket))) || seat_connect(s->socket, fd, e);
}

/* Somebody holds the lock and does not listen: it is about to end, or its socket was taken away. SIGHUP makes a daemon
 * look whether its socket is still its own, and end if not. */
static bool await_former(const struct seat *s, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct seat_holder h;

    if (!seat_holder(s, &a, &h, e))
        return false;
    if (!h.held)
        return true;
    AUTO_FD former = h.pid ? pidfd_open(h.pid, 0) : -1;

    if (former >= 0 && seat_process_start(h.pid) != 0) {
        struct pollfd p = { former, POLLIN, 0 };
        uint64_t end = clock_ms() + PATIENCE_MS;

        (void)pidfd_send_signal(former, SIGHUP, NULL, 0); /* gone already: the poll says so */
        for (uint64_t now; (now = clock_ms()) < end;)
            if (poll(&p, 1, (int)(end - now)) > 0)
                return true;
    }
    if (!seat_holder(s, &a, &h, e))
        return false;
    if (!h.held)
        return true;
    (void)err_set(e, ERR_DAEMON, "a daemon%s holds %s/" SEAT_LOCK " and does not listen",
                  h.pid ? arena_printf(&a, " (pid %d)", (int)h.pid).p : "", s->state);
    return h.pid ? err_hint(e, "kill %d", (int)h.pid) : err_hint(e, "end the process that `fuser` shows for that file");
}

struct child {
    char *const *argv;
    char *const *env;
    int ready, start;
};

/* In the child of a process that may have threads: system calls only. Never returns. */
static void become_daemon(const struct child *c)
{
    sigset_t none;

    (void)setsid();
    pid_t pid = fork(); /* the parent of the second one is init: nobody has to wait for it */

    if (pid != 0)
        _exit(pid < 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ready = fcntl(c->ready, F_DUPFD_CLOEXEC, 10), start = fcntl(c->start, F_DUPFD_CLOEXEC, 10);

    if (null < 0 || ready < 0 || start < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        dup2(ready, READY_FD) < 0 || dup2(start, START_FD) < 0 || close_range(START_FD + 1, ~0u, 0) < 0 ||
            chdir("/") < 0)
        _exit(1);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    (void)execve(c->argv[0], c->argv, c->env);
    _exit(1);
}

/* Reads what the daemon says of its start: "ready\n", or the error. Nothing at all: it died. */
static bool await_ready(int pipe, const char *program, struct err *e)
{
    char text[512];
    size_t n = 0;
    uint64_t end = clock_ms() + PATIENCE_MS;

    for (;;) {
        struct pollfd p = { pipe, POLLIN, 0 };
        uint64_t now = clock_ms();
        int ready = now < end ? poll(&p, 1, (int)(end - now)) : 0;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return err_set(e, ERR_DAEMON, "%s is still starting after %d s", program, PATIENCE_MS / 1000);
        ssize_t k = read(pipe, text + n, sizeof text - n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0 || (n += (size_t)k) == sizeof text)
            break;
    }
    struct str said = str_trim((struct str){ text, n });

    if (str_eq(said, STR("ready")))
        return true;
    return said.n ? err_set(e, ERR_DAEMON, STR_FMT, STR_ARG(said))
                  : err_set(e, ERR_DAEMON, "%s ended before it was ready", program);
}

static bool fork_daemon(int start, struct arena *a, struct err *e)
{
    const char *program;
    int ends[2], status;

    if (!launch_program(a, &program, e))
        return false;
    char *argv[] = { arena_cstr(a, str_of(program)), arena_cstr(a, STR("--ready-fd=3")),
                     arena_cstr(a, STR("--start-fd=4")), NULL };

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe for %s", program);
    AUTO_FD from = ends[0], to = ends[1];
    struct child c = { argv, launch_environment((const char *const *)environ, a), to, start };
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "start %s", program);
    if (pid == 0)
        become_daemon(&c);
    fd_close(&to);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return await_ready(from, program, e);
}

bool launch_daemon(const struct seat *s, int *fd, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD start = -1;

    *fd = -1;
    if (!launch_find(s, fd, e))
        return false;
    if (*fd >= 0)
        return true;
    if (!seat_prepare(s, e))
        return false;
    const char *lock = arena_printf(&a, "%s/" SEAT_START, s->state).p;

    if (!fd_open(AT_FDCWD, lock, O_RDWR | O_CREAT, 0600, &start, e) || !fd_lock(start, true, lock, e))
        return err_as(e, ERR_DAEMON, "start the daemon");
    if (!launch_find(s, fd, e)) /* whoever had the start lock before may have started it */
        return false;
    if (*fd >= 0)
        return true;
    if (!await_former(s, e) || !fork_daemon(start, &a, e))
        return err_as(e, ERR_DAEMON, "start the daemon");
    return launch_find(s, fd, e) && (*fd >= 0 || err_set(e, ERR_DAEMON, "the daemon ended right after its start"));
}
