#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "pep/marker.h"
#include "pep/req.h"

static void reads_what_the_specification_allows(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "foo", "foo" },
        { " Foo.Bar [X, a_b] >= 1.0 , != 1.2.* ; python_version<'3.9'",
          "Foo.Bar[X,a_b]>=1.0,!=1.2.*; python_version < \"3.9\"" },
        { "foo[]", "foo" },
        { "foo(>=1)", "foo>=1" },
        { "foo ()", "foo" },
        { "foo >=1,", "foo>=1" },
        { "foo===anything-goes", "foo===anything-goes" },
        { "foo@https://files.example/foo-1.0.tar.gz", "foo @ https://files.example/foo-1.0.tar.gz" },
        { "foo[x]@ file:///a;b", "foo[x] @ file:///a;b" },
        { "foo @ https://files.example/f.whl ; os_name == 'nt'",
          "foo @ https://files.example/f.whl ; os_name == \"nt\"" },
        { "foo; os_name == ';'", "foo; os_name == \";\"" },
        { "foo;extra=='x'", "foo; extra == \"x\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct req r;
        struct err e = { 0 };

        if (!req_parse(&a, str_of(cases[i].text), &r, &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_string_equal(req_text(&a, &r).p, cases[i].want);
        assert_false(r.repaired);
        assert_true(req_parse(&a, str_of(cases[i].want), &r, &e));
    }
}

static void normalises_name_and_extras_beside_the_written_ones(void **state)
{
    AUTO_ARENA a = { 0 };
    struct req r;
    struct err e = { 0 };

    (void)state;
    assert_true(req_parse(&a, STR("Foo._Bar[a-b,a_b,B.c]"), &r, &e));
    assert_true(str_eq(r.name, STR("Foo._Bar")));
    assert_true(str_eq(r.key, STR("foo-bar")));
    assert_int_equal(r.n_extra_text, 3);
    assert_int_equal(r.n_extra, 2);
    assert_true(str_eq(r.extra[0], STR("a-b")) && str_eq(r.extra[1], STR("b-c")));
    assert_true(req_has_extra(&r, STR("b-c")));
    assert_false(req_has_extra(&r, STR("B.c")));
    assert_int_equal(r.spec.n, 0);
    assert_null(r.marker);
}

static void says_where_a_requirement_is_wrong(void **state)
{
    static const struct {
        const char *text, *why, *hint;
    } cases[] = {
        { "", "expected a package name at column 1 in ''", "" },
        { "-foo", "expected a package name at column 1", "" },
        { "foo bar", "expected a version specifier, ';' or the end at column 5 in 'foo bar'", "" },
        { "foo-", "expected a version specifier, ';' or the end at column 4", "" },
        { "foo[x", "expected ',' or ']' at column 6", "" },
        { "foo[x y]", "expected ',' or ']' at column 7", "" },
        { "foo[,x]", "expected an extra's name or ']' at column 5", "" },
        { "foo[x,]", "expected an extra's name after ',' at column 7", "" },
        { "foo ,>=1", "expected a version specifier, ';' or the end at column 5", "" },
        { "foo >=1,,<2", "expected a version specifier at column 9", "" },
        { "foo (>=1", "expected ')' at column 9", "" },
        { "foo (>=1) x", "expected ';' or the end at column 11", "" },
        { "foo @", "expected a URL after '@' at column 6", "" },
        { "foo @ a\nb", "expected a URL without control characters at column 8", "" },
        { "foo @ u; os_name == 'a'", "expected ';' or the end behind the URL at column 10", "put a space before" },
        { "foo >=x", "read the requirement 'foo >=x' from column 5", "" },
        { "foo ; bar == 'a'", "unknown marker name at column 7", "python_version" },
        { "foo ;", "expected a marker name or a quoted text at column 6", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct req r;
        struct err e = { 0 };

        assert_false(req_parse(&a, str_of(cases[i].text), &r, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why) || !strstr(e.hint, cases[i].hint))
            fail_msg("%s: %s (%s)", cases[i].text, e.text, e.hint);
    }
}

static void makes_sense_of_published_metadata(void **state)
{
    static const struct {
        const char *text, *want;
        bool repaired;
    } cases[] = {
        { "foo (>=1.0)", "foo>=1.0", false },
        { "foo >=7.2.0<8.0.0", "foo>=7.2.0,<8.0.0", true },
        { "foo >=1,,<2 ; os_name == 'nt'", "foo>=1,<2; os_name == \"nt\"", true },
        { "foo\n", "foo", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct req r;
        struct err e = { 0 };

        if (!req_parse_lenient(&a, str_of(cases[i].text), &r, &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_string_equal(req_text(&a, &r).p, cases[i].want);
        assert_int_equal(r.repaired, cases[i].repaired);
        assert_int_equal(e.kind, ERR_NONE);
    }
}

static void repairs_no_marker(void **state)
{
    AUTO_ARENA a = { 0 };
    struct req r;
    struct err e = { 0 };

    (void)state;
    assert_false(req_parse_lenient(&a, STR("foo>=1; os_name = 'nt'"), &r, &e));
    assert_non_null(strstr(e.text, "at column 17"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_the_specification_allows),
        cmocka_unit_test(normalises_name_and_extras_beside_the_written_ones),
        cmocka_unit_test(says_where_a_requirement_is_wrong),
        cmocka_unit_test(makes_sense_of_published_metadata),
        cmocka_unit_test(repairs_no_marker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
