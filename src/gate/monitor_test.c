#include "gate/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "gate/state.h"

static const char policy[] = "{\"domains\":[],\"networks\":[\"203.0.113.6\",\"2001:db8::/32\"],"
                             "\"ports\":[443],\"inbound\":[],\"bandwidth\":0}";

#define V4(protocol, flags, ...) 0x45, 0, 0, 40, 0, 0, flags, 0, 64, protocol, 0, 0, 10, 0, 2, 100, __VA_ARGS__
#define V6(next, ...) 0x60, 0, 0, 0, 0, 20, next, 64, 0xfd, [23] = 0x64, __VA_ARGS__
#define LISTED 203, 0, 113, 6
#define UNLISTED 203, 0, 113, 7
#define LISTED6 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6
#define UNLISTED6 0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6
#define GROUP6 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16
#define PORTS(to) 0x12, 0x34, (to) >> 8, (to) & 255

static const struct {
    const char *what, *protocol, *why; /* why NULL: nothing is told */
    unsigned char p[64];
    size_t n;
    unsigned port;
} cases[] = {
    { "tcp to a listed address", NULL, NULL, { V4(6, 0, LISTED), PORTS(443) }, 40, 0 },
    { "tcp to a listed address, another port", "tcp", "port is not", { V4(6, 0, LISTED), PORTS(22) }, 40, 22 },
    { "tcp to another address", "tcp", "address is not", { V4(6, 0, UNLISTED), PORTS(443) }, 40, 443 },
    { "dns", NULL, NULL, { V4(17, 0, 10, 0, 2, 2), PORTS(53) }, 28, 0 },
    { "dns of another server", "udp", "only DNS", { V4(17, 0, 8, 8, 8, 8), PORTS(53) }, 28, 53 },
    { "ping", "icmp", "only TCP", { V4(1, 0, LISTED), 8 }, 28, 0 },
    { "sctp", "ip", "only TCP", { V4(132, 0, LISTED), PORTS(443) }, 40, 0 },
    { "a first fragment", "tcp", "port is not", { V4(6, 0x20, LISTED), PORTS(22) }, 40, 22 },
    { "a later fragment", "ip", "a fragment", { V4(6, 0x21, LISTED), PORTS(443) }, 40, 0 },
    { "a header longer than the packet", NULL, NULL, { 0x4f, 0, 0, 24, [9] = 6 }, 24, 0 },
    { "a header shorter than there is", NULL, NULL, { 0x44, 0, 0, 24, [9] = 6 }, 24, 0 },
    { "no ports to see", "tcp", "address is not", { V4(6, 0, UNLISTED) }, 22, 0 },
    { "tcp over IPv6 to a listed address", NULL, NULL, { V6(6, LISTED6), PORTS(443) }, 60, 0 },
    { "tcp over IPv6 to another address", "tcp", "address is not", { V6(6, UNLISTED6), PORTS(443) }, 60, 443 },
    { "udp over IPv6", "udp", "only DNS", { V6(17, LISTED6), PORTS(443) }, 48, 443 },
    { "ping over IPv6", "icmp", "only TCP", { V6(58, LISTED6), 128 }, 48, 0 },
    { "a neighbour that is asked for", NULL, NULL, { V6(58, LISTED6), 135 }, 48, 0 },
    { "a group that is joined", NULL, NULL, { V6(0, GROUP6), 58 }, 48, 0 },
    { "a first one of IPv6", "tcp", "port is not", { V6(44, LISTED6), 6, 0, 0, 1, 0, 0, 0, 0, PORTS(22) }, 60, 22 },
    { "a later one of IPv6", "ip", "a fragment", { V6(44, LISTED6), 6, 0, 0, 9, 0, 0, 0, 0, PORTS(22) }, 60, 0 },
    { "half a header of IPv6", NULL, NULL, { V6(6, LISTED6) }, 39, 0 },
    { "neither family", NULL, NULL, { 0x50 }, 40, 0 },
    { "nothing", NULL, NULL, { 0 }, 0, 0 },
};

static void tells_what_the_kernel_refused(void **state)
{
    AUTO_ARENA a = { 0 };
    struct gate *g = mem_zero(1, sizeof *g);
    struct err e = { 0 };

    (void)state;
    assert_true(rules_parse(str_of(policy), &a, &g->rules, &e));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event ev = { 0 };

        if (monitor_read(g, cases[i].p, cases[i].n, &ev) != (cases[i].why != NULL))
            fail_msg("%s: %s", cases[i].what, ev.why ? ev.why : "nothing is told");
        if (cases[i].why && (!strstr(ev.why, cases[i].why) || strcmp(ev.protocol, cases[i].protocol) != 0 ||
                             ev.port != cases[i].port))
            fail_msg("%s: %s, port %u, %s", cases[i].what, ev.protocol, ev.port, ev.why);
    }
    free(g);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_the_kernel_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
