#include "jail/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static const struct jail_path some_paths[] = {
    { .path = STR_INIT("/"), .access = JAIL_READ },
    { .path = STR_INIT("/bin"), .access = JAIL_LINK, .target = STR_INIT("usr/bin") },
    { .path = STR_INIT("/home/a \"b\"\n"), .access = JAIL_WRITE, .needed = true, .keep_owner = true },
    { .path = STR_INIT("/home/x/secret"), .access = JAIL_DENY, .may_lack = true },
};
static const struct str some_names[] = { STR_INIT("iops_limit"), STR_INIT("sandbox.resources.cpu_limit") };

static const struct str some_hosts[] = { STR_INIT("good.test"), STR_INIT("*.good.test") };
static const struct str some_networks[] = { STR_INIT("203.0.113.0/24") };
static const uint16_t some_ports[] = { 443, 65535 };

static const struct jail_policy some_policy = {
    .level = JAIL_CONTAINER,
    .network = JAIL_NET_NONE,
    .strictness = JAIL_PERMISSIVE,
    .tracking = JAIL_TRACK_FANOTIFY,
    .limits = { 1500, UINT64_C(1) << 40, 2, 3, 4, 5, 6 },
    .variable = some_names,
    .n_variables = COUNT(some_names),
    .allowed_name = some_hosts,
    .n_allowed_names = COUNT(some_hosts),
    .allowed_network = some_networks,
    .n_allowed_networks = COUNT(some_networks),
    .allowed_port = some_ports,
    .n_allowed_ports = COUNT(some_ports),
    .udp_port = some_ports,
    .n_udp_ports = 1,
    .inbound_port = some_ports + 1,
    .n_inbound_ports = 1,
    .path = some_paths,
    .n_paths = COUNT(some_paths),
    .degraded = some_names,
    .n_degraded = COUNT(some_names),
    .hostname = STR_INIT("blast"),
    .home = STR_INIT("/home/blast"),
    .keep = STR_INIT("/home/x/state/cells"),
    .files = true,
    .limit = true,
};

static struct str text_of(const struct jail_policy *p, struct arena *a)
{
    AUTO_BUF b = { .limit = JAIL_POLICY_MAX };

    assert_true(jail_policy_format(p, false, &b));
    return arena_str(a, buf_done(&b));
}

static void reads_what_it_wrote(void **state)
{
    AUTO_ARENA a = { 0 };
    struct jail_policy back;
    struct err e = { 0 };
    struct str first = text_of(&some_policy, &a);

    (void)state;
    assert_true(jail_policy_parse(first, &a, &back, &e));
    struct str second = text_of(&back, &a);

    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.p, second.p, first.n);
    assert_int_equal(back.limits.memory, UINT64_C(1) << 40);
    assert_int_equal(back.limits.bandwidth, 6);
    assert_true(str_eq(back.keep, some_policy.keep));
    assert_int_equal(back.n_paths, COUNT(some_paths));
    for (size_t i = 0; i < COUNT(some_paths); i++) {
        assert_true(str_eq(back.path[i].path, some_paths[i].path));
        assert_int_equal(back.path[i].access, some_paths[i].access);
        assert_int_equal(back.path[i].needed, some_paths[i].needed);
        assert_int_equal(back.path[i].may_lack, some_paths[i].may_lack);
        assert_int_equal(back.path[i].keep_owner, some_paths[i].keep_owner);
        assert_true(str_eq(back.path[i].target, some_paths[i].target));
    }
    assert_true(back.n_variables == 2 && str_eq(back.variable[1], some_names[1]));
    assert_true(back.n_degraded == 2 && str_eq(back.degraded[0], some_names[0]));
    assert_true(back.n_allowed_names == 2 && str_eq(back.allowed_name[1], some_hosts[1]));
    assert_true(back.n_allowed_networks == 1 && str_eq(back.allowed_network[0], some_networks[0]));
    assert_true(back.n_allowed_ports == 2 && back.allowed_port[1] == 65535);
    assert_true(back.n_udp_ports == 1 && back.udp_port[0] == 443);
    assert_true(back.n_inbound_ports == 1 && back.inbound_port[0] == 65535);
    assert_true(str_eq(back.hostname, some_policy.hostname) && str_eq(back.home, some_policy.home));
    assert_true(back.level == JAIL_CONTAINER && back.network == JAIL_NET_NONE && back.strictness == JAIL_PERMISSIVE);
}

static void has_a_digest_of_its_own_for_each_policy(void **state)
{
    struct jail_policy other = some_policy;
    char one[JAIL_DIGEST], two[JAIL_DIGEST];

    (void)state;
    jail_policy_digest(&some_policy, one);
    jail_policy_digest(&other, two);
    assert_string_equal(one, two);
    other.no_seccomp = true;
    jail_policy_digest(&other, two);
    assert_string_not_equal(one, two);
}

static void refuses_what_is_no_policy(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        { "[]", "object" },
        { "{}", "without level" },
        { "{\"level\":\"namespace\"}", "without level or network" },
        { "{\"level\":\"none\",\"network\":\"host\"}", "'none' is none of the known words" },
        { "{\"level\":\"process\",\"network\":\"host\",\"power\":true}", "unknown member 'power'" },
        { "{\"level\":\"process\",\"network\":\"host\",\"paths\":[{\"path\":\"usr\",\"access\":\"read\"}]}", "'usr'" },
        { "{\"level\":\"process\",\"network\":\"host\",\"paths\":[{\"path\":\"/a/../b\"}]}", "'/a/../b'" },
        { "{\"level\":\"process\",\"network\":\"host\",\"paths\":[{\"path\":\"/a//b\"}]}", "'/a//b'" },
        { "{\"level\":\"process\",\"network\":\"host\",\"paths\":[{\"path\":\"/a\\u0000b\"}]}", "NUL" },
        { "{\"level\":\"process\",\"network\":\"host\",\"paths\":[{}]}", "without name" },
        { "{\"level\":\"process\",\"network\":\"host\",\"keep\":\"state/cells\"}", "'state/cells'" },
        { "{\"level\":\"process\",\"network\":\"host\",\"keep\":\"\"}", "''" },
        { "{\"level\":\"process\",\"network\":\"host\",\"memory\":-1}", "" },
        { "{\"level\":\"process\",\"network\":\"host\"", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct jail_policy p;
        struct err e = { 0 };

        if (jail_policy_parse(str_of(cases[i].json), &a, &p, &e))
            fail_msg("%s was taken", cases[i].json);
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: '%s' does not say '%s'", cases[i].json, e.text, cases[i].why);
    }
}

static void knows_what_lies_in_a_directory(void **state)
{
    (void)state;
    assert_true(jail_path_within(STR("/a/b"), STR("/a")));
    assert_true(jail_path_within(STR("/a"), STR("/a")));
    assert_true(jail_path_within(STR("/a"), STR("/")));
    assert_false(jail_path_within(STR("/ab"), STR("/a")));
    assert_false(jail_path_within(STR("/a"), STR("/a/b")));
}

static void lets_only_named_settings_lack(void **state)
{
    (void)state;
    assert_true(jail_policy_allows_lack(&some_policy, "iops_limit"));
    assert_true(jail_policy_allows_lack(&some_policy, "cpu_limit"));
    assert_false(jail_policy_allows_lack(&some_policy, "memory_limit"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(has_a_digest_of_its_own_for_each_policy),
        cmocka_unit_test(refuses_what_is_no_policy),
        cmocka_unit_test(knows_what_lies_in_a_directory),
        cmocka_unit_test(lets_only_named_settings_lack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
