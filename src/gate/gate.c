#include "gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/pass.h"
#include "gate/confine.h"
#include "gate/conn.h"
#include "gate/event.h"
#include "gate/hello.h"
#include "gate/monitor.h"
#include "gate/nameserver.h"
#include "gate/relay.h"
#include "gate/resolver.h"
#include "gate/state.h"
#include "gate/table.h"

#define NOT_RUN 125
#define THROTTLE_MS 5
#define EVENTS 256
#define CONNS_MAX 12000
#define FDS_KEPT 200      /* for pipes and all that is none of a connection, beside the sockets that listen */
#define BURST_MIN 65536u  /* bytes of bandwidth that may pass at once, however low the limit is */
#define INBOUND_BACKLOG 128

/* ------------------------------------------------------------ what is waited for */

bool gate_watch(struct gate *g, struct watch *w, bool edge)
{
    struct epoll_event ev = { .data.ptr = w,
                              .events = edge ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET : EPOLLIN };

    return epoll_ctl(g->epoll, EPOLL_CTL_ADD, w->fd, &ev) == 0;
}

bool gate_watch_fixed(struct gate *g, enum watch_kind kind, int fd, uint16_t port)
{
    if (g->n_fixed == COUNT(g->fixed)) {
        (void)close(fd);
        errno = ENOSPC;
        return false;
    }
    struct watch *w = ARENA_NEW(&g->a, struct watch);

    *w = (struct watch){ .kind = kind, .fd = fd, .port = port };
    g->fixed[g->n_fixed++] = w;
    return gate_watch(g, w, false);
}

/* ------------------------------------------------------------ the transit namespace */

static bool take_socket(struct gate *g, struct str what, int fd, struct err *e)
{
    static const struct {
        struct str word;
        enum watch_kind kind;
        uint16_t port; /* 0: it follows */
    } kinds[] = {
        { STR_INIT("dns"), WATCH_DNS, 53 },   { STR_INIT("dns-tcp"), WATCH_DNS_TCP, 53 },
        { STR_INIT("monitor"), WATCH_MONITOR, 1 }, { STR_INIT("tcp"), WATCH_TCP, 0 },
        { STR_INIT("tcp6"), WATCH_TCP, 0 },   { STR_INIT("udp"), WATCH_UDP, 0 },
        { STR_INIT("udp6"), WATCH_UDP, 0 },
    };
    struct str port = what, word;
    bool ok = false;

    if (fd < 0)
        return err_set(e, ERR_ENVIRONMENT, "the transit namespace sends no socket with '" STR_FMT "'", STR_ARG(what));
    (void)str_next(&port, ' ', &word);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        uint64_t n = kinds[i].port;

        if (str_eq(word, kinds[i].word) && (n || (str_to_u64(port, &n) && n <= UINT16_MAX)))
            ok = gate_watch_fixed(g, kinds[i].kind, fd, (uint16_t)n);
    }
    return ok || err_sys(e, "take the socket '" STR_FMT "' of the transit namespace", STR_ARG(what));
}

static bool take_sockets(struct gate *g, struct err *e)
{
    char text[64];
    struct str message;
    int fd;

    while (pass_receive(g->link, text, sizeof text, &message, &fd)) {
        if (str_eq(message, STR("end")))
            return fcntl(g->link, F_SETFL, O_NONBLOCK) == 0 || err_sys(e, "listen to the transit namespace");
        if (!take_socket(g, message, fd, e))
            return false;
    }
    return err_set(e, ERR_ENVIRONMENT, "the transit namespace was not made");
}

/* Its answers to what dial_inside() asks. False at its end. */
static bool hear_link(struct gate *g)
{
    char text[64];
    struct str message;
    uint64_t id;
    int fd;

    while (pass_receive(g->link, text, sizeof text, &message, &fd)) {
        bool there = str_cut_prefix(&message, STR("connected "));

        if ((there || str_cut_prefix(&message, STR("refused "))) && str_to_u64(message, &id))
            conn_connected(g, id, fd);
        else
            fd_close(&fd);
    }
    return errno == EAGAIN;
}

