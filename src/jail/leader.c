#include "jail/leader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/init.h"
#include "jail/landlock.h"
#include "jail/link.h"
#include "jail/policy.h"
#include "jail/pty.h"
#include "jail/seccomp.h"
#include "jail/track.h"
#include "jail/visit.h"

#define NOT_EXECUTABLE 126
#define NOT_FOUND 127
#define ROUNDS 1000      /* of ending children; what forks faster than that is stopped first, see below */
#define ROUNDS_FREE 50

struct leader {
    struct leader_task *t;
    struct visit_order order;
    struct arena a;
    pid_t self;
    int slave;  /* the command's terminal, or -1 */
    int signals;
    pid_t command;
};

/* One write of it to a pipe arrives whole. */
_Static_assert(sizeof(struct visit_message) <= PIPE_BUF, "a message fits one write");

/* ------------------------------------------------------------ setting up */

static bool wants_terminal(const struct leader_task *t)
{
    return t->use_terminal[0] || t->use_terminal[1] || t->use_terminal[2];
}

static bool waits_for_terminal(const struct leader_task *t)
{
    return visit_waits_for_terminal(t->use_terminal[0], t->use_terminal[1]);
}

static bool take_terminal(struct leader *l, struct err *e)
{
    struct visit_message m = { .kind = VISIT_TERMINAL };
    AUTO_FD master = -1;

    if (!wants_terminal(l->t))
        return true;
    if (!pty_open(&master, &l->slave, e))
        return false;
    (void)signal(SIGTTOU, SIG_IGN);
    (void)visit_send(l->t->client, &m, master);
    return ioctl(l->slave, TIOCSCTTY, 0) == 0 || err_sys(e, "take the terminal of the sandbox");
}

/* The level process has no file system of its own for HOME and TMPDIR. */
static bool name_scratch(struct leader *l)
{
    const char *scratch = l->t->sandbox->scratch;
    char **from = l->order.env;
    size_t n = 0;

    if (!scratch)
        return true;
    while (from[n])
        n++;
    char **env = ARENA_ARRAY(&l->a, char *, n + 3);

    n = 0;
    for (; *from; from++)
        if (!str_starts(str_of(*from), STR("HOME=")) && !str_starts(str_of(*from), STR("TMPDIR=")))
            env[n++] = *from;
    env[n++] = arena_cstr(&l->a, arena_printf(&l->a, "HOME=%s", scratch));
    env[n++] = arena_cstr(&l->a, arena_printf(&l->a, "TMPDIR=%s", scratch));
    env[n] = NULL;
    l->order.env = env;
    return true;
}

static bool set_up(struct leader *l, struct err *e)
{
    sigset_t chld;

    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &chld, NULL);
    l->signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->signals < 0 || setsid() < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(e, "lead a command of the sandbox");
    return visit_order_read(l->t->order, &l->a, &l->order, e) && name_scratch(l) && take_terminal(l, e);
}

/* ------------------------------------------------------------ the command */

static bool has_no_directory(struct err *e)
{
    struct stat st;

    for (int fd = 0; fd < 3; fd++)
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
            return err_set(e, ERR_ENVIRONMENT, "standard descriptor %d is a directory, which leads out of the sandbox",
                           fd);
    return true;
}

/* From here on each call that names a file waits for whoever has the listener, outside. */
static bool track(const struct leader_task *t, struct err *e)
{
    struct link_message m = { .kind = LINK_TRACK, .visit = t->visit };
    AUTO_FD listener = -1;

    if (t->sandbox->p->tracking != JAIL_TRACK_SYSCALL || !track_is_there())
        return true;
    return track_filter(&listener, e) &&
           (link_send(t->sandbox->link, &m, &listener, 1) || err_sys(e, "hand over the tracking of system calls"));
}

