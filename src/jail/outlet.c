#include "jail/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "jail/policy.h"
#include "jail/transit.h"
#include "jail/userns.h"

#define READY_MS 10000
#define END_MS 2000
#define FIRST_FD 3 /* of blast-gate's: policy, link, events, control */

bool outlet_is_wanted(const struct jail_policy *p)
{
    return p->network == JAIL_NET_ALLOWLIST && p->level != JAIL_PROCESS &&
           ((p->outbound && (p->n_allowed_ports || p->n_udp_ports) && (p->n_allowed_names || p->n_allowed_networks)) ||
            p->n_inbound_ports);
}

/* ------------------------------------------------------------ blast-gate */

static bool make_policy(const struct jail_policy *p, int *fd, struct err *e)
{
    AUTO_BUF b = { .limit = JAIL_POLICY_MAX };

    if (!jail_policy_format_gate(p, &b))
        return err_set(e, ERR_CONFIG, "the policy is larger than %u bytes", JAIL_POLICY_MAX);
    *fd = memfd_create("blast-gate", MFD_CLOEXEC);
    return (*fd >= 0 || err_sys(e, "make the policy of blast-gate")) && fd_write_all(*fd, b.p, b.n, "policy", e) &&
           (lseek(*fd, 0, SEEK_SET) == 0 || err_sys(e, "make the policy of blast-gate"));
}

static bool find_gate(char out[PATH_MAX], struct err *e)
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - sizeof "blast-gate");
    size_t dir = n > 0 ? str_rfind((struct str){ out, (size_t)n }, '/') : 0;

    if (n <= 0)
        return err_sys(e, "find the directory of blast-jail");
    memcpy(out + dir, "/blast-gate", sizeof "/blast-gate");
    return access(out, X_OK) == 0 || err_sys(e, "find %s", out);
}

/* In the child. `give` are the descriptors that become 3 and on; -1 becomes none. */
NORETURN static void exec_gate(const char *path, const int give[4])
{
    static const char *const word[] = { "3", "4", "5", "6" };
    char *argv[6] = { (char *)(uintptr_t) "blast-gate" }, *env[] = { NULL };
    int high[4], nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    (void)setsid(); /* what the keyboard sends is for the command */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < 4; i++)
        high[i] = give[i] < 0 ? -1 : fcntl(give[i], F_DUPFD_CLOEXEC, 20);
    for (int i = 0; i < 4; i++) {
        if (give[i] >= 0 && (high[i] < 0 || dup2(high[i], FIRST_FD + i) < 0))
            _exit(125);
        argv[1 + i] = (char *)(uintptr_t)(give[i] < 0 ? "-" : word[i]);
    }
    for (int fd = 0; fd < 3; fd++)
        if (nothing >= 0)
            (void)dup2(nothing, fd);
    if (close_range(FIRST_FD + 4 - (give[3] < 0), ~0u, 0) == 0)
        (void)execve(path, argv, env);
    _exit(125);
}

static bool start_gate(struct outlet *o, const struct outlet_start *s, int link, struct err *e)
{
    AUTO_FD policy = -1, theirs = -1;
    char path[PATH_MAX];
    int pair[2];

    if (!find_gate(path, e) || !make_policy(s->p, &policy, e))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to blast-gate");
    o->events = pair[0];
    theirs = pair[1];
    const int give[] = { policy, link, theirs, s->control };

    o->gate = fork();
    if (o->gate == 0)
        exec_gate(path, give);
    return o->gate > 0 || err_sys(e, "start %s", path);
}

/* ------------------------------------------------------------ the transit process */

static bool clone_transit(struct outlet *o, struct transit_task *t, const int pair[2], struct err *e)
{
    struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_NEWNET, .exit_signal = SIGCHLD };
    struct userns_map own = t->map;

    own.inside = own.outside; /* its own numbers are those outside: what it writes for pid 1 is in terms of them */
    own.gid_inside = own.gid_outside;
    own.keep_groups = t->root;
    o->transit = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (o->transit == 0) {
        (void)close(pair[0]);
        transit_run(t);
    }
    return (o->transit > 0 || err_sys(e, "make the transit namespaces")) && userns_write_maps(o->transit, &own, e) &&
           (pass_send(pair[0], STR("g"), -1) || err_sys(e, "start the transit process"));
}

static bool start_transit(struct outlet *o, const struct outlet_start *s, int gate, pid_t *init, struct err *e)
{
    struct transit_word w;
    struct str message;
    int pair[2], got;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to the transit process");
    AUTO_FD theirs = pair[1];
    int close_too[12], n = 0;

    o->transit_link = pair[0];
    for (const int *fd = s->close; *fd >= 0 && n < 10; fd++)
        close_too[n++] = *fd;
    close_too[n++] = o->events;
    close_too[n] = -1;
    struct transit_task t = { .p = s->p, .init = s->init, .parent = getpid(), .launcher = theirs, .gate = gate,
                              .map = *s->map, .root = s->root, .namespaces = s->namespaces, .close = close_too };

    t.map.keep_groups = s->root;
    if (!clone_transit(o, &t, pair, e))
        return false;
    fd_close(&theirs);
    if (!pass_receive(o->transit_link, (char *)&w, sizeof w, &message, &got) || message.n != sizeof w)
        return err_set(e, ERR_ENVIRONMENT, "the transit process ended while it was set up");
    if (w.init <= 0)
        *e = w.e;
    *init = w.init;
    return w.init > 0;
}

bool outlet_open(struct outlet *o, const struct outlet_start *s, pid_t *init, struct err *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link between blast-gate and the transit process");
    AUTO_FD for_gate = pair[0], for_transit = pair[1];
    bool ok = start_gate(o, s, for_gate, e);

    fd_close(&for_gate);
    ok = ok && start_transit(o, s, for_transit, init, e);
    if (!ok)
        outlet_close(o);
    return ok;
}

/* ------------------------------------------------------------ what it says */

bool outlet_hear(struct outlet *o, char room[OUTLET_EVENT_MAX], struct str *event)
{
    int got;

    if (!pass_receive(o->events, room, OUTLET_EVENT_MAX, event, &got))
        return false;
    fd_close(&got);
    return true;
}

bool outlet_await(struct outlet *o, struct err *e)
{
    struct pollfd p = { o->events, POLLIN, 0 };
    char room[OUTLET_EVENT_MAX];
    struct str event;

    if (poll(&p, 1, READY_MS) <= 0)
        return err_set(e, ERR_ENVIRONMENT, "blast-gate is not ready after %d ms", READY_MS);
    if (!outlet_hear(o, room, &event))
        return err_set(e, ERR_ENVIRONMENT, "blast-gate ended while it was set up");
    if (str_cut_prefix(&event, STR("!"))) {
        (void)err_set(e, ERR_ENVIRONMENT, STR_FMT, STR_ARG(event));
        return err_wrap(e, "set blast-gate up");
    }
    return true;
}

static void end_process(pid_t *pid)
{
    if (*pid <= 0)
        return;
    AUTO_FD watch = (int)syscall(SYS_pidfd_open, *pid, 0);
    struct pollfd p = { watch, POLLIN, 0 };

    if (watch < 0 || poll(&p, 1, END_MS) == 0)
        (void)kill(*pid, SIGKILL);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

void outlet_close(struct outlet *o)
{
    fd_close(&o->events); /* both end by themselves at the end of these */
    fd_close(&o->transit_link);
    end_process(&o->transit);
    end_process(&o->gate);
}
