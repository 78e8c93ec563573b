#include "jail/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "codec/json_write.h"
#include "jail/cgroup.h"
#include "jail/compile.h"
#include "jail/init.h"
#include "jail/judge.h"
#include "jail/link.h"
#include "jail/outlet.h"
#include "jail/pty.h"
#include "jail/scratch.h"
#include "jail/source.h"
#include "jail/userns.h"

#define NOT_RUN 125
#define END_MS 2000
#define TWICE_US 100000 /* a signal to the process group comes directly and through our parent */

static const int forwarded[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
                                 SIGALRM, SIGTSTP, SIGCONT, SIGWINCH, SIGCHLD };

struct launch {
    struct arena a;
    struct launch_order order;
    struct jail_report report;
    struct cgroup group;
    struct sources sources;
    bool taken;            /* sources were taken out here (root) */
    struct scratch scratch;
    int status;            /* to our parent */
    int link;              /* to pid 1, or -1 */
    int signals;
    pid_t init;
    bool in_group;         /* from its birth, or by its own hand */
    struct outlet outlet;
    int control;           /* for blast-gate, or -1 */
    bool no_outlet, outlet_told; /* it could not be made; the report says so */
    struct pty pty;
    bool terminal;
    int tty_in, tty_out;
    const char *limit;     /* what ended it */
    int wait_status;
    bool ended, failed;
    struct link_message failure;
    uint64_t signal_us[65]; /* when it was passed on last */
};

/* ------------------------------------------------------------ to the parent */

static void tell(const struct launch *l, struct buf *b)
{
    struct err ignored = { 0 }; /* whoever listens may be gone */

    (void)buf_char(b, '\n');
    (void)!fd_write_all(l->status, b->p, b->n, "status", &ignored);
}

static void tell_report(const struct launch *l)
{
    AUTO_BUF b = { .limit = 1u << 16 };
    struct json_write w;

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_key(&w, STR("report"));
    jail_report_write(&l->report, &w);
    json_write_object_end(&w);
    if (json_write_end(&w))
        tell(l, &b);
}

static void tell_end(const struct launch *l, const char *end, int code)
{
    AUTO_BUF b = { .limit = 1u << 14 };
    struct json_write w;

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "end", end);
    json_write_member_u64(&w, "code", (uint64_t)code);
    if (l->ended && WIFSIGNALED(l->wait_status))
        json_write_member_u64(&w, "signal", (uint64_t)WTERMSIG(l->wait_status));
    json_write_member_cstr(&w, "limit", l->limit);
    if (l->failed) {
        json_write_member_cstr(&w, "text", l->failure.text);
        json_write_member_cstr(&w, "hint", l->failure.hint);
        json_write_member_u64(&w, "sys", (uint64_t)l->failure.sys);
    }
    json_write_object_end(&w);
    if (json_write_end(&w))
        tell(l, &b);
}

static void fail(struct launch *l, const struct err *e, int code)
{
    l->failed = true;
    l->failure = link_error(e, code);
}

/* ------------------------------------------------------------ the order */

static bool take_texts(char **at, const char *end, uint32_t n, char **out)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t left = (size_t)(end - *at), k = strnlen(*at, left);

        if (k == left)
            return false;
        out[i] = *at;
        *at += k + 1;
    }
    return true;
}

static bool read_order(struct launch *l, int fd, struct err *e)
{
    AUTO_BUF b = { .limit = LAUNCH_MAX };
    struct launch_order *o = &l->order;

    if (!fd_read_all(fd, &b, "order", e))
        return false;
    if (b.n < sizeof o->h)
        return err_set(e, ERR_ENVIRONMENT, "an order of %zu bytes", b.n);
    memcpy(&o->h, b.p, sizeof o->h);
    if (o->h.magic != LAUNCH_MAGIC || o->h.version != 1)
        return err_set(e, ERR_ENVIRONMENT, "an order of another version: blast and blast-jail do not belong together");
    size_t rest = b.n - sizeof o->h;

    if (o->h.policy_bytes > rest || o->h.words == 0 || o->h.words > rest || o->h.variables > rest)
        return err_set(e, ERR_ENVIRONMENT, "an order that is cut off");
    char *copy = arena_text(&l->a, b.p + sizeof o->h, rest), *at = copy + o->h.policy_bytes;
    char *cwd = NULL;

    o->argv = ARENA_ARRAY(&l->a, char *, (size_t)o->h.words + 1);
    o->env = ARENA_ARRAY(&l->a, char *, (size_t)o->h.variables + 1);
    if (!take_texts(&at, copy + rest, 1, &cwd) || !take_texts(&at, copy + rest, o->h.words, o->argv) ||
        !take_texts(&at, copy + rest, o->h.variables, o->env))
        return err_set(e, ERR_ENVIRONMENT, "an order that is cut off");
    o->cwd = cwd;
    return jail_policy_parse((struct str){ copy, o->h.policy_bytes }, &l->a, &o->policy, e);
}