static bool confine(const struct leader_task *command, struct err *e)
{
    const struct init_task *t = command->sandbox;
    const struct jail_policy *p = t->p;
    bool no_net = p->network != JAIL_NET_HOST;
    /* Inside, the namespaces keep signals and abstract sockets in; a domain of each command's own would also keep the
     * commands of one sandbox apart. */
    struct landlock_wants wants = { .no_tcp = !t->inside && no_net,
                                    .scoped = !t->inside || !no_net,
                                    .own_view = t->inside,
                                    .scratch = t->scratch };
    struct seccomp_rules rules = {
        .no_inet = p->network == JAIL_NET_NONE || (!t->inside && no_net), .no_unix = !t->inside && p->files
    };
    struct sock_filter program[SECCOMP_PROGRAM_MAX];

    if ((!p->no_landlock && !landlock_restrict(p, &wants, e)) || !track(command, e))
        return false;
    /* Last of all: it refuses much of what came before. */
    return p->no_seccomp || !seccomp_is_there() || seccomp_load(program, seccomp_program(&rules, program), e);
}

static bool prepare(const struct leader *l, struct err *e)
{
    const struct leader_task *t = l->t;
    sigset_t none;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != l->self)
        return err_sys(e, "tie the command to the sandbox");
    (void)setpgid(0, 0);
    if (l->slave >= 0 && !waits_for_terminal(t))
        (void)tcsetpgrp(l->slave, getpid());
    for (int fd = 0; fd < 3; fd++)
        if (dup2(t->use_terminal[fd] ? l->slave : t->fd[fd], fd) < 0)
            return err_sys(e, "give the command its descriptor %d", fd);
    (void)signal(SIGTTOU, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)umask(022);
    if (chdir(l->order.cwd) < 0) {
        (void)err_sys(e, "enter the directory '%s' in the sandbox", l->order.cwd);
        return err_hint(e, "start where the sandbox shows files, such as the project's directory");
    }
    return has_no_directory(e);
}

NORETURN static void run_command(const struct leader *l, int report)
{
    struct err e = { 0 };
    const struct visit_order *o = &l->order;

    /* All else goes: what is not standard input, output or error is closed by the exec. */
    bool ok = prepare(l, &e) && (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0 || err_sys(&e, "close descriptors")) &&
              confine(l->t, &e);
    int code = JAIL_NOT_RUN;

    if (ok) {
        environ = o->env;
        (void)execvp(o->argv[0], o->argv);
        int why = errno;

        code = why == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
        (void)err_sys(&e, "run '%s' in the sandbox", o->argv[0]);
    }
    struct visit_message m = visit_error(&e, code);

    (void)!write(report, &m, sizeof m);
    _exit(code);
}

/* True when the command runs; else its error was passed on. */
static bool start_command(struct leader *l)
{
    struct visit_message m;
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0 || (l->command = fork()) < 0) {
        struct err e = { 0 };

        (void)err_sys(&e, "start the command in the sandbox");
        m = visit_error(&e, JAIL_NOT_RUN);
        (void)visit_send(l->t->client, &m, -1);
        return false;
    }
    if (l->command == 0) {
        (void)close(report[0]);
        run_command(l, report[1]);
    }
    (void)setpgid(l->command, l->command); /* whichever of the two is first */
    (void)close(report[1]);
    if (!waits_for_terminal(l->t))
        fd_close(&l->slave);
    for (int fd = 0; fd < 3; fd++)
        fd_close(&l->t->fd[fd]); /* a pipe is at its end when the command has closed it */
    ssize_t n;

    while ((n = read(report[0], &m, sizeof m)) < 0 && errno == EINTR)
        ;
    (void)close(report[0]);
    if (n != (ssize_t)sizeof m)
        return true; /* closed by the exec */
    (void)visit_send(l->t->client, &m, -1);
    return false;
}

/* ------------------------------------------------------------ while it runs */

/* The kernel stopped it for reading or setting the terminal. It is the terminal's now; the client continues it when the
 * user's terminal is its own as well. */
