#include "gate/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* One byte a second: while a test runs nothing comes in. */
static void gives_what_is_there_and_no_more(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 1, 100);
    assert_int_equal(bucket_take(&b, 60), 60);
    assert_int_equal(bucket_take(&b, 60), 40);
    assert_int_equal(bucket_take(&b, 60), 0);
    assert_false(bucket_has(&b));
    bucket_return(&b, 10);
    assert_true(bucket_has(&b));
    assert_int_equal(bucket_take(&b, 60), 10);
    bucket_return(&b, 1000);
    assert_int_equal(bucket_take(&b, 1000), 100); /* the burst is the most it keeps */
}

static void lets_nothing_pass_until_a_debt_is_paid(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 1, 100);
    bucket_owe(&b, 150);
    assert_false(bucket_has(&b));
    assert_int_equal(bucket_take(&b, 1), 0);
    bucket_return(&b, 49);
    assert_false(bucket_has(&b));
    bucket_return(&b, 3);
    assert_int_equal(bucket_take(&b, 100), 2);
}

static void without_a_rate_there_is_no_limit(void **state)
{
    struct bucket b;

    (void)state;
    bucket_init(&b, 0, 100);
    bucket_owe(&b, 1000);
    assert_true(bucket_has(&b));
    assert_int_equal(bucket_take(&b, 1 << 20), 1 << 20);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_is_there_and_no_more),
        cmocka_unit_test(lets_nothing_pass_until_a_debt_is_paid),
        cmocka_unit_test(without_a_rate_there_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
