#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "pep/entry_points.h"

static void reads_the_programs_of_a_wheel(void **state)
{
    static const char text[] = "[console_scripts]\n"
                               "Demo = demo.cli:main\n"
                               "demo-x=demo : App.run [extra1, extra2]\n"
                               "[pytest11]\n"
                               "demo = demo.plugin\n"
                               "[gui_scripts]\n"
                               "demo-gui = demo:gui\n";
    AUTO_ARENA a = { 0 };
    struct entry_points p;
    struct err e = { 0 };

    (void)state;
    if (!entry_points_parse(&a, str_of(text), &p, &e))
        fail_msg("%s", e.text);
    assert_int_equal(p.n, 3);
    assert_true(str_eq(p.p[0].name, STR("Demo")));
    assert_true(str_eq(p.p[0].module, STR("demo.cli")));
    assert_true(str_eq(p.p[0].attr, STR("main")));
    assert_true(str_eq(p.p[1].module, STR("demo")));
    assert_true(str_eq(p.p[1].attr, STR("App.run")));
    assert_false(p.p[1].gui);
    assert_true(p.p[2].gui);
}

static void keeps_the_later_of_two_entries(void **state)
{
    AUTO_ARENA a = { 0 };
    struct entry_points p;
    struct err e = { 0 };

    (void)state;
    assert_true(entry_points_parse(&a, STR("[console_scripts]\nx = a:b\n[gui_scripts]\nx = c:d\n"), &p, &e));
    assert_int_equal(p.n, 1);
    assert_true(str_eq(p.p[0].module, STR("c")));
    assert_true(p.p[0].gui);
}

static void refuses_entries_that_harm(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        { "../x = a:b", "'../x' is not a plain file name" },
        { "a/b = a:b", "is not a plain file name" },
        { "a\\b = a:b", "is not a plain file name" },
        { ".. = a:b", "is not a plain file name" },
        { "-x = a:b", "is not a plain file name" },
        { "python = a:b", "'python' belongs to the environment itself" },
        { "Python3.12.exe = a:b", "belongs to the environment itself" },
        { "x = a", "script 'x': 'a' is not module:attribute" },
        { "x = a:", "is not module:attribute" },
        { "x = :b", "is not module:attribute" },
        { "x = a.:b", "is not module:attribute" },
        { "x = a-b:c", "is not module:attribute" },
        { "x = a:b();import os", "is not module:attribute" },
        { "x = a:b [y", "is not module:attribute" },
        { "x = 1a:b", "is not module:attribute" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct entry_points p;
        struct err e = { 0 };

        assert_false(entry_points_parse(&a, arena_printf(&a, "[console_scripts]\n%s\n", cases[i].line), &p, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].line, e.text);
    }
}

static void knows_the_names_of_the_environment(void **state)
{
    static const char *const reserved[] = { "python",     "PYTHON3",     "python3.13", "python3.13t", "pythonw.exe",
                                            "python.py",  "pypy3",       "pypy3.10",   "activate",    "activate.fish",
                                            "Activate.ps1", "activate_this.py" };
    static const char *const free_names[] = { "pythonx", "python-config", "ipython", "pypi", "activator", "py" };

    (void)state;
    for (size_t i = 0; i < COUNT(reserved); i++)
        if (!entry_point_is_reserved(str_of(reserved[i])))
            fail_msg("%s is not reserved", reserved[i]);
    for (size_t i = 0; i < COUNT(free_names); i++)
        if (entry_point_is_reserved(str_of(free_names[i])))
            fail_msg("%s is reserved", free_names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_programs_of_a_wheel),
        cmocka_unit_test(keeps_the_later_of_two_entries),
        cmocka_unit_test(refuses_entries_that_harm),
        cmocka_unit_test(knows_the_names_of_the_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
