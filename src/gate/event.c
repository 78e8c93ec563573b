#include "gate/event.h"

#include <stdio.h>
#include "base/pass.h"
#include "codec/json_write.h"
#include "gate/state.h"

void event_address(const struct ip *a, uint16_t port, char out[EVENT_PEER_MAX])
{
    char text[IP_TEXT_MAX];

    ip_format(a, text);
    (void)snprintf(out, EVENT_PEER_MAX, ip_is_v4(a) ? "%s:%u" : "[%s]:%u", text, port);
}

void event_peer(const union rules_peer *p, char out[EVENT_PEER_MAX])
{
    struct ip a = rules_peer_ip(p);

    event_address(&a, rules_peer_port(p), out);
}

static void member_address(struct json_write *w, const char *name, const struct ip *a, uint16_t port)
{
    char text[EVENT_PEER_MAX];

    if (ip_is_none(a))
        return;
    event_address(a, port, text);
    json_write_member_cstr(w, name, text);
}

static void write_event(struct json_write *w, const struct event *ev)
{
    char peer[EVENT_PEER_MAX];

    json_write_member_cstr(w, "verdict", ev->verdict);
    if (ev->protocol)
        json_write_member_cstr(w, "protocol", ev->protocol);
    member_address(w, "from", &ev->from, ev->from_port);
    member_address(w, "to", &ev->to, ev->port);
    if (ev->name.n)
        json_write_member(w, "name", ev->name);
    if (ev->why)
        json_write_member_cstr(w, "why", ev->why);
    if (ev->rule.n)
        json_write_member(w, "rule", ev->rule);
    if (ev->peer && ev->peer->any.sa_family) {
        event_peer(ev->peer, peer);
        json_write_member_cstr(w, "peer", peer);
    }
    if (ev->inbound)
        json_write_member_bool(w, "inbound", true);
    if (ev->out || ev->in) {
        json_write_member_u64(w, "out", ev->out);
        json_write_member_u64(w, "in", ev->in);
    }
    if (ev->lost)
        json_write_member_u64(w, "lost", ev->lost);
    if (ev->timed)
        json_write_member_u64(w, "ms", ev->ms);
}

void event_send(struct gate *g, const struct event *ev)
{
    AUTO_BUF b = { .limit = EVENT_MAX };
    struct json_write w;

    if (!bucket_take(&g->log, 1)) {
        g->unlogged++;
        return;
    }
    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    write_event(&w, ev);
    if (g->unlogged)
        json_write_member_u64(&w, "left_out", g->unlogged);
    json_write_object_end(&w);
    if (!json_write_end(&w) || !pass_send(g->events, buf_done(&b), -1))
        g->unlogged++; /* whoever reads is slow; its end is seen by epoll */
    else
        g->unlogged = 0;
}

void event_conn(struct gate *g, const struct conn *c, const char *verdict, const char *why)
{
    struct event ev = {
        .verdict = verdict, .protocol = c->protocol == CONN_DNS ? "dns" : "tcp", .from = c->from,
        .from_port = c->from_port, .to = c->to, .port = c->port, .why = why, .peer = &c->peer, .inbound = c->inbound,
        .timed = true, .out = c->out.bytes, .in = c->in.bytes, .ms = g->now_ms - c->begun_ms,
    };

    if (c->name) {
        ev.name = c->name->text;
        ev.rule = g->rules.name[c->name->rule];
    }
    event_send(g, &ev);
}

void event_relay(struct gate *g, const struct relay *r, const char *verdict, const char *why)
{
    struct event ev = {
        .verdict = verdict, .protocol = "udp", .from = r->key.from, .from_port = r->key.from_port, .to = r->key.to,
        .port = r->key.port, .why = why, .peer = &r->peer, .timed = true, .out = r->out, .in = r->in, .lost = r->lost,
        .ms = g->now_ms - r->begun_ms,
    };

    if (r->name) {
        ev.name = r->name->text;
        ev.rule = g->rules.name[r->name->rule];
    }
    event_send(g, &ev);
}
