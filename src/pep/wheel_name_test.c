#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "pep/wheel_name.h"

static void splits_a_name_into_its_parts(void **state)
{
    struct wheel_name w;
    struct err e = { 0 };

    (void)state;
    assert_true(wheel_name_parse(STR("foo.bar-1.0+l_1-2x-py2.py3-none-any.whl"), &w, &e));
    assert_true(str_eq(w.project, STR("foo.bar")));
    assert_true(str_eq(w.version, STR("1.0+l_1")));
    assert_true(str_eq(w.build, STR("2x")));
    assert_true(str_eq(w.python, STR("py2.py3")));
    assert_true(str_eq(w.abi, STR("none")));
    assert_true(str_eq(w.platform, STR("any")));
    assert_true(wheel_name_parse(STR("a_b-1-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"), &w, &e));
    assert_int_equal(w.build.n, 0);
}

static void rejects_names_that_are_not_wheels(void **state)
{
    static const struct {
        const char *file, *why;
    } cases[] = {
        { "demo-1.0-py3-none-any.zip", "does not end in .whl" },
        { "demo-1.0-py3-none-any.WHL", "does not end in .whl" },
        { "demo-1.0.whl", "has 2 parts" },
        { "a-b-c-d-e-f-g.whl", "has 7 parts" },
        { "foo__x-1.0-py3-none-any.whl", "'foo__x' is no project name" },
        { "-1.0-py3-none-any.whl", "'' is no project name" },
        { "foo-1_0-py3-none-any.whl", "'1_0' is no version" },
        { "foo-1.0-x-py3-none-any.whl", "'x' is no build tag, which begins with a digit" },
        { "foo-1.0--py3-none-any.whl", "'' is no build tag" },
        { "foo-1.0-1/../x-py3-none-any.whl", "'1/../x' is no build tag" },
        { "foo-1.0-py3.-none-any.whl", "'py3.-none-any' are no tags" },
        { "foo-1.0-3py-none-any.whl", "are no tags" },
        { "foo-1.0-py3--any.whl", "are no tags" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wheel_name out;
        struct err e = { 0 };

        assert_false(wheel_name_parse(str_of(cases[i].file), &out, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].file, e.text);
    }
}

static void orders_build_tags_by_number_then_text(void **state)
{
    static const char *const rising[] = { "", "0", "1", "1a", "1b", "2", "10", "99999999999999999999999" };

    (void)state;
    for (size_t i = 0; i + 1 < COUNT(rising); i++) {
        assert_true(wheel_build_cmp(str_of(rising[i]), str_of(rising[i + 1])) < 0);
        assert_true(wheel_build_cmp(str_of(rising[i + 1]), str_of(rising[i])) > 0);
        assert_int_equal(wheel_build_cmp(str_of(rising[i]), str_of(rising[i])), 0);
    }
    assert_int_equal(wheel_build_of(STR("12ab")).number, 12);
    assert_true(str_eq(wheel_build_of(STR("12ab")).text, STR("ab")));
    assert_false(wheel_build_of(STR("")).present);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_a_name_into_its_parts),
        cmocka_unit_test(rejects_names_that_are_not_wheels),
        cmocka_unit_test(orders_build_tags_by_number_then_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
