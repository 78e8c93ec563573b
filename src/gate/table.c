#include "gate/table.h"

#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fd.h"
#include "codec/json_write.h"
#include "gate/event.h"
#include "gate/state.h"

static const char *const phase_word[] = { "asking", "resolving", "dialling", "open" };

static void write_address(struct json_write *w, const char *name, const struct ip *a, uint16_t port)
{
    char text[EVENT_PEER_MAX];

    event_address(a, port, text);
    json_write_member_cstr(w, name, text);
}

static void write_conn(struct json_write *w, const struct gate *g, const struct conn *c)
{
    char peer[EVENT_PEER_MAX];

    json_write_object_begin(w);
    json_write_member_u64(w, "id", c->id);
    json_write_member_cstr(w, "state", phase_word[c->phase]);
    write_address(w, "from", &c->from, c->from_port);
    write_address(w, "to", &c->to, c->port);
    if (c->name)
        json_write_member(w, "name", c->name->text);
    if (c->peer.any.sa_family) {
        event_peer(&c->peer, peer);
        json_write_member_cstr(w, "peer", peer);
    }
    json_write_member_bool(w, "inbound", c->inbound);
    json_write_member_u64(w, "out", c->out.bytes);
    json_write_member_u64(w, "in", c->in.bytes);
    json_write_member_u64(w, "ms", g->now_ms - c->begun_ms);
    json_write_object_end(w);
}

bool table_write(const struct gate *g, struct buf *out)
{
    struct json_write w;
    uint64_t rows = 0;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "schema", "blast.connections/1");
    json_write_member_u64(&w, "total", g->conns);
    json_write_member_u64(&w, "half_open", g->conns - g->phase[CONN_OPEN].n);
    json_write_member_u64(&w, "names", g->names.n);
    json_write_key(&w, STR("connections"));
    json_write_array_begin(&w);
    for (unsigned p = CONN_DEAD; p-- > 0;) /* the open ones first */
        for (const struct conn *c = g->phase[p].first; c && rows < TABLE_ROWS; c = c->next, rows++)
            write_conn(&w, g, c);
    json_write_array_end(&w);
    json_write_member_u64(&w, "left_out", g->conns - rows);
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