/* ------------------------------------------------------------ setting up */

static bool listen_outside(struct gate *g, struct err *e)
{
    static const int yes = 1;

    for (size_t i = 0; i < g->rules.n_inbound; i++) {
        uint16_t port = g->rules.inbound[i];
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
            return err_sys(e, "make a socket");
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0 || /* those it accepts have it too */
            bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, INBOUND_BACKLOG) < 0) {
            (void)err_sys(e, "listen on port %u of the loopback interface for the sandbox", port);
            (void)close(fd);
            return false;
        }
        if (!gate_watch_fixed(g, WATCH_INBOUND, fd, port))
            return err_sys(e, "wait for connections on port %u", port);
    }
    return true;
}

static bool read_rules(struct gate *g, int fd, struct err *e)
{
    AUTO_BUF b = { .limit = RULES_MAX };

    if (!fd_read_all(fd, &b, "policy", e) || !rules_parse(arena_str(&g->a, buf_done(&b)), &g->a, &g->rules, e))
        return false;
    (void)close(fd);
    rules_find_own(&g->rules, &g->a);
    names_init(&g->names, &g->rules);
    bucket_init(&g->bucket, g->rules.bandwidth, MAX(g->rules.bandwidth / 10, BURST_MIN));
    bucket_init(&g->log, EVENT_RATE, EVENT_BURST);
    return true;
}

/* Each connection has two sockets, each exchange of datagrams one; pipes are shared by those that move. */
static void share_descriptors(struct gate *g)
{
    struct rlimit files;
    size_t n = getrlimit(RLIMIT_NOFILE, &files) == 0 ? (size_t)MIN(files.rlim_cur, 1u << 20) : 1024;
    size_t kept = FDS_KEPT + g->n_fixed;

    if (g->rules.n_udp_ports) {
        size_t relays = MIN(n / 16, RELAYS_MAX);

        relay_init(g, relays);
        kept += relays;
    }
    n = n > kept + 128 ? (n - kept) * 3 / 5 : 64;
    g->conns_max = MIN(n, CONNS_MAX);
}

static bool set_up(struct gate *g, const struct gate_start *s, struct err *e)
{
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (g->epoll < 0)
        return err_sys(e, "make an epoll set");
    if (!read_rules(g, s->policy, e) || !listen_outside(g, e) || !confine_begin(e) ||
        !resolver_start(&g->resolver, e) || !take_sockets(g, e))
        return false;
    share_descriptors(g);
    g->look = mem_alloc(MAX(HEAD_MAX, HELLO_MAX));
    if (fcntl(g->events, F_SETFL, O_NONBLOCK) < 0 || !gate_watch_fixed(g, WATCH_LINK, g->link, 0) ||
        !gate_watch_fixed(g, WATCH_EVENTS, g->events, 0) || !gate_watch_fixed(g, WATCH_RESOLVER, g->resolver, 0))
        return err_sys(e, "wait for the other processes");
    if (g->control >= 0 &&
        (fcntl(g->control, F_SETFL, O_NONBLOCK) < 0 || !gate_watch_fixed(g, WATCH_CONTROL, g->control, 0)))
        return err_sys(e, "wait for who wants the table of connections");
    return confine_loop(&g->rules, e);
}

/* ------------------------------------------------------------ the loop */

static void hear_resolver(struct gate *g)
{
    struct resolver_answer answer;

    while (resolver_hear(g->resolver, &answer)) {
        struct name *n = answer.id < g->names.n ? g->names.list[answer.id] : NULL;

        if (!n)
            continue;
        n->refused = false;
        n->asked_ms = 0;
        n->n_to = 0;
        n->fresh_until = answer.n ? g->now_ms + NAMES_FRESH_MS : 0;
        for (uint32_t i = 0; i < answer.n; i++) {
            bool may = rules_may_lead_to(&g->rules, &answer.to[i]);

            n->refused |= !may;
            if (may && n->n_to < NAMES_ADDRESSES)
                n->to[n->n_to++] = answer.to[i];
        }
        conn_resolved(g, n);
        relay_resolved(g, n);
    }
}

