#include "gate/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "gate/event.h"
#include "gate/state.h"

#define PLACES 3

/* A gateway whose sandbox and servers are sockets of the loopback interface. */
struct rig {
    struct arena a;
    struct gate *g;
    int listener, client, server, events[2], asked[2];
    uint16_t client_port, server_port;
};

static int open_udp(uint16_t *port)
{
    struct ip loopback = ip_from_v4(INADDR_LOOPBACK);
    union rules_peer at = rules_peer_of(&loopback, 0);
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, &at.any, rules_peer_size(&at)) == 0 && getsockname(fd, &at.any, &n) == 0);
    *port = rules_peer_port(&at);
    return fd;
}

static int set_up(void **state)
{
    static const char policy[] = "{\"domains\":[\"good.test\"],\"networks\":[\"127.0.0.1\"],\"udp_ports\":[1]}";
    struct rig *r = mem_zero(1, sizeof *r);
    struct err e = { 0 };
    uint16_t ignored;

    r->g = mem_zero(1, sizeof *r->g);
    assert_true(rules_parse(str_of(policy), &r->a, &r->g->rules, &e));
    names_init(&r->g->names, &r->g->rules);
    bucket_init(&r->g->bucket, 0, 1);
    bucket_init(&r->g->log, 0, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, r->events), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, r->asked), 0);
    r->g->events = r->events[0];
    r->g->resolver = r->asked[0];
    r->g->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->g->now_ms = 1000;
    r->listener = open_udp(&ignored);
    r->client = open_udp(&r->client_port);
    r->server = open_udp(&r->server_port);
    relay_init(r->g, PLACES);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    int fds[] = { r->listener,  r->client,   r->server,   r->events[0],
                  r->events[1], r->asked[0], r->asked[1], r->g->epoll };

    relay_clear(r->g);
    names_clear(&r->g->names);
    arena_clear(&r->a);
    for (size_t i = 0; i < COUNT(fds); i++)
        (void)close(fds[i]);
    free(r->g);
    free(r);
    return 0;
}

/* From a port of the sandbox; the client is one of them. */
static void send_to(struct rig *r, uint32_t to, uint16_t from_port, const char *text)
{
    struct relay_key key = {
        .from = ip_from_v4(INADDR_LOOPBACK), .to = ip_from_v4(to), .from_port = from_port, .port = r->server_port,
    };

    relay_pass(r->g, r->listener, &key, str_of(text));
}

static const char *receive(int fd, union rules_peer *from)
{
    static char text[256];
    socklen_t size = sizeof *from;
    ssize_t n = recvfrom(fd, text, sizeof text - 1, MSG_DONTWAIT, &from->any, &size);

    text[n < 0 ? 0 : n] = '\0';
    return n < 0 ? NULL : text;
}

static const char *event(struct rig *r)
{
    static char text[EVENT_MAX + 1];
    ssize_t n = recv(r->events[1], text, EVENT_MAX, MSG_DONTWAIT);

    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static void answer_all(struct rig *r)
{
    for (struct relay *i = r->g->relays.first; i; i = i->next)
        relay_answers(r->g, i);
}

static void passes_datagrams_both_ways(void **state)
{
    struct rig *r = *state;
    union rules_peer from = { 0 };

    send_to(r, INADDR_LOOPBACK, r->client_port, "out");
    assert_string_equal(receive(r->server, &from), "out");
    assert_non_null(strstr(event(r), "\"verdict\":\"allowed\",\"protocol\":\"udp\""));
    assert_int_equal(sendto(r->server, "in", 2, 0, &from.any, sizeof from.v4), 2);
    answer_all(r);
    assert_string_equal(receive(r->client, &from), "in");
    send_to(r, INADDR_LOOPBACK, r->client_port, "again");
    assert_string_equal(receive(r->server, &from), "again");
    assert_int_equal(r->g->relays.n, 1);
    assert_int_equal(r->g->relays.first->out, 8);
    assert_int_equal(r->g->relays.first->in, 2);
}

static void lets_nobody_else_answer(void **state)
{
    struct rig *r = *state;
    union rules_peer from = { 0 }, ignored = { 0 };

    send_to(r, INADDR_LOOPBACK, r->client_port, "out");
    assert_string_equal(receive(r->server, &from), "out");
    assert_int_equal(sendto(r->listener, "spoof", 5, 0, &from.any, sizeof from.v4), 5);
    answer_all(r);
    assert_null(receive(r->client, &ignored));
}

static void refuses_what_is_not_allowed(void **state)
{
    static const struct {
        uint32_t to;
        const char *why;
    } cases[] = {
        { 0x7f000002u, "the address is not allowed" },
        { GATE_TRANSIT, "the address is not allowed" },
        { 0xe0000001u, "the address is not allowed" },
        { RULES_SYNTHETIC + 7, "the address was given for no name" },
    };
    struct rig *r = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        send_to(r, cases[i].to, r->client_port, "out");
        const char *told = event(r);

        if (!strstr(told, cases[i].why) || !strstr(told, "denied"))
            fail_msg("case %zu: %s", i, told);
        assert_int_equal(r->g->relays.n, 0);
    }
}

