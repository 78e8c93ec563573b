#include "resolve/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "resolve/incompat.h"
#include "resolve/source.h"

static struct incompat dependency(uint32_t pkg, uint32_t rank, const struct solve_dep *dep, struct term *term)
{
    *term = term_yes(pkg, set_one(rank));
    return (struct incompat){ .term = term, .n = 1, .cause = CAUSE_DEPENDENCY, .dep = dep };
}

static void versions_with_the_same_requirement_are_one_fact(void **state)
{
    AUTO_ARENA a = { 0 };
    struct facts f = { .a = &a };
    struct solve_dep dep = { .pkg = 2, .allowed = set_span(3, 5), .text = STR("b>=3") };
    struct set both = set_span(6, 8);
    struct term t;

    (void)state;
    for (uint32_t rank = 6; rank < 8; rank++) {
        struct incompat ic = dependency(1, rank, &dep, &t);

        facts_add(&f, &ic);
    }
    assert_int_equal(f.group.n, 1);
    assert_true(set_equal(&f.group.p[0].of, &both));
    assert_false(f.group.p[0].varies);
    assert_true(str_eq(f.group.p[0].text, STR("b>=3")));
    facts_clear(&f);
    assert_int_equal(f.group.n, 0);
}

static void differing_ranges_of_one_package_are_united(void **state)
{
    AUTO_ARENA a = { 0 };
    struct facts f = { .a = &a };
    struct solve_dep x = { .pkg = 2, .allowed = set_one(3), .text = STR("b==3") };
    struct solve_dep y = { .pkg = 2, .allowed = set_one(4), .text = STR("b==4") };
    struct set both = set_span(3, 5);
    struct term t, u;
    struct incompat one = dependency(1, 3, &x, &t), two = dependency(1, 4, &y, &u);

    (void)state;
    facts_add(&f, &one);
    facts_add(&f, &two);
    assert_int_equal(f.group.n, 1);
    assert_true(set_equal(&f.group.p[0].target, &both));
    assert_true(f.group.p[0].varies);
    assert_int_equal(f.group.p[0].text.n, 0);
    facts_clear(&f);
}

static void requirements_of_the_user_stay_apart_but_are_named_once(void **state)
{
    AUTO_ARENA a = { 0 };
    struct facts f = { .a = &a };
    struct solve_dep x = { .pkg = 2, .allowed = set_one(3), .text = STR("b==3"), .origin = STR("p:1") };
    struct solve_dep y = { .pkg = 2, .allowed = set_one(3), .text = STR("b==3"), .origin = STR("p:2") };
    struct term t;
    struct incompat ic;

    (void)state;
    ic = dependency(PKG_ROOT, 0, &x, &t);
    facts_add(&f, &ic);
    facts_add(&f, &ic);
    ic = dependency(PKG_ROOT, 0, &y, &t);
    facts_add(&f, &ic);
    assert_int_equal(f.group.n, 2);
    assert_int_equal(f.group.p[0].cause, EXPLAIN_REQUIREMENT);
    facts_clear(&f);
}

static void steps_and_ties_are_no_facts(void **state)
{
    static const enum incompat_cause causes[] = { CAUSE_DERIVED, CAUSE_PROXY, CAUSE_ROOT };
    AUTO_ARENA a = { 0 };
    struct facts f = { .a = &a };
    struct term t = term_yes(1, set_one(2));

    (void)state;
    for (size_t i = 0; i < COUNT(causes); i++) {
        struct incompat ic = { .term = &t, .n = 1, .cause = causes[i] };

        facts_add(&f, &ic);
    }
    assert_int_equal(f.group.n, 0);
    facts_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_with_the_same_requirement_are_one_fact),
        cmocka_unit_test(differing_ranges_of_one_package_are_united),
        cmocka_unit_test(requirements_of_the_user_stay_apart_but_are_named_once),
        cmocka_unit_test(steps_and_ties_are_no_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
