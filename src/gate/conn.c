#include "gate/conn.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "gate/dial.h"
#include "gate/event.h"
#include "gate/flow.h"
#include "gate/judge.h"
#include "gate/nameserver.h"
#include "gate/phase.h"
#include "gate/state.h"

#define ACCEPT_MAX 64 /* in one turn */

static void shut(struct watch *w, bool reset)
{
    static const struct linger now = { 1, 0 };

    if (w->fd < 0)
        return;
    if (reset)
        (void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)close(w->fd); /* epoll forgets it: there is no other descriptor of it */
    w->fd = -1;
}

static void end(struct gate *g, struct conn *c, bool reset)
{
    phase_leave(g, c);
    c->phase = CONN_DEAD;
    shut(&c->client, reset);
    shut(&c->server, reset);
    flow_clear(g, &c->out);
    flow_clear(g, &c->in);
    for (size_t i = 0; i < COUNT(g->asked); i++)
        if (g->asked[i] == c)
            g->asked[i] = NULL;
    c->next = g->dead;
    g->dead = c;
    g->conns--;
}

void conn_deny(struct gate *g, struct conn *c, const char *why)
{
    event_conn(g, c, "denied", why);
    end(g, c, true);
}

void conn_close(struct gate *g, struct conn *c, bool reset)
{
    if (c->phase == CONN_OPEN)
        event_conn(g, c, "closed", reset ? "reset" : NULL);
    end(g, c, reset);
}

void conn_reap(struct gate *g)
{
    struct conn **at = &g->dead;

    while (*at) {
        struct conn *c = *at;

        if (c->in_turn) { /* freed when its turn comes */
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c);
    }
}

void conn_later(struct gate *g, struct conn *c, bool throttled)
{
    c->throttled = throttled;
    if (c->in_turn)
        return;
    c->in_turn = true;
    c->turn = NULL;
    if (g->turn_last)
        g->turn_last->turn = c;
    else
        g->turn = c;
    g->turn_last = c;
}

/* ------------------------------------------------------------ the beginning */

static enum conn_protocol protocol_of(const struct watch *listener, const struct name *name)
{
    if (listener->kind == WATCH_DNS_TCP)
        return CONN_DNS;
    if (!name)
        return CONN_PLAIN;
    switch (listener->port) {
    case 443:
    case 8443:
        return CONN_TLS;
    case 80:
    case 8080:
        return CONN_HTTP;
    default:
        return CONN_PLAIN;
    }
}

/* Whom it was meant for is the address on our own side: the transit namespace has them all. */
static void begin_outbound(struct gate *g, struct conn *c, const struct watch *listener)
{
    union rules_peer at = { 0 };
    socklen_t n = sizeof at;

    if (getsockname(c->client.fd, &at.any, &n) < 0) {
        conn_close(g, c, true);
        return;
    }
    c->to = rules_peer_ip(&at);
    c->name = names_find(&g->names, &c->to);
    c->protocol = protocol_of(listener, c->name);
    if (c->protocol == CONN_DNS)
        return;
    if (!c->name && rules_is_synthetic(&c->to))
        conn_deny(g, c, "the address was given for no name");
    else if (!c->name && !rules_has_address(&g->rules, &c->to))
        conn_deny(g, c, "the address is not allowed");
    else if (c->protocol == CONN_PLAIN)
        dial_begin(g, c);
}

static void begin(struct gate *g, const struct watch *listener, int fd, const union rules_peer *from)
{
    struct conn *c = mem_zero(1, sizeof *c);

    c->id = ++g->next_id;
    c->client = (struct watch){ .kind = WATCH_CLIENT, .fd = fd, .conn = c, .writable = true };
    c->server = (struct watch){ .kind = WATCH_SERVER, .fd = -1, .conn = c };
    c->out.pipe[0] = c->out.pipe[1] = c->in.pipe[0] = c->in.pipe[1] = -1;
    c->begun_ms = g->now_ms;
    c->from = rules_peer_ip(from);
    c->from_port = rules_peer_port(from);
    c->port = listener->port;
    c->inbound = listener->kind == WATCH_INBOUND;
    c->phase = CONN_DEAD;
    g->conns++;
    phase_enter(g, c, CONN_JUDGE);
    if (!gate_watch(g, &c->client, true))
        conn_close(g, c, true);
    else if (c->inbound)
        dial_inside(g, c);
    else
        begin_outbound(g, c, listener);
}

/* Who has not said yet what it wants goes first, the oldest of them. */
static bool make_room(struct gate *g)
{
    for (enum conn_phase p = CONN_JUDGE; p < CONN_OPEN && g->conns >= g->conns_max; p++)
        if (g->phase[p].first)
            conn_deny(g, g->phase[p].first, "too many connections that are not open yet");
    return g->conns < g->conns_max;
}

void conn_accept(struct gate *g, const struct watch *listener)
{
    for (unsigned i = 0; i < ACCEPT_MAX; i++) {
        union rules_peer from = { 0 };
        socklen_t n = sizeof from;
        int fd = accept4(listener->fd, &from.any, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && errno == EMFILE && g->phase[CONN_JUDGE].first) {
            conn_deny(g, g->phase[CONN_JUDGE].first, "too many connections that are not open yet");
            continue;
        }
        if (fd < 0)
            return;
        if (make_room(g)) {
            begin(g, listener, fd, &from);
        } else {
            struct watch w = { .fd = fd };

            shut(&w, true);
        }
    }
}

