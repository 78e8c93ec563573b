#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void reads_the_date_times_of_rfc_3339(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-22T23:04:18Z", 1795388658 },
        { "2026-11-22t23:04:18z", 1795388658 },
        { "2026-11-22 23:04:18Z", 1795388658 },
        { "2026-11-22T23:04:18.123456Z", 1795388658 },
        { "2026-11-23T01:04:18+02:00", 1795388658 },
        { "2026-11-22T17:34:18-05:30", 1795388658 },
        { "2024-02-29", 1709164800 },
        { "2000-02-29", 951782400 },
        { "1969-12-31T23:59:59Z", -1 },
        { "2016-12-31T23:59:60Z", 1483228800 }, /* leap second: the next one, as POSIX counts */
        { "9999-12-31", 253402214400 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t t = 42;

        if (!clock_parse(str_of(cases[i].text), &t) || t != cases[i].seconds)
            fail_msg("'%s' gave %lld, wanted %lld", cases[i].text, (long long)t, (long long)cases[i].seconds);
    }
}

static void refuses_what_is_no_date(void **state)
{
    static const char *const cases[] = {
        "", "2026", "2026-11", "2026-11-31", "2025-02-29", "1900-02-29", "2026-13-01", "2026-00-01", "2026-01-00",
        "2026-1-1", "0000-01-01", "26-11-22", "2026-11-22T", "2026-11-22T23:04", "2026-11-22T23:04:18",
        "2026-11-22T24:00:00Z", "2026-11-22T23:60:00Z", "2026-11-22T23:04:61Z", "2026-11-22T23:04:18+0200",
        "2026-11-22T23:04:18+24:00", "2026-11-22T23:04:18Zx", "2026-11-22x", " 2026-11-22", "2026-11-31T23:59:60Z",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t t = 42;

        if (clock_parse(str_of(cases[i]), &t))
            fail_msg("'%s' was read as %lld", cases[i], (long long)t);
        assert_int_equal(t, 42);
    }
}

static void formats_what_it_reads(void **state)
{
    static const char *const cases[] = { "1970-01-01T00:00:00Z", "2026-11-22T23:04:18Z", "1969-07-20T20:17:40Z" };
    char text[CLOCK_TEXT];
    int64_t t;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(clock_parse(str_of(cases[i]), &t));
        clock_format(t, text);
        assert_string_equal(text, cases[i]);
    }
    clock_format(INT64_MAX, text); /* no such year: still says something */
    assert_string_equal(text, "@9223372036854775807");
}

static void tests_can_stop_the_wall_clock(void **state)
{
    (void)state;
    assert_int_equal(setenv("BLAST_NOW", "2026-11-22T23:04:18Z", 1), 0);
    assert_int_equal(clock_now(), 1795388658);
    assert_int_equal(setenv("BLAST_NOW", "nonsense", 1), 0);
    assert_true(clock_now() > 1700000000);
    assert_int_equal(unsetenv("BLAST_NOW"), 0);
    assert_true(clock_now() > 1700000000);
}

static void monotonic_time_does_not_go_back(void **state)
{
    uint64_t before = clock_us();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_us();

        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_ms() >= before / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_date_times_of_rfc_3339),
        cmocka_unit_test(refuses_what_is_no_date),
        cmocka_unit_test(formats_what_it_reads),
        cmocka_unit_test(tests_can_stop_the_wall_clock),
        cmocka_unit_test(monotonic_time_does_not_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
