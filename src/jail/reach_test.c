#include "jail/reach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "config/config.h"
#include "jail/compile.h"
#include "jail/outlet.h"
#include "jail/policy.h"

#define HEAD "[env]\n[container]\nnetwork_policy = \"%s\"\n[sandbox]\n[security]\n[sync]\n[sandbox.network]\n%s\n"

struct made {
    struct arena a;
    struct jail_policy p;
    struct err e;
    bool ok;
};

static void made_clear(struct made *m)
{
    arena_clear(&m->a);
}
#define AUTO_MADE AUTO(made_clear) struct made

static void make(struct made *m, const char *network, const char *lines)
{
    static const char *const none[] = { NULL };
    static const char *const hosts[] = { "index.example", "127.0.0.1", "files.example", NULL };
    struct config_input in = { .project_name = "blast.toml", .env = none };
    struct jail_place at = { .project = "/nonexistent/project", .home = "/nonexistent", .index_hosts = hosts };
    struct config c;

    *m = (struct made){ 0 };
    in.project = arena_printf(&m->a, HEAD, network, lines);
    assert_true(config_read(&in, &m->a, &c, &m->e));
    m->ok = jail_compile(&c, &at, &m->a, &m->p, &m->e);
}

static void makes_names_networks_and_ports_normal(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "allowlist",
         "allowed_domains = [\"Good.TEST.\", \"*.Wild.test\", \"index\"]\n"
         "allowed_ips = [\"203.0.113.7/24\", \"10.1.2.3\", \"2001:DB8::7/32\", \"::ffff:10.1.2.4\"]\n"
         "allowed_outbound_ports = [443, 80, 443]\nallowed_udp_ports = [443]\nbandwidth_limit = 1000");
    assert_true(m.ok);
    assert_int_equal(m.p.n_allowed_names, 4); /* an index at an address is none by name */
    assert_string_equal(m.p.allowed_name[0].p, "good.test");
    assert_string_equal(m.p.allowed_name[1].p, "*.wild.test");
    assert_string_equal(m.p.allowed_name[2].p, "index.example");
    assert_string_equal(m.p.allowed_name[3].p, "files.example");
    assert_int_equal(m.p.n_allowed_networks, 4);
    assert_string_equal(m.p.allowed_network[0].p, "203.0.113.0/24");
    assert_string_equal(m.p.allowed_network[1].p, "10.1.2.3/32");
    assert_string_equal(m.p.allowed_network[2].p, "2001:db8::/32");
    assert_string_equal(m.p.allowed_network[3].p, "10.1.2.4/32");
    assert_int_equal(m.p.n_allowed_ports, 2);
    assert_int_equal(m.p.n_udp_ports, 1);
    assert_int_equal(m.p.udp_port[0], 443);
    assert_int_equal(m.p.limits.bandwidth, 1000);
    assert_true(outlet_is_wanted(&m.p));
}

static void opens_nothing_that_is_not_asked_for(void **state)
{
    static const struct {
        const char *network, *lines;
        bool wanted;
    } cases[] = {
        { "allowlist", "", true }, /* the index */
        { "isolated", "", false },
        { "none", "", false },
        { "host", "", false },
        { "allowlist", "allow_outbound = false", false },
        { "allowlist", "allowed_domains = []", false },
        { "allowlist", "allowed_outbound_ports = []", false },
        { "allowlist", "allowed_outbound_ports = []\nallowed_udp_ports = [443]", true },
        { "allowlist", "allow_outbound = false\nallowed_udp_ports = [443]", false },
        { "allowlist", "allow_outbound = false\nallowed_inbound_ports = [8000]", false },
        { "allowlist", "allow_outbound = false\nallow_inbound = true\nallowed_inbound_ports = [8000]", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_MADE m;

        make(&m, cases[i].network, cases[i].lines);
        assert_true(m.ok);
        if (outlet_is_wanted(&m.p) != cases[i].wanted)
            fail_msg("%s, %s", cases[i].network, cases[i].lines);
    }
}

static void refuses_what_cannot_be_meant(void **state)
{
    static const struct {
        const char *lines, *why;
    } cases[] = {
        { "allowed_domains = [\"*\"]", "'*' is no host name" },
        { "allowed_domains = [\"a..b\"]", "'a..b' is no host name" },
        { "allowed_domains = [\"*.*.test\"]", "is no host name" },
        { "allowed_domains = [\"https://a.test\"]", "is no host name" },
        { "allowed_domains = [\"203.0.113.6\"]", "is no host name" },
        { "allowed_ips = [\"2001:db8::/129\"]", "neither an address nor a network" },
        { "allowed_ips = [\"fe80::1\"]", "on one link only" },
        { "allowed_ips = [\"ff02::/16\"]", "on one link only" },
        { "allowed_ips = [\"224.0.0.0/4\"]", "on one link only" },
        { "allowed_ips = [\"10.0.0.0/33\"]", "neither an address nor a network" },
        { "allowed_ips = [\"10.0.0\"]", "neither an address nor a network" },
        { "allowed_ips = [\"good.test\"]", "neither an address nor a network" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_MADE m;

        make(&m, "allowlist", cases[i].lines);
        assert_false(m.ok);
        assert_int_equal(m.e.kind, ERR_CONFIG);
        if (!strstr(m.e.text, cases[i].why))
            fail_msg("%s: '%s'", cases[i].lines, m.e.text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_names_networks_and_ports_normal),
        cmocka_unit_test(opens_nothing_that_is_not_asked_for),
        cmocka_unit_test(refuses_what_cannot_be_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
