#include "resolve/set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"

/* Sets over 0 .. WIDTH-1 are compared with bit masks, where the answer is one operation. */
#define WIDTH 24

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Runs of ones rather than noise, so that sets of one and of many intervals both occur. */
static uint32_t random_mask(uint64_t *seed)
{
    uint32_t mask = 0;
    uint32_t runs = random_next(seed) % 6;

    for (uint32_t i = 0; i < runs; i++) {
        uint32_t lo = random_next(seed) % WIDTH, n = 1 + random_next(seed) % 6;

        for (uint32_t k = lo; k < lo + n && k < WIDTH; k++)
            mask |= 1u << k;
    }
    return mask;
}

static struct set set_from(struct arena *a, uint32_t mask)
{
    struct interval one[WIDTH];
    size_t n = 0;

    for (uint32_t k = WIDTH; k-- > 0;) /* backwards: set_of() sorts */
        if (mask >> k & 1)
            one[n++] = (struct interval){ k, k + 1 };
    return set_of(a, one, n);
}

static uint32_t mask_of(const struct set *s)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t k = set_spans(s)[i].lo; k < set_spans(s)[i].hi; k++)
            mask |= 1u << k;
    return mask;
}

static void assert_canonical(const struct set *s)
{
    const struct interval *p = set_spans(s);

    for (uint32_t i = 0; i < s->n; i++) {
        assert_true(p[i].lo < p[i].hi);
        if (i > 0)
            assert_true(p[i - 1].hi < p[i].lo);
    }
}

static void agrees_with_bit_masks(void **state)
{
    AUTO_ARENA a = { 0 };
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint32_t mx = random_mask(&seed), my = round % 7 == 0 ? mx : random_mask(&seed);
        struct set x = set_from(&a, mx), y = set_from(&a, my);
        struct set both = set_intersect(&a, &x, &y), any = set_unite(&a, &x, &y), rest = set_minus(&a, &x, &y);

        assert_int_equal(mask_of(&x), mx);
        assert_int_equal(mask_of(&both), mx & my);
        assert_int_equal(mask_of(&any), mx | my);
        assert_int_equal(mask_of(&rest), mx & ~my);
        assert_canonical(&x);
        assert_canonical(&both);
        assert_canonical(&any);
        assert_canonical(&rest);
        assert_int_equal(set_equal(&x, &y), mx == my);
        assert_int_equal(set_subset(&x, &y), (mx & ~my) == 0);
        assert_int_equal(set_disjoint(&x, &y), (mx & my) == 0);
        assert_int_equal(set_count(&x), __builtin_popcount(mx));
        if (mx == my)
            assert_true(set_hash(&x) == set_hash(&y));
        if (round % 1000 == 0)
            arena_clear(&a);
    }
}

static void finds_members_and_neighbours(void **state)
{
    AUTO_ARENA a = { 0 };
    uint64_t seed = 2;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint32_t mask = random_mask(&seed);
        struct set s = set_from(&a, mask);

        if (mask != 0) {
            assert_int_equal(set_min(&s), __builtin_ctz(mask));
            assert_int_equal(set_max(&s), 31 - __builtin_clz(mask));
        }
        for (uint32_t k = 0; k <= WIDTH; k++) {
            uint32_t low = mask & ((1u << k) - 1), high = mask >> k;

            assert_int_equal(set_has(&s, k), mask >> k & 1);
            assert_int_equal(set_below(&s, k), low ? 31u - (uint32_t)__builtin_clz(low) : UINT32_MAX);
            assert_int_equal(set_above(&s, k), high ? k + (uint32_t)__builtin_ctz(high) : UINT32_MAX);
        }
    }
}

static void walks_newest_first(void **state)
{
    AUTO_ARENA a = { 0 };
    struct set s = set_from(&a, 0x1c5);
    static const uint32_t want[] = { 8, 7, 6, 2, 0 };
    size_t n = 0;

    (void)state;
    for (uint32_t r = set_below(&s, UINT32_MAX); r != UINT32_MAX; r = set_below(&s, r))
        assert_int_equal(r, want[n++]);
    assert_int_equal(n, COUNT(want));
}

static void merges_what_touches_and_drops_what_is_empty(void **state)
{
    AUTO_ARENA a = { 0 };
    static const struct interval parts[] = { { 5, 7 }, { 3, 3 }, { 0, 2 }, { 2, 5 }, { 9, 12 }, { 10, 11 } };
    struct set s = set_of(&a, parts, COUNT(parts));

    (void)state;
    assert_int_equal(s.n, 2);
    assert_int_equal(s.many[0].lo, 0);
    assert_int_equal(s.many[0].hi, 7);
    assert_int_equal(s.many[1].lo, 9);
    assert_int_equal(s.many[1].hi, 12);
    assert_int_equal(set_of(&a, parts, 0).n, 0);
    assert_true(set_is_empty(&(struct set){ 0 }));
}

static void handles_sets_larger_than_the_stack_room(void **state)
{
    AUTO_ARENA a = { 0 };
    struct set even = set_none(), all = set_span(0, 2000);

    (void)state;
    for (uint32_t k = 0; k < 2000; k += 2) {
        struct set one = set_one(k);

        even = set_unite(&a, &even, &one);
    }
    struct set odd = set_minus(&a, &all, &even), none = set_intersect(&a, &odd, &even);
    struct set again = set_unite(&a, &odd, &even);

    assert_int_equal(even.n, 1000);
    assert_int_equal(set_count(&odd), 1000);
    assert_true(set_is_empty(&none));
    assert_true(set_equal(&again, &all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_bit_masks),
        cmocka_unit_test(finds_members_and_neighbours),
        cmocka_unit_test(walks_newest_first),
        cmocka_unit_test(merges_what_touches_and_drops_what_is_empty),
        cmocka_unit_test(handles_sets_larger_than_the_stack_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
