#include "daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/vec.h"

#define NICE 19
#define CPU_SECONDS 3600
#define OPEN_FILES 4096
#define HANDLES 4

struct worker {
    struct worker_calls calls;
    pid_t pid;
    int pidfd, out_fd, err_fd;
    uv_poll_t poll_pid, poll_out, poll_err;
    uv_timer_t grace;
    unsigned closing;
    struct buf out;
    size_t scanned;             /* of out: whole lines up to here have been looked at */
    char tail[WORKER_TAIL];
    size_t tail_n;
};

/* ------------------------------------------------------------ the child */

/* What a job must not take over from the shell that happened to start the daemon. */
static bool is_private(const char *variable)
{
    static const char *const names[] = { "BLAST_ACTOR", "BLAST_REASON", "BLAST_NO_DAEMON", "BLAST_PROJECT", "BLAST_ENV",
        "BLAST_DIRECTIVE_FD", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONHOME", "PYTHONPATH", "LISTEN_FDS",
        "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET" };
    size_t n = strcspn(variable, "=");

    for (size_t i = 0; i < COUNT(names); i++)
        if (strlen(names[i]) == n && memcmp(names[i], variable, n) == 0)
            return true;
    return false;
}

static const char **make_env(const struct worker_spec *spec, struct arena *a)
{
    VEC(const char *) env = { 0 };

    for (char **v = environ; *v; v++)
        if (!is_private(*v))
            VEC_PUSH_IN(a, &env, *v);
    VEC_PUSH_IN(a, &env, "BLAST_ACTOR=daemon");
    VEC_PUSH_IN(a, &env, "BLAST_NO_DAEMON=1");
    VEC_PUSH_IN(a, &env, arena_printf(a, "BLAST_REASON=" STR_FMT, STR_ARG(spec->reason)).p);
    VEC_PUSH_IN(a, &env, NULL);
    return env.p;
}

struct start {
    const char *const *argv;
    const char *const *env;
    const char *dir;
    int null, out, err; /* descriptors that become 0, 1, 2; none of them is below 3 */
    pid_t parent;
    bool low;
};

static void set_limit(int what, rlim_t want)
{
    struct rlimit r;

    if (getrlimit((__rlimit_resource_t)what, &r) < 0)
        return;
    r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
    if (what != RLIMIT_NOFILE)
        r.rlim_max = r.rlim_cur;
    (void)setrlimit((__rlimit_resource_t)what, &r);
}

/* Priorities that cannot be lowered are no reason not to do the work. */
static void lower_priority(void)
{
    static const char score[] = "500";
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, score, sizeof score - 1);
        (void)close(fd);
    }
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    (void)syscall(SYS_ioprio_set, 1 /* this process */, 0, 3 << 13 /* idle */);
}

/* After fork_quiet() in a program with one thread; nothing here allocates. The address space is not limited: files of
 * caches that are mapped would count. */