static void drop_watch(const struct gate *g, struct watch *w)
{
    (void)epoll_ctl(g->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    fd_close(&w->fd);
}

static void take_event(struct gate *g, struct watch *w, uint32_t events)
{
    switch (w->kind) {
    case WATCH_TCP:
    case WATCH_DNS_TCP:
    case WATCH_INBOUND:
        conn_accept(g, w);
        return;
    case WATCH_DNS:
        nameserver_datagrams(g, w);
        return;
    case WATCH_UDP:
        relay_datagrams(g, w);
        return;
    case WATCH_RELAY:
        relay_answers(g, w->relay);
        return;
    case WATCH_MONITOR:
        if (events & (EPOLLERR | EPOLLHUP))
            drop_watch(g, w); /* its interface is gone: it would say so for ever */
        else
            monitor_packets(g, w);
        return;
    case WATCH_LINK:
        if (!hear_link(g))
            drop_watch(g, w);
        return;
    case WATCH_EVENTS:
        g->stop = true;
        return;
    case WATCH_RESOLVER:
        hear_resolver(g);
        if (events & (EPOLLERR | EPOLLHUP))
            drop_watch(g, w);
        return;
    case WATCH_CONTROL:
        table_serve(g, w);
        return;
    case WATCH_CLIENT:
    case WATCH_SERVER:
        conn_event(g, w, events);
        return;
    }
}

/* Each of those that were in the list when the turn began has one turn. What is used up is left for the next. */
static void take_turns(struct gate *g)
{
    struct conn *list = g->turn;

    g->turn = g->turn_last = NULL;
    while (list) {
        struct conn *c = list;

        list = c->turn;
        c->in_turn = false;
        if (c->phase == CONN_DEAD)
            continue;
        if (c->throttled && !bucket_has(&g->bucket))
            conn_later(g, c, true);
        else
            conn_run(g, c);
    }
}

static int time_to_wait(const struct gate *g, int deadline)
{
    for (const struct conn *c = g->turn; c; c = c->turn)
        if (!c->throttled)
            return 0;
    return !g->turn ? deadline : deadline < 0 ? THROTTLE_MS : MIN(deadline, THROTTLE_MS);
}

/* Of two times to wait, -1 is for ever. */
static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

static void loop(struct gate *g)
{
    struct epoll_event ev[EVENTS];

    while (!g->stop) {
        int n = epoll_wait(g->epoll, ev, EVENTS, time_to_wait(g, sooner(conn_expire(g), relay_expire(g))));

        if (n < 0 && errno != EINTR)
            return;
        g->now_ms = clock_ms();
        for (int i = 0; i < n; i++)
            take_event(g, ev[i].data.ptr, ev[i].events);
        take_turns(g);
        conn_reap(g);
    }
}

static void tell_failure(const struct gate *g, const struct err *e)
{
    AUTO_BUF b = { .limit = EVENT_MAX };

    (void)buf_printf(&b, "!%.*s", EVENT_MAX - 8, e->text);
    (void)!pass_send(g->events, buf_done(&b), -1); /* if nobody hears it, the exit code says as much */
}

int gate_run(const struct gate_start *s)
{
    static const struct event ready = { .verdict = "ready" };
    struct gate *g = mem_zero(1, sizeof *g);
    struct err e = { 0 };

    g->link = s->link;
    g->events = s->events;
    g->control = s->control;
    g->resolver = -1;
    g->now_ms = clock_ms();
    arena_init(&g->a);
    (void)signal(SIGPIPE, SIG_IGN);
    bool ok = set_up(g, s, &e);

    if (ok) {
        event_send(g, &ready);
        loop(g);
    } else {
        tell_failure(g, &e);
    }
    relay_clear(g);
    names_clear(&g->names);
    arena_clear(&g->a);
    free(g->look);
    free(g);
    return ok ? 0 : NOT_RUN;
}
