#include "resolve/partial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct fixture {
    struct arena a;
    struct incompat_store store;
    struct partial ps;
};

static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);

    incompat_init(&f->store, &f->a);
    partial_init(&f->ps, &f->a);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    partial_clear(&f->ps);
    incompat_clear(&f->store);
    arena_clear(&f->a);
    free(f);
    return 0;
}

/* Versions `of` of pkg need versions lo .. hi-1 of on; returns the id. The requirement must live as long as the
 * store. */
static uint32_t fact(struct fixture *f, uint32_t pkg, struct set of, uint32_t on, uint32_t lo, uint32_t hi)
{
    struct solve_dep *dep = ARENA_NEW(&f->a, struct solve_dep);

    *dep = (struct solve_dep){ .pkg = on, .allowed = set_span(lo, hi) };
    return incompat_add_dep(&f->store, pkg, of, dep, 0);
}

/* Derives the one open term of the incompatibility. */
static void derive(struct fixture *f, uint32_t id)
{
    const struct term *open = NULL;

    assert_int_equal(partial_relate(&f->ps, incompat_get(&f->store, id), &open), PARTIAL_ALMOST);
    partial_derive(&f->ps, open, id);
}

/* The root at level 1 needs 1 in 0..9 and 2 in 0..9. */
static void begin(struct fixture *f)
{
    derive(f, incompat_add_root(&f->store));
    partial_decide(&f->ps, PKG_ROOT, 0);
    derive(f, fact(f, PKG_ROOT, set_one(0), 1, 0, 10));
    derive(f, fact(f, PKG_ROOT, set_one(0), 2, 0, 10));
}

static void derivations_narrow_what_is_known(void **state)
{
    struct fixture *f = *state;
    struct set all = set_span(0, 10), narrow = set_span(2, 5);

    begin(f);
    assert_true(set_equal(&partial_known(&f->ps, 2)->set, &all));
    partial_decide(&f->ps, 1, 7);
    assert_int_equal(partial_decided(&f->ps, 1), 7);
    derive(f, fact(f, 1, set_one(7), 2, 2, 5));
    assert_true(partial_known(&f->ps, 2)->positive);
    assert_true(set_equal(&partial_known(&f->ps, 2)->set, &narrow));
    assert_true(set_equal(&partial_lasting(&f->ps, 2)->set, &all));
    assert_true(term_is_any(partial_known(&f->ps, 9)));
}

static void going_back_restores_what_was_known(void **state)
{
    struct fixture *f = *state;
    struct set all = set_span(0, 10);
    uint32_t pkg;
    uint64_t stamp;

    begin(f);
    stamp = partial_stamp(&f->ps, 2);
    partial_decide(&f->ps, 1, 7);
    derive(f, fact(f, 1, set_one(7), 2, 2, 5));
    partial_decide(&f->ps, 2, 3);
    assert_int_equal(partial_level(&f->ps), 3);
    assert_int_equal(partial_decision_level(&f->ps, 2), 3);
    while (partial_take_changed(&f->ps, &pkg))
        continue;
    partial_backtrack(&f->ps, 1);
    assert_int_equal(partial_level(&f->ps), 1);
    assert_int_equal(partial_decided(&f->ps, 1), RANK_NONE);
    assert_int_equal(partial_decided(&f->ps, 2), RANK_NONE);
    assert_int_equal(partial_decided(&f->ps, PKG_ROOT), 0);
    assert_true(set_equal(&partial_known(&f->ps, 2)->set, &all));
    assert_true(partial_stamp(&f->ps, 2) != stamp);

    uint32_t seen = 0;

    while (partial_take_changed(&f->ps, &pkg))
        seen |= 1u << pkg;
    assert_int_equal(seen, 1u << 1 | 1u << 2);
}

static void relates_incompatibilities_to_what_is_known(void **state)
{
    struct fixture *f = *state;
    const struct term *open = NULL;

    begin(f);

    uint32_t three = fact(f, 1, set_span(5, 8), 3, 0, 4), wide = fact(f, 1, set_span(0, 10), 2, 0, 10);
    uint32_t cut = fact(f, 1, set_span(0, 10), 2, 0, 5), other = fact(f, 7, set_one(0), 8, 0, 5);

    assert_int_equal(partial_relate(&f->ps, incompat_get(&f->store, three), &open), PARTIAL_OPEN);
    assert_int_equal(partial_relate(&f->ps, incompat_get(&f->store, other), &open), PARTIAL_OPEN);
    assert_int_equal(partial_relate(&f->ps, incompat_get(&f->store, wide), &open), PARTIAL_CONTRADICTED);
    assert_int_equal(partial_relate(&f->ps, incompat_get(&f->store, cut), &open), PARTIAL_ALMOST);
    assert_int_equal(open->pkg, 2);
    partial_decide(&f->ps, 2, 6);
    assert_int_equal(partial_relate(&f->ps, incompat_get(&f->store, cut), &open), PARTIAL_SATISFIED);
}

static void foresees_what_a_decision_would_satisfy(void **state)
{
    struct fixture *f = *state;

    begin(f);
    partial_decide(&f->ps, 2, 6);

    uint32_t id = fact(f, 1, set_span(5, 8), 2, 0, 5);

    assert_true(partial_would_satisfy(&f->ps, incompat_get(&f->store, id), 1, 7));
    assert_false(partial_would_satisfy(&f->ps, incompat_get(&f->store, id), 1, 8));
}

static void finds_the_assignment_that_completed_a_conflict(void **state)
{
    struct fixture *f = *state;

    begin(f);
    partial_decide(&f->ps, 1, 7); /* level 2 */
    partial_decide(&f->ps, 2, 6); /* level 3 */

    uint32_t id = fact(f, 1, set_one(7), 2, 0, 5);
    struct satisfier by = partial_satisfier(&f->ps, &f->store, incompat_get(&f->store, id));

    assert_int_equal(by.pkg, 2);
    assert_int_equal(by.cause, INCOMPAT_NONE);
    assert_int_equal(by.level, 3);
    assert_int_equal(by.previous, 2);
}

static void a_derivation_may_satisfy_only_with_an_earlier_one(void **state)
{
    struct fixture *f = *state;
    uint32_t low, high;
    struct satisfier by;

    begin(f);
    partial_decide(&f->ps, 1, 7); /* level 2 */
    low = fact(f, 1, set_one(7), 4, 2, 9);
    derive(f, low);
    partial_decide(&f->ps, 2, 6); /* level 3 */
    high = fact(f, 2, set_one(6), 4, 0, 4);
    derive(f, high);

    /* 4 is in 2 .. 3: the upper end by `high`, the lower by `low`. */
    by = partial_satisfier(&f->ps, &f->store,
                           incompat_get(&f->store, fact(f, 4, set_span(2, 4), 5, 0, 0)));
    assert_int_equal(by.pkg, 4);
    assert_int_equal(by.cause, high);
    assert_int_equal(by.level, 3);
    assert_int_equal(by.previous, 2);

    /* For 0 .. 5 the derivation is enough by itself. */
    by = partial_satisfier(&f->ps, &f->store,
                           incompat_get(&f->store, fact(f, 4, set_span(0, 6), 6, 0, 0)));
    assert_int_equal(by.cause, high);
    assert_int_equal(by.previous, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(derivations_narrow_what_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(going_back_restores_what_was_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relates_incompatibilities_to_what_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foresees_what_a_decision_would_satisfy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_the_assignment_that_completed_a_conflict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_derivation_may_satisfy_only_with_an_earlier_one, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
