#include "jail/init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/leader.h"
#include "jail/limits.h"
#include "jail/link.h"
#include "jail/mounts.h"
#include "jail/policy.h"
#include "jail/probe.h"
#include "jail/sample.h"
#include "jail/source.h"
#include "jail/uppers.h"
#include "jail/visit.h"

struct inside {
    struct init_task *t;
    struct arena a;
    int lock;            /* /proc/sys/user/max_user_namespaces of the host's /proc, or -1 */
    int proc;            /* of the sandbox, or -1 */
    struct sampler samples;
    int layer[UPPERS_MAX]; /* changes that lie on disk: where the host's names are not seen any more */
    size_t n_layers;
    int leader[INIT_VISITS_MAX + 1]; /* process ids, in no order, 0 behind the last */
    uint32_t visit[INIT_VISITS_MAX]; /* whose */
    size_t n;
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
    /* After the change of user, which clears it. Who is gone already is seen at the link's end; so it is at the level
     * process, where the descendants have to be ended by hand first. */
    if ((t->inside && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
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

/* To measure them. */
static bool hold_layers(struct inside *s, struct err *e)
{
    const struct sources *from = s->t->sources;

    for (size_t i = 0; i < from->n && s->n_layers < UPPERS_MAX; i++) {
        if (from->path[i].layer < 0)
            continue;
        int fd = openat(from->path[i].layer, "upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            return err_sys(e, "open the changes of a layer");
        s->layer[s->n_layers++] = fd;
    }
    return true;
}

static bool build_view(struct inside *s, struct err *e)
{
    struct init_task *t = s->t;
    struct sources taken = { 0 };

    if (!t->sources) {
        if (!sources_take(t->p, 0, t->uppers, &s->a, &taken, e))
            return false;
        t->sources = &taken;
    }
    t->sources->socket = t->sockets;
    bool ok = mounts_build(t->p, t->sources, &t->report, &s->proc, e) && hold_layers(s, e);

    sources_close(t->sources);
    t->sources = NULL;
    return ok;
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
    if (setsid() < 0)
        return err_sys(e, "begin a session");
    return limits_apply(t->p, t->inside, &t->report, e) && limits_drop_privileges(e);
}

/* ------------------------------------------------------------ commands */

/* Takes the descriptors of a message apart; false when they are not what it says. */
static bool take_descriptors(const struct link_message *m, const int *got, size_t n, struct leader_task *t)
{
    size_t next = 2;

    if (n < 2)
        return false;
    t->client = got[0];
    t->order = got[1];
    for (int i = 0; i < 3; i++) {
        t->use_terminal[i] = m->use_terminal[i];
        t->fd[i] = m->use_terminal[i] || next >= n ? -1 : got[next++];
        if (!m->use_terminal[i] && t->fd[i] < 0)
            return false;
    }
    return next == n;
}

static void forget(struct inside *s, size_t i)
{
    s->n--;
    s->leader[i] = s->leader[s->n];
    s->visit[i] = s->visit[s->n];
    s->leader[s->n] = 0;
}

static void tell_over(const struct inside *s, uint32_t visit, int status)
{
    struct link_message over = { .kind = LINK_OVER, .visit = visit, .value = status };

    (void)link_send(s->t->link, &over, NULL, 0);
}

static void start(struct inside *s, const struct link_message *m, const int *got, size_t n)
{
    struct leader_task t = { .sandbox = s->t, .visit = m->visit, .tell_stops = !s->samples.cpu };
    pid_t pid = s->n < INIT_VISITS_MAX && take_descriptors(m, got, n, &t) ? fork() : -1;

    if (pid == 0)
        leader_run(&t);
    if (pid > 0) {
        s->leader[s->n] = (int)pid;
        s->visit[s->n++] = m->visit;
    } else {
        tell_over(s, m->visit, JAIL_NOT_RUN << 8);
    }
}

/* A leader tells itself that its command is over. One that was killed cannot: then what it led is ours, and goes. One
 * that a command has stopped goes on: it has to see the end of its client. */
static void reap(struct inside *s)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        size_t i = 0;

        if (WIFSTOPPED(status)) {
            if (!s->samples.stopped) /* else it is by us */
                (void)kill(pid, SIGCONT);
            continue;
        }

        while (i < s->n && s->leader[i] != (int)pid)
            i++;
        if (i == s->n)
            continue;
        uint32_t visit = s->visit[i];

        forget(s, i);
        if (WIFSIGNALED(status)) {
            leader_end_children(s->leader, s->t->inside);
            tell_over(s, visit, status);
        }
    }
}

/* False when blast-jail is gone. */
static bool obey(struct inside *s)
{
    struct link_message m;
    int got[PASS_MAX];
    size_t n;
    bool ok = link_receive(s->t->link, &m, got, &n);

    if (ok && m.kind == LINK_VISIT)
        start(s, &m, got, n);
    for (size_t i = 0; i < n; i++)
        (void)close(got[i]);
    return ok;
}

static void supervise(struct inside *s, int signals)
{
    enum jail_setting over;

    sampler_init(&s->samples, s->t->p, &s->t->report, s->proc);
    s->samples.layer = s->layer;
    s->samples.n_layers = s->n_layers;
    for (;;) {
        struct pollfd p[2] = { { s->t->link, POLLIN, 0 }, { signals, POLLIN, 0 } };
        struct signalfd_siginfo ignored;

        if (poll(p, 2, sampler_wait(&s->samples)) < 0 && errno != EINTR)
            return;
        if (p[1].revents) {
            (void)!read(signals, &ignored, sizeof ignored);
            reap(s);
        }
        if (p[0].revents && !obey(s))
            return;
        if (sampler_look(&s->samples, &over)) {
            struct link_message limit = { .kind = LINK_LIMIT, .value = (int)over };

            (void)link_send(s->t->link, &limit, NULL, 0);
            return;
        }
    }
}

void init_run(struct init_task *t)
{
    struct inside s = { .t = t, .lock = -1, .proc = -1 };
    struct link_message m;
    struct err e = { 0 };
    int got[PASS_MAX];
    sigset_t chld;
    size_t n;

    arena_init(&s.a);
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &chld, NULL);
    int signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);

    bool entered = cgroup_enter(t->door, &e);

    if (!link_receive(t->link, &m, got, &n) || m.kind != LINK_GO)
        _exit(JAIL_NOT_RUN);
    if (!entered || !set_up(&s, &e)) {
        link_send_error(t->link, &e, JAIL_NOT_RUN);
        _exit(JAIL_NOT_RUN);
    }
    if (t->network_made && t->only_try)
        probe_gateway(t->p, &t->report);
    struct link_message ready = { .kind = LINK_READY, .report = t->report };

    (void)link_send(t->link, &ready, NULL, 0);
    supervise(&s, signals);
    if (!t->inside)
        leader_end_children(NULL, false);
    _exit(0); /* the kernel ends whatever else is in the namespace */
}