static void ends_what_is_silent_for_a_minute(void **state)
{
    struct rig *r = *state;
    uint64_t began = r->g->now_ms;

    assert_int_equal(relay_expire(r->g), -1);
    send_to(r, INADDR_LOOPBACK, 1001, "first");
    r->g->now_ms = began + RELAY_IDLE_MS - 1;
    assert_int_equal(relay_expire(r->g), 1);
    send_to(r, INADDR_LOOPBACK, 1002, "second");
    r->g->now_ms = began + RELAY_IDLE_MS;
    assert_int_equal(relay_expire(r->g), RELAY_IDLE_MS - 1);
    assert_int_equal(r->g->relays.n, 1);
    assert_int_equal(r->g->relays.first->key.from_port, 1002);
    r->g->now_ms += RELAY_IDLE_MS;
    assert_int_equal(relay_expire(r->g), -1);
    assert_int_equal(r->g->relays.n, 0);
    for (int i = 0; i < 2; i++)
        assert_non_null(strstr(event(r), "allowed"));
    assert_non_null(strstr(event(r), "\"verdict\":\"closed\""));
}

static void makes_room_by_ending_the_least_used(void **state)
{
    struct rig *r = *state;

    for (uint16_t port = 1; port <= PLACES; port++)
        send_to(r, INADDR_LOOPBACK, port, "x");
    send_to(r, INADDR_LOOPBACK, 1, "x"); /* that one is in use */
    for (uint16_t port = PLACES + 1; port < PLACES + 200; port++) {
        send_to(r, INADDR_LOOPBACK, port, "x");
        send_to(r, INADDR_LOOPBACK, 1, "x");
        assert_int_equal(r->g->relays.n, PLACES);
        assert_int_equal(r->g->relays.last->key.from_port, 1);
    }
    assert_int_equal(r->g->relays.first->key.from_port, PLACES + 198);
}

static void keeps_the_first_until_the_name_is_known(void **state)
{
    struct rig *r = *state;
    union rules_peer from = { 0 };
    struct ip to = ip_from_v4(INADDR_LOOPBACK);
    bool full;
    uint32_t address = names_address(&r->g->names, &r->g->rules, STR("good.test"), &full);
    struct name *name = r->g->names.list[0];
    char room[512];

    send_to(r, address, r->client_port, "first");
    send_to(r, address, r->client_port, "second");
    assert_true(recv(r->asked[1], room, sizeof room, MSG_DONTWAIT) > 0); /* once */
    assert_true(recv(r->asked[1], room, sizeof room, MSG_DONTWAIT) < 0);
    assert_null(receive(r->server, &from));
    name->n_to = 1;
    name->to[0] = rules_peer_of(&to, 0);
    name->fresh_until = r->g->now_ms + 1;
    relay_resolved(r->g, name);
    assert_string_equal(receive(r->server, &from), "first");
    assert_null(receive(r->server, &from));
    assert_int_equal(r->g->relays.first->lost, 1);
    assert_non_null(strstr(event(r), "\"name\":\"good.test\",\"rule\":\"good.test\""));
}

static void refuses_a_name_that_leads_nowhere_it_may(void **state)
{
    struct rig *r = *state;
    bool full;
    uint32_t address = names_address(&r->g->names, &r->g->rules, STR("good.test"), &full);

    send_to(r, address, r->client_port, "first");
    r->g->names.list[0]->refused = true;
    relay_resolved(r->g, r->g->names.list[0]);
    assert_int_equal(r->g->relays.n, 0);
    assert_non_null(strstr(event(r), "the name leads to this machine or its private networks"));
}

static void counts_datagrams_to_the_bandwidth(void **state)
{
    struct rig *r = *state;
    union rules_peer from = { 0 };

    bucket_init(&r->g->bucket, 1, 10);
    send_to(r, INADDR_LOOPBACK, r->client_port, "more than ten bytes");
    send_to(r, INADDR_LOOPBACK, r->client_port, "x");
    assert_string_equal(receive(r->server, &from), "more than ten bytes");
    assert_null(receive(r->server, &from));
    assert_int_equal(r->g->relays.first->lost, 1);
}

int main(void)
{
#define RIGGED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        RIGGED(passes_datagrams_both_ways),
        RIGGED(lets_nobody_else_answer),
        RIGGED(refuses_what_is_not_allowed),
        RIGGED(ends_what_is_silent_for_a_minute),
        RIGGED(makes_room_by_ending_the_least_used),
        RIGGED(keeps_the_first_until_the_name_is_known),
        RIGGED(refuses_a_name_that_leads_nowhere_it_may),
        RIGGED(counts_datagrams_to_the_bandwidth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
