#include "jail/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "codec/json.h"
#include "jail/cgroup.h"
#include "jail/compile.h"
#include "jail/launch.h"

#define TICK_MS 200 /* between two looks at what runs */
#define NOT_RUN 125
#define STATUS_MAX (1u << 20)
#define ORDER_FD "3"
#define STATUS_FD "4"
#define CONTROL_FD "5"

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP };

/* ------------------------------------------------------------ the order */

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static void put_texts(struct buf *b, const char *const *list)
{
    for (; list && *list; list++)
        (void)buf_add(b, *list, strlen(*list) + 1);
}

/* Sealed, so that what was decided is what is done. */
static bool make_order(const struct jail_policy *p, const struct jail_command *c, bool only_try, int *out,
                       struct err *e)
{
    AUTO_BUF policy = { .limit = JAIL_POLICY_MAX }, all = { .limit = LAUNCH_MAX };
    struct launch_header h = {
        .magic = LAUNCH_MAGIC,
        .version = 1,
        .words = (uint32_t)count(c->argv),
        .variables = (uint32_t)count(c->env),
        .parent = getpid(),
        .wall_ms = c->wall_ms,
        .only_try = only_try,
        .foreground = c->foreground,
    };
    const char *const cwd[] = { c->cwd ? c->cwd : p->home.p, NULL };

    if (!jail_policy_format(p, false, &policy))
        return err_set(e, ERR_CONFIG, "the policy is larger than %u bytes", JAIL_POLICY_MAX);
    h.policy_bytes = (uint32_t)policy.n;
    (void)buf_add(&all, &h, sizeof h);
    (void)buf_str(&all, buf_done(&policy));
    put_texts(&all, cwd);
    put_texts(&all, c->argv);
    put_texts(&all, c->env);
    if (all.full)
        return err_set(e, ERR_ENVIRONMENT, "the command and its environment are larger than %u bytes", LAUNCH_MAX);
    *out = memfd_create("blast-order", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return (*out >= 0 || err_sys(e, "make the order of a sandbox")) && fd_write_all(*out, all.p, all.n, "order", e) &&
           ((fcntl(*out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 &&
             lseek(*out, 0, SEEK_SET) == 0) ||
            err_sys(e, "seal the order of a sandbox"));
}

/* ------------------------------------------------------------ the program */

/* Beside this program, as in the build directory, or where it was installed. */
static bool find_program(char out[PATH_MAX], struct err *e)
{
    static const char *const places[] = { "blast-jail", "../libexec/blast/blast-jail", "../lib/blast/blast-jail" };
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *named = getenv("BLAST_JAIL"); /* tests, whose programs lie elsewhere */
    size_t dir = n > 0 ? str_rfind((struct str){ self, (size_t)n }, '/') : 0;

    if (named && named[0] == '/' && (size_t)snprintf(out, PATH_MAX, "%s", named) < PATH_MAX)
        return true;
    for (size_t i = 0; n > 0 && i < COUNT(places); i++) {
        if ((size_t)snprintf(out, PATH_MAX, "%.*s/%s", (int)dir, self, places[i]) < PATH_MAX && access(out, X_OK) == 0)
            return true;
    }
    (void)err_set(e, ERR_ENVIRONMENT, "the program blast-jail is not beside blast");
    return err_hint(e, "install Blast as a whole, or run without sandbox");
}

static bool spawn(const struct jail_command *c, int order, int status, pid_t *pid, struct err *e)
{
    char path[PATH_MAX];
    char *argv[] = {
        (char *)(uintptr_t) "blast-jail",
        (char *)(uintptr_t)ORDER_FD,
        (char *)(uintptr_t)STATUS_FD,
        c->control > 0 ? (char *)(uintptr_t)CONTROL_FD : NULL,
        NULL,
    };
    char *env[] = { NULL };
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t defaults;

    if (!find_program(path, e))
        return false;
    (void)posix_spawn_file_actions_init(&fa);
    (void)posix_spawnattr_init(&at);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE); /* ignored by us alone */
    (void)posix_spawnattr_setsigdefault(&at, &defaults);
    (void)posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF);
    int rc = 0;

