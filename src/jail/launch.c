#include "jail/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/json_write.h"
#include "jail/cgroup.h"
#include "jail/compile.h"
#include "jail/init.h"
#include "jail/judge.h"
#include "jail/link.h"
#include "jail/outlet.h"
#include "jail/scratch.h"
#include "jail/source.h"
#include "jail/tell.h"
#include "jail/trackers.h"
#include "jail/usage.h"
#include "jail/userns.h"
#include "jail/visits.h"

#define END_MS 2000
#define NOTE_MS 5000   /* how long the keeper may take to write down that a command is over */
#define FIRST_MS 10000 /* ... whoever had the sandbox made to come */

struct launch {
    struct arena a;
    struct jail_policy policy;
    bool only_try;
    struct jail_report report;
    struct cgroup group;
    struct sources sources;
    bool taken;            /* sources were taken out here (root) */
    char name[UPPERS_NAME];
    struct uppers uppers;
    struct scratch scratch;
    int status;            /* to our parent */
    int link;              /* to pid 1, or -1 */
    pid_t init;
    bool in_group;         /* from its birth, or by its own hand */
    struct outlet outlet;
    int control;           /* for blast-gate, or -1 */
    bool no_outlet, outlet_told; /* it could not be made; the report says so */
    struct visits visits;
    struct trackers trackers;
    uint64_t hits[CGROUP_KINDS]; /* of the limits, as far as the keeper was told */
    const char *limit;     /* what ended all of it */
    bool keeper_gone;
    bool lost;             /* pid 1 ended by itself */
    bool failed;
    struct visit_message failure;
};

/* ------------------------------------------------------------ what it comes to */

static void over(void *ctx, const struct visits_one *one)
{
    const struct launch *l = ctx;

    tell_over(l->status, one);
}

static void fail(struct launch *l, const struct err *e, int code)
{
    l->failed = true;
    l->failure = visit_error(e, code);
}

/* ------------------------------------------------------------ the order */

static bool read_order(struct launch *l, int fd, struct err *e)
{
    AUTO_BUF b = { .limit = LAUNCH_MAX };
    struct launch_header h;

    if (!fd_read_all(fd, &b, "order", e))
        return false;
    if (b.n < sizeof h)
        return err_set(e, ERR_ENVIRONMENT, "an order of %zu bytes", b.n);
    memcpy(&h, b.p, sizeof h);
    if (h.magic != LAUNCH_MAGIC || h.version != LAUNCH_VERSION)
        return err_set(e, ERR_ENVIRONMENT, "an order of another version: blast and blast-jail do not belong together");
    if (h.policy_bytes > b.n - sizeof h)
        return err_set(e, ERR_ENVIRONMENT, "an order that is cut off");
    if (memchr(h.uppers, '\0', sizeof h.uppers) == NULL)
        return err_set(e, ERR_ENVIRONMENT, "an order with a name without end");
    l->only_try = h.only_try;
    memcpy(l->name, h.uppers, sizeof l->name);
    return jail_policy_parse(arena_str(&l->a, (struct str){ b.p + sizeof h, h.policy_bytes }), &l->a, &l->policy, e);
}

static bool begin(struct launch *l, int order, int serve, struct err *e)
{
    sigset_t set;

    if (close_range((unsigned)MAX(MAX(order, l->status), MAX(serve, l->control)) + 1, ~0u, 0) < 0)
        return err_sys(e, "close what was inherited");
    visits_open(&l->visits, serve);
    (void)setsid(); /* what the keyboard sends is for whoever waits for a command */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE); /* of somebody who is gone */
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    bool ok = read_order(l, order, e);

    (void)close(order);
    /* The status socket says that the caller is gone; the signal goes on with a launcher that is stopped. Not a deadly
     * one: what was made is taken down in order. */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return err_sys(e, "tie the launcher to its caller");
    return ok;
}

/* ------------------------------------------------------------ pid 1 */

static uint64_t namespaces(const struct jail_policy *p)
{
    uint64_t flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;

    return p->network == JAIL_NET_HOST ? flags : flags | CLONE_NEWNET;
}

/* Our descriptors that pid 1 may not keep, at the time when it is made: -1 at the end. */
static size_t list_ours(const struct launch *l, int out[6])
{
    const int ours[] = { l->link, l->status, l->visits.listener, l->visits.n ? l->visits.one[0].client : -1 };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(ours); i++)
        if (ours[i] >= 0)
            out[n++] = ours[i];
    out[n] = -1;
    return n;
}

