#include "resolve/incompat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "resolve/source.h"

struct fixture {
    struct arena a;
    struct incompat_store s;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);

    incompat_init(&f->s, &f->a);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    incompat_clear(&f->s);
    arena_clear(&f->a);
    free(f);
    return 0;
}

static struct solve_dep dep_on(uint32_t pkg, uint32_t lo, uint32_t hi)
{
    return (struct solve_dep){ .pkg = pkg, .allowed = set_span(lo, hi), .text = STR("text") };
}

static size_t listed(const struct fixture *f, uint32_t pkg)
{
    size_t n;

    return incompat_list(&f->s, pkg, &n) ? n : 0;
}

static void versions_with_one_dependency_are_one_entry(void **state)
{
    struct fixture *f = *state;
    struct solve_dep dep = dep_on(2, 3, 9), same = dep_on(2, 3, 9);
    uint32_t first = incompat_add_dep(&f->s, 1, set_one(5), &dep, 0);
    uint32_t second = incompat_add_dep(&f->s, 1, set_one(4), &same, 0);
    struct set both = set_span(4, 6), one = set_one(5);

    assert_int_not_equal(first, second);
    assert_int_equal(listed(f, 1), 1);
    assert_int_equal(listed(f, 2), 1);
    assert_true(set_equal(&incompat_get(&f->s, second)->term[0].set, &both));
    assert_true(set_equal(&incompat_get(&f->s, first)->term[0].set, &one)); /* causes stay what they were */
}

static void other_dependencies_stay_apart(void **state)
{
    struct fixture *f = *state;
    struct solve_dep dep = dep_on(2, 3, 9), range = dep_on(2, 3, 8), other = dep_on(3, 3, 9);

    (void)incompat_add_dep(&f->s, 1, set_one(5), &dep, 0);
    (void)incompat_add_dep(&f->s, 1, set_one(4), &range, 0);
    (void)incompat_add_dep(&f->s, 1, set_one(4), &other, 0);
    (void)incompat_add_dep(&f->s, 4, set_one(4), &dep, 0);
    assert_int_equal(listed(f, 1), 3);
    assert_int_equal(listed(f, 2), 3);
}

static void requirements_of_the_root_keep_their_origins(void **state)
{
    struct fixture *f = *state;
    struct solve_dep dep = dep_on(2, 3, 9), again = dep_on(2, 3, 9);
    uint32_t x = incompat_add_dep(&f->s, PKG_ROOT, set_one(0), &dep, 0);
    uint32_t y = incompat_add_dep(&f->s, PKG_ROOT, set_one(0), &again, 1);

    assert_int_equal(listed(f, PKG_ROOT), 2);
    assert_int_equal(incompat_get(&f->s, x)->index, 0);
    assert_int_equal(incompat_get(&f->s, y)->index, 1);
}

static void what_nothing_fits_is_kept_apart_by_its_text(void **state)
{
    struct fixture *f = *state;
    struct solve_dep dep = dep_on(2, 0, 0), other = dep_on(2, 0, 0);
    uint32_t id;

    other.text = STR("another text");
    id = incompat_add_dep(&f->s, 1, set_one(5), &dep, 0);
    (void)incompat_add_dep(&f->s, 1, set_one(4), &other, 0);
    assert_int_equal(incompat_get(&f->s, id)->n, 1);
    assert_int_equal(listed(f, 1), 2);
    assert_int_equal(listed(f, 2), 0);
}

static void a_dependency_on_itself_leaves_the_impossible_part(void **state)
{
    struct fixture *f = *state;
    struct solve_dep dep = dep_on(1, 3, 9);
    struct set low = set_span(0, 3);
    uint32_t id = incompat_add_dep(&f->s, 1, set_span(0, 5), &dep, 0);

    assert_int_equal(incompat_get(&f->s, id)->n, 1);
    assert_true(set_equal(&incompat_get(&f->s, id)->term[0].set, &low));
    assert_int_equal(incompat_add_dep(&f->s, 1, set_one(4), &dep, 0), INCOMPAT_NONE);
}

static void unusable_versions_unite_by_reason(void **state)
{
    struct fixture *f = *state;
    struct set both = set_span(3, 5);
    uint32_t id;

    (void)incompat_add_unusable(&f->s, CAUSE_UNUSABLE, 1, set_one(3), STR("is broken"));
    (void)incompat_add_unusable(&f->s, CAUSE_UNUSABLE, 1, set_one(7), STR("was yanked"));
    (void)incompat_add_unusable(&f->s, CAUSE_NONE, 1, set_one(9), STR("is broken"));
    id = incompat_add_unusable(&f->s, CAUSE_UNUSABLE, 1, set_one(4), STR("is broken"));
    assert_int_equal(listed(f, 1), 3);
    assert_true(set_equal(&incompat_get(&f->s, id)->term[0].set, &both));
}

static void resolution_drops_what_the_two_disagree_about(void **state)
{
    struct fixture *f = *state;
    struct solve_dep ab = dep_on(2, 5, 9), bc = dep_on(3, 5, 9);
    uint32_t left = incompat_add_dep(&f->s, 1, set_one(4), &ab, 0);
    uint32_t right = incompat_add_dep(&f->s, 2, set_span(5, 9), &bc, 0);
    uint32_t id = incompat_resolve(&f->s, left, right, 2);
    const struct incompat *ic = incompat_get(&f->s, id);

    assert_int_equal(ic->cause, CAUSE_DERIVED);
    assert_int_equal(ic->n, 2);
    assert_true(incompat_term(ic, 1)->positive);
    assert_false(incompat_term(ic, 3)->positive);
    assert_null(incompat_term(ic, 2));
    assert_int_equal(listed(f, 3), 1); /* an intermediate step is not looked at */
    incompat_publish(&f->s, id);
    assert_int_equal(listed(f, 3), 2);
}

static bool is_even(const void *ctx, uint32_t id)
{
    (void)ctx;
    return id % 2 == 0;
}

static void forgotten_entries_may_still_be_merged(void **state)
{
    struct fixture *f = *state;
    struct solve_dep dep = dep_on(2, 3, 9);
    struct set both = set_span(4, 6);
    uint32_t first = incompat_add_dep(&f->s, 1, set_one(5), &dep, 0), second;

    assert_int_equal(first % 2, 0);
    incompat_forget(&f->s, 1, is_even, NULL);
    assert_int_equal(listed(f, 1), 0);
    second = incompat_add_dep(&f->s, 1, set_one(4), &dep, 0);
    assert_int_equal(listed(f, 1), 1);
    assert_int_equal(listed(f, 2), 1);
    assert_true(set_equal(&incompat_get(&f->s, second)->term[0].set, &both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions_with_one_dependency_are_one_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_dependencies_stay_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requirements_of_the_root_keep_their_origins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_nothing_fits_is_kept_apart_by_its_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dependency_on_itself_leaves_the_impossible_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unusable_versions_unite_by_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resolution_drops_what_the_two_disagree_about, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgotten_entries_may_still_be_merged, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