    for (int fd = 0; fd < 3 && rc == 0; fd++)
        rc = posix_spawn_file_actions_adddup2(&fa, c->fd[fd], fd);
    rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, order, 3);
    rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, status, 4);
    if (c->control > 0 && rc == 0)
        rc = posix_spawn_file_actions_adddup2(&fa, c->control, 5);
    rc = rc ? rc : posix_spawn(pid, path, &fa, &at, argv, env);
    (void)posix_spawnattr_destroy(&at);
    (void)posix_spawn_file_actions_destroy(&fa);
    errno = rc;
    return rc == 0 || err_sys(e, "start %s", path);
}

/* ------------------------------------------------------------ what it says */

static void read_end(struct json *j, struct str key, struct arena *a, struct jail_result *out, struct err *failure)
{
    struct str v = STR("");
    uint64_t n = 0;

    if (str_eq(key, STR("end")) && json_string(j, &v)) {
        out->end = str_eq(v, STR("exited"))      ? JAIL_EXITED
                   : str_eq(v, STR("signalled")) ? JAIL_SIGNALLED
                   : str_eq(v, STR("refused"))   ? JAIL_REFUSED
                                                 : JAIL_NOT_STARTED;
    } else if (str_eq(key, STR("code")) && json_u64(j, &n)) {
        out->code = (int)n;
    } else if (str_eq(key, STR("signal")) && json_u64(j, &n)) {
        out->signal = (int)n;
    } else if (str_eq(key, STR("limit")) && !json_take_null(j) && json_string(j, &v)) {
        out->limit = arena_cstr(a, v);
    } else if (str_eq(key, STR("sys")) && json_u64(j, &n)) {
        out->sys = failure->sys = (int)n;
    } else if (str_eq(key, STR("text")) && json_string(j, &v)) {
        size_t first = str_find(v, '\n');

        (void)err_set(failure, ERR_ENVIRONMENT, STR_FMT, STR_ARG(v));
        (void)snprintf(out->stage, sizeof out->stage, STR_FMT, STR_ARG(str_sub(v, 0, first)));
    } else if (str_eq(key, STR("hint")) && json_string(j, &v) && v.n) {
        (void)err_hint(failure, STR_FMT, STR_ARG(v));
    }
}

static bool read_status(struct str text, struct arena *a, struct jail_result *out, struct err *failure,
                        struct err *e)
{
    for (struct str line; str_next_line(&text, &line);) {
        struct json j;
        struct str key;

        json_init(&j, arena_str(a, line), a, e);
        if (json_object_begin(&j)) {
            while (json_object_next(&j, &key)) {
                if (str_eq(key, STR("report")))
                    out->reported = jail_report_read(&j, a, &out->report);
                else
                    read_end(&j, key, a, out, failure);
            }
        }
        if (!json_end(&j))
            return err_as(e, ERR_ENVIRONMENT, "read what blast-jail says");
    }
    return true;
}

/* ------------------------------------------------------------ waiting */

/* From the keyboard the launcher has it too, being of our process group; a hangup is for the session's leader, which
 * may be us alone. */
static void pass_on(int signals, pid_t pid)
{
    struct signalfd_siginfo s;

    if (read(signals, &s, sizeof s) == sizeof s && (s.ssi_code <= 0 || s.ssi_signo == SIGHUP))
        (void)kill(pid, (int)s.ssi_signo);
}

/* The first line is the report; whoever wants it need not wait for the end. */
static void announce(const struct jail_command *c, struct buf *said, bool *done)
{
    AUTO_ARENA a = { 0 };
    struct str text = buf_done(said), line = str_sub(text, 0, str_find(text, '\n'));
    struct jail_result r = { 0 };
    struct err ignored = { 0 }, failure = { 0 }; /* it is read again at the end, and complained of there */

    arena_init(&a);
    if (*done || !c->reported || line.n == text.n)
        return;
    *done = true;
    if (read_status(line, &a, &r, &failure, &ignored) && r.reported)
        c->reported(c->ctx, &r.report);
}