/* Through the transit process, which makes the networks first. */
static bool spawn_with_outlet(struct launch *l, struct init_task *t, const struct userns_map *m, struct err *e)
{
    int close_too[6];
    size_t n = list_ours(l, close_too);

    if (l->control >= 0)
        close_too[n++] = l->control;
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
        int close_too[6];

        (void)!list_ours(l, close_too);
        for (const int *fd = close_too; *fd >= 0; fd++)
            (void)close(*fd);
        init_run(t);
    }
    int why = errno;

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
static bool await_ready(struct launch *l)
{
    struct link_message m;
    int got[PASS_MAX];
    size_t n;

    if (!link_receive(l->link, &m, got, &n)) {
        struct err e = { 0 };

        (void)err_set(&e, ERR_ENVIRONMENT, "pid 1 of the sandbox ended while it was set up");
        fail(l, &e, JAIL_NOT_RUN);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        (void)close(got[i]);
    if (m.kind == LINK_ERROR) {
        l->failed = true;
        l->failure = (struct visit_message){ .kind = VISIT_ERROR, .value = m.value, .sys = m.sys };
        memcpy(l->failure.text, m.text, sizeof m.text);
        memcpy(l->failure.hint, m.hint, sizeof m.hint);
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
    struct jail_policy *p = &l->policy;
    struct link_message go = { .kind = LINK_GO };
    struct err e = { 0 };
    struct init_task t = {
        .p = p, .only_try = l->only_try, .inside = inside, .uppers = l->uppers.path,
        .scratch = l->scratch.path[0] ? l->scratch.path : NULL
    };
    struct userns_map m = map_of(p, &t);

    t.other_id &= inside;
    if (inside && p->files)
        t.sockets = source_sockets(&l->a);
    if (inside && t.other_id && !l->taken) {
        l->taken = true;
        if (!sources_take(p, m.outside, l->uppers.path, &l->a, &l->sources, &e)) {
            fail(l, &e, JAIL_NOT_RUN);
            return false;
        }
    }
    t.sources = inside && l->taken ? &l->sources : NULL;
    t.report = l->report;
    l->in_group = !l->group.v2; /* by its own hand */
    bool ok = cgroup_open_doors(&l->group, t.door, &e) && spawn_init(l, &t, &m, &e);

    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        fd_close(&t.door[k]);
    if (!ok && l->no_outlet && !l->outlet_told) { /* without it, then: nothing gets out */
        l->outlet_told = true;
        fd_close(&l->link);
        judge_no_gate(p, arena_cstr(&l->a, root_cause(&e)), &l->report);
        return set_up(l, inside);
    }
    if (!ok || (inside && !t.network_made && !userns_write_maps(l->init, &m, &e)) ||
        (!l->in_group && !cgroup_join(&l->group, l->init, &e))) {
        fail(l, &e, JAIL_NOT_RUN);
        return false;
    }
    (void)link_send(l->link, &go, NULL, 0); /* if it is gone, the next receive says so */
    if (!await_ready(l))
        return false;
    if (l->outlet.events >= 0 && !outlet_await(&l->outlet, &e)) {
        fail(l, &e, JAIL_NOT_RUN);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------ while commands run */

/* Tells of the limits that were met since the last time. The one that ended a command with this status, or NULL. */
static const char *take_limits(struct launch *l, int status)
{
    const char *why = l->limit;

    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        uint64_t hits = cgroup_hits(&l->group, (enum cgroup_kind)k);

        if (hits <= l->hits[k])
            continue;
        const char *name = jail_setting_name(cgroup_setting((enum cgroup_kind)k));

        tell_limit(l->status, name, hits - l->hits[k]);
        l->hits[k] = hits;
        if (k == CGROUP_MEMORY && !why && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
            why = name;
    }
    return why;
}

/* False when pid 1 is gone. */
static bool take_message(struct launch *l)
{
    struct link_message m;
    int got[PASS_MAX];
    size_t n;

    if (!link_receive(l->link, &m, got, &n)) /* it was ended: by the kernel for memory, or from outside */
        return false;
    if (m.kind == LINK_TRACK && n > 0)
        trackers_follow(&l->trackers, m.visit, got[--n]);
    for (size_t i = 0; i < n; i++)
        (void)close(got[i]);
    if (m.kind == LINK_OVER) {
        trackers_over(&l->trackers, m.visit);
        (void)visits_over(&l->visits, m.visit, m.value, take_limits(l, m.value));
    } else if (m.kind == LINK_LIMIT)
        l->limit = jail_setting_name((enum jail_setting)m.value);
    return true;
}

/* Of a tracker. */
static void accessed(void *ctx, struct str json)
{
    const struct launch *l = ctx;

    tell_access(l->status, json);
}

static void take_event(struct launch *l)
{
    char room[OUTLET_EVENT_MAX];
    struct str json;

    if (outlet_hear(&l->outlet, room, &json)) {
        tell_connection(l->status, json);
    } else {
        fd_close(&l->outlet.events);
        tell_connection(l->status,
                        STR("{\"verdict\":\"gone\",\"why\":\"blast-gate ended: nothing gets out any more\"}"));
    }
}

/* Each byte is a note taken. False when the keeper is gone. */
static bool take_notes(struct launch *l)
{
    char note[64];
    ssize_t n = recv(l->status, note, sizeof note, MSG_DONTWAIT);

    for (ssize_t i = 0; i < n; i++)
        visits_noted(&l->visits);
    l->keeper_gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    return !l->keeper_gone;
}

/* Until the last command is over and no session is left, or all of it ends. */
static void supervise(struct launch *l)
{
    static struct pollfd p[3 + VISITS_POLL_MAX + TRACKERS_POLL_MAX];

    while (!l->visits.stop && !visits_are_over(&l->visits)) {
        visits_tell(&l->visits, over, l);
        p[0] = (struct pollfd){ l->status, POLLIN, 0 };
        p[1] = (struct pollfd){ l->link, POLLIN, 0 };
        p[2] = (struct pollfd){ l->outlet.events, POLLIN, 0 };
        size_t n = visits_poll(&l->visits, p + 3), more = trackers_poll(&l->trackers, p + 3 + n);
        int ready = poll(p, 3 + n + more, l->visits.served ? -1 : FIRST_MS);

        if ((ready < 0 && errno != EINTR) || ready == 0)
            return;
        if (p[0].revents && !take_notes(l))
            return;
        if (p[2].revents)
            take_event(l);
        if (ready > 0)
            trackers_take(&l->trackers, p + 3 + n, more);
        if (p[1].revents && !take_message(l)) {
            l->lost = true;
            return;
        }
        if (ready > 0 && !p[0].revents) /* notes move the table that p was made from */
            visits_take(&l->visits, p + 3, n);
    }
}

static void look(void *ctx, struct buf *json)
{
    const struct launch *l = ctx;
    struct json_write w;

    json_write_init(&w, json, false);
    json_write_object_begin(&w);
    usage_write(&l->group, l->init, &w);
    json_write_key(&w, STR("commands"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < l->visits.n; i++) {
        const struct visits_one *one = &l->visits.one[i];

        if (one->state != VISITS_RUNNING)
            continue;
        json_write_object_begin(&w);
        json_write_member(&w, "command", str_of(one->name));
        json_write_member_u64(&w, "seconds", (clock_us() - one->begun_us) / 1000000);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    (void)!json_write_end(&w);
}

/* ------------------------------------------------------------ the whole */

static bool as_process(struct launch *l)
{
    struct err e = { 0 };

    l->failed = false;
    end_init(l);
    outlet_close(&l->outlet);
    l->report.level = JAIL_PROCESS;
    jail_policy_as_process(&l->policy, &l->a, &l->policy);
    judge_process(&l->policy, &l->report);
    if (l->policy.files && !scratch_make(&l->scratch, &e)) {
        fail(l, &e, JAIL_NOT_RUN);
        return false;
    }
    return set_up(l, false);
}

static void watch(struct launch *l)
{
    struct err e = { 0 };

    if (l->report.row[JAIL_SET_TRACKING].state == JAIL_HARD && l->policy.tracking == JAIL_TRACK_FANOTIFY &&
        !trackers_watch(&l->trackers, l->init, &l->policy, &e))
        jail_report_lower(&l->report, JAIL_SET_TRACKING, JAIL_NOT_ENFORCED, arena_cstr(&l->a, root_cause(&e)),
                          "tracking = \"syscall\"");
}

/* What is to outlive a crash needs its place before there is a namespace. */
static bool make_uppers(struct launch *l)
{
    struct err e = { 0 };
    bool ok = !l->policy.keep.n || l->policy.no_userns || uppers_make(&l->policy, l->name, &l->uppers, &e);

    if (!ok)
        fail(l, &e, JAIL_NOT_RUN);
    return ok;
}

/* The level that was asked for; where the kernel does not let it be made and the policy can live with less, process. */
static bool reach_level(struct launch *l)
{
    struct jail_policy *p = &l->policy;
    const char *io_path = NULL;

    for (size_t i = 0; i < p->n_paths && !io_path; i++)
        if (p->path[i].access == JAIL_WRITE)
            io_path = p->path[i].path.p;
    if (!io_path && p->keep.n)
        io_path = p->keep.p;
    judge_begin(p, &l->report);
    cgroup_make(p, io_path, &l->report, &l->group);
    judge_limits(p, &l->report);
    if (p->level == JAIL_PROCESS)
        return as_process(l);
    if (!make_uppers(l))
        return false;
    if (!p->no_userns && set_up(l, true)) {
        watch(l);
        return true;
    }
    bool refused = p->no_userns || (l->failed && judge_is_namespace_refusal(l->failure.sys));

    if (!refused)
        return false;
    struct str first = str_of(l->failure.text);

    judge_no_namespaces(p, arena_cstr(&l->a, str_sub(first, 0, str_find(first, '\n'))), &l->report);
    return !jail_report_refuses(&l->report, p) && as_process(l);
}

/* All that runs ends; what happened last is still told. */
static void end_all(struct launch *l)
{
    struct pollfd more = { l->outlet.events, POLLIN, 0 };

    visits_tell(&l->visits, over, l); /* the keeper takes note of it meanwhile */
    end_init(l);
    trackers_close(&l->trackers);
    while (more.fd >= 0 && poll(&more, 1, 0) > 0) {
        take_event(l);
        more.fd = l->outlet.events;
    }
    outlet_close(&l->outlet);
}

/* Commands whose sandbox ended under them are over, too; each is told when the keeper has taken note of it. */
static void settle(struct launch *l, const char *limit)
{
    struct pollfd p = { l->status, POLLIN, 0 };

    visits_over_all(&l->visits, limit);
    visits_tell(&l->visits, over, l);
    while (!l->keeper_gone && visits_wait_for_note(&l->visits) && poll(&p, 1, NOTE_MS) > 0)
        (void)take_notes(l);
    visits_close(&l->visits);
}

static int conclude(struct launch *l, bool ready)
{
    if (l->failed) {
        AUTO_BUF report = { .limit = VISIT_REPORT_MAX };
        bool reported = tell_format_report(&l->report, &report);

        visits_refuse(&l->visits, reported ? buf_done(&report) : STR(""), &l->failure);
        tell_end(l->status, "not started", l->failure.value, l->limit, &l->failure);
        return l->failure.value;
    }
    if (!ready || jail_report_refuses(&l->report, &l->policy)) {
        static const struct visit_message refused = { .kind = VISIT_REFUSED, .value = JAIL_NOT_RUN };
        AUTO_BUF report = { .limit = VISIT_REPORT_MAX };

        (void)!tell_format_report(&l->report, &report);
        visits_refuse(&l->visits, buf_done(&report), &refused);
        tell_end(l->status, "refused", JAIL_NOT_RUN, l->limit, NULL);
        return JAIL_NOT_RUN;
    }
    settle(l, l->limit);
    tell_end(l->status, l->only_try ? "tried" : "over", 0, l->limit, NULL);
    return 0;
}

static void serve(struct launch *l)
{
    AUTO_BUF report = { .limit = VISIT_REPORT_MAX };

    if (!tell_format_report(&l->report, &report))
        return;
    l->visits.report = arena_str(&l->a, buf_done(&report));
    l->visits.link = l->link;
    l->visits.look = look;
    l->visits.ctx = l;
    supervise(l);
    if (!l->limit)
        l->limit = take_limits(l, SIGKILL);
}

/* Not, when its keeper or pid 1 was killed: then what it changed is for the next start to find. */
static bool is_in_order(struct launch *l)
{
    return !(l->lost && !l->limit) && !l->keeper_gone && take_notes(l);
}

int launch_run(int order, int status, int serve_on, int control)
{
    static struct launch l; /* large, and one a process */
    struct err e = { 0 };
    bool ready = false;

    l = (struct launch){ .outlet = OUTLET_NONE, .control = control, .status = status, .link = -1,
                         .scratch = { "", -1 }, .uppers = UPPERS_NONE };
    arena_init(&l.a);
    trackers_init(&l.trackers, accessed, &l);
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        l.group.dir[k] = l.group.base[k] = -1;
    if (!begin(&l, order, serve_on, &e)) {
        fail(&l, &e, JAIL_NOT_RUN);
    } else {
        ready = reach_level(&l);
        if (ready || !l.failed)
            tell_report(l.status, &l.report);
        if (ready && !l.only_try && !jail_report_refuses(&l.report, &l.policy))
            serve(&l);
    }
    end_all(&l);
    int code = conclude(&l, ready); /* nobody has to wait for the rest */

    cgroup_remove(&l.group);
    scratch_remove(&l.scratch);
    uppers_end(&l.uppers, is_in_order(&l));
    arena_clear(&l.a);
    return code;
}
