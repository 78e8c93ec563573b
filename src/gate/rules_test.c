#include "gate/rules.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "gate/names.h"

static const char policy[] = "{\"domains\":[\"good.test\",\"*.wild.test\"],"
                             "\"networks\":[\"203.0.113.0/24\",\"10.1.2.3\",\"fd01::/16\"],"
                             "\"ports\":[443,80],\"udp_ports\":[443],\"inbound\":[],\"bandwidth\":0}";

static void read_policy(struct arena *a, struct rules *r)
{
    struct err e = { 0 };

    if (!rules_parse(str_of(policy), a, r, &e))
        fail_msg("%s", e.text);
}

static union rules_peer peer(const char *text)
{
    union rules_peer p = { 0 };

    if (strchr(text, ':')) {
        p.v6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &p.v6.sin6_addr), 1);
    } else {
        p.v4.sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &p.v4.sin_addr), 1);
    }
    return p;
}

static void finds_names_by_whole_labels(void **state)
{
    static const struct {
        const char *name;
        uint32_t rule;
    } cases[] = {
        { "good.test", 0 },           { "x.good.test", RULES_NONE },  { "evil-good.test", RULES_NONE },
        { "good.test.evil", RULES_NONE }, { "a.wild.test", 1 },       { "a.b.wild.test", 1 },
        { "wild.test", RULES_NONE },  { ".wild.test", RULES_NONE },   { "awild.test", RULES_NONE },
        { "test", RULES_NONE },       { "", RULES_NONE },
    };
    AUTO_ARENA a = { 0 };
    struct rules r;

    (void)state;
    read_policy(&a, &r);
    for (size_t i = 0; i < COUNT(cases); i++)
        if (rules_find_name(&r, str_of(cases[i].name)) != cases[i].rule)
            fail_msg("'%s'", cases[i].name);
}

static void leads_names_to_nothing_private(void **state)
{
    static const struct {
        const char *address;
        bool may;
    } cases[] = {
        { "8.8.8.8", true },         { "203.0.113.9", true },
        { "127.0.0.1", false },      { "10.1.2.3", true },
        { "10.1.2.4", false },       { "172.16.0.1", false },
        { "172.32.0.1", true },      { "192.168.1.1", false },
        { "169.254.169.254", false }, { "100.64.0.1", false },      { "224.0.0.1", false },     { "0.0.0.0", false },
        { "255.255.255.255", false }, { "198.18.0.1", false },      { "2001:db8::1", true },    { "::1", false },
        { "fe80::1", false },        { "fd00::1", false },          { "ff02::1", false },       { "::", false },
        { "::ffff:127.0.0.1", false }, { "::ffff:8.8.8.8", true },
        { "64:ff9b::a00:1", false }, { "64:ff9b::808:808", true },
        { "2002:7f00:1::", false },  { "2002:808:808::", true },    { "64:ff9b::a01:203", true },
        { "fd01::7", true },         { "fd02::7", false },          { "::ffff:10.1.2.3", true },
    };
    AUTO_ARENA a = { 0 };
    struct rules r;

    (void)state;
    read_policy(&a, &r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        union rules_peer p = peer(cases[i].address);

        if (rules_may_lead_to(&r, &p) != cases[i].may)
            fail_msg("%s", cases[i].address);
    }
}

