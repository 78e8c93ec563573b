#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define assert_str(got, want) assert_str_at((got), (want), __LINE__)

static void assert_str_at(struct str got, const char *want, int line)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("line %d: got '" STR_FMT "', wanted '%s'", line, STR_ARG(got), want);
}

static void compares_bytes_and_then_lengths(void **state)
{
    static const struct {
        const char *a, *b;
        int sign;
    } cases[] = {
        { "", "", 0 }, { "", "a", -1 }, { "a", "", 1 }, { "a", "b", -1 }, { "ab", "a", 1 }, { "B", "a", -1 },
        { "\xff", "a", 1 }, { "same", "same", 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int c = str_cmp(str_of(cases[i].a), str_of(cases[i].b));

        assert_int_equal((c > 0) - (c < 0), cases[i].sign);
        assert_int_equal(str_eq(str_of(cases[i].a), str_of(cases[i].b)), cases[i].sign == 0);
    }
}

static void treats_no_text_as_empty(void **state)
{
    struct str none = str_of(NULL);
    uint64_t number;

    (void)state;
    assert_int_equal(none.n, 0);
    assert_true(str_eq(none, STR("")));
    assert_int_equal(str_cmp(none, STR("")), 0);
    assert_true(str_starts(none, STR("")));
    assert_true(str_ends(none, none));
    assert_int_equal(str_find(none, 'x'), 0);
    assert_int_equal(str_rfind(none, 'x'), 0);
    assert_int_equal(str_search(none, STR("x")), 0);
    assert_int_equal(str_trim(none).n, 0);
    assert_false(str_to_u64(none, &number));
}

static void ignores_the_case_of_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    assert_false(str_eq_nocase(STR("@"), STR("`"))); /* 32 apart, no letters */
}

static void cuts_a_prefix_and_a_suffix_or_leaves_all(void **state)
{
    struct str s = STR("demo-1.0.whl");

    (void)state;
    assert_true(str_cut_suffix(&s, STR(".whl")));
    assert_str(s, "demo-1.0");
    assert_false(str_cut_suffix(&s, STR(".whl")));
    assert_str(s, "demo-1.0");
    assert_true(str_cut_prefix(&s, STR("demo-")));
    assert_str(s, "1.0");
    assert_false(str_cut_prefix(&s, STR("1.0.0")));
    assert_str(s, "1.0");
    assert_true(str_cut_prefix(&s, STR("1.0")));
    assert_str(s, "");
}

static void finds_the_first_the_last_and_a_needle(void **state)
{
    struct str s = STR("a/b/c");

    (void)state;
    assert_int_equal(str_find(s, '/'), 1);
    assert_int_equal(str_rfind(s, '/'), 3);
    assert_int_equal(str_find(s, 'x'), s.n);
    assert_int_equal(str_rfind(s, 'x'), s.n);
    assert_int_equal(str_search(s, STR("b/")), 2);
    assert_int_equal(str_search(s, STR("c/")), s.n);
    assert_int_equal(str_search(s, STR("")), 0);
}

static void does_not_look_behind_the_end(void **state)
{
    struct str s = str_sub(STR("ab/cd"), 0, 2);

    (void)state;
    assert_int_equal(str_find(s, '/'), 2);
    assert_int_equal(str_search(s, STR("b/")), 2);
    assert_false(str_starts(s, STR("ab/")));
}

static void trims_all_white_space_at_both_ends(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t\r\n\v\f a b \n")), "a b");
    assert_str(str_trim(STR(" \n ")), "");
    assert_str(str_trim(STR("x")), "x");
}