NORETURN static void run_child(const struct start *s)
{
    sigset_t none;

    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != s->parent)
        _exit(125);
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    set_limit(RLIMIT_CORE, 0);
    set_limit(RLIMIT_CPU, CPU_SECONDS);
    set_limit(RLIMIT_NOFILE, OPEN_FILES);
    if (s->low)
        lower_priority();
    if (dup2(s->null, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0)
        _exit(125);
    (void)syscall(SYS_close_range, 3U, ~0U, 0U);
    (void)!chdir(s->dir); /* a project that went away is for the command to report */
    union {
        const char *const *in;
        char *const *out;
    } argv = { s->argv }, env = { s->env };

    (void)execve(s->argv[0], argv.out, env.out);
    (void)dprintf(2, "cannot run '%s': %s\n", s->argv[0], strerrordesc_np(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* With all signals blocked in the child, until it has let go of the loop's handlers: those write into the loop's pipe,
 * which is still shared, and a job that is ended at once would end the daemon. */
static pid_t fork_quiet(void)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();

    if (pid != 0) {
        int why = errno;

        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        errno = why;
    }
    return pid;
}

static bool make_pipe(int fd[2], struct err *e)
{
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe");
    if (fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0)
        return err_sys(e, "make a pipe not wait");
    return true;
}

/* A descriptor above the three that the child replaces. */
static bool raise_fd(int *fd, struct err *e)
{
    if (*fd > 2)
        return true;
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);

    if (high < 0)
        return err_sys(e, "duplicate a descriptor");
    (void)close(*fd);
    *fd = high;
    return true;
}

static bool spawn(struct worker *w, const struct worker_spec *spec, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD null = -1;
    AUTO_FD out = -1;
    AUTO_FD err = -1;
    int p[2];

    if (!fd_open(AT_FDCWD, "/dev/null", O_RDWR, 0, &null, e) || !raise_fd(&null, e) || !make_pipe(p, e))
        return false;
    w->out_fd = p[0];
    out = p[1];
    if (!raise_fd(&out, e) || !make_pipe(p, e))
        return false;
    w->err_fd = p[0];
    err = p[1];
    if (!raise_fd(&err, e))
        return false;
    const char *argv[] = { spec->blast, "background", job_verb_word(spec->verb), "--project", spec->project, "--json",
                           "--no-daemon", "--no-input", NULL };
    struct start s = {
        .argv = argv,
        .env = make_env(spec, &a),
        .dir = spec->project,
        .null = null,
        .out = out,
        .err = err,
        .parent = getpid(),
        .low = spec->priority >= PRIORITY_WATCH,
    };

    w->pid = fork_quiet();
    if (w->pid < 0)
        return err_sys(e, "start a process");
    if (w->pid == 0)
        run_child(&s);
    (void)setpgid(w->pid, w->pid); /* whoever comes first: the group is there before anybody signals it */
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    if (w->pidfd < 0) {
        (void)err_sys(e, "watch process %d", (int)w->pid);
        (void)kill(w->pid, SIGKILL);
        (void)waitpid(w->pid, NULL, 0);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------ its end */

static void free_worker(struct worker *w)
{
    fd_close(&w->pidfd);
    fd_close(&w->out_fd);
    fd_close(&w->err_fd);
    buf_clear(&w->out);
    free(w);
}

static void closed(uv_handle_t *h)
{
    struct worker *w = h->data;

    if (--w->closing == 0)
        free_worker(w);
}

static void close_all(struct worker *w)
{
    uv_handle_t *all[HANDLES] = { (uv_handle_t *)&w->poll_pid, (uv_handle_t *)&w->poll_out,
                                  (uv_handle_t *)&w->poll_err, (uv_handle_t *)&w->grace };

    w->closing = HANDLES;
    for (size_t i = 0; i < HANDLES; i++)
        uv_close(all[i], closed);
}

static void signal_group(const struct worker *w, int sig)
{
    /* The leader is not reaped yet, so its number, and with it the group's, belongs to nobody else. */
    if (kill(-w->pid, sig) < 0 && errno == ESRCH)
        (void)kill(w->pid, sig);
}

static struct str last_line(const struct worker *w)
{
    struct str s = str_trim((struct str){ w->tail, w->tail_n });
    size_t at = str_rfind(s, '\n');

    return at < s.n ? str_sub(s, at + 1, s.n) : s;
}

static void report(struct worker *w, int exit_code)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct job_result r = { .exit_code = exit_code, .word = STR("failed") };
    struct str text = str_trim(buf_done(&w->out));

    if (w->out.full) {
        r.exit_code = 1; /* it was killed for that: no crash that may pass */
        r.message = arena_printf(&a, "the job printed more than %u bytes", JOB_OUTPUT_MAX);
    } else if (text.n && job_result_parse(text, &a, &r, &e)) {
        if (!r.message.n && exit_code != 0)
            r.message = last_line(w);
    } else if (exit_code > 128)
        r.message = arena_printf(&a, "the job was ended by signal %d", exit_code - 128);
    else {
        r.message = last_line(w);
        if (!r.message.n)
            r.message = arena_printf(&a, "the job ended with exit code %d and printed no result", exit_code);
    }
    bool failed = str_eq(r.word, STR("failed")) || str_eq(r.word, STR("denied")) || str_eq(r.word, STR("locked")) ||
                  !r.json.n;

    r.state = failed ? JOB_FAILED : JOB_DONE;
    w->calls.ended(w->calls.ctx, &r);
}

/* Lines of progress are taken out as they come; what stays is the result. */
static void take_progress(struct worker *w)
{
    while (w->scanned < w->out.n) {
        struct str rest = str_sub(buf_done(&w->out), w->scanned, w->out.n);
        size_t n = str_find(rest, '\n');
        AUTO_ARENA a = { 0 };
        struct job_progress p;

        if (n == rest.n)
            return;
        if (!job_progress_parse(str_sub(rest, 0, n), &a, &p)) {
            w->scanned += n + 1;
            continue;
        }
        if (w->calls.progress)
            w->calls.progress(w->calls.ctx, &p);
        memmove(w->out.p + w->scanned, w->out.p + w->scanned + n + 1, w->out.n - w->scanned - n - 1);
        w->out.n -= n + 1;
    }
}

static void add_tail(struct worker *w, const char *p, size_t n)
{
    size_t keep = n >= WORKER_TAIL ? 0 : MIN(w->tail_n, WORKER_TAIL - n);

    memmove(w->tail, w->tail + w->tail_n - keep, keep);
    p += n - MIN(n, (size_t)WORKER_TAIL);
    n = MIN(n, (size_t)WORKER_TAIL);
    memcpy(w->tail + keep, p, n);
    w->tail_n = keep + n;
}

/* True while more may come. A child that prints without end is ended. */
static bool read_some(struct worker *w, bool messages)
{
    char p[4096];
    ssize_t n = read(messages ? w->err_fd : w->out_fd, p, sizeof p);

    if (n < 0)
        return errno == EINTR;
    if (n == 0)
        return false;
    if (messages)
        add_tail(w, p, (size_t)n);
    else if (!buf_add(&w->out, p, (size_t)n)) {
        signal_group(w, SIGKILL);
        return false;
    }
    return true;
}

static void readable(uv_poll_t *h, int status, int events)
{
    struct worker *w = h->data;
    bool messages = h == &w->poll_err;

    (void)events;
    errno = 0;
    if (status < 0 || (!read_some(w, messages) && errno != EAGAIN))
        (void)uv_poll_stop(h);
    if (!messages)
        take_progress(w);
}

static void died(uv_poll_t *h, int status, int events)
{
    struct worker *w = h->data;
    siginfo_t info = { 0 };
    int code = -1;

    (void)status, (void)events;
    if (waitid((idtype_t)P_PIDFD, (id_t)w->pidfd, &info, WEXITED | WNOHANG) == 0) {
        if (info.si_pid == 0)
            return;
        code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    }
    /* What it wrote before is in the pipes; a grandchild that still holds them is not waited for. */
    for (unsigned i = 0; i < JOB_OUTPUT_MAX / 512 && read_some(w, false); i++)
        ;
    for (unsigned i = 0; i < 64 && read_some(w, true); i++)
        ;
    take_progress(w);
    report(w, code);
    close_all(w);
}

static void grace_over(uv_timer_t *h)
{
    signal_group(h->data, SIGKILL);
}

bool worker_start(struct uv_loop_s *loop, const struct worker_spec *spec, const struct worker_calls *calls,
                  struct worker **out, struct err *e)
{
    struct worker *w = mem_zero(1, sizeof *w);

    w->calls = *calls;
    w->pidfd = w->out_fd = w->err_fd = -1;
    buf_init(&w->out, JOB_OUTPUT_MAX);
    if (!spawn(w, spec, e)) {
        free_worker(w);
        return err_as(e, ERR_DAEMON, "start a job for '%s'", spec->project);
    }
    w->poll_pid.data = w->poll_out.data = w->poll_err.data = w->grace.data = w;
    if (uv_poll_init(loop, &w->poll_pid, w->pidfd) < 0 || uv_poll_init(loop, &w->poll_out, w->out_fd) < 0 ||
        uv_poll_init(loop, &w->poll_err, w->err_fd) < 0 || uv_timer_init(loop, &w->grace) < 0)
        BUG("libuv refuses fresh descriptors");
    (void)uv_poll_start(&w->poll_pid, UV_READABLE, died);
    (void)uv_poll_start(&w->poll_out, UV_READABLE, readable);
    (void)uv_poll_start(&w->poll_err, UV_READABLE, readable);
    *out = w;
    return true;
}

pid_t worker_pid(const struct worker *w)
{
    return w->pid;
}

void worker_stop(struct worker *w)
{
    signal_group(w, SIGTERM);
    if (!uv_is_active((uv_handle_t *)&w->grace))
        (void)uv_timer_start(&w->grace, grace_over, WORKER_GRACE_MS, 0);
}

void worker_abandon(struct worker *w)
{
    signal_group(w, SIGTERM);
    close_all(w);
}
