#include "gate/table.h"

#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fd.h"
#include "codec/json_write.h"
#include "gate/event.h"
#include "gate/state.h"

static const char *const phase_word[] = { "asking", "resolving", "dialling", "open" };

struct row {
    uint64_t id, out, in, begun_ms;
    const char *protocol, *state;
    struct ip from, to;
    uint16_t from_port, port;
    const struct name *name;
    const union rules_peer *peer;
    bool inbound;
};

static void write_address(struct json_write *w, const char *name, const struct ip *a, uint16_t port)
{
    char text[EVENT_PEER_MAX];

    event_address(a, port, text);
    json_write_member_cstr(w, name, text);
}

static void write_row(struct json_write *w, const struct gate *g, const struct row *r)
{
    char peer[EVENT_PEER_MAX];

    json_write_object_begin(w);
    json_write_member_u64(w, "id", r->id);
    json_write_member_cstr(w, "protocol", r->protocol);
    json_write_member_cstr(w, "state", r->state);
    write_address(w, "from", &r->from, r->from_port);
    write_address(w, "to", &r->to, r->port);
    if (r->name)
        json_write_member(w, "name", r->name->text);
    if (r->peer->any.sa_family) {
        event_peer(r->peer, peer);
        json_write_member_cstr(w, "peer", peer);
    }
    json_write_member_bool(w, "inbound", r->inbound);
    json_write_member_u64(w, "out", r->out);
    json_write_member_u64(w, "in", r->in);
    json_write_member_u64(w, "ms", g->now_ms - r->begun_ms);
    json_write_object_end(w);
}

static void write_conn(struct json_write *w, const struct gate *g, const struct conn *c)
{
    struct row row = {
        .id = c->id, .protocol = c->protocol == CONN_DNS ? "dns" : "tcp", .state = phase_word[c->phase],
        .from = c->from, .from_port = c->from_port, .to = c->to, .port = c->port, .name = c->name, .peer = &c->peer,
        .inbound = c->inbound, .out = c->out.bytes, .in = c->in.bytes, .begun_ms = c->begun_ms,
    };

    write_row(w, g, &row);
}

static void write_relay(struct json_write *w, const struct gate *g, const struct relay *r)
{
    struct row row = {
        .id = r->id, .protocol = "udp", .state = phase_word[r->server.fd < 0 ? CONN_RESOLVE : CONN_OPEN],
        .from = r->key.from, .from_port = r->key.from_port, .to = r->key.to, .port = r->key.port, .name = r->name,
        .peer = &r->peer, .out = r->out, .in = r->in, .begun_ms = r->begun_ms,
    };

    write_row(w, g, &row);
}

bool table_write(const struct gate *g, struct buf *out)
{
    struct json_write w;
    uint64_t rows = 0, total = g->conns + g->relays.n;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "schema", "blast.connections/1");
    json_write_member_u64(&w, "total", total);
    json_write_member_u64(&w, "half_open", g->conns - g->phase[CONN_OPEN].n);
    json_write_member_u64(&w, "names", g->names.n);
    json_write_key(&w, STR("connections"));
    json_write_array_begin(&w);
    for (const struct relay *r = g->relays.last; r && rows < TABLE_ROWS / 2; r = r->prev, rows++)
        write_relay(&w, g, r); /* at most half of the rows, the latest */
    for (unsigned p = CONN_DEAD; p-- > 0;) /* the open ones first */
        for (const struct conn *c = g->phase[p].first; c && rows < TABLE_ROWS; c = c->next, rows++)
            write_conn(&w, g, c);
    json_write_array_end(&w);
    json_write_member_u64(&w, "left_out", total - rows);
    json_write_object_end(&w);
    return json_write_end(&w);
}

void table_serve(const struct gate *g, const struct watch *w)
{
    static const int room = TABLE_MAX * 2;

    for (;;) {
        AUTO_FD fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        AUTO_BUF b = { .limit = TABLE_MAX };

        if (fd < 0)
            return;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
        if (table_write(g, &b))
            (void)!send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT); /* whoever asked may be gone */
    }
}
