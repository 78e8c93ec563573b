#include "jail/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/landlock.h"
#include "jail/launch.h"
#include "jail/limits.h"
#include "jail/link.h"
#include "jail/mounts.h"
#include "jail/policy.h"
#include "jail/probe.h"
#include "jail/pty.h"
#include "jail/sample.h"
#include "jail/seccomp.h"
#include "jail/source.h"

#define NOT_RUN 125
#define NOT_EXECUTABLE 126
#define NOT_FOUND 127

struct inside {
    struct init_task *t;
    struct arena a;
    int slave;         /* the command's terminal, or -1 */
    int lock;          /* /proc/sys/user/max_user_namespaces of the host's /proc, or -1 */
    pid_t command;
    struct mounts_made mounts;
};

/* ------------------------------------------------------------ setting up */

/* Root's files stay root's: what runs here is somebody whom nobody knows. The mount namespace, and what else is made
 * from here on, belongs to that number. */
static bool take_id(const struct init_task *t, struct err *e)
{
    if (setgroups(0, NULL) < 0)
        return err_sys(e, "drop root's groups");
    if (syscall(SYS_setresgid, t->gid, t->gid, t->gid) < 0 || syscall(SYS_setresuid, t->uid, t->uid, t->uid) < 0)
        return err_sys(e, "become user %u of the sandbox", t->uid);
    return true;
}

static bool die_with_parent(const struct init_task *t, struct err *e)
{
    /* After the change of user, which clears it. Who is gone already is seen at the link's end. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys(e, "tie the sandbox to its launcher");
    if (!t->inside && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(e, "adopt the descendants of the command");
    return true;
}

static bool raise_loopback(struct err *e)
{
    AUTO_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = { .ifr_name = "lo" };

    r.ifr_flags = IFF_UP | IFF_RUNNING;
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
        return err_sys(e, "raise the loopback interface of the sandbox");
    return true;
}

static bool enter_namespaces(struct inside *s, struct err *e)
{
    const struct init_task *t = s->t;

    if (t->p->hostname.n && sethostname(t->p->hostname.p, t->p->hostname.n) < 0)
        return err_sys(e, "name the sandbox");
    if (!t->network_made && (t->p->network == JAIL_NET_ISOLATED || t->p->network == JAIL_NET_ALLOWLIST) &&
        !raise_loopback(e))
        return false;
    if (unshare(CLONE_NEWCGROUP) < 0) /* now that we are in our group it is the root of what we see */
        return err_sys(e, "make a cgroup namespace");
    s->lock = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
    return true;
}

/* No user namespace inside this one: what the kernel lets root of one do is the largest part of its attack surface. The
 * limit is the writer's own namespace's. */
static void forbid_namespaces(struct inside *s)
{
    if (s->lock < 0 || write(s->lock, "0", 1) != 1)
        jail_report_lower(&s->t->report, JAIL_SET_ISOLATION, JAIL_HARD,
                          "only the filter of system calls keeps user namespaces from being made inside", NULL);
    fd_close(&s->lock);
}

static bool build_view(struct inside *s, struct err *e)
{
    struct init_task *t = s->t;
    struct sources taken = { 0 };

    if (!t->sources) {
        if (!sources_take(t->p, 0, &s->a, &taken, e))
            return false;
        t->sources = &taken;
    }
    t->sources->socket = t->sockets;
    bool ok = mounts_build(t->p, t->sources, t->terminal, &t->report, &s->mounts, e);

    sources_close(t->sources);
    t->sources = NULL;
    return ok;
}

static bool open_terminal(struct inside *s, struct err *e)
{
    unsigned number;
    int unlock = 0;
    char path[32];

    if (!s->t->inside)
        return pty_open(&s->mounts.ptmx, &s->slave, e);
    if (ioctl(s->mounts.ptmx, TIOCSPTLCK, &unlock) < 0 || ioctl(s->mounts.ptmx, TIOCGPTN, &number) < 0)
        return err_sys(e, "make a terminal in the sandbox");
    (void)snprintf(path, sizeof path, "/dev/pts/%u", number);
    s->slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return s->slave >= 0 || err_sys(e, "open %s of the sandbox", path);
}

