#include "net/fresh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "net/http.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define YEAR (365 * 24 * 3600)

static void reads_all_three_date_forms(void **state)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } cases[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", NOW },
        { "Sunday, 06-Nov-94 08:49:37 GMT", NOW },
        { "Sun Nov  6 08:49:37 1994", NOW },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Thu, 29 Feb 2024 12:00:00 GMT", 1709208000 },
        { "Sun, 22 Nov 2026 23:59:60 GMT", 1795392000 },
        { "", -1 },
        { "0", -1 },
        { "Sun, 06 Foo 1994 08:49:37 GMT", -1 },
        { "Sun, 06 Nov 1994 25:49:37 GMT", -1 },
        { "Sun, 06 Nov 1994", -1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = -1;
        bool good = fresh_date_parse(str_of(cases[i].text), &got);

        if (good != (cases[i].want >= 0) || got != cases[i].want)
            fail_msg("'%s' gives %lld", cases[i].text, (long long)got);
    }
}

static void obeys_the_server_and_falls_back_to_ttl(void **state)
{
    static const struct {
        const char *cache_control, *age, *expires;
        int64_t want; /* seconds from now, with a ttl of 100 */
    } cases[] = {
        { "", "", "", 100 },
        { "max-age=600", "", "", 600 },
        { "Max-Age = \"600\" , public", "", "", 600 },
        { "max-age=600", "250", "", 350 },
        { "max-age=600", "9999", "", 0 },
        { "max-age=600, max-age=5", "", "", 5 },
        { "max-age=99999999999999999999", "", "", YEAR },
        { "max-age=-5", "", "", 100 },
        { "max-age=", "", "", 100 },
        { "s-maxage=7", "", "", 100 },
        { "no-cache, max-age=600", "", "", 0 },
        { "no-store", "", "", 0 },
        { "public, immutable", "", "", YEAR },
        { "immutable, max-age=31536000", "31536000", "", 0 },
        { "", "", "Sun, 06 Nov 1994 08:50:37 GMT", 60 },
        { "", "", "Sun, 06 Nov 1994 08:00:00 GMT", 0 },
        { "", "", "0", 0 },
        { "max-age=5", "", "Sun, 06 Nov 1994 08:50:37 GMT", 5 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fresh f = fresh_parse(str_of(cases[i].cache_control), str_of(cases[i].age), str_of(cases[i].expires),
                                     STR(""), NOW);
        int64_t got = fresh_until(&f, NOW, 100) - NOW;

        if (got != cases[i].want)
            fail_msg("'%s' age '%s' expires '%s' gives %lld", cases[i].cache_control, cases[i].age, cases[i].expires,
                     (long long)got);
    }
}

static void counts_expires_from_the_servers_date(void **state)
{
    struct fresh f = fresh_parse(STR(""), STR(""), STR("Sun, 06 Nov 1994 09:00:00 GMT"),
                                 STR("Sun, 06 Nov 1994 08:59:00 GMT"), NOW - 100000);

    (void)state;
    assert_int_equal(f.max_age, 60);
}

static void reads_a_request_s_result(void **state)
{
    struct http_request r = { .max_age = -1, .cache_control = STR("immutable") };

    (void)state;
    assert_int_equal(fresh_until_of(&r, NOW, 7), NOW + YEAR);
    r.cache_control = STR("no-cache");
    assert_int_equal(fresh_until_of(&r, NOW, 7), NOW);
    r = (struct http_request){ .max_age = 30 };
    assert_int_equal(fresh_until_of(&r, NOW, 7), NOW + 30);
}

static void takes_retry_after_as_seconds_or_date(void **state)
{
    int64_t s = -1;

    (void)state;
    assert_true(fresh_retry_after(STR(" 120 "), NOW, &s));
    assert_int_equal(s, 120);
    assert_true(fresh_retry_after(STR("Sun, 06 Nov 1994 08:49:47 GMT"), NOW, &s));
    assert_int_equal(s, 10);
    assert_true(fresh_retry_after(STR("Sun, 06 Nov 1994 08:49:07 GMT"), NOW, &s));
    assert_int_equal(s, 0);
    assert_false(fresh_retry_after(STR("soon"), NOW, &s));
    assert_false(fresh_retry_after(STR("-1"), NOW, &s));
}

static void a_clock_that_went_back_makes_stale(void **state)
{
    (void)state;
    assert_true(fresh_is(100, 200, 150));
    assert_false(fresh_is(100, 200, 200));
    assert_false(fresh_is(100, 200, 99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_three_date_forms),
        cmocka_unit_test(obeys_the_server_and_falls_back_to_ttl),
        cmocka_unit_test(counts_expires_from_the_servers_date),
        cmocka_unit_test(reads_a_request_s_result),
        cmocka_unit_test(takes_retry_after_as_seconds_or_date),
        cmocka_unit_test(a_clock_that_went_back_makes_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
