#include "jail/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "jail/judge.h"

static void lowering_never_raises(void **state)
{
    (void)state;
    for (unsigned from = JAIL_NOT_ASKED; from <= JAIL_NOT_ENFORCED; from++)
        for (unsigned to = JAIL_NOT_ASKED; to <= JAIL_NOT_ENFORCED; to++) {
            struct jail_report r = { 0 };
            const struct jail_row *row = &r.row[JAIL_SET_CPU];

            jail_report_set(&r, JAIL_SET_CPU, (enum jail_state)from, "some");
            jail_report_lower(&r, JAIL_SET_CPU, (enum jail_state)to, "why", "help");
            if (row->state != MAX(from, to))
                fail_msg("%s lowered to %s is %s", jail_state_word((enum jail_state)from),
                         jail_state_word((enum jail_state)to), jail_state_word(row->state));
            assert_true((row->mechanism == NULL) == (to == JAIL_NOT_ENFORCED));
        }
}

static void the_first_reason_for_a_state_stays(void **state)
{
    (void)state;
    struct jail_report r = { 0 };
    const struct jail_row *row = &r.row[JAIL_SET_MEMORY];

    jail_report_set(&r, JAIL_SET_MEMORY, JAIL_HARD, "cgroup v2");
    jail_report_lower(&r, JAIL_SET_MEMORY, JAIL_ADVISORY, "first", "one");
    jail_report_lower(&r, JAIL_SET_MEMORY, JAIL_ADVISORY, "second", "two");
    jail_report_lower(&r, JAIL_SET_MEMORY, JAIL_SAMPLED, "third", NULL);
    assert_string_equal(row->reason, "first");
    assert_string_equal(row->help, "one");
    jail_report_lower(&r, JAIL_SET_MEMORY, JAIL_NOT_ENFORCED, "worse", NULL);
    assert_string_equal(row->reason, "worse");
    assert_null(row->help);
    assert_null(row->mechanism);
}

static void what_is_refused_depends_on_the_policy(void **state)
{
    static const struct {
        enum jail_strictness strictness;
        enum jail_level level;
        enum jail_setting setting;
        enum jail_state state;
        bool refused;
    } cases[] = {
        { JAIL_STRICT, JAIL_NAMESPACE, JAIL_SET_IOPS, JAIL_NOT_ENFORCED, true },
        { JAIL_STRICT, JAIL_NAMESPACE, JAIL_SET_IOPS, JAIL_ADVISORY, false },
        { JAIL_STRICT, JAIL_NAMESPACE, JAIL_SET_CPU, JAIL_NOT_ENFORCED, false }, /* allow_degraded names it */
        { JAIL_STRICT, JAIL_NAMESPACE, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, true },
        { JAIL_STANDARD, JAIL_NAMESPACE, JAIL_SET_IOPS, JAIL_NOT_ENFORCED, false },
        { JAIL_STANDARD, JAIL_NAMESPACE, JAIL_SET_NETWORK, JAIL_NOT_ENFORCED, true },
        { JAIL_STANDARD, JAIL_NAMESPACE, JAIL_SET_DENIED, JAIL_NOT_ENFORCED, true },
        { JAIL_STANDARD, JAIL_NAMESPACE, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, false },
        { JAIL_STANDARD, JAIL_CONTAINER, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, true },
        { JAIL_STANDARD, JAIL_CONTAINER, JAIL_SET_MEMORY, JAIL_NOT_ENFORCED, false },
        { JAIL_PERMISSIVE, JAIL_CONTAINER, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, false },
        { JAIL_PERMISSIVE, JAIL_NAMESPACE, JAIL_SET_NETWORK, JAIL_NOT_ENFORCED, false },
    };
    static const struct str lacks[] = { STR_INIT("cpu_limit") };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct jail_policy p = {
            .level = cases[i].level, .strictness = cases[i].strictness, .degraded = lacks, .n_degraded = 1
        };
        struct jail_report r = { 0 };

        jail_report_set(&r, cases[i].setting, cases[i].state, NULL);
        if (jail_report_refuses(&r, &p) != cases[i].refused)
            fail_msg("case %zu: %s %s", i, jail_strictness_word(p.strictness), jail_setting_name(cases[i].setting));
    }
}

