/* What a build leaves as its answer: a name of a file, a list, nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "sync/build_answer.h"

static void takes_a_name_and_what_is_missing(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str name;
    bool missing;

    (void)state;
    assert_true(build_answer_name(STR("{\"value\": \"x-1.0-py3-none-any.whl\"}"), &a, &name, &missing, &e));
    assert_true(str_eq(name, STR("x-1.0-py3-none-any.whl")) && !missing);
    assert_true(build_answer_name(STR("{\"missing\": true}"), &a, &name, &missing, &e));
    assert_true(missing);
}

static void refuses_names_that_lead_elsewhere(void **state)
{
    static const char *const bad[] = {
        "{\"value\": \"../x.whl\"}", "{\"value\": \"/x.whl\"}",    "{\"value\": \"..\"}", "{\"value\": \"\"}",
        "{\"value\": 7}",            "{\"value\": \"a\\u0000b\"}", "{}",                 "[]",
        "",                          "{\"value\":",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct str name;
        bool missing;

        if (build_answer_name(str_of(bad[i]), &a, &name, &missing, &e))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(e.kind, ERR_PACKAGE);
    }
}

static void takes_lists_of_requirements(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str_list list;

    (void)state;
    assert_true(build_answer_list(STR("{\"value\": [\"wheel\", \"ninja\"]}"), &a, &list, &e));
    assert_int_equal(list.n, 2);
    assert_true(str_eq(list.p[1], STR("ninja")));
    assert_true(build_answer_list(STR("{\"missing\": true}"), &a, &list, &e));
    assert_int_equal(list.n, 0);
    assert_false(build_answer_list(STR("{\"value\": [1]}"), &a, &list, &e));
    assert_non_null(strstr(e.text, "requires"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_name_and_what_is_missing),
        cmocka_unit_test(refuses_names_that_lead_elsewhere),
        cmocka_unit_test(takes_lists_of_requirements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
