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
    json_write_member_cstr(w, "verdict", ev->verdict);
    if (ev->protocol)
        json_write_member_cstr(w, "protocol", ev->protocol);
    member_address(w, "from", &ev->from, ev->from_port);
    member_address(w, "to", &ev->to, ev->port);
    if (ev->name.n)
        json_write_member(w, "name", ev->name);
    if (ev->why)
        json_write_member_cstr(w, "why", ev->why);
}

static void write_conn(struct json_write *w, const struct gate *g, const struct conn *c)
{
    char peer[EVENT_PEER_MAX];

    if (c->name)
        json_write_member(w, "rule", g->rules.name[c->name->rule]);
    if (c->peer.any.sa_family) {
        event_peer(&c->peer, peer);
        json_write_member_cstr(w, "peer", peer);
    }
    if (c->inbound)
        json_write_member_bool(w, "inbound", true);
    if (c->out.bytes || c->in.bytes) {
        json_write_member_u64(w, "out", c->out.bytes);
        json_write_member_u64(w, "in", c->in.bytes);
    }
    json_write_member_u64(w, "ms", g->now_ms - c->begun_ms);
}

static void send_event(struct gate *g, const struct event *ev, const struct conn *c)
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
    if (c)
        write_conn(&w, g, c);
    if (g->unlogged)
        json_write_member_u64(&w, "left_out", g->unlogged);
    json_write_object_end(&w);
    if (!json_write_end(&w) || !pass_send(g->events, buf_done(&b), -1))
        g->unlogged++; /* whoever reads is slow; its end is seen by epoll */
    else
        g->unlogged = 0;
}

void event_send(struct gate *g, const struct event *ev)
{
    send_event(g, ev, NULL);
}

void event_conn(struct gate *g, const struct conn *c, const char *verdict, const char *why)
{
    struct event ev = {
        .verdict = verdict, .protocol = c->protocol == CONN_DNS ? "dns" : "tcp", .from = c->from,
        .from_port = c->from_port, .to = c->to, .port = c->port, .name = c->name ? c->name->text : STR(""), .why = why,
    };

    send_event(g, &ev, c);
}
