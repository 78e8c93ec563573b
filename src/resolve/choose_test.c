#include "resolve/choose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void add_all(struct choose *c, uint32_t n)
{
    for (uint32_t pkg = 0; pkg < n; pkg++)
        choose_add(c, pkg, pkg);
    for (uint32_t pkg = 0; pkg < n; pkg++)
        choose_push(c, pkg);
}

static uint32_t pop(struct choose *c)
{
    uint32_t pkg;

    return choose_pop(c, &pkg) ? pkg : UINT32_MAX;
}

static void first_mentioned_comes_first(void **state)
{
    struct choose c = { 0 };

    (void)state;
    choose_add(&c, 7, 7);
    choose_add(&c, 2, 2);
    choose_add(&c, 5, 5);
    choose_push(&c, 5);
    choose_push(&c, 7);
    choose_push(&c, 2);
    assert_int_equal(pop(&c), 7);
    assert_int_equal(pop(&c), 2);
    assert_int_equal(pop(&c), 5);
    assert_int_equal(pop(&c), UINT32_MAX);
    assert_true(choose_knows(&c, 7));
    assert_false(choose_knows(&c, 6));
    choose_clear(&c);
}

static void class_outranks_order(void **state)
{
    static const enum choose_class classes[] = { CHOOSE_ORDINARY, CHOOSE_CONFLICT_LATE, CHOOSE_CONFLICT_EARLY,
                                                 CHOOSE_SINGLETON, CHOOSE_URL, CHOOSE_FIXED };
    struct choose c = { 0 };

    (void)state;
    add_all(&c, COUNT(classes));
    for (uint32_t pkg = 0; pkg < COUNT(classes); pkg++)
        assert_int_equal(choose_raise(&c, pkg, classes[pkg]), pkg > 0);
    for (uint32_t pkg = COUNT(classes); pkg-- > 0;)
        assert_int_equal(pop(&c), pkg);
    choose_clear(&c);
}

static void a_class_never_falls(void **state)
{
    struct choose c = { 0 };

    (void)state;
    add_all(&c, 2);
    assert_true(choose_raise(&c, 1, CHOOSE_SINGLETON));
    assert_false(choose_raise(&c, 1, CHOOSE_CONFLICT_LATE));
    assert_int_equal(pop(&c), 1);
    choose_clear(&c);
}

static void an_extra_goes_with_its_base(void **state)
{
    struct choose c = { 0 };

    (void)state;
    choose_add(&c, 1, 1);
    choose_add(&c, 2, 2);
    choose_add(&c, 3, 1); /* an extra of 1, mentioned last */
    choose_push(&c, 3);
    choose_push(&c, 2);
    choose_push(&c, 1);
    assert_true(choose_raise(&c, 2, CHOOSE_CONFLICT_EARLY));
    assert_true(choose_raise(&c, 3, CHOOSE_SINGLETON)); /* raises the name, so the base too */
    assert_int_equal(pop(&c), 1);
    assert_int_equal(pop(&c), 3);
    assert_int_equal(pop(&c), 2);
    choose_clear(&c);
}

static void a_package_is_queued_once(void **state)
{
    struct choose c = { 0 };

    (void)state;
    add_all(&c, 3);
    choose_push(&c, 1);
    choose_raise(&c, 1, CHOOSE_SINGLETON); /* leaves an entry that is out of date */
    assert_int_equal(pop(&c), 1);
    assert_int_equal(pop(&c), 0);
    assert_int_equal(pop(&c), 2);
    assert_int_equal(pop(&c), UINT32_MAX);
    choose_clear(&c);
}

static void reports_the_fifth_conflict_only(void **state)
{
    struct choose c = { 0 };
    uint32_t base;

    (void)state;
    choose_add(&c, 1, 1);
    choose_add(&c, 2, 2);
    choose_add(&c, 3, 1);
    for (uint32_t i = 1; i <= 3 * CHOOSE_CONFLICTS; i++) {
        assert_false(choose_blame(&c, 1, 3)); /* an extra is no stranger to its base */
        assert_true(choose_blame(&c, 3, 2));
        choose_suffer(&c, 3);
        assert_int_equal(choose_take_late(&c, &base), i == CHOOSE_CONFLICTS);
        if (i == CHOOSE_CONFLICTS)
            assert_int_equal(base, 2);
        assert_int_equal(choose_take_early(&c, &base), i == CHOOSE_CONFLICTS);
        if (i == CHOOSE_CONFLICTS)
            assert_int_equal(base, 1);
    }
    choose_clear(&c);
}

static void keeps_order_under_many_pushes(void **state)
{
    struct choose c = { 0 };
    uint64_t seed = 5;

    (void)state;
    add_all(&c, 500);
    for (uint32_t i = 0; i < 300; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        choose_raise(&c, (uint32_t)(seed >> 33) % 500, CHOOSE_CONFLICT_EARLY);
    }
    bool early = true;
    uint32_t last = 0, n = 0;

    for (uint32_t pkg; choose_pop(&c, &pkg); n++) {
        bool is_early = c.name.p[pkg].class == CHOOSE_CONFLICT_EARLY;

        assert_true(early || !is_early);
        if (n > 0 && early == is_early)
            assert_true(pkg > last);
        early = is_early;
        last = pkg;
    }
    assert_int_equal(n, 500);
    choose_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_mentioned_comes_first),
        cmocka_unit_test(class_outranks_order),
        cmocka_unit_test(a_class_never_falls),
        cmocka_unit_test(an_extra_goes_with_its_base),
        cmocka_unit_test(a_package_is_queued_once),
        cmocka_unit_test(reports_the_fifth_conflict_only),
        cmocka_unit_test(keeps_order_under_many_pushes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
