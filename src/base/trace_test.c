#include "base/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void nothing_is_recorded_while_it_is_off(void **state)
{
    size_t n;

    (void)state;
    trace_add(TRACE_LINK, STR("x"), trace_now(), 0);
    (void)trace_spans(&n);
    assert_int_equal(n, 0);
    assert_int_equal(trace_now(), 0);
}

static void spans_keep_their_names_and_order(void **state)
{
    char name[] = "first";
    size_t n;

    (void)state;
    trace_start();
    uint64_t begun = trace_now();

    assert_true(begun > 0);
    trace_add(TRACE_FETCH, str_of(name), begun, 7);
    name[0] = 'X';
    trace_add(TRACE_UNPACK, STR("second"), begun, 0);
    const struct trace_span *s = trace_spans(&n);

    assert_int_equal(n, 2);
    assert_true(str_eq(s[0].name, STR("first")));
    assert_true(s[0].begun == begun && s[0].end >= begun && s[0].bytes == 7);
    assert_string_equal(trace_word(s[1].kind), "unpack");
    trace_clear();
    (void)trace_spans(&n);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_recorded_while_it_is_off),
        cmocka_unit_test(spans_keep_their_names_and_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