/* ------------------------------------------------------------ going on */

/* Out there may follow another request, which must be looked at before it passes. */
static enum flow_end move_out(struct gate *g, struct conn *c)
{
    enum flow_end at;

    if (c->protocol != CONN_HTTP)
        return flow_move(g, &c->out, &c->client, &c->server, NULL);
    while ((at = flow_move(g, &c->out, &c->client, &c->server, &c->credit)) == FLOW_JUDGE) {
        const char *why = NULL;

        if (!judge_next(g, c, &why)) {
            if (why)
                conn_deny(g, c, why);
            return why ? FLOW_BROKEN : FLOW_IDLE;
        }
    }
    return at;
}

static void move(struct gate *g, struct conn *c)
{
    enum flow_end out = move_out(g, c), in;

    if (c->phase == CONN_DEAD)
        return;
    in = flow_move(g, &c->in, &c->server, &c->client, NULL);
    if (out == FLOW_BROKEN || in == FLOW_BROKEN)
        conn_close(g, c, true);
    else if (flow_is_done(&c->out) && flow_is_done(&c->in))
        conn_close(g, c, false); /* says the end to both at once */
    else if (!flow_pass_end(&c->out, &c->server) || !flow_pass_end(&c->in, &c->client))
        conn_close(g, c, true);
    else if (out == FLOW_MORE || in == FLOW_MORE)
        conn_later(g, c, false);
    else if (out == FLOW_POOR || in == FLOW_POOR)
        conn_later(g, c, true);
}

static void judge(struct gate *g, struct conn *c)
{
    const char *why = NULL;

    if (c->protocol == CONN_DNS) {
        nameserver_stream(g, c);
        return;
    }
    switch (judge_first(g, c, &why)) {
    case JUDGE_WAIT:
        return;
    case JUDGE_PASS:
        dial_begin(g, c);
        return;
    case JUDGE_GONE:
        conn_close(g, c, true);
        return;
    case JUDGE_DENY:
        conn_deny(g, c, why);
        return;
    }
}

void conn_run(struct gate *g, struct conn *c)
{
    switch (c->phase) {
    case CONN_JUDGE:
        if (!c->inbound)
            judge(g, c);
        return;
    case CONN_DIAL:
        if (c->server.writable || c->server.readable)
            dial_go_on(g, c);
        if (c->phase == CONN_OPEN)
            move(g, c);
        return;
    case CONN_OPEN:
        move(g, c);
        return;
    case CONN_RESOLVE:
    case CONN_DEAD:
        return;
    }
}

void conn_event(struct gate *g, struct watch *w, uint32_t events)
{
    struct conn *c = w->conn;

    if (c->phase == CONN_DEAD)
        return;
    /* Urgent data is at another place for whoever looks than for whoever moves it. */
    if (events & EPOLLPRI) {
        conn_deny(g, c, "urgent data");
        return;
    }
    w->ended |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    w->failed |= (events & (EPOLLHUP | EPOLLERR)) != 0;
    w->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    w->writable |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    if (c->phase != CONN_OPEN && w->kind == WATCH_CLIENT && (events & (EPOLLHUP | EPOLLERR))) {
        conn_close(g, c, true); /* nobody waits for the answer any more */
        return;
    }
    conn_run(g, c);
}

void conn_resolved(struct gate *g, const struct name *n)
{
    for (struct conn *c = g->phase[CONN_RESOLVE].first, *next; c; c = next) {
        next = c->next;
        if (c->name == n)
            dial_resolved(g, c);
    }
}

void conn_connected(struct gate *g, uint64_t id, int fd)
{
    for (size_t i = 0; i < COUNT(g->asked); i++) {
        struct conn *c = g->asked[i];

        if (!c || c->id != id)
            continue;
        g->asked[i] = NULL;
        if (fd < 0)
            conn_deny(g, c, "nobody listens inside");
        else
            dial_take(g, c, fd);
        return;
    }
    if (fd >= 0)
        (void)close(fd); /* whoever wanted it is gone */
}

int conn_expire(struct gate *g)
{
    static const struct {
        enum conn_phase phase;
        uint64_t ms;
        const char *why;
    } bounds[] = {
        { CONN_JUDGE, CONN_JUDGE_MS, "it did not say in time what it is for" },
        { CONN_RESOLVE, CONN_RESOLVE_MS, "the name was not resolved in time" },
        { CONN_DIAL, CONN_DIAL_MS, "the server does not answer" },
    };
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < COUNT(bounds); i++) {
        struct conn_list *list = &g->phase[bounds[i].phase];

        while (list->first && list->first->phase_ms + bounds[i].ms <= g->now_ms) {
            if (bounds[i].phase != CONN_DIAL || !dial_next(g, list->first))
                conn_deny(g, list->first, bounds[i].why);
        }
        if (list->first)
            next = MIN(next, list->first->phase_ms + bounds[i].ms - g->now_ms);
    }
    return next == UINT64_MAX ? -1 : (int)next;
}
