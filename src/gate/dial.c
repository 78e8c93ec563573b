#include "gate/dial.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/pass.h"
#include "gate/conn.h"
#include "gate/event.h"
#include "gate/phase.h"
#include "gate/resolver.h"
#include "gate/state.h"

static void drop(struct conn *c)
{
    if (c->server.fd >= 0)
        (void)close(c->server.fd);
    c->server.fd = -1;
    c->server.readable = c->server.writable = c->server.ended = c->server.failed = false;
}

static bool dial(struct gate *g, struct conn *c, const union rules_peer *to)
{
    struct ip a = rules_peer_ip(to);

    c->peer = rules_peer_of(&a, c->port);
    drop(c);
    c->server.fd = socket(c->peer.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->server.fd < 0)
        return false;
    phase_enter(g, c, CONN_DIAL);
    return (connect(c->server.fd, &c->peer.any, rules_peer_size(&c->peer)) == 0 ||
            errno == EINPROGRESS) &&
           gate_watch(g, &c->server, true);
}

bool dial_next(struct gate *g, struct conn *c)
{
    while (c->name && c->tried < c->name->n_to)
        if (dial(g, c, &c->name->to[c->tried++]))
            return true;
    return false;
}

void dial_resolved(struct gate *g, struct conn *c)
{
    if (c->name->n_to == 0)
        conn_deny(g, c, names_why_none(c->name));
    else if (!dial_next(g, c))
        conn_deny(g, c, "the server cannot be reached");
}

/* A question may be lost: after a time it is asked again. */
bool dial_ask(struct gate *g, struct name *n)
{
    if (n->asked_ms && g->now_ms < n->asked_ms + CONN_RESOLVE_MS)
        return true;
    bool ok = resolver_ask(g->resolver, n->id, n->text);

    n->asked_ms = ok ? g->now_ms : 0;
    return ok;
}

static void dial_name(struct gate *g, struct conn *c)
{
    if (c->name->fresh_until > g->now_ms) {
        dial_resolved(g, c);
        return;
    }
    phase_enter(g, c, CONN_RESOLVE);
    if (!dial_ask(g, c->name))
        conn_deny(g, c, "too many names at once");
}

void dial_begin(struct gate *g, struct conn *c)
{
    union rules_peer to = rules_peer_of(&c->to, c->port);

    if (c->name)
        dial_name(g, c);
    else if (!dial(g, c, &to))
        conn_deny(g, c, "the server cannot be reached");
}

void dial_go_on(struct gate *g, struct conn *c)
{
    int error = 0;
    socklen_t n = sizeof error;

    if (c->server.failed && (getsockopt(c->server.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error)) {
        if (!dial_next(g, c))
            conn_deny(g, c, c->inbound ? "nobody listens inside" : "the server cannot be reached");
        return;
    }
    if (!c->server.writable)
        return;
    phase_enter(g, c, CONN_OPEN);
    event_conn(g, c, "allowed", NULL);
}

/* ------------------------------------------------------------ inbound */

void dial_inside(struct gate *g, struct conn *c)
{
    char text[64];
    size_t slot = 0;

    while (slot < COUNT(g->asked) && g->asked[slot])
        slot++;
    int n = snprintf(text, sizeof text, "connect %u %llu", c->port, (unsigned long long)c->id);

    c->to = ip_from_v4(GATE_INSIDE);
    if (slot == COUNT(g->asked) || !pass_send(g->link, (struct str){ text, (size_t)n }, -1)) {
        conn_deny(g, c, "too many connections from outside at once");
        return;
    }
    g->asked[slot] = c;
}

void dial_take(struct gate *g, struct conn *c, int fd)
{
    c->server.fd = fd;
    phase_enter(g, c, CONN_DIAL);
    if (!gate_watch(g, &c->server, true))
        conn_deny(g, c, "too many connections");
}
