#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "codec/toml.h"
#include "codec/toml_edit.h"

static void expect_text(const char *what, struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("%s\n--- got\n" STR_FMT "\n--- want\n%s", what, STR_ARG(got), want);
}

static void adds_elements_in_the_shape_of_the_array(void **state)
{
    static const struct {
        const char *before, *value, *after;
    } cases[] = {
        /* one line */
        { "d = []\n", "a", "d = [\"a\"]\n" },
        { "d = [ ]\n", "a", "d = [\"a\"]\n" },
        { "d = [\"a\"]\n", "b", "d = [\"a\", \"b\"]\n" },
        { "d = [\"b\"] # c\n", "a", "d = [\"a\", \"b\"] # c\n" },
        { "d = ['a', 'c']", "b", "d = ['a', 'b', 'c']" },
        { "d = [\"a\",\"c\"]", "d", "d = [\"a\",\"c\",\"d\"]" },
        { "d = [\"a\",]", "b", "d = [\"a\", \"b\",]" },
        { "d = [ \"a\" ]", "b", "d = [ \"a\", \"b\" ]" },
        /* not sorted: at the end; case does not matter; names decide before what follows them */
        { "d = [\"c\", \"a\"]", "b", "d = [\"c\", \"a\", \"b\"]" },
        { "d = [\"A\", \"c\"]", "B", "d = [\"A\", \"B\", \"c\"]" },
        { "d = [\"a>=1\", \"a-b\"]", "a-a", "d = [\"a>=1\", \"a-a\", \"a-b\"]" },
        { "d = [{include-group = \"x\"}, \"b\"]", "a", "d = [{include-group = \"x\"}, \"b\", \"a\"]" },
        /* several lines */
        { "d = [\n]\n", "a", "d = [\n    \"a\",\n]\n" },
        { "  d = [\n  ]\n", "a", "  d = [\n      \"a\",\n  ]\n" },
        { "d = [\n  # none yet\n]\n", "a", "d = [\n  # none yet\n  \"a\",\n]\n" },
        { "d = [\n  \"a\",\n]\n", "b", "d = [\n  \"a\",\n  \"b\",\n]\n" },
        { "d = [\n  \"b\",\n]\n", "a", "d = [\n  \"a\",\n  \"b\",\n]\n" },
        { "d = [\n\t\"a\", # one\n\t\"c\", # three\n]\n", "b",
          "d = [\n\t\"a\", # one\n\t\"b\",\n\t\"c\", # three\n]\n" },
        { "d = [\n  \"a\",\n  # about c\n  \"c\",\n]\n", "b",
          "d = [\n  \"a\",\n  \"b\",\n  # about c\n  \"c\",\n]\n" },
        { "d = [\n  \"a\",\n  \"b\", # two\n  # end\n]\n", "c",
          "d = [\n  \"a\",\n  \"b\", # two\n  \"c\",\n  # end\n]\n" },
        /* no comma behind the last */
        { "d = [\n  \"a\",\n  \"b\" # two\n]\n", "c", "d = [\n  \"a\",\n  \"b\", # two\n  \"c\"\n]\n" },
        { "d = [\n  \"a\",\n  \"b\"]\n", "c", "d = [\n  \"a\",\n  \"b\",\n  \"c\"]\n" },
        { "d = [\"a\",\n     \"c\"]\n", "b", "d = [\"a\",\n     \"b\",\n     \"c\"]\n" },
        { "d = [\n  \"a\", \"b\",\n  \"d\",\n]\n", "c", "d = [\n  \"a\", \"b\",\n  \"c\",\n  \"d\",\n]\n" },
        { "d = [\n  \"a\", \"c\",\n]\n", "b", "d = [\n  \"a\", \"b\", \"c\",\n]\n" },
        { "d = [\n  \"a\"\n  , \"c\"\n]\n", "b", "d = [\n  \"a\"\n  , \"b\", \"c\"\n]\n" },
        /* \r\n stays */
        { "d = [\r\n  \"a\",\r\n]\r\n", "b", "d = [\r\n  \"a\",\r\n  \"b\",\r\n]\r\n" },
        { "d = [\r\n  \"a\"\r\n]\r\n", "b", "d = [\r\n  \"a\",\r\n  \"b\"\r\n]\r\n" },
        /* brackets, commas and number signs in strings are text */
        { "d = [\n  \"a[x,y]#\",\n]\n", "b", "d = [\n  \"a[x,y]#\",\n  \"b\",\n]\n" },
        { "d = [\"a\"]", "b; python_version < \"3.9\"", "d = [\"a\", 'b; python_version < \"3.9\"']" },
        { "d = ['a']", "b; python_version < '3.9'", "d = ['a', \"b; python_version < '3.9'\"]" },
        /* missing */
        { "", "a", "d = [\n    \"a\",\n]\n" },
        { "x = 1\r\n", "a", "x = 1\r\nd = [\r\n    \"a\",\r\n]\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].before), NULL };
        struct err e = { 0 };

        if (!toml_array_add(&ed, STR("d"), str_of(cases[i].value), &e))
            fail_msg("%s: %s", cases[i].before, e.text);
        expect_text(cases[i].before, ed.text, cases[i].after);
    }
}

static void removes_elements_with_their_line_and_comma(void **state)
{
    static const struct {
        const char *before;
        size_t index;
        const char *after;
    } cases[] = {
        { "d = [\"a\"]", 0, "d = []" },
        { "d = [ \"a\", ]", 0, "d = []" },
        { "d = [\"a\", \"b\", \"c\"]", 0, "d = [\"b\", \"c\"]" },
        { "d = [\"a\", \"b\", \"c\"]", 1, "d = [\"a\", \"c\"]" },
        { "d = [\"a\", \"b\", \"c\"]", 2, "d = [\"a\", \"b\"]" },
        { "d = [\"a\", \"b\",]", 1, "d = [\"a\",]" },
        { "d = [\n  \"a\", # one\n  \"b\", # two\n]\n", 0, "d = [\n  \"b\", # two\n]\n" },
        { "d = [\n  \"a\", # one\n  \"b\", # two\n]\n", 1, "d = [\n  \"a\", # one\n]\n" },
        { "d = [\n  \"a\", # one\n  \"b\" # two\n]\n", 1, "d = [\n  \"a\" # one\n]\n" },
        { "d = [\n  \"a\",\n  \"b\"]\n", 1, "d = [\n  \"a\"]\n" },
        { "d = [\n  \"a\",\n]\n", 0, "d = [\n]\n" },
        { "d = [\n  # above\n  \"a\",\n]\n", 0, "d = [\n  # above\n]\n" },
        { "d = [\n  \"a\", \"b\",\n  \"c\",\n]\n", 1, "d = [\n  \"a\",\n  \"c\",\n]\n" },
        { "d = [\n  \"a\"\n  , \"b\"\n]\n", 1, "d = [\n  \"a\"\n]\n" },
        { "d = [\"a\", # one\n  \"b\"]", 0, "d = [ # one\n  \"b\"]" },
        { "d = [\r\n  \"a\",\r\n  \"b\"\r\n]\r\n", 1, "d = [\r\n  \"a\"\r\n]\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].before), NULL };
        struct err e = { 0 };

        if (!toml_array_remove(&ed, STR("d"), cases[i].index, &e))
            fail_msg("%s: %s", cases[i].before, e.text);
        expect_text(cases[i].before, ed.text, cases[i].after);
    }
}

static void adding_and_removing_an_element_gives_the_same_bytes(void **state)
{
    static const char *const gaps[] = { "", " ", "\n  ", "\n  # note\n  ", " # note\n  ", "\r\n\t", "\n" };
    static const char *const commas[] = { "", ",", " ,", ", # last" };
    unsigned n = 0;

    (void)state;
    for (size_t g = 0; g < COUNT(gaps); g++)
        for (size_t h = 0; h < COUNT(gaps); h++)
            for (size_t c = 0; c < COUNT(commas); c++)
                for (const char *value = "acegi"; *value; value++) {
                    AUTO_ARENA a = { 0 };
                    struct err e = { 0 };
                    struct toml_doc *d;
                    struct str before = arena_printf(&a, "x = 1\nd = [%s\"b\",%s\"d\",%s\"f\"%s%s] # end\ny = 2\n",
                                                     gaps[g], gaps[h], gaps[g], commas[c], gaps[h]);
                    struct toml_edit ed = { &a, before, NULL };
                    size_t i = 0;

                    if (!toml_parse(before, NULL, &a, &d, &e))
                        continue; /* a comment without a line end behind it */
                    if (!toml_array_add(&ed, STR("d"), (struct str){ value, 1 }, &e))
                        fail_msg(STR_FMT ": %s", STR_ARG(before), e.text);
                    struct str between = ed.text;

                    assert_true(toml_parse(ed.text, NULL, &a, &d, &e));
                    for (const struct toml_node *el = toml_find(d, "d")->first; el->text.p[0] != *value; el = el->next)
                        i++;
                    if (!toml_array_remove(&ed, STR("d"), i, &e))
                        fail_msg(STR_FMT ": %s", STR_ARG(between), e.text);
                    if (!str_eq(ed.text, before))
                        fail_msg("before\n" STR_FMT "\nbetween\n" STR_FMT "\nafter\n" STR_FMT, STR_ARG(before),
                                 STR_ARG(between), STR_ARG(ed.text));
                    n++;
                }
    assert_true(n > 500);
}

static void replaces_an_element_and_nothing_else(void **state)
{
    AUTO_ARENA a = { 0 };
    struct toml_edit ed = { &a, STR("d = [\n  'a', # one\n  \"b\"  ,\n]\n"), NULL };
    struct err e = { 0 };

    (void)state;
    assert_true(toml_array_replace(&ed, STR("d"), 0, STR("a>=2"), &e));
    assert_true(toml_array_replace(&ed, STR("d"), 1, STR("é"), &e));
    expect_text("replace", ed.text, "d = [\n  'a>=2', # one\n  \"é\"  ,\n]\n");
    assert_false(toml_array_replace(&ed, STR("d"), 2, STR("x"), &e));
    assert_string_equal(e.text, "'d' has no element 2");
}

static void sets_values_where_their_table_is(void **state)
{
    static const struct {
        const char *before, *path, *value, *after;
    } cases[] = {
        { "a = 1 # c\n", "a", "2", "a = 2 # c\n" },
        { "[t]\n'a'=\"x\"\n", "t.a", "'y'", "[t]\n'a'='y'\n" },
        { "[t]\n  a = 1\n\n[u]\n", "t.b", "2", "[t]\n  a = 1\n  b = 2\n\n[u]\n" },
        { "[t]\n[u]\n", "t.b", "2", "[t]\nb = 2\n[u]\n" },
        { "[t]", "t.b", "2", "[t]\nb = 2\n" },
        { "# head\n\n[t]\n", "b", "2", "b = 2\n\n# head\n\n[t]\n" },
        { "", "t.b", "2", "[t]\nb = 2\n" },
        { "a = 1\n", "t.b", "2", "a = 1\n\n[t]\nb = 2\n" },
        { "a = 1\r\n", "t.b", "2", "a = 1\r\n\r\n[t]\r\nb = 2\r\n" },
        { "[tool.x]\na = 1\n\n[other]\n", "tool.y.b", "2", "[tool.x]\na = 1\n\n[tool.y]\nb = 2\n\n[other]\n" },
        { "[a.b]\n", "a.c", "1", "[a.b]\n\n[a]\nc = 1\n" },
        { "a.b = 1\nz = 2\n", "a.c", "3", "a.b = 1\na.c = 3\nz = 2\n" },
        { "a.b.c = 1\n", "a.d.e", "3", "a.b.c = 1\na.d.e = 3\n" },
        { "a = {b = 1}\n", "a.c", "3", "a = {b = 1, c = 3}\n" },
        { "a = {}\n", "a.c.d", "3", "a = { c.d = 3 }\n" },
        { "a = { b.c = 1 }\n", "a.b.d", "3", "a = { b.c = 1, b.d = 3 }\n" },
        { "[t]\n", "t.\"x y\"", "1", "[t]\n\"x y\" = 1\n" },
        { "\xef\xbb\xbf""a = 1\n", "b", "2", "\xef\xbb\xbf""a = 1\nb = 2\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].before), NULL };
        struct err e = { 0 };

        if (!toml_set(&ed, str_of(cases[i].path), str_of(cases[i].value), &e))
            fail_msg("%s: %s", cases[i].before, e.text);
        expect_text(cases[i].before, ed.text, cases[i].after);
    }
}

static void refuses_to_set_what_would_break_the_document(void **state)
{
    static const struct {
        const char *before, *path, *value, *why;
    } cases[] = {
        { "[t]\n", "t", "1", "is a table, which cannot become a value" },
        { "a = 1\n", "a.b", "1", "'a' is an integer, no table to add a key to" },
        { "[[a]]\n", "a.b", "1", "'a' is an array, no table to add a key to" },
        { "", "a", "1\nb = 2", "is not one value" },
        { "", "a", "", "read the value ''" },
        { "a = \n", "b", "1", "1:5: a value is missing" },
        { "", "a b", "1", "is not a key" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].before), NULL };
        struct err e = { 0 };

        if (toml_set(&ed, str_of(cases[i].path), str_of(cases[i].value), &e))
            fail_msg("%s was changed to " STR_FMT, cases[i].before, STR_ARG(ed.text));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s, not %s", e.text, cases[i].why);
        expect_text("unchanged", ed.text, cases[i].before);
    }
}

static void removing_what_was_set_gives_the_same_bytes(void **state)
{
    static const struct {
        const char *text, *set, *remove;
    } cases[] = {
        { "a = 1\n", "n", "n" },
        { "a = 1 # c\n\n[t]\n", "n", "n" },
        { "# c\n[t]\n  a = 1\n\n[u]\nb = 2\n", "t.n", "t.n" },
        { "[t] # c\n", "t.n", "t.n" },
        { "[t] # c\n", "new.n", "new" },
        { "", "new.n", "new" },
        { "[t.u]\r\nx = 1\r\n\r\n[v]\r\n", "t.new.n", "t.new" },
        { "[t.u]\nx = 1\n\n[v]\n", "t.n", "t.n" }, /* leaves the header [t], see below */
        { "a.b = 1\n", "a.n", "a.n" },
        { "a.b.c = 1\nz = 1\n", "a.n.m", "a.n" },
        { "a = {b = 1}\n", "a.n", "a.n" },
        { "a = {b.c = 1 }\n", "a.b.n", "a.b.n" },
        { "a = { b = {c = 1} }\n", "a.n", "a.n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].text), NULL };
        struct err e = { 0 };
        bool removed = false;

        if (!toml_set(&ed, str_of(cases[i].set), STR("[1, 2]"), &e) ||
            !toml_remove(&ed, str_of(cases[i].remove), &removed, &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_true(removed);
        if (strstr(cases[i].text, "[t.u]\n"))
            expect_text(cases[i].set, ed.text, "[t.u]\nx = 1\n\n[t]\n\n[v]\n");
        else
            expect_text(cases[i].set, ed.text, cases[i].text);
    }
}

static void removes_tables_with_all_below_them(void **state)
{
    AUTO_ARENA a = { 0 };
    struct toml_edit ed = { &a, STR("[x]\na = 1\n\n[t]\nb = 1\n[t.u]\nc = 1\n\n[y]\n[t.v]\nd = 1\n"), NULL };
    struct err e = { 0 };
    bool removed;

    (void)state;
    assert_true(toml_remove(&ed, STR("t"), &removed, &e));
    assert_true(removed);
    expect_text("tables", ed.text, "[x]\na = 1\n\n[y]\n");
    assert_true(toml_remove(&ed, STR("t"), &removed, &e));
    assert_false(removed);
}

static void quotes_text_so_that_it_reads_back(void **state)
{
    static const struct {
        struct str text;
        const char *quoted;
    } cases[] = {
        { { "", 0 }, "\"\"" },
        { { "a\"b\\c", 5 }, "\"a\\\"b\\\\c\"" },
        { { "\b\t\n\f\r\x1b\x7f\0", 8 }, "\"\\b\\t\\n\\f\\r\\u001B\\u007F\\u0000\"" },
        { { "é😀", 6 }, "\"é😀\"" },
        { { "a\xff", 2 }, "\"a\xef\xbf\xbd\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_doc *d;
        struct err e = { 0 };
        struct str got = toml_quote(&a, cases[i].text);

        expect_text("quote", got, cases[i].quoted);
        assert_true(toml_parse(arena_printf(&a, "x = " STR_FMT, STR_ARG(got)), NULL, &a, &d, &e));
        if (i != COUNT(cases) - 1)
            assert_true(str_eq(toml_find(d, "x")->text, cases[i].text));
    }
    AUTO_ARENA a = { 0 };

    expect_text("key", toml_quote_key(&a, STR("a-b_1")), "a-b_1");
    expect_text("key", toml_quote_key(&a, STR("a.b")), "\"a.b\"");
    expect_text("key", toml_quote_key(&a, STR("")), "\"\"");
}

static void adds_numbers_at_the_end(void **state)
{
    static const struct {
        const char *before, *after; /* NULL: refused */
    } cases[] = {
        { "p = []\n", "p = [8080]\n" },
        { "p = [443, 80] # ports\n", "p = [443, 80, 8080] # ports\n" },
        { "p = [\n    443, # tls\n    80,\n]\n", "p = [\n    443, # tls\n    80,\n    8080,\n]\n" },
        { "q = 1\n", "q = 1\np = [\n    8080,\n]\n" },
        { "p = \"443\"\n", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].before), NULL };
        struct err e = { 0 };

        assert_int_equal(toml_array_add_number(&ed, STR("p"), 8080, &e), cases[i].after != NULL);
        expect_text(cases[i].before, ed.text, cases[i].after ? cases[i].after : cases[i].before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_elements_in_the_shape_of_the_array),
        cmocka_unit_test(adds_numbers_at_the_end),
        cmocka_unit_test(removes_elements_with_their_line_and_comma),
        cmocka_unit_test(adding_and_removing_an_element_gives_the_same_bytes),
        cmocka_unit_test(replaces_an_element_and_nothing_else),
        cmocka_unit_test(sets_values_where_their_table_is),
        cmocka_unit_test(refuses_to_set_what_would_break_the_document),
        cmocka_unit_test(removing_what_was_set_gives_the_same_bytes),
        cmocka_unit_test(removes_tables_with_all_below_them),
        cmocka_unit_test(quotes_text_so_that_it_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
