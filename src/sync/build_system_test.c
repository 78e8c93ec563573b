#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "sync/build_system.h"

static void takes_the_table_as_it_stands(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct build_system b;

    (void)state;
    assert_true(build_system_read(STR("[build-system]\nrequires = ['flit_core>=3', \"x\"]\n"
                                      "build-backend = 'flit_core.buildapi'\nbackend-path = ['.', 'tools']\n"),
                                  &a, &b, &e));
    assert_int_equal(b.n_requires, 2);
    assert_true(str_eq(b.requires[0], STR("flit_core>=3")));
    assert_true(str_eq(b.backend, STR("flit_core.buildapi")));
    assert_int_equal(b.n_backend_path, 2);
    assert_true(str_eq(b.backend_path[1], STR("tools")));
}

static void falls_back_to_setuptools_where_nothing_is_said(void **state)
{
    static const struct {
        struct str text;
        size_t requires;
    } cases[] = {
        { { NULL, 0 }, 1 },
        { STR_INIT(""), 1 },
        { STR_INIT("[project]\nname = 'x'\n"), 1 },
        { STR_INIT("[build-system]\nrequires = []\n"), 0 },
        { STR_INIT("[build-system]\nrequires = ['setuptools', 'wheel']\n"), 2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct build_system b;

        if (!build_system_read(cases[i].text, &a, &b, &e))
            fail_msg("case %zu: %s", i, e.text);
        assert_true(str_eq(b.backend, STR("setuptools.build_meta:__legacy__")));
        assert_int_equal(b.n_requires, cases[i].requires);
        assert_int_equal(b.n_backend_path, 0);
    }
}

static void refuses_what_cannot_be_meant(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "[build-system]\nbuild-backend = 'x'\n", "has no requires" },
        { "[build-system]\nrequires = 'setuptools'\n", "requires is a string, not an array" },
        { "[build-system]\nrequires = [1]\n", "requires holds an integer" },
        { "[build-system]\nrequires = []\nbackend-path = [['.']]\n", "backend-path holds an array" },
        { "[build-system]\nrequires = []\nbuild-backend = ''\n", "build-backend is no name" },
        { "[build-system]\nrequires = []\nbuild-backend = 3\n", "build-backend is no name" },
        { "build-system = 1\n", "is no table" },
        { "[build-system\n", "pyproject.toml:1:" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct build_system b;

        assert_false(build_system_read(str_of(cases[i].text), &a, &b, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("'%s': %s", cases[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_table_as_it_stands),
        cmocka_unit_test(falls_back_to_setuptools_where_nothing_is_said),
        cmocka_unit_test(refuses_what_cannot_be_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