static bool begin(struct launch *l, int order, struct err *e)
{
    sigset_t set;

    if (close_range((unsigned)MAX(MAX(order, l->status), l->control) + 1, ~0u, 0) < 0)
        return err_sys(e, "close what was inherited");
    if (!read_order(l, order, e))
        return false;
    (void)close(order);
    /* The status socket says that the caller is gone; the signal goes on with a launcher that is stopped. Not a deadly
     * one: what was made is taken down in order. */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return err_sys(e, "tie the launcher to its caller");
    if (getppid() != l->order.h.parent)
        return err_set(e, ERR_ENVIRONMENT, "whoever asked for the sandbox is gone");
    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT(forwarded); i++)
        (void)sigaddset(&set, forwarded[i]);
    l->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    (void)sigaddset(&set, SIGPIPE); /* of a caller that is gone */
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    return l->signals >= 0 || err_sys(e, "listen for signals");
}

/* ------------------------------------------------------------ pid 1 */

/* Terminals among the standard descriptors are never handed in; one of the sandbox's own takes their place. */
static void find_terminals(struct launch *l, struct init_task *t)
{
    l->tty_in = l->tty_out = -1;
    for (int fd = 0; fd < 3; fd++) {
        if (!isatty(fd))
            continue;
        t->terminal = t->use_terminal[fd] = true;
        if (fd == 0)
            l->tty_in = 0;
        else if (l->tty_out < 0)
            l->tty_out = fd;
    }
    if (l->tty_in >= 0 && l->tty_out < 0)
        l->tty_out = 0; /* the echo of what is typed */
    l->terminal = t->terminal;
}

static uint64_t namespaces(const struct jail_policy *p)
{
    uint64_t flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;

    return p->network == JAIL_NET_HOST ? flags : flags | CLONE_NEWNET;
}

/* Through the transit process, which makes the networks first. */
static bool spawn_with_outlet(struct launch *l, struct init_task *t, const struct userns_map *m, struct err *e)
{
    const int ours[] = { l->link, l->status, l->signals, l->control, -1 };
    int close_too[COUNT(ours)];
    size_t n = 0;

    for (size_t i = 0; i < COUNT(ours) - 1; i++)
        if (ours[i] >= 0)
            close_too[n++] = ours[i];
    close_too[n] = -1;
    struct outlet_start s = { .p = t->p, .init = t, .map = m, .root = t->other_id, .control = l->control,
                              .namespaces = namespaces(t->p) & ~(uint64_t)CLONE_NEWNET, .close = close_too };

    t->network_made = true;
    return outlet_open(&l->outlet, &s, &l->init, e);
}

/* Into its group at once where that can be. Without namespaces fork() will do, also where a filter of system calls
 * refuses clone3(): in another sandbox. */
static pid_t clone_init(struct launch *l, uint64_t flags)
{
    struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
    int group = cgroup_birthplace(&l->group);

    if (group >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)group;
        pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);

        l->in_group = pid > 0;
        if (pid >= 0)
            return pid;
        args.flags = flags;
        args.cgroup = 0;
    }
    return flags ? (pid_t)syscall(SYS_clone3, &args, sizeof args) : fork();
}

static bool spawn_init(struct launch *l, struct init_task *t, const struct userns_map *m, struct err *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to the sandbox");
    l->link = pair[0];
    t->link = pair[1];
    t->outside = getpid();
    if (t->inside && !l->no_outlet && outlet_is_wanted(t->p)) {
        bool ok = spawn_with_outlet(l, t, m, e);

        (void)close(pair[1]);
        l->no_outlet = !ok;
        return ok;
    }
    l->init = clone_init(l, t->inside ? namespaces(t->p) : 0);
    if (l->init == 0) {
        (void)close(pair[0]);
        (void)close(l->status);
        (void)close(l->signals);
        if (!l->group.v2 && !cgroup_enter(&l->group, e)) {
            link_send_error(t->link, e, NOT_RUN);
            _exit(NOT_RUN);
        }
        init_run(t);
    }
    int why = errno;

    l->in_group |= !l->group.v2;
    (void)close(pair[1]);
    errno = why;
    return l->init > 0 || err_sys(e, t->inside ? "make the namespaces" : "start the sandbox");
}