static void allows_addresses_by_themselves_in_their_family(void **state)
{
    static const struct {
        const char *network, *address;
        bool may;
    } cases[] = {
        { "0.0.0.0/0", "127.0.0.1", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "0.0.0.0/0", "224.0.0.1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "::1", true },
        { "::/0", "127.0.0.1", false },
        { "::/0", "::ffff:127.0.0.1", false },
        { "::/0", "fe80::1", false },
        { "::/0", "ff02::1", false },
        { "2001:db8::/32", "::1", false },
        { "2001:db8::/32", "fd00::1", false },
        { "2001:db8::/32", "2002:a00:1::", false },
        { "10.0.0.0/8", "::ffff:10.1.1.1", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_net n;
        struct rules r = { .network = &n, .n_networks = 1 };
        struct ip a;

        assert_true(ip_net_parse(str_of(cases[i].network), &n));
        assert_true(ip_parse(str_of(cases[i].address), &a));
        if (rules_has_address(&r, &a) != cases[i].may)
            fail_msg("%s in %s", cases[i].address, cases[i].network);
    }
}

static void leads_names_to_this_machine_only_by_address(void **state)
{
    static const char *const own[] = { "198.51.100.1", "203.0.113.5", "2001:db8::5", "::ffff:198.51.100.1" };
    struct ip list[COUNT(own)];
    AUTO_ARENA a = { 0 };
    struct rules r;

    (void)state;
    read_policy(&a, &r);
    r.own = list;
    r.n_own = COUNT(own);
    for (size_t i = 0; i < COUNT(own); i++)
        assert_true(ip_parse(str_of(own[i]), &list[i]));
    for (size_t i = 0; i < COUNT(own); i++) {
        union rules_peer p = peer(own[i]);

        assert_int_equal(rules_may_lead_to(&r, &p), i == 1); /* that one the policy names */
    }
}

static void goes_between_addresses_and_the_kernels_form(void **state)
{
    static const char *const texts[] = { "203.0.113.5", "2001:db8::5" };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct ip a, back;
        union rules_peer p;

        assert_true(ip_parse(str_of(texts[i]), &a));
        p = rules_peer_of(&a, 4242);
        back = rules_peer_ip(&p);
        assert_true(ip_eq(&a, &back));
        assert_int_equal(rules_peer_port(&p), 4242);
        assert_int_equal(p.any.sa_family, i ? AF_INET6 : AF_INET);
        assert_int_equal(rules_peer_size(&p), i ? sizeof p.v6 : sizeof p.v4);
    }
}

static void refuses_policies_it_does_not_know(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        { "{\"domain\":[]}", "unknown member" },           { "{\"domains\":[\"Good.test\"]}", "no host name" },
        { "{\"domains\":[\"*.*.test\"]}", "no host name" }, { "{\"networks\":[\"good.test\"]}", "no network" },
        { "{\"networks\":[\"10.0.0.0/33\"]}", "no network" }, { "{\"ports\":[0]}", "no port" },
        { "{\"ports\":[65536]}", "no port" },              { "{\"udp_ports\":[0]}", "no port" },
        { "[]", "an array" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct rules r;

        assert_false(rules_parse(str_of(cases[i].json), &a, &r, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("case %zu: '%s' does not say '%s'", i, e.text, cases[i].why);
    }
}

static void gives_each_name_one_address_up_to_a_bound(void **state)
{
    AUTO_ARENA a = { 0 };
    struct rules r;
    static struct names n;
    bool full;

    (void)state;
    read_policy(&a, &r);
    names_init(&n, &r);
    assert_int_equal(names_address(&n, &r, STR("good.test"), &full), RULES_SYNTHETIC + 1);
    assert_int_equal(names_address(&n, &r, STR("good.test"), &full), RULES_SYNTHETIC + 1);
    assert_int_equal(names_address(&n, &r, STR("other.test"), &full), 0);
    assert_false(full);
    for (unsigned i = 0; i < NAMES_PER_RULE + 1; i++) {
        struct str name = arena_printf(&a, "l%u.wild.test", i);

        assert_int_equal(names_address(&n, &r, name, &full) != 0, i < NAMES_PER_RULE);
        assert_int_equal(full, i == NAMES_PER_RULE);
    }
    assert_int_not_equal(names_address(&n, &r, STR("l0.wild.test"), &full), 0); /* known ones stay */
    struct ip first = ip_from_v4(RULES_SYNTHETIC + 1), before = ip_from_v4(RULES_SYNTHETIC),
              behind = ip_from_v4(RULES_SYNTHETIC + 2 + NAMES_PER_RULE), six = { { [15] = 1 } };

    assert_non_null(names_find(&n, &first));
    assert_null(names_find(&n, &before));
    assert_null(names_find(&n, &behind));
    assert_null(names_find(&n, &six));
    names_clear(&n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_names_by_whole_labels),
        cmocka_unit_test(leads_names_to_nothing_private),
        cmocka_unit_test(allows_addresses_by_themselves_in_their_family),
        cmocka_unit_test(leads_names_to_this_machine_only_by_address),
        cmocka_unit_test(goes_between_addresses_and_the_kernels_form),
        cmocka_unit_test(refuses_policies_it_does_not_know),
        cmocka_unit_test(gives_each_name_one_address_up_to_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