static bool asks_for_terminal(struct leader *l, int sig)
{
    if (l->slave < 0 || (sig != SIGTTIN && sig != SIGTTOU))
        return false;
    (void)tcsetpgrp(l->slave, l->command);
    fd_close(&l->slave);
    return true;
}

/* True when the command has ended; *status is its. */
static bool reap(struct leader *l, int *status)
{
    struct visit_message stopped = { .kind = VISIT_STOPPED };
    pid_t pid;
    int st;

    while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
        if (pid != l->command)
            continue;
        if (!WIFSTOPPED(st)) {
            *status = st;
            return true;
        }
        stopped.value = WSTOPSIG(st);
        if (asks_for_terminal(l, stopped.value) || l->t->tell_stops)
            (void)visit_send(l->t->client, &stopped, -1);
    }
    return false;
}

/* False when the client is gone. */
static bool obey(const struct leader *l)
{
    struct visit_message m;
    int got;

    if (!visit_receive(l->t->client, &m, &got))
        return false;
    fd_close(&got);
    if (m.kind == VISIT_SIGNAL && m.value > 0 && m.value <= SIGRTMAX)
        (void)kill(m.group ? -l->command : l->command, m.value);
    return true;
}

/* The command's wait status; that of a kill when its client is gone. */
static int supervise(struct leader *l)
{
    int status = SIGKILL;

    for (;;) {
        struct pollfd p[2] = { { l->t->client, POLLIN, 0 }, { l->signals, POLLIN, 0 } };
        struct signalfd_siginfo ignored;

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return status;
        if (p[1].revents) {
            (void)!read(l->signals, &ignored, sizeof ignored);
            if (reap(l, &status))
                return status;
        }
        if (p[0].revents && !obey(l))
            return status;
    }
}

static bool is_spared(const int *spare, uint64_t pid)
{
    for (; spare && *spare; spare++)
        if ((uint64_t)*spare == pid)
            return true;
    return false;
}

/* How many were ended; none also where /proc does not say who is there. */
static unsigned end_once(const int *spare)
{
    char path[64];
    AUTO_BUF text = { .limit = 1u << 20 };
    struct err ignored = { 0 };
    struct str list, word;
    uint64_t pid;
    unsigned n = 0;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || !fd_read_all(fd, &text, path, &ignored))
        return 0;
    for (unsigned pass = 0; pass < 2; pass++) /* all are told before one is waited for */
        for (list = buf_done(&text); str_next(&list, ' ', &word);) {
            if (!str_to_u64(word, &pid) || pid <= 1 || is_spared(spare, pid))
                continue;
            if (pass == 0)
                n += kill((pid_t)pid, SIGKILL) == 0;
            else
                (void)waitpid((pid_t)pid, NULL, 0); /* whom it leaves is ours before this returns */
        }
    return n;
}

void leader_end_children(const int *spare, bool alone)
{
    bool stopped = false;

    for (unsigned round = 0; round < ROUNDS && end_once(spare); round++)
        if (round == ROUNDS_FREE && alone)
            stopped = kill(-1, SIGSTOP) == 0;
    if (stopped)
        (void)kill(-1, SIGCONT);
}

void leader_run(struct leader_task *t)
{
    struct leader l = { .t = t, .self = getpid(), .slave = -1 };
    struct link_message over = { .kind = LINK_OVER, .visit = t->visit, .value = JAIL_NOT_RUN << 8 };
    struct err e = { 0 };

    arena_init(&l.a);
    if (!set_up(&l, &e)) {
        struct visit_message m = visit_error(&e, JAIL_NOT_RUN);

        (void)visit_send(t->client, &m, -1);
    } else if (start_command(&l)) {
        over.value = supervise(&l);
    }
    leader_end_children(NULL, t->sandbox->inside);
    (void)link_send(t->sandbox->link, &over, NULL, 0);
    _exit(0);
}