static void splits_at_every_separator(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *part[4];
    } cases[] = {
        { "", 1, { "" } },
        { "a", 1, { "a" } },
        { ",", 2, { "", "" } },
        { "a,b,,c", 4, { "a", "b", "", "c" } },
        { "a,", 2, { "a", "" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str part[4];

        assert_int_equal(str_split(str_of(cases[i].text), ',', part, COUNT(part)), cases[i].n);
        for (size_t k = 0; k < cases[i].n; k++)
            assert_str(part[k], cases[i].part[k]);
    }
}

static void counts_parts_beyond_the_room_without_writing_them(void **state)
{
    struct str part[3] = { STR("x"), STR("x"), STR("untouched") };

    (void)state;
    assert_int_equal(str_split(STR("a-b-c-d"), '-', part, 2), 4);
    assert_str(part[0], "a");
    assert_str(part[1], "b");
    assert_str(part[2], "untouched");
}

static void gives_lines_of_any_line_end(void **state)
{
    static const char *const want[] = { "unix", "dos", "mac", "", "last" };
    struct str line, rest = STR("unix\ndos\r\nmac\r\rlast");
    size_t n = 0;

    (void)state;
    for (; str_next_line(&rest, &line); n++) {
        assert_in_range(n, 0, COUNT(want) - 1);
        assert_str(line, want[n]);
    }
    assert_int_equal(n, COUNT(want));
}

static void gives_no_line_after_a_final_line_end(void **state)
{
    static const struct {
        const char *text;
        size_t lines;
    } cases[] = { { "", 0 }, { "a", 1 }, { "a\n", 1 }, { "a\r\n", 1 }, { "\n", 1 }, { "\n\n", 2 }, { "a\nb", 2 } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str line, rest = str_of(cases[i].text);
        size_t n = 0;

        while (str_next_line(&rest, &line))
            n++;
        assert_int_equal(n, cases[i].lines);
    }
}

static void reads_decimal_numbers_up_to_64_bits(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "007", true, 7 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 },
        { "99999999999999999999", false, 0 },
        { "", false, 0 },
        { "+1", false, 0 },
        { "-1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "0x1", false, 0 },
        { "1e3", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t v = 42;

        if (str_to_u64(str_of(cases[i].text), &v) != cases[i].ok)
            fail_msg("'%s' should %s", cases[i].text, cases[i].ok ? "be a number" : "be refused");
        assert_int_equal(v, cases[i].ok ? cases[i].value : 42);
    }
}

static void measures_how_far_two_words_are_apart(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } cases[] = {
        { "", "", 0 },
        { "", "abc", 3 },
        { "install", "install", 0 },
        { "instal", "install", 1 },
        { "isntall", "install", 1 }, /* two letters swapped are one mistake */
        { "reqeusts", "requests", 1 },
        { "flask", "black", 2 },
        { "numpy", "pandas", 4 }, /* capped: more than the limit of 3 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str a = str_of(cases[i].a), b = str_of(cases[i].b);

        assert_int_equal(str_distance(a, b, 3), cases[i].distance);
        assert_int_equal(str_distance(b, a, 3), cases[i].distance);
    }
}

static void calls_very_long_words_far_apart(void **state)
{
    char text[65];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(str_distance((struct str){ text, 65 }, STR("a"), 2), 3);
    assert_int_equal(str_distance((struct str){ text, 64 }, (struct str){ text, 64 }, 2), 0);
}

static void sorts_with_qsort(void **state)
{
    struct str s[] = { STR("b"), STR("a"), STR("ab"), STR("") };

    (void)state;
    qsort(s, COUNT(s), sizeof s[0], str_order);
    assert_str(s[0], "");
    assert_str(s[1], "a");
    assert_str(s[2], "ab");
    assert_str(s[3], "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_bytes_and_then_lengths),
        cmocka_unit_test(treats_no_text_as_empty),
        cmocka_unit_test(ignores_the_case_of_ascii_letters_only),
        cmocka_unit_test(cuts_a_prefix_and_a_suffix_or_leaves_all),
        cmocka_unit_test(finds_the_first_the_last_and_a_needle),
        cmocka_unit_test(does_not_look_behind_the_end),
        cmocka_unit_test(trims_all_white_space_at_both_ends),
        cmocka_unit_test(splits_at_every_separator),
        cmocka_unit_test(counts_parts_beyond_the_room_without_writing_them),
        cmocka_unit_test(gives_lines_of_any_line_end),
        cmocka_unit_test(gives_no_line_after_a_final_line_end),
        cmocka_unit_test(reads_decimal_numbers_up_to_64_bits),
        cmocka_unit_test(measures_how_far_two_words_are_apart),
        cmocka_unit_test(calls_very_long_words_far_apart),
        cmocka_unit_test(sorts_with_qsort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