/* What blast-gate says is passed on at once and not kept: a sandbox may run for weeks. */
static void take_events(const struct jail_command *c, struct buf *said)
{
    struct str rest = buf_done(said);
    size_t kept = 0;

    for (size_t end; (end = str_find(rest, '\n')) < rest.n; rest = str_sub(rest, end + 1, rest.n)) {
        struct str line = str_sub(rest, 0, end), event = line;

        if (str_cut_prefix(&event, STR("{\"connection\":")) && str_cut_suffix(&event, STR("}"))) {
            if (c->connected)
                c->connected(c->ctx, event);
            continue;
        }
        memmove(said->p + kept, line.p, line.n + 1);
        kept += line.n + 1;
    }
    if (rest.n)
        memmove(said->p + kept, rest.p, rest.n);
    said->n = kept + rest.n;
}

static bool listen_to(const struct jail_command *c, int status, int signals, pid_t pid, struct buf *said,
                      struct err *e)
{
    bool announced = false;

    for (;;) {
        struct pollfd p[2] = { { status, POLLIN, 0 }, { signals, POLLIN, 0 } };
        char chunk[4096];

        int ready = poll(p, 2, c->tick ? TICK_MS : -1);

        if (ready < 0 && errno != EINTR)
            return err_sys(e, "wait for blast-jail");
        if (c->tick && ready == 0)
            c->tick(c->ctx);
        if (p[1].revents)
            pass_on(signals, pid);
        if (!p[0].revents)
            continue;
        ssize_t n = read(status, chunk, sizeof chunk);

        if (n == 0)
            return true;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return errno == ECONNRESET || err_sys(e, "listen to blast-jail");
        if (n > 0 && !buf_add(said, chunk, (size_t)n))
            return err_set(e, ERR_ENVIRONMENT, "blast-jail says more than %u bytes", STATUS_MAX);
        announce(c, said, &announced);
        take_events(c, said);
    }
}

static bool block_signals(bool foreground, sigset_t *before, int *fd, struct err *e)
{
    sigset_t set;

    *fd = -1;
    if (!foreground)
        return true;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT(passed_on); i++)
        (void)sigaddset(&set, passed_on[i]);
    (void)sigprocmask(SIG_BLOCK, &set, before);
    *fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *fd >= 0 || err_sys(e, "listen for signals");
}