static bool start_session(struct inside *s, struct err *e)
{
    if (setsid() < 0)
        return err_sys(e, "begin a session");
    if (!s->t->terminal)
        return true;
    if (!open_terminal(s, e))
        return false;
    (void)signal(SIGTTOU, SIG_IGN);
    return ioctl(s->slave, TIOCSCTTY, 0) == 0 || err_sys(e, "take the terminal of the sandbox");
}

static bool set_up(struct inside *s, struct err *e)
{
    struct init_task *t = s->t;

    if ((t->other_id && !take_id(t, e)) || !die_with_parent(t, e))
        return false;
    if (t->inside && (!enter_namespaces(s, e) || !build_view(s, e)))
        return false;
    if (t->inside)
        forbid_namespaces(s);
    return start_session(s, e) && limits_apply(t->p, t->inside, &t->report, e) && limits_drop_privileges(e);
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

static bool confine(const struct init_task *t, struct err *e)
{
    const struct jail_policy *p = t->p;
    bool no_net = p->network != JAIL_NET_HOST;
    struct landlock_wants wants = {
        .no_tcp = !t->inside && no_net, .scoped = true, .own_view = t->inside, .scratch = t->scratch
    };
    struct seccomp_rules rules = {
        .no_inet = p->network == JAIL_NET_NONE || (!t->inside && no_net), .no_unix = !t->inside && p->files
    };
    struct sock_filter program[SECCOMP_PROGRAM_MAX];

    if (!p->no_landlock && !landlock_restrict(p, &wants, e))
        return false;
    /* Last of all: it refuses much of what came before. */
    return p->no_seccomp || !seccomp_is_there() || seccomp_load(program, seccomp_program(&rules, program), e);
}

static bool prepare(const struct inside *s, struct err *e)
{
    const struct init_task *t = s->t;
    sigset_t none;

    if (!t->inside && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(e, "tie the command to the sandbox");
    (void)setpgid(0, 0);
    if (s->slave >= 0)
        (void)tcsetpgrp(s->slave, getpid());
    for (int fd = 0; fd < 3; fd++)
        if (t->use_terminal[fd] && dup2(s->slave, fd) < 0)
            return err_sys(e, "give the command its terminal");
    (void)signal(SIGTTOU, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)umask(022);
    if (chdir(t->order->cwd) < 0) {
        (void)err_sys(e, "enter the directory '%s' in the sandbox", t->order->cwd);
        return err_hint(e, "start where the sandbox shows files, such as the project's directory");
    }
    return has_no_directory(e);
}

NORETURN static void run_command(const struct inside *s, int report)
{
    struct err e = { 0 };
    const struct launch_order *o = s->t->order;

    /* All else goes: what is not standard input, output or error is closed by the exec. */
    bool ok = prepare(s, &e) && (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0 || err_sys(&e, "close descriptors")) &&
              confine(s->t, &e);
    int code = NOT_RUN;

    if (ok) {
        environ = o->env;
        (void)execvp(o->argv[0], o->argv);
        int why = errno;

        code = why == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
        (void)err_sys(&e, "run '%s' in the sandbox", o->argv[0]);
    }

    struct link_message m = link_error(&e, code);

    (void)!write(report, &m, sizeof m);
    _exit(code);
}

/* True when the command runs; else its error was passed on. */
static bool start_command(struct inside *s)
{
    struct link_message m;
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0 || (s->command = fork()) < 0) {
        struct err e = { 0 };

        (void)err_sys(&e, "start the command in the sandbox");
        link_send_error(s->t->link, &e, NOT_RUN);
        return false;
    }
    if (s->command == 0) {
        (void)close(report[0]);
        run_command(s, report[1]);
    }
    (void)setpgid(s->command, s->command); /* whichever of the two is first */
    (void)close(report[1]);
    fd_close(&s->slave);
    ssize_t n;

    while ((n = read(report[0], &m, sizeof m)) < 0 && errno == EINTR)
        ;
    (void)close(report[0]);
    if (n != (ssize_t)sizeof m)
        return true; /* closed by the exec */
    (void)link_send(s->t->link, &m, -1);
    return false;
}

/* ------------------------------------------------------------ while it runs */

/* At the level process no namespace ends what is left: whom we adopted is ended by hand, until there is nobody. */
static void end_descendants(void)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (unsigned round = 0; round < 1000; round++) {
        AUTO_BUF text = { .limit = 65536 };
        AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
        struct err ignored = { 0 };
        struct str list, word;
        uint64_t pid;

        if (fd < 0 || !fd_read_all(fd, &text, path, &ignored) || text.n == 0)
            return;
        list = buf_done(&text);
        while (str_next(&list, ' ', &word))
            if (str_to_u64(word, &pid))
                (void)kill((pid_t)pid, SIGKILL);
        (void)waitpid(-1, NULL, 0);
    }
}

