#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void collects_bytes_text_and_printed_values(void **state)
{
    AUTO_BUF b;

    (void)state;
    buf_init(&b, 100);
    assert_true(buf_str(&b, STR("a=")));
    assert_true(buf_printf(&b, "%d", 42));
    assert_true(buf_char(&b, ';'));
    assert_true(buf_add(&b, "\0x", 2));
    assert_true(buf_add(&b, NULL, 0));
    assert_int_equal(b.n, 7);
    assert_memory_equal(buf_done(&b).p, "a=42;\0x", 8); /* and the NUL behind it */
}

static void an_empty_one_is_a_c_string_too(void **state)
{
    AUTO_BUF b;

    (void)state;
    buf_init(&b, 0);
    assert_string_equal(buf_done(&b).p, "");
    assert_int_equal(buf_done(&b).n, 0);
    assert_true(buf_add(&b, "", 0));
    assert_false(b.full);
}

static void fills_exactly_to_the_limit(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 300; limit += 7) {
        AUTO_BUF b;

        buf_init(&b, limit);
        for (size_t i = 0; i < limit; i++)
            assert_true(buf_char(&b, 'x'));
        assert_false(b.full);
        assert_int_equal(strlen(buf_done(&b).p), limit);
        assert_false(buf_char(&b, 'y'));
        assert_true(b.full);
    }
}

static void adds_all_or_nothing_past_the_limit(void **state)
{
    AUTO_BUF b;

    (void)state;
    buf_init(&b, 5);
    assert_true(buf_str(&b, STR("abc")));
    assert_false(buf_str(&b, STR("def")));
    assert_false(buf_printf(&b, "%s", "def"));
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_string_equal(buf_done(&b).p, "abc");
    assert_true(b.full);
    buf_reset(&b);
    assert_false(b.full);
    assert_true(buf_str(&b, STR("12345")));
}

static void takes_the_largest_limit_there_is(void **state)
{
    AUTO_BUF b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_true(buf_str(&b, STR("much room")));
    assert_string_equal(buf_done(&b).p, "much room");
    assert_null(buf_reserve(&b, SIZE_MAX));
}

static void gives_room_to_write_into(void **state)
{
    AUTO_BUF b;

    (void)state;
    buf_init(&b, 1000);
    char *at = buf_reserve(&b, 500);

    assert_non_null(at);
    memset(at, 'z', 500);
    b.n += 500;
    assert_int_equal(strlen(buf_done(&b).p), 500);
}

static void keeps_its_limit_when_cleared(void **state)
{
    AUTO_BUF b;

    (void)state;
    buf_init(&b, 3);
    assert_true(buf_str(&b, STR("abc")));
    buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_false(buf_str(&b, STR("abcd")));
    assert_true(b.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collects_bytes_text_and_printed_values),
        cmocka_unit_test(an_empty_one_is_a_c_string_too),
        cmocka_unit_test(fills_exactly_to_the_limit),
        cmocka_unit_test(adds_all_or_nothing_past_the_limit),
        cmocka_unit_test(takes_the_largest_limit_there_is),
        cmocka_unit_test(gives_room_to_write_into),
        cmocka_unit_test(keeps_its_limit_when_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
