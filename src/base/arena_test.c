#include "base/arena.h"

#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void objects_are_aligned_and_keep_what_is_written(void **state)
{
    AUTO_ARENA a = { 0 };
    unsigned char *p[200];

    (void)state;
    for (size_t i = 0; i < COUNT(p); i++) {
        p[i] = arena_alloc(&a, i);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, i);
    }
    for (size_t i = 0; i < COUNT(p); i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(p[i][k], i & 255);
}

static void zeroed_objects_are_zero_even_in_used_memory(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            int *p = ARENA_ARRAY(&a, int, 40);

            for (int k = 0; k < 40; k++)
                assert_int_equal(p[k], 0);
            memset(p, 0xFF, 40 * sizeof *p);
        }
        arena_clear(&a);
    }
}

/* A large object gets its own block; the free part of the current one stays in use. */
static void large_objects_do_not_waste_the_current_block(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    char *small = arena_alloc(&a, 16);
    char *large = arena_alloc(&a, 3 << 20);
    char *next = arena_alloc(&a, 16);

    memset(large, 1, 3 << 20);
    assert_ptr_equal(next, small + 16);
}

static void a_large_object_may_be_the_first(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    memset(arena_alloc(&a, 1 << 20), 1, 1 << 20);
    memset(arena_alloc(&a, 100), 2, 100);
    assert_int_equal(a.total, (1 << 20) + 100);
}

static void copies_text_with_a_nul_behind_it(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    struct str s = arena_str(&a, str_sub(STR("abcdef"), 1, 3));

    assert_int_equal(s.n, 2);
    assert_string_equal(s.p, "bc");
    assert_string_equal(arena_cstr(&a, str_of(NULL)), "");
    assert_string_equal(arena_text(&a, "xyz", 1), "x");
}

static void prints_text_of_any_length(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    for (int width = 0; width < 20000; width = width * 3 + 1) {
        struct str s = arena_printf(&a, "%*s|%d", width, "", 7);

        assert_int_equal(s.n, width + 2);
        assert_string_equal(s.p + width, "|7");
    }
}

static void grows_the_last_object_in_place(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    char *p = arena_alloc(&a, 32);

    memset(p, 'x', 32);
    assert_ptr_equal(arena_grow(&a, p, 32, 64), p);
    assert_non_null(arena_cstr(&a, STR("in between")));
    char *q = arena_grow(&a, p, 64, 128);

    assert_ptr_not_equal(q, p);
    for (int i = 0; i < 32; i++)
        assert_int_equal(q[i], 'x');
}

static void grows_from_nothing_and_across_blocks(void **state)
{
    AUTO_ARENA a = { 0 };
    uint32_t *p = NULL;
    size_t cap = 0;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++) {
        if (i == cap) {
            size_t grown = cap ? cap * 2 : 1;

            p = arena_grow(&a, p, cap * sizeof *p, grown * sizeof *p);
            cap = grown;
        }
        p[i] = i;
    }
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(p[i], i);
}

static void can_be_used_again_after_clearing(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a);
    arena_clear(&a);
    assert_non_null(arena_alloc(&a, 10));
    arena_clear(&a);
    assert_int_equal(a.total, 0);
    assert_string_equal(arena_cstr(&a, STR("again")), "again");
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_and_keep_what_is_written),
        cmocka_unit_test(zeroed_objects_are_zero_even_in_used_memory),
        cmocka_unit_test(large_objects_do_not_waste_the_current_block),
        cmocka_unit_test(a_large_object_may_be_the_first),
        cmocka_unit_test(copies_text_with_a_nul_behind_it),
        cmocka_unit_test(prints_text_of_any_length),
        cmocka_unit_test(grows_the_last_object_in_place),
        cmocka_unit_test(grows_from_nothing_and_across_blocks),
        cmocka_unit_test(can_be_used_again_after_clearing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
