#include "codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define assert_str(s, literal)                                                                                         \
    do {                                                                                                               \
        if (!str_eq((s), STR(literal)))                                                                                \
            fail_msg("got '" STR_FMT "', want '%s'", STR_ARG(s), literal);                                             \
    } while (0)

static bool skips(struct str text, struct err *e)
{
    struct json j;

    json_init(&j, text, NULL, e);
    return json_skip(&j) && json_end(&j);
}

static void accepts_what_the_rfc_allows(void **state)
{
    static const char *const cases[] = {
        "{}", "[]", " [ ] ", "0", "-0", "-0.0e+1", "1E400", "\"\"", "true", "false", "null", "\t\r\n null\n",
        "[[[[[[]]]]]]", "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"a\":2}", "\"\\u0000\"", "\"\\uD834\\uDD1E\"",
        "\"\x7F\"", "\"\xF4\x8F\xBF\xBF\"", "[\"a string that is longer than sixteen bytes\",\"\xC3\xA9\"]",
        "\"/\\/\\b\\f\\n\\r\\t\\\"\\\\\"", "123456789012345678901234567890",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };

        if (!skips(str_of(cases[i]), &e))
            fail_msg("%s: %s", cases[i], e.text);
    }
}

static void rejects_everything_else_and_says_where(void **state)
{
    const struct {
        struct str text;
        const char *why;
    } cases[] = {
        { STR(""), "line 1, column 1: expected a value, found the end of the text" },
        { STR("  "), "line 1, column 3: expected a value, found the end of the text" },
        { STR("[1,]"), "line 1, column 4: expected a value, found ']'" },
        { STR("[,1]"), "line 1, column 2: expected a value, found ','" },
        { STR("[1 2]"), "line 1, column 4: expected ',' or ']', found '2'" },
        { STR("[1\n,\n 2}"), "line 3, column 3: expected ',' or ']', found '}'" },
        { STR("{\"a\" 1}"), "line 1, column 6: expected ':', found '1'" },
        { STR("{\"a\":1,}"), "line 1, column 8: expected a name in quotes, found '}'" },
        { STR("{a:1}"), "line 1, column 2: expected a name in quotes, found 'a'" },
        { STR("{1:1}"), "expected a name in quotes, found '1'" },
        { STR("{\"a\":}"), "line 1, column 6: expected a value, found '}'" },
        { STR("[1] x"), "line 1, column 5: expected the end of the text, found 'x'" },
        { STR("nul"), "expected a value, found 'n'" },
        { STR("True"), "expected a value, found 'T'" },
        { STR("NaN"), "expected a value, found 'N'" },
        { STR("'a'"), "expected a value, found '''" },
        { STR("01"), "line 1, column 2: expected the end of the text, found '1'" },
        { STR("-"), "expected a digit, found the end of the text" },
        { STR("+1"), "expected a value, found '+'" },
        { STR(".5"), "expected a value, found '.'" },
        { STR("1."), "expected a digit" },
        { STR("[1.e1]"), "line 1, column 4: expected a digit, found 'e'" },
        { STR("1e"), "expected a digit" },
        { STR("0x1"), "found 'x'" },
        { STR("\"abc"), "line 1, column 5: expected the end of the string, found the end of the text" },
        { STR("\"abc\\"), "found the end of the text" },
        { STR("\"a\tb\""), "line 1, column 3: expected an escaped control character, found byte 0x09" },
        { STR("\"a\0b\""), "expected an escaped control character, found byte 0x00" },
        { STR("\"sixteen bytes and then a line end\n\""), "line 1, column 35: expected an escaped" },
        { STR("\"\\x\""), "line 1, column 3: expected one of \" \\ / b f n r t u, found 'x'" },
        { STR("\"\\u12g4\""), "expected four hexadecimal digits" },
        { STR("\"\\u12"), "expected four hexadecimal digits" },
        { STR("\"\\ud800\""), "line 1, column 2: half of a surrogate pair is no character" },
        { STR("\"\\ud800\\u0041\""), "half of a surrogate pair" },
        { STR("\"\\udc00\\ud800\""), "half of a surrogate pair" },
        { STR("\"\xC3\xA9\xFF\""), "line 1, column 3: the text is not UTF-8" },
        { STR("\"\xED\xA0\x80\""), "the text is not UTF-8" },
        { STR("\"seventeen bytes \xC0\xAF and more and more\""), "line 1, column 18: the text is not UTF-8" },
        { STR("\xEF\xBB\xBF{}"), "line 1, column 1: expected a value, found a byte order mark" },
        { STR("[1] // no"), "expected the end of the text, found '/'" },
        { STR("[\v1]"), "expected a value, found byte 0x0b" },
        { STR("["), "line 1, column 2: expected a value, found the end of the text" },
        { STR("{"), "expected a name in quotes, found the end of the text" },
        { STR("{\"a\":[{\"b\":1}"), "expected ',' or ']', found the end of the text" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };

        if (skips(cases[i].text, &e))
            fail_msg("'" STR_FMT "' was accepted", STR_ARG(cases[i].text));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("case %zu: '%s' does not say '%s'", i, e.text, cases[i].why);
    }
}