/* True when the command has ended; *status is its. */
static bool reap(const struct inside *s, const struct sampler *samples, int *status)
{
    struct link_message stopped = { .kind = LINK_STOPPED };
    pid_t pid;
    int st;

    while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
        if (pid != s->command)
            continue;
        if (!WIFSTOPPED(st)) {
            *status = st;
            return true;
        }
        if (!samples->cpu) /* else it is us who stop it */
            (void)link_send(s->t->link, &stopped, -1);
    }
    return false;
}

/* False when blast-jail is gone. */
static bool obey(const struct inside *s)
{
    struct link_message m;
    int got;

    if (!link_receive(s->t->link, &m, &got))
        return false;
    if (m.kind == LINK_SIGNAL)
        (void)kill(m.group ? -s->command : s->command, m.value);
    return true;
}

static void supervise(struct inside *s, int signals)
{
    struct link_message end = { .kind = LINK_END };
    struct sampler samples;
    enum jail_setting over;

    sampler_init(&samples, s->t->p, &s->t->report, s->mounts.proc);
    for (;;) {
        struct pollfd p[2] = { { s->t->link, POLLIN, 0 }, { signals, POLLIN, 0 } };
        struct signalfd_siginfo ignored;

        if (poll(p, 2, sampler_wait(&samples)) < 0 && errno != EINTR)
            return;
        if (p[0].revents && !obey(s))
            return;
        if (p[1].revents) {
            (void)!read(signals, &ignored, sizeof ignored);
            if (reap(s, &samples, &end.value))
                break;
        }
        if (sampler_look(&samples, &over)) {
            struct link_message limit = { .kind = LINK_LIMIT, .value = (int)over };

            (void)link_send(s->t->link, &limit, -1);
            end.value = SIGKILL;
            break;
        }
    }
    (void)link_send(s->t->link, &end, -1);
}

void init_run(struct init_task *t)
{
    struct inside s = { .t = t, .slave = -1, .lock = -1, .mounts = { -1, -1 } };
    struct link_message m;
    struct err e = { 0 };
    sigset_t chld;
    int got;

    arena_init(&s.a);
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &chld, NULL);
    int signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);

    if (!link_receive(t->link, &m, &got) || m.kind != LINK_GO)
        _exit(NOT_RUN);
    if (!set_up(&s, &e)) {
        link_send_error(t->link, &e, NOT_RUN);
        _exit(NOT_RUN);
    }
    if (t->network_made && t->order->h.only_try)
        probe_gateway(t->p, &t->report);
    struct link_message ready = { .kind = LINK_READY, .report = t->report };

    (void)link_send(t->link, &ready, s.mounts.ptmx);
    fd_close(&s.mounts.ptmx);
    if (link_receive(t->link, &m, &got) && m.kind == LINK_EXEC && start_command(&s))
        supervise(&s, signals);
    if (!t->inside)
        end_descendants();
    _exit(0); /* the kernel ends whatever else is in the namespace */
}