static struct userns_map map_of(const struct jail_policy *p, struct init_task *t)
{
    bool root = geteuid() == 0, renamed = p->level == JAIL_CONTAINER;
    struct userns_map m = {
        .inside = renamed ? 1000 : geteuid(),
        .outside = root ? userns_spare_id(getpid()) : geteuid(),
        .gid_inside = renamed ? 1000 : getegid(),
        .gid_outside = root ? userns_spare_id(getpid()) : getegid(),
    };

    m.keep_groups = root;
    t->other_id = root;
    t->uid = m.inside;
    t->gid = m.gid_inside;
    return m;
}

/* Waits for what pid 1 says when it is set up. */
static bool await_ready(struct launch *l, int *terminal)
{
    struct link_message m;

    if (!link_receive(l->link, &m, terminal)) {
        struct err e = { 0 };

        (void)err_set(&e, ERR_ENVIRONMENT, "pid 1 of the sandbox ended while it was set up");
        fail(l, &e, NOT_RUN);
        return false;
    }
    if (m.kind == LINK_ERROR) {
        l->failed = true;
        l->failure = m;
        return false;
    }
    l->report = m.report;
    return true;
}

/* The end of the link ends pid 1, and that all the rest: by the kernel, or at the level process by its own hand. */
static void end_init(struct launch *l)
{
    if (l->init <= 0)
        return;
    AUTO_FD watch = (int)syscall(SYS_pidfd_open, l->init, 0);
    struct pollfd p = { watch, POLLIN, 0 };

    fd_close(&l->link);
    if (watch < 0 || poll(&p, 1, END_MS) == 0)
        (void)kill(l->init, SIGKILL);
    while (waitpid(l->init, NULL, 0) < 0 && errno == EINTR)
        ;
    l->init = 0;
}

static struct str root_cause(const struct err *e)
{
    struct str text = str_of(e->text);

    return str_sub(text, 0, str_find(text, '\n'));
}