static bool carry_out(const struct jail_command *c, int order, struct buf *said, int *ws, struct err *e)
{
    sigset_t before;
    int pair[2], signals;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to blast-jail");
    AUTO_FD ours = pair[0], theirs = pair[1], moved = -1;

    /* Out of the way of 3 and 4, which are made in this order. */
    moved = fcntl(theirs, F_DUPFD_CLOEXEC, 10);
    AUTO_FD high = fcntl(order, F_DUPFD_CLOEXEC, 10);

    if (moved < 0 || high < 0)
        return err_sys(e, "make a link to blast-jail");
    fd_close(&theirs);
    if (!block_signals(c->foreground, &before, &signals, e))
        return false;
    bool ok = spawn(c, high, moved, &pid, e);

    fd_close(&moved);
    if (ok) {
        ok = listen_to(c, ours, signals, pid, said, e);
        if (!ok)
            (void)kill(pid, SIGKILL);
        while (waitpid(pid, ws, 0) < 0 && errno == EINTR)
            ;
        if (WIFSIGNALED(*ws))
            cgroup_remove_of(pid); /* killed: what it would have removed is left to us */
    }
    fd_close(&signals);
    if (c->foreground)
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static bool run(const struct jail_policy *p, const struct jail_command *c, bool only_try, struct arena *a,
                struct jail_result *out, struct err *e)
{
    AUTO_BUF said = { .limit = STATUS_MAX };
    AUTO_FD order = -1;
    uint64_t begun = clock_us();
    struct err failure = { 0 };
    int ws = 0;

    *out = (struct jail_result){ .code = NOT_RUN };
    if (!make_order(p, c, only_try, &order, e) || !carry_out(c, order, &said, &ws, e) ||
        !read_status(buf_done(&said), a, out, &failure, e))
        return err_exit(e, NOT_RUN);
    out->wall_us = clock_us() - begun;
    if (WIFSIGNALED(ws)) {
        (void)err_set(e, ERR_ENVIRONMENT, "blast-jail was ended by signal %d", WTERMSIG(ws));
        return err_exit(e, NOT_RUN);
    }
    if (said.n == 0) {
        (void)err_set(e, ERR_ENVIRONMENT, "blast-jail ended without a word, with exit code %d", WEXITSTATUS(ws));
        return err_exit(e, NOT_RUN);
    }
    if (out->end == JAIL_REFUSED) {
        (void)jail_report_refusal(&out->report, p, e);
        return err_exit(e, NOT_RUN);
    }
    if (failure.kind != ERR_NONE) {
        *e = failure;
        return err_exit(e, out->code);
    }
    return true;
}

bool jail_run(const struct jail_policy *p, const struct jail_command *c, struct arena *a, struct jail_result *out,
              struct err *e)
{
    struct jail_policy with = *p;

    if ((c->ro || c->rw) && !jail_policy_with(p, c->ro, c->rw, a, &with, e))
        return false;
    return run(&with, c, false, a, out, e);
}

bool jail_try(const struct jail_policy *p, struct arena *a, struct jail_report *out, struct err *e)
{
    static const char *const argv[] = { "true", NULL }, *const env[] = { NULL };
    struct jail_command c = { .argv = argv, .env = env, .cwd = "/", .fd = { 0, 1, 2 } };
    struct jail_result result;
    bool ok = run(p, &c, true, a, &result, e);

    *out = result.report;
    if (!ok && result.reported) { /* that it would be refused is in the report */
        err_clear(e);
        return true;
    }
    return ok;
}

/* ------------------------------------------------------------ the environment */

/* What changes how a program looks or speaks, and nothing that may hold a secret. */
static const char *const harmless[] = {
    "LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR",
    "CLICOLOR_FORCE", "TZ", "USER", "LOGNAME", "CI", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT",
    "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING",
    "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONDEVMODE", "PYTHONFAULTHANDLER", "PYTHONNOUSERSITE", "PYTHONASYNCIODEBUG",
    "PYTHONBREAKPOINT", "PYTHONSAFEPATH", "PYTHONINSPECT", "PYTHONVERBOSE", "PYTHON_COLORS", "PYTHON_GIL",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
};

static bool fits(struct str name, struct str pattern)
{
    return str_cut_suffix(&pattern, STR("*")) ? str_starts(name, pattern) : str_eq(name, pattern);
}

static bool passes(const struct jail_policy *p, struct str name)
{
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (fits(name, str_of(harmless[i])))
            return true;
    for (size_t i = 0; i < p->n_variables; i++)
        if (fits(name, p->variable[i]))
            return true;
    return false;
}

static struct str name_of(const char *variable)
{
    struct str v = str_of(variable);

    return str_sub(v, 0, str_find(v, '='));
}

static bool is_set(const char *const *list, struct str name)
{
    for (; list && *list; list++)
        if (str_eq(name_of(*list), name))
            return true;
    return false;
}

const char *const *jail_environment(const struct jail_policy *p, const char *const *from, const char *const *add,
                                    struct arena *a)
{
    VEC(const char *) list = { 0 };

    for (; from && *from; from++)
        if (passes(p, name_of(*from)) && !is_set(add, name_of(*from)))
            VEC_PUSH_IN(a, &list, *from);
    for (const char *const *v = add; v && *v; v++)
        VEC_PUSH_IN(a, &list, *v);
    if (!is_set(add, STR("HOME")))
        VEC_PUSH_IN(a, &list, arena_printf(a, "HOME=" STR_FMT, STR_ARG(p->home)).p);
    if (!is_set(add, STR("PATH")))
        VEC_PUSH_IN(a, &list, "PATH=/usr/local/bin:/usr/bin:/bin");
    VEC_PUSH_IN(a, &list, NULL);
    return list.p;
}
