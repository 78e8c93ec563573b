#include "gate/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "gate/state.h"

/* One direction between two pairs of sockets: what is written to `client` comes out at `server`. */
struct rig {
    struct gate *g;
    struct flow f;
    struct watch from, to;
    int client, server;
};

static int set_up(void **state)
{
    struct rig *r = mem_zero(1, sizeof *r);
    int in[2], out[2], room = 8192;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, in), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out), 0);
    assert_int_equal(setsockopt(out[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    r->g = mem_zero(1, sizeof *r->g);
    r->g->look = mem_alloc(HEAD_MAX);
    r->f = (struct flow){ .pipe = { -1, -1 } };
    r->client = in[0];
    r->from = (struct watch){ .kind = WATCH_CLIENT, .fd = in[1] };
    r->to = (struct watch){ .kind = WATCH_SERVER, .fd = out[0], .writable = true };
    r->server = out[1];
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    flow_clear(r->g, &r->f);
    while (r->g->n_pipes--) {
        (void)close(r->g->pipe_pool[r->g->n_pipes][0]);
        (void)close(r->g->pipe_pool[r->g->n_pipes][1]);
    }
    (void)close(r->client);
    (void)close(r->server);
    (void)close(r->from.fd);
    (void)close(r->to.fd);
    free(r->g->look);
    free(r->g);
    free(r);
    return 0;
}

/* As after an edge of epoll on both sockets. */
static enum flow_end move(struct rig *r, uint64_t *credit)
{
    r->from.readable = r->to.writable = true;
    return flow_move(r->g, &r->f, &r->from, &r->to, credit);
}

static uint32_t next_random(uint32_t *seed)
{
    return (*seed = *seed * 1664525u + 1013904223u) >> 8;
}

/* The byte at each place of the stream. */
static unsigned char byte_at(uint64_t at)
{
    return (unsigned char)(at * 131 + (at >> 8));
}

static void read_some(const struct rig *r, size_t most, uint64_t *at)
{
    unsigned char got[20000];
    ssize_t n = recv(r->server, got, MIN(most, sizeof got), MSG_DONTWAIT);

    for (ssize_t i = 0; i < n; i++, ++*at)
        if (got[i] != byte_at(*at))
            fail_msg("byte %llu is another", (unsigned long long)*at);
}

static void keeps_every_byte_in_its_place(void **state)
{
    struct rig *r = *state;
    uint64_t sent = 0, got = 0;
    uint32_t seed = 7;
    unsigned char piece[9000];

    for (unsigned turn = 0; turn < 4000; turn++) {
        size_t n = next_random(&seed) % (turn % 100 < 90 ? 300 : sizeof piece) + 1;

        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(sent + i);
        ssize_t w = send(r->client, piece, n, MSG_DONTWAIT);

        sent += w > 0 ? (uint64_t)w : 0;
        if (move(r, NULL) == FLOW_BROKEN)
            fail_msg("turn %u", turn);
        if (next_random(&seed) % 3 == 0)
            read_some(r, next_random(&seed) % 20000 + 1, &got);
    }
    assert_true(r->f.large); /* both ways were used */
    assert_int_equal(shutdown(r->client, SHUT_WR), 0);
    r->from.ended = true;
    for (unsigned i = 0; i < 10000 && !flow_is_done(&r->f); i++) {
        assert_int_not_equal(move(r, NULL), FLOW_BROKEN);
        read_some(r, 20000, &got);
    }
    assert_true(flow_is_done(&r->f));
    assert_true(flow_pass_end(&r->f, &r->to));
    while (got < sent)
        read_some(r, 20000, &got);
    assert_int_equal(recv(r->server, piece, 1, MSG_DONTWAIT), 0);
    assert_int_equal(r->f.bytes, sent);
}

static void keeps_what_the_other_side_does_not_take(void **state)
{
    struct rig *r = *state;
    static const unsigned char block[65536];
    unsigned char got[4096];
    size_t left = 0, n = 0;

    while (send(r->to.fd, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(send(r->client, "small", 5, 0), 5);
    assert_int_equal(move(r, NULL), FLOW_IDLE);
    assert_int_equal(r->f.held, 5);
    assert_false(flow_is_done(&r->f));
    for (ssize_t one; (one = recv(r->server, got, sizeof got, MSG_DONTWAIT)) > 0; left += (size_t)one)
        ;
    assert_true(left > 0);
    assert_int_equal(move(r, NULL), FLOW_IDLE);
    n = (size_t)recv(r->server, got, sizeof got, MSG_DONTWAIT);
    assert_int_equal(n, 5);
    assert_memory_equal(got, "small", 5);
}

static void passes_no_more_than_its_credit(void **state)
{
    struct rig *r = *state;
    uint64_t credit = 4;
    char got[64];

    assert_int_equal(send(r->client, "allowed?", 8, 0), 8);
    assert_int_equal(move(r, &credit), FLOW_JUDGE);
    assert_int_equal(credit, 0);
    assert_int_equal(recv(r->server, got, sizeof got, MSG_DONTWAIT), 4);
    assert_int_equal(move(r, &credit), FLOW_JUDGE);
    assert_int_equal(recv(r->server, got, sizeof got, MSG_DONTWAIT), -1);
    credit = 100;
    assert_int_equal(move(r, &credit), FLOW_IDLE);
    assert_int_equal(credit, 96);
    assert_int_equal(recv(r->server, got, sizeof got, MSG_DONTWAIT), 4);
}

static void reads_no_more_than_the_bandwidth(void **state)
{
    struct rig *r = *state;
    char got[64];

    bucket_init(&r->g->bucket, 1, 3);
    assert_int_equal(send(r->client, "limited", 7, 0), 7);
    assert_int_equal(move(r, NULL), FLOW_POOR);
    assert_int_equal(recv(r->server, got, sizeof got, MSG_DONTWAIT), 3);
}

int main(void)
{
#define RIGGED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        RIGGED(keeps_every_byte_in_its_place),
        RIGGED(keeps_what_the_other_side_does_not_take),
        RIGGED(passes_no_more_than_its_credit),
        RIGGED(reads_no_more_than_the_bandwidth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