static void a_refusal_names_all_that_is_refused_and_ways_out(void **state)
{
    (void)state;
    struct jail_policy p = { .level = JAIL_NAMESPACE, .strictness = JAIL_STRICT };
    struct jail_report r = { 0 };
    struct err e = { 0 };

    jail_report_set(&r, JAIL_SET_FILES, JAIL_HARD, "mount namespace");
    jail_report_lower(&r, JAIL_SET_IOPS, JAIL_NOT_ENFORCED, "no cgroup here", "a delegated group");
    jail_report_lower(&r, JAIL_SET_CPU, JAIL_NOT_ENFORCED, NULL, NULL);
    assert_false(jail_report_refusal(&r, &p, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_non_null(strstr(e.text, "default_policy is strict"));
    assert_non_null(strstr(e.text, "iops_limit is not enforced: no cgroup here"));
    assert_non_null(strstr(e.text, "cpu_limit is not enforced: no mechanism here"));
    assert_null(strstr(e.text, "filesystem_isolation"));
    assert_non_null(strstr(e.hint, "a delegated group; or accept it"));
    assert_non_null(strstr(e.hint, "\"iops_limit\""));
    assert_non_null(strstr(e.hint, "\"cpu_limit\""));
}

static void a_container_without_its_groups_is_none(void **state)
{
    (void)state;
    struct jail_policy p = { .level = JAIL_CONTAINER, .limit = true, .limits = { .memory = 1, .disk = 1 } };
    struct jail_report r = { 0 };

    judge_begin(&p, &r);
    jail_report_lower(&r, JAIL_SET_MEMORY, JAIL_NOT_ENFORCED, "no cgroup here", NULL);
    judge_limits(&p, &r);
    assert_int_equal(r.row[JAIL_SET_ISOLATION].state, JAIL_NOT_ENFORCED);
    assert_string_equal(r.row[JAIL_SET_ISOLATION].reason, "the level container needs a cgroup for its limits");
    assert_int_equal(r.row[JAIL_SET_MEMORY].state, JAIL_SAMPLED);
    assert_int_equal(r.row[JAIL_SET_DISK].state, JAIL_HARD); /* nothing of it is written to a disk */
    p.level = JAIL_NAMESPACE;
    judge_begin(&p, &r);
    jail_report_lower(&r, JAIL_SET_MEMORY, JAIL_NOT_ENFORCED, "no cgroup here", NULL);
    judge_limits(&p, &r);
    assert_int_equal(r.row[JAIL_SET_ISOLATION].state, JAIL_HARD);
    assert_int_equal(r.row[JAIL_SET_MEMORY].state, JAIL_SAMPLED);
    assert_int_equal(r.row[JAIL_SET_CPU].state, JAIL_NOT_ASKED);
}

static void reads_what_it_wrote(void **state)
{
    (void)state;
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = 1u << 16 };
    struct jail_report r = { .level = JAIL_CONTAINER }, back;
    struct json_write w;
    struct json j;
    struct err e = { 0 };

    jail_report_set(&r, JAIL_SET_CPU, JAIL_HARD, "cgroup v2");
    jail_report_lower(&r, JAIL_SET_IOPS, JAIL_NOT_ENFORCED, "a \"reason\"\n", "help");
    json_write_init(&w, &b, false);
    jail_report_write(&r, &w);
    assert_true(json_write_end(&w));
    arena_init(&a);
    json_init(&j, buf_done(&b), &a, &e);
    assert_true(jail_report_read(&j, &a, &back));
    assert_int_equal(back.level, JAIL_CONTAINER);
    for (unsigned s = 0; s < JAIL_SETTING_COUNT; s++)
        assert_int_equal(back.row[s].state, r.row[s].state);
    assert_string_equal(back.row[JAIL_SET_CPU].mechanism, "cgroup v2");
    assert_string_equal(back.row[JAIL_SET_IOPS].reason, "a \"reason\"\n");
    assert_null(back.row[JAIL_SET_IOPS].mechanism);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowering_never_raises),
        cmocka_unit_test(the_first_reason_for_a_state_stays),
        cmocka_unit_test(what_is_refused_depends_on_the_policy),
        cmocka_unit_test(a_refusal_names_all_that_is_refused_and_ways_out),
        cmocka_unit_test(a_container_without_its_groups_is_none),
        cmocka_unit_test(reads_what_it_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
