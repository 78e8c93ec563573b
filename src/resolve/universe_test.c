/* Policies are tested by the scenarios (tests/resolve/); here what they do not reach. */
#include "resolve/universe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/err.h"

static void an_extra_comes_with_its_base(void **state)
{
    AUTO_ARENA a = { 0 };
    struct universe u;

    (void)state;
    universe_init(&u, &a);

    uint32_t extra = universe_package(&u, STR("Foo_Bar"), STR("x"));
    uint32_t base = universe_package(&u, STR("foo-bar"), STR(""));

    assert_int_not_equal(extra, base);
    assert_int_equal(u.package.p[extra].base, base);
    assert_true(str_eq(u.package.p[extra].name, STR("foo-bar[x]")));
    assert_int_equal(universe_package(&u, STR("foo.bar"), STR("x")), extra);
    universe_clear(&u);
}

static void requirements_are_read_with_extra_and_marker(void **state)
{
    static const struct {
        const char *text, *extra, *name, *words;
        bool marker;
    } cases[] = {
        { "b >=1", "", "b", "b >=1", false },
        { " [Dev_X] b[y]>=1 ", "dev-x", "b", "b[y]>=1", false },
        { "b if sys_platform == \"linux\"", "", "b", "b", true },
    };
    AUTO_ARENA a = { 0 };
    struct universe u;

    (void)state;
    universe_init(&u, &a);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct universe_dep d;
        struct err e = { 0 };

        assert_true(universe_dep_parse(&u, str_of(cases[i].text), &d, &e));
        assert_true(str_eq(d.extra, str_of(cases[i].extra)));
        assert_true(str_eq(d.req.name, str_of(cases[i].name)));
        assert_true(str_eq(d.text, str_of(cases[i].words)));
        assert_int_equal(d.req.marker != NULL, cases[i].marker);
    }
    universe_clear(&u);
}

static void answers_are_put_off_on_demand(void **state)
{
    AUTO_ARENA a = { 0 };
    struct universe u;
    struct err e = { 0 };
    struct solve_deps deps = { 0 };
    uint32_t put_off = 0;

    (void)state;
    universe_init(&u, &a);
    u.wait_every = 4;
    assert_true(universe_seal(&u, &e));

    struct solve_source source = universe_source(&u);

    for (int i = 0; i < 1000; i++)
        put_off += source.deps(source.ctx, PKG_ROOT, 0, &deps) == SOLVE_PENDING;
    assert_in_range(put_off, 150, 350);
    universe_clear(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_extra_comes_with_its_base),
        cmocka_unit_test(requirements_are_read_with_extra_and_marker),
        cmocka_unit_test(answers_are_put_off_on_demand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
