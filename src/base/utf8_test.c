#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* RFC 3629, sections 3 and 4. */
static void accepts_exactly_what_the_standard_does(void **state)
{
    static const struct {
        const char *text;
        size_t bad; /* SIZE_MAX: valid */
    } cases[] = {
        { "", SIZE_MAX },
        { "plain ascii, longer than eight bytes", SIZE_MAX },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80", SIZE_MAX },
        { "\xed\x9f\xbf\xee\x80\x80", SIZE_MAX },         /* the neighbours of the surrogates */
        { "\xf4\x8f\xbf\xbf", SIZE_MAX },                 /* U+10FFFF */
        { "\xf4\x90\x80\x80", 0 },                        /* above it */
        { "\xed\xa0\x80", 0 },                            /* surrogate */
        { "\xc0\x80", 0 },                                /* overlong NUL */
        { "\xc1\xbf", 0 },
        { "\xe0\x9f\xbf", 0 },
        { "\xf0\x8f\xbf\xbf", 0 },
        { "\x80", 0 },
        { "\xff", 0 },
        { "\xf5\x80\x80\x80", 0 },
        { "12345678\xff", 8 },
        { "1234567890\xe2\x82", 10 },                     /* cut short */
        { "ab\xe2\x82xx", 2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t bad = SIZE_MAX;
        bool ok = utf8_is_valid(str_of(cases[i].text), &bad);

        if (ok != (cases[i].bad == SIZE_MAX) || bad != cases[i].bad)
            fail_msg("case %zu: %s, bad at %zd", i, ok ? "accepted" : "refused", (ssize_t)bad);
    }
    assert_false(utf8_is_valid(STR("\xff"), NULL));
}

static void every_scalar_value_survives_a_round_trip(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char text[4];
        uint32_t back;

        if (c >= 0xD800 && c < 0xE000)
            continue;
        struct str s = { text, utf8_encode(c, text) };

        if (!utf8_is_valid(s, NULL) || !utf8_next(&s, &back) || back != c || s.n != 0)
            fail_msg("U+%04X", c);
    }
}

static void goes_on_behind_an_invalid_byte(void **state)
{
    static const uint32_t want[] = { 'a', 0xFFFD, 0xFFFD, 'b', 0x20AC };
    struct str s = STR("a\xe2\x82" "b\xe2\x82\xac");
    uint32_t c;

    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(utf8_next(&s, &c));
        assert_int_equal(c, want[i]);
    }
    assert_false(utf8_next(&s, &c));
}

static void knows_how_wide_text_is_in_a_terminal(void **state)
{
    static const struct {
        const char *text;
        size_t width;
    } cases[] = {
        { "", 0 },
        { "abc", 3 },
        { "\xc3\xa9", 1 },
        { "e\xcc\x81", 1 },                 /* combining accent */
        { "\xe6\xbc\xa2\xe5\xad\x97", 4 },  /* two ideographs */
        { "\xf0\x9f\x9a\x80", 2 },          /* rocket */
        { "\x1b\x07", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (utf8_width(str_of(cases[i].text)) != cases[i].width)
            fail_msg("'%s' is %zu wide, wanted %zu", cases[i].text, utf8_width(str_of(cases[i].text)), cases[i].width);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_exactly_what_the_standard_does),
        cmocka_unit_test(every_scalar_value_survives_a_round_trip),
        cmocka_unit_test(goes_on_behind_an_invalid_byte),
        cmocka_unit_test(knows_how_wide_text_is_in_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