static void counts_columns_in_characters(void **state)
{
    struct err e = { 0 };

    (void)state;
    assert_false(skips(STR("[\n\"\xC3\xA9\xE2\x82\xAC\" 1]"), &e));
    assert_non_null(strstr(e.text, "line 2, column 6: expected ','"));
}

static void nests_64_levels_and_no_more(void **state)
{
    char text[2 * 65];
    struct err e = { 0 };

    (void)state;
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_true(skips((struct str){ text + 1, 128 }, &e));
    assert_false(skips((struct str){ text, 130 }, &e));
    assert_non_null(strstr(e.text, "line 1, column 65: more than 64 levels of nesting"));
}

static void refuses_a_text_over_the_limit_without_looking_at_it(void **state)
{
    struct err e = { 0 };

    (void)state;
    assert_false(skips((struct str){ "1", (size_t)JSON_MAX_TEXT + 1 }, &e));
    assert_non_null(strstr(e.text, "a JSON text of 268435457 bytes, the limit is 268435456"));
}

static void takes_members_and_passes_over_the_others(void **state)
{
    static const char text[] = "{ \"skip\": [1, {\"x\": \"]}\"}], \"name\": \"demo\", \"n\": 18446744073709551615,"
                               " \"i\": -9223372036854775808, \"yes\": true, \"null\": null, \"f\": 1.50,"
                               " \"list\": [\"a\", \"b\"], \"raw\": {\"k\" : [ ]} }\n";
    struct json j;
    struct err e = { 0 };
    struct str key, name = { 0 }, f = { 0 }, raw = { 0 }, item[2] = { 0 };
    uint64_t n = 0;
    int64_t i = 0;
    bool yes = false, null = false;
    size_t count = 0;

    (void)state;
    json_init(&j, str_of(text), NULL, &e);
    assert_int_equal(json_type(&j), JSON_OBJECT);
    assert_true(json_object_begin(&j));
    while (json_object_next(&j, &key)) {
        if (str_eq(key, STR("name")))
            assert_true(json_string(&j, &name));
        else if (str_eq(key, STR("n")))
            assert_true(json_u64(&j, &n));
        else if (str_eq(key, STR("i")))
            assert_true(json_i64(&j, &i));
        else if (str_eq(key, STR("yes")))
            assert_true(!json_take_null(&j) && json_bool(&j, &yes));
        else if (str_eq(key, STR("null")))
            null = json_take_null(&j);
        else if (str_eq(key, STR("f")))
            assert_true(json_number(&j, &f));
        else if (str_eq(key, STR("raw")))
            assert_true(json_raw(&j, &raw));
        else if (str_eq(key, STR("list")) && json_array_begin(&j))
            while (json_array_next(&j))
                assert_true(json_string(&j, &item[count++]));
    }
    assert_true(json_end(&j));
    assert_str(name, "demo");
    assert_ptr_equal(name.p, strstr(text, "demo")); /* a view, no copy */
    assert_true(n == UINT64_MAX && i == INT64_MIN && yes && null && count == 2);
    assert_str(f, "1.50");
    assert_str(raw, "{\"k\" : [ ]}");
    assert_str(item[1], "b");
}

static void leaves_a_container_early(void **state)
{
    struct json j;
    struct err e = { 0 };
    struct str key, v;

    (void)state;
    json_init(&j, STR("[{\"a\":1,\"b\":[2,{}]},[],\"x\"]"), NULL, &e);
    assert_true(json_array_begin(&j) && json_array_next(&j) && json_object_begin(&j));
    assert_true(json_object_next(&j, &key));
    assert_true(json_leave(&j));
    assert_true(json_array_next(&j) && json_array_begin(&j) && json_leave(&j));
    assert_true(json_array_next(&j) && json_string(&j, &v));
    assert_str(v, "x");
    assert_false(json_array_next(&j));
    assert_true(json_end(&j));
}

static void decodes_escapes_into_the_arena(void **state)
{
    AUTO_ARENA a = { 0 };
    struct json j;
    struct err e = { 0 };
    struct str key, v;

    (void)state;
    json_init(&j, STR("{\"k\\u0065y\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u00e9\\u20AC\\ud83d\\ude00\\u0000.\"}"), &a, &e);
    assert_true(json_object_begin(&j) && json_object_next(&j, &key) && json_string(&j, &v));
    assert_str(key, "key");
    assert_str(v, "\"\\/\b\f\n\r\t \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0.");
    assert_false(json_object_next(&j, &key));
    assert_true(json_end(&j));
}

