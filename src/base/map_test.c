#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"

static void an_empty_map_finds_nothing(void **state)
{
    struct map m = { 0 };

    (void)state;
    assert_int_equal(map_find(&m, STR("x")), MAP_NONE);
    assert_int_equal(map_find_u64(&m, 0), MAP_NONE);
}

static void finds_what_was_put_and_replaces_it(void **state)
{
    AUTO_MAP m = { 0 };

    (void)state;
    map_put(&m, STR("a"), 1);
    map_put(&m, STR(""), 2); /* the empty text is a key like any other */
    map_put(&m, STR("a"), 3);
    assert_int_equal(m.n, 2);
    assert_int_equal(map_find(&m, STR("a")), 3);
    assert_int_equal(map_find(&m, STR("")), 2);
    assert_int_equal(map_find(&m, STR("A")), MAP_NONE);
}

static void compares_keys_by_content(void **state)
{
    AUTO_MAP m = { 0 };
    char one[] = "same", two[] = "same";

    (void)state;
    map_put(&m, str_of(one), 1);
    assert_int_equal(map_find(&m, str_of(two)), 1);
    assert_int_equal(map_find(&m, str_sub(str_of(two), 0, 3)), MAP_NONE);
}

static void adds_only_when_absent(void **state)
{
    AUTO_MAP m = { 0 };
    bool added;

    (void)state;
    assert_int_equal(map_get_or_add(&m, STR("k"), 0, &added), 0);
    assert_true(added);
    assert_int_equal(map_get_or_add(&m, STR("k"), 7, &added), 0);
    assert_false(added);
    assert_int_equal(map_get_or_add_u64(&m, 99, 5, NULL), 5);
}

static void keeps_ten_thousand_keys_apart(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_MAP m = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 10000; i++)
        map_put(&m, arena_printf(&a, "package-%u", i), i);
    assert_int_equal(m.n, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(map_find(&m, arena_printf(&a, "package-%u", i)), i);
    assert_int_equal(map_find(&m, STR("package-10000")), MAP_NONE);
}

static void keeps_numbers_that_differ_in_few_bits_apart(void **state)
{
    AUTO_MAP m = { 0 };

    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        map_put_u64(&m, i, i);
        map_put_u64(&m, (uint64_t)(i + 1) << 40, i + 5000);
    }
    assert_int_equal(m.n, 10000);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(map_find_u64(&m, i), i);
        assert_int_equal(map_find_u64(&m, (uint64_t)(i + 1) << 40), i + 5000);
    }
    assert_int_equal(map_find_u64(&m, UINT64_MAX), MAP_NONE);
}

static void can_be_used_again_after_clearing(void **state)
{
    struct map m = { 0 };

    (void)state;
    map_put(&m, STR("a"), 1);
    map_clear(&m);
    assert_int_equal(map_find(&m, STR("a")), MAP_NONE);
    map_put(&m, STR("b"), 2);
    assert_int_equal(map_find(&m, STR("b")), 2);
    map_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(finds_what_was_put_and_replaces_it),
        cmocka_unit_test(compares_keys_by_content),
        cmocka_unit_test(adds_only_when_absent),
        cmocka_unit_test(keeps_ten_thousand_keys_apart),
        cmocka_unit_test(keeps_numbers_that_differ_in_few_bits_apart),
        cmocka_unit_test(can_be_used_again_after_clearing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
