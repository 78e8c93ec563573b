#include "gate/rules.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "gate/names.h"

static const char policy[] = "{\"domains\":[\"good.test\",\"*.wild.test\"],"
                             "\"networks\":[\"203.0.113.0/24\",\"10.1.2.3\"],"
                             "\"ports\":[443,80],\"inbound\":[],\"bandwidth\":0}";

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
        { "2002:7f00:1::", false },  { "2002:808:808::", true },
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

static void leads_names_to_this_machine_only_by_address(void **state)
{
    union rules_peer own[] = { peer("198.51.100.1"), peer("203.0.113.5"), peer("2001:db8::5") };
    AUTO_ARENA a = { 0 };
    struct rules r;

    (void)state;
    read_policy(&a, &r);
    r.own = own;
    r.n_own = COUNT(own);
    assert_false(rules_may_lead_to(&r, &own[0]));
    assert_true(rules_may_lead_to(&r, &own[1])); /* the policy names it */
    assert_false(rules_may_lead_to(&r, &own[2]));
}

static void refuses_policies_it_does_not_know(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        { "{\"domain\":[]}", "unknown member" },           { "{\"domains\":[\"Good.test\"]}", "no host name" },
        { "{\"domains\":[\"*.*.test\"]}", "no host name" }, { "{\"networks\":[\"10.0.0.1/8\"]}", "no network" },
        { "{\"networks\":[\"10.0.0.0/33\"]}", "no network" }, { "{\"ports\":[0]}", "no port" },
        { "{\"ports\":[65536]}", "no port" },              { "[]", "an array" },
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
    assert_non_null(names_find(&n, RULES_SYNTHETIC + 1));
    assert_null(names_find(&n, RULES_SYNTHETIC));
    assert_null(names_find(&n, RULES_SYNTHETIC + 2 + NAMES_PER_RULE));
    names_clear(&n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_names_by_whole_labels),
        cmocka_unit_test(leads_names_to_nothing_private),
        cmocka_unit_test(leads_names_to_this_machine_only_by_address),
        cmocka_unit_test(refuses_policies_it_does_not_know),
        cmocka_unit_test(gives_each_name_one_address_up_to_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