/* One try at a level: true when pid 1 is ready. */
static bool set_up(struct launch *l, bool inside)
{
    struct jail_policy *p = &l->order.policy;
    struct link_message go = { .kind = LINK_GO };
    struct err e = { 0 };
    struct init_task t = {
        .order = &l->order, .p = p, .inside = inside, .scratch = l->scratch.path[0] ? l->scratch.path : NULL
    };
    struct userns_map m = map_of(p, &t);
    int master = -1;

    t.other_id &= inside;
    find_terminals(l, &t);
    if (inside && p->files)
        t.sockets = source_sockets(&l->a);
    if (inside && t.other_id && !l->taken) {
        l->taken = true;
        if (!sources_take(p, m.outside, &l->a, &l->sources, &e)) {
            fail(l, &e, NOT_RUN);
            return false;
        }
    }
    t.sources = inside && l->taken ? &l->sources : NULL;
    t.report = l->report;
    l->in_group = false;
    bool ok = spawn_init(l, &t, &m, &e);

    if (!ok && l->no_outlet && !l->outlet_told) { /* without it, then: nothing gets out */
        l->outlet_told = true;
        fd_close(&l->link);
        judge_no_gate(p, arena_cstr(&l->a, root_cause(&e)), &l->report);
        return set_up(l, inside);
    }
    if (!ok || (inside && !t.network_made && !userns_write_maps(l->init, &m, &e)) ||
        (!l->in_group && !cgroup_join(&l->group, l->init, &e))) {
        fail(l, &e, NOT_RUN);
        return false;
    }
    (void)link_send(l->link, &go, -1); /* if it is gone, the next receive says so */
    if (!await_ready(l, &master))
        return false;
    if (l->terminal)
        pty_init(&l->pty, master, l->tty_in, l->tty_out);
    if (l->outlet.events >= 0 && !outlet_await(&l->outlet, &e)) {
        fail(l, &e, NOT_RUN);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------ while it runs */

static void pass_signal(struct launch *l, int sig, bool group)
{
    struct link_message m = { .kind = LINK_SIGNAL, .value = sig, .group = group };

    (void)link_send(l->link, &m, -1);
}

/* Ctrl-Z: our parent stops, which the shell knows. We leave the terminal and wait for the SIGCONT that the shell sends
 * to the group: to stop as well would lose one that comes at that moment. */
static void stop_too(struct launch *l)
{
    if (!l->order.h.foreground)
        return;
    if (l->terminal)
        pty_detach(&l->pty);
    (void)kill(getppid(), SIGSTOP);
}

static void take_signal(struct launch *l)
{
    struct signalfd_siginfo s;

    if (read(l->signals, &s, sizeof s) != sizeof s)
        return;
    int sig = (int)s.ssi_signo;
    uint64_t now = clock_us();

    if (sig == SIGCHLD)
        return;
    if (sig == SIGWINCH) {
        if (l->terminal)
            pty_resize(&l->pty);
        return;
    }
    if (sig == SIGCONT) {
        if (l->terminal)
            pty_attach(&l->pty);
        pass_signal(l, SIGCONT, true);
        return;
    }
    if (now - l->signal_us[sig] < TWICE_US)
        return;
    l->signal_us[sig] = now;
    pass_signal(l, sig, s.ssi_code > 0); /* from the keyboard it is for all, from kill(2) for one */
    if (sig == SIGTSTP)
        stop_too(l);
}

/* False when it is over. */
static bool take_message(struct launch *l)
{
    struct link_message m;
    int got;

    if (!link_receive(l->link, &m, &got)) {
        l->wait_status = SIGKILL; /* pid 1 was ended: by the kernel for memory, or from outside */
        l->ended = true;
        return false;
    }
    switch (m.kind) {
    case LINK_STOPPED: /* by Ctrl-Z in its terminal; a program that stops itself elsewhere must not stop its caller */
        if (l->terminal && l->pty.raw)
            stop_too(l);
        return true;
    case LINK_LIMIT:
        l->limit = jail_setting_name((enum jail_setting)m.value);
        return true;
    case LINK_ERROR:
        l->failed = true;
        l->failure = m;
        return false;
    case LINK_END:
        l->ended = true;
        l->wait_status = m.value;
        return false;
    case LINK_GO:
    case LINK_EXEC:
    case LINK_SIGNAL:
    case LINK_READY:
        break;
    }
    return true;
}

/* Milliseconds until the wall clock's limit; 0: it is passed. */
static int time_left(const struct launch *l, uint64_t begun)
{
    uint64_t gone = clock_ms() - begun;

    return !l->order.h.wall_ms ? -1 : gone >= l->order.h.wall_ms ? 0 : (int)MIN(l->order.h.wall_ms - gone, 1000000u);
}

/* Of blast-gate, for the audit log. */
static void tell_event(const struct launch *l, struct str json)
{
    AUTO_BUF b = { .limit = OUTLET_EVENT_MAX + 64 };

    if (buf_printf(&b, "{\"connection\":" STR_FMT "}", STR_ARG(json)))
        tell(l, &b);
}

static void take_event(struct launch *l)
{
    char room[OUTLET_EVENT_MAX];
    struct str json;

    if (outlet_hear(&l->outlet, room, &json)) {
        tell_event(l, json);
    } else {
        fd_close(&l->outlet.events);
        tell_event(l, STR("{\"verdict\":\"gone\",\"why\":\"blast-gate ended: nothing gets out any more\"}"));
    }
}

static void supervise(struct launch *l)
{
    uint64_t begun = clock_ms();

    if (l->terminal)
        pty_attach(&l->pty);
    for (int left; (left = time_left(l, begun)) != 0;) {
        struct pollfd p[6] = { { l->status, 0, 0 }, { l->link, POLLIN, 0 }, { l->signals, POLLIN, 0 },
                               { -1, 0, 0 },        { -1, 0, 0 },           { l->outlet.events, POLLIN, 0 } };

        if (l->terminal)
            pty_poll(&l->pty, p + 3);
        if (poll(p, COUNT(p), left) < 0 && errno != EINTR)
            break;
        if (p[0].revents) /* our parent is gone */
            break;
        if (p[2].revents)
            take_signal(l);
        if (l->terminal)
            pty_relay(&l->pty, p + 3);
        if (p[5].revents)
            take_event(l);
        if (p[1].revents && !take_message(l))
            break;
    }
    if (time_left(l, begun) == 0 && !l->ended && !l->failed) {
        l->limit = "wall clock";
        l->wait_status = SIGKILL;
        l->ended = true;
    }
}

/* ------------------------------------------------------------ the whole */

static bool make_scratch(struct launch *l, struct err *e)
{
    struct launch_order *o = &l->order;
    char **env = ARENA_ARRAY(&l->a, char *, (size_t)o->h.variables + 3);
    size_t n = 0;

    if (!scratch_make(&l->scratch, e))
        return false;
    for (char **v = o->env; *v; v++)
        if (!str_starts(str_of(*v), STR("HOME=")) && !str_starts(str_of(*v), STR("TMPDIR=")))
            env[n++] = *v;
    env[n++] = arena_cstr(&l->a, arena_printf(&l->a, "HOME=%s", l->scratch.path));
    env[n++] = arena_cstr(&l->a, arena_printf(&l->a, "TMPDIR=%s", l->scratch.path));
    env[n] = NULL;
    o->env = env;
    return true;
}

static bool as_process(struct launch *l)
{
    struct err e = { 0 };

    l->failed = false;
    end_init(l);
    outlet_close(&l->outlet);
    l->report.level = JAIL_PROCESS;
    jail_policy_as_process(&l->order.policy, &l->a, &l->order.policy);
    judge_process(&l->order.policy, &l->report);
    if (l->order.policy.files && !make_scratch(l, &e)) {
        fail(l, &e, NOT_RUN);
        return false;
    }
    return set_up(l, false);
}

/* The level that was asked for; where the kernel does not let it be made and the policy can live with less, process. */
static bool reach_level(struct launch *l)
{
    struct jail_policy *p = &l->order.policy;
    const char *io_path = NULL;

    for (size_t i = 0; i < p->n_paths && !io_path; i++)
        if (p->path[i].access == JAIL_WRITE)
            io_path = p->path[i].path.p;
    judge_begin(p, &l->report);
    cgroup_make(p, io_path, &l->report, &l->group);
    judge_limits(p, &l->report);
    if (p->level == JAIL_PROCESS)
        return as_process(l);
    if (!p->no_userns && set_up(l, true))
        return true;
    bool refused = p->no_userns || (l->failed && judge_is_namespace_refusal(l->failure.sys));

    if (!refused)
        return false;
    struct str first = str_of(l->failure.text);

    judge_no_namespaces(p, arena_cstr(&l->a, str_sub(first, 0, str_find(first, '\n'))), &l->report);
    return !jail_report_refuses(&l->report, p) && as_process(l);
}

static int conclude(struct launch *l)
{
    int code = NOT_RUN;

    if (l->ended && !l->limit)
        l->limit = cgroup_limit_hit(&l->group);
    if (l->terminal) {
        pty_drain(&l->pty);
        pty_detach(&l->pty);
    }
    cgroup_remove(&l->group);
    scratch_remove(&l->scratch);
    if (l->failed) {
        code = l->failure.value;
        tell_end(l, "not started", code);
    } else if (!l->ended) {
        tell_end(l, l->order.h.only_try ? "tried" : "refused", code);
    } else {
        bool signalled = WIFSIGNALED(l->wait_status);

        code = signalled ? 128 + WTERMSIG(l->wait_status) : WEXITSTATUS(l->wait_status);
        tell_end(l, signalled ? "signalled" : "exited", code);
    }
    return code;
}

int launch_run(int order, int status, int control)
{
    struct launch l = { .outlet = OUTLET_NONE, .control = control, .status = status, .link = -1, .signals = -1,
                        .tty_in = -1, .tty_out = -1, .scratch = { "", -1 } };
    struct link_message exec = { .kind = LINK_EXEC };
    struct err e = { 0 };

    arena_init(&l.a);
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        l.group.dir[k] = l.group.base[k] = -1;
    if (!begin(&l, order, &e)) {
        fail(&l, &e, NOT_RUN);
    } else {
        bool ready = reach_level(&l);

        if (ready || !l.failed)
            tell_report(&l);
        if (ready && !l.order.h.only_try && !jail_report_refuses(&l.report, &l.order.policy)) {
            (void)link_send(l.link, &exec, -1);
            supervise(&l);
        }
    }
    end_init(&l);
    outlet_close(&l.outlet);
    int code = conclude(&l);

    arena_clear(&l.a);
    return code;
}
