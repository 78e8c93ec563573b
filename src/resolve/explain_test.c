/* The short report is tested by the scenarios (tests/resolve/); here its parts, its limits and the repair hooks. */
#include "resolve/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "resolve/solve.h"

/* flask (1) 3.0 and 3.1 need werkzeug (2) 2 and 3; flask 2.9 cannot be used; the project wants werkzeug 1 and, for no
 * harm, click (3). */
static const struct solve_dep wants[] = {
    { .pkg = 3, .allowed = { .n = 1, .one = { 0, 1 } }, .text = { "click", 5 }, .origin = { "pyproject.toml:6", 16 } },
    { .pkg = 1, .allowed = { .n = 1, .one = { 0, 3 } }, .text = { "flask", 5 }, .origin = { "pyproject.toml:7", 16 } },
    { .pkg = 2, .allowed = { .n = 1, .one = { 0, 1 } }, .text = { "werkzeug<2", 10 } },
};
static const struct solve_dep needs[] = {
    { .pkg = 2, .allowed = { .n = 1, .one = { 1, 3 } }, .text = { "werkzeug>=2", 11 } },
};

static void tell_package(void *ctx, uint32_t pkg, struct solve_package *out)
{
    static const char *const names[] = { "your project", "flask", "werkzeug", "click" };
    static const uint32_t versions[] = { 1, 3, 3, 1 };

    (void)ctx;
    *out = (struct solve_package){ .name = str_of(names[pkg]), .versions = versions[pkg], .proxy_of = PKG_NONE };
}

static enum solve_answer choose_newest(void *ctx, uint32_t pkg, const struct set *allowed, struct solve_choice *out)
{
    (void)ctx;
    (void)pkg;
    out->rank = set_max(allowed);
    return SOLVE_HAVE;
}

static enum solve_answer tell_deps(void *ctx, uint32_t pkg, uint32_t rank, struct solve_deps *out)
{
    (void)ctx;
    if (pkg == 1 && rank == 0) {
        out->reason = STR("has no wheel for this platform");
        return SOLVE_UNUSABLE;
    }
    if (pkg == PKG_ROOT)
        *out = (struct solve_deps){ .dep = wants, .n = COUNT(wants) };
    else if (pkg == 1)
        *out = (struct solve_deps){ .dep = needs, .n = COUNT(needs) };
    return SOLVE_HAVE;
}

static struct str tell_text(void *ctx, uint32_t pkg, uint32_t rank)
{
    static const char *const texts[][3] = { { "" }, { "2.9", "3.0", "3.1" }, { "1.0", "2.0", "3.0" }, { "8.1" } };

    (void)ctx;
    return str_of(texts[pkg][rank]);
}

static struct solve *failed_solve(void)
{
    struct solve_source source = { NULL, tell_package, choose_newest, tell_deps, tell_text };
    struct solve *s = solve_new(&source);

    assert_int_equal(solve_step(s), SOLVE_FAILED);
    return s;
}

static void facts_carry_their_parts(void **state)
{
    static const struct {
        const char *word, *package, *set, *on, *detail, *origin, *text;
        uint32_t versions;
    } want[] = {
        { "requirement", "your project", "", "flask", "", "pyproject.toml:7",
          "your project requires flask (pyproject.toml:7)", 1 },
        { "requirement", "your project", "", "werkzeug<2", "", "", "your project requires werkzeug<2", 1 },
        { "unusable", "flask", "==2.9", "", "has no wheel for this platform", "",
          "flask 2.9 has no wheel for this platform", 1 },
        { "dependency", "flask", "", "werkzeug>=2", "", "", "every version of flask depends on werkzeug>=2", 2 },
    };
    AUTO_ARENA a = { 0 };
    struct solve *s = failed_solve();
    struct explain x = explain_new(s, &a);

    (void)state;
    assert_int_equal(x.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        const struct explain_fact *f = &x.fact[i];

        assert_string_equal(explain_word(f->cause), want[i].word);
        assert_true(str_eq(f->package, str_of(want[i].package)));
        if (!str_eq(f->text, str_of(want[i].text)))
            fail_msg("'%.*s', not '%s'", STR_ARG(f->text), want[i].text);
        if (!str_eq(f->set, str_of(want[i].set)))
            fail_msg("'%.*s', not '%s'", STR_ARG(f->set), want[i].set);
        assert_true(str_eq(f->on, str_of(want[i].on)));
        assert_true(str_eq(f->detail, str_of(want[i].detail)));
        assert_true(str_eq(f->origin, str_of(want[i].origin)));
        assert_int_equal(f->versions, want[i].versions);
    }
    solve_free(s);
}

static void the_report_keeps_to_its_lines(void **state)
{
    AUTO_ARENA a = { 0 };
    struct solve *s = failed_solve();
    struct explain x = explain_new(s, &a);

    (void)state;
    for (size_t limit = 2; limit < 10; limit++) {
        struct str text = explain_text(&x, limit, &a);
        size_t lines = 1;

        for (size_t i = 0; i < text.n; i++)
            lines += text.p[i] == '\n';
        assert_int_equal(lines, MAX(MIN(limit, 4u), 3u)); /* headline, requirements and at least one more */
    }
    assert_string_equal(explain_text(&x, 3, &a).p, "no versions satisfy all requirements\n"
                                                   "  your project requires flask (pyproject.toml:7) and werkzeug<2\n"
                                                   "  and 2 more facts");
    solve_free(s);
}

static void only_the_requirements_that_take_part_are_culprits(void **state)
{
    struct solve *s = failed_solve();
    uint32_t index[2] = { 9, 9 };

    (void)state;
    assert_int_equal(solve_culprits(s, index, 1), 2);
    assert_int_equal(index[0], 1);
    assert_int_equal(index[1], 9); /* no more than asked for */
    assert_int_equal(solve_culprits(s, index, 2), 2);
    assert_int_equal(index[1], 2);
    solve_free(s);
}

static void the_long_form_numbers_every_step(void **state)
{
    AUTO_ARENA a = { 0 };
    struct solve *s = failed_solve();
    struct str text = explain_full(s, &a);
    static const char *const lines[] = {
        "1. your project requires flask (pyproject.toml:7)",
        "your project requires werkzeug<2",
        "flask 2.9 has no wheel for this platform",
        "there is no solution (",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++)
        if (!strstr(text.p, lines[i]))
            fail_msg("'%s' is not in\n%s", lines[i], text.p);
    assert_null(strstr(text.p, "click"));
    solve_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_carry_their_parts),
        cmocka_unit_test(the_report_keeps_to_its_lines),
        cmocka_unit_test(only_the_requirements_that_take_part_are_culprits),
        cmocka_unit_test(the_long_form_numbers_every_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