static void reports_every_member_of_one_name(void **state)
{
    struct json j;
    struct err e = { 0 };
    struct str key;
    uint64_t v = 0, sum = 0;

    (void)state;
    json_init(&j, STR("{\"a\":1,\"a\":20}"), NULL, &e);
    assert_true(json_object_begin(&j));
    while (json_object_next(&j, &key) && json_u64(&j, &v))
        sum += v;
    assert_true(json_end(&j));
    assert_int_equal(sum, 21);
    assert_int_equal(v, 20);
}

static void names_both_types_when_another_was_wanted(void **state)
{
    struct json j;
    struct err e = { 0 };
    struct str s = STR("untouched");

    (void)state;
    json_init(&j, STR("\n [true]"), NULL, &e);
    assert_true(json_array_begin(&j) && json_array_next(&j));
    assert_false(json_string(&j, &s));
    assert_string_equal(e.text, "line 2, column 3: expected a string, found true or false");
    assert_str(s, "untouched");
}

static void refuses_numbers_that_do_not_fit(void **state)
{
    static const struct {
        const char *text;
        bool u64, i64;
    } cases[] = {
        { "0", true, true },
        { "-0", true, true },
        { "-1", false, true },
        { "18446744073709551615", true, false },
        { "18446744073709551616", false, false },
        { "9223372036854775807", true, true },
        { "-9223372036854775808", false, true },
        { "-9223372036854775809", false, false },
        { "1.0", false, false },
        { "1e2", false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json j;
        struct err e = { 0 };
        uint64_t u;
        int64_t s;

        json_init(&j, str_of(cases[i].text), NULL, &e);
        if (json_u64(&j, &u) != cases[i].u64)
            fail_msg("u64 of %s", cases[i].text);
        if (!cases[i].u64)
            assert_non_null(strstr(e.text, "expected a whole number from 0 to 18446744073709551615, found "));
        json_init(&j, str_of(cases[i].text), NULL, &e);
        if (json_i64(&j, &s) != cases[i].i64)
            fail_msg("i64 of %s", cases[i].text);
    }
}

static void keeps_the_first_failure(void **state)
{
    struct json j;
    struct err e = { 0 };
    struct str key;
    uint64_t v = 7;

    (void)state;
    json_init(&j, STR("{\"a\": x, \"b\": 2}"), NULL, &e);
    assert_true(json_object_begin(&j) && json_object_next(&j, &key));
    assert_false(json_u64(&j, &v));
    assert_false(json_ok(&j));
    assert_false(json_object_next(&j, &key) || json_skip(&j) || json_end(&j) || json_leave(&j) || json_take_null(&j));
    assert_int_equal(json_type(&j), JSON_INVALID);
    assert_false(json_fail(&j, "something else"));
    assert_string_equal(e.text, "line 1, column 7: expected a number, found 'x'");
    assert_int_equal(v, 7);
}

static void puts_the_position_before_the_callers_complaint(void **state)
{
    struct json j;
    struct err e = { 0 };
    struct str key, v;

    (void)state;
    json_init(&j, STR("{\"meta\":\n  {\"api-version\": \"2.0\"}}"), NULL, &e);
    assert_true(json_object_begin(&j) && json_object_next(&j, &key) && json_object_begin(&j));
    assert_true(json_object_next(&j, &key) && json_string(&j, &v));
    assert_false(json_fail(&j, "version '" STR_FMT "' is not known", STR_ARG(v)));
    assert_string_equal(e.text, "line 2, column 19: version '2.0' is not known");
}

/* Each length of string puts the closing quote at another place of a 16-byte block. */
static void finds_the_end_of_strings_of_any_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < 70; n++) {
        AUTO_BUF b;
        struct json j;
        struct err e = { 0 };
        struct str v;

        buf_init(&b, 256);
        (void)buf_char(&b, '"');
        for (size_t i = 0; i < n; i++)
            (void)buf_char(&b, (char)(i == n - 1 ? '\x7F' : 'a' + i % 26));
        (void)buf_char(&b, '"');
        json_init(&j, buf_done(&b), NULL, &e);
        assert_true(json_string(&j, &v) && json_end(&j));
        assert_int_equal(v.n, n);
        for (size_t cut = 1; cut < b.n; cut++)
            assert_false(skips((struct str){ b.p, cut }, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_the_rfc_allows),
        cmocka_unit_test(rejects_everything_else_and_says_where),
        cmocka_unit_test(counts_columns_in_characters),
        cmocka_unit_test(nests_64_levels_and_no_more),
        cmocka_unit_test(refuses_a_text_over_the_limit_without_looking_at_it),
        cmocka_unit_test(takes_members_and_passes_over_the_others),
        cmocka_unit_test(leaves_a_container_early),
        cmocka_unit_test(decodes_escapes_into_the_arena),
        cmocka_unit_test(reports_every_member_of_one_name),
        cmocka_unit_test(names_both_types_when_another_was_wanted),
        cmocka_unit_test(refuses_numbers_that_do_not_fit),
        cmocka_unit_test(keeps_the_first_failure),
        cmocka_unit_test(puts_the_position_before_the_callers_complaint),
        cmocka_unit_test(finds_the_end_of_strings_of_any_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
