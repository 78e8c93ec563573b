#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "pep/marker.h"
#include "pep/marker_env.h"

static const struct marker_env linux311 = {
    .os_name = STR_INIT("posix"),
    .sys_platform = STR_INIT("linux"),
    .platform_machine = STR_INIT("x86_64"),
    .platform_python_implementation = STR_INIT("CPython"),
    .platform_release = STR_INIT("6.1.0-amd64"),
    .platform_system = STR_INIT("Linux"),
    .platform_version = STR_INIT("#1 SMP"),
    .python_version = STR_INIT("3.11"),
    .python_full_version = STR_INIT("3.11.7"),
    .implementation_name = STR_INIT("cpython"),
    .implementation_version = STR_INIT("3.11.7"),
};

static const char *word(enum marker_result r)
{
    return r == MARKER_TRUE ? "true" : r == MARKER_FALSE ? "false" : "undefined";
}

static const struct marker *parse(struct arena *a, const char *text)
{
    struct err e = { 0 };
    const struct marker *m = NULL;

    if (!marker_parse(a, str_of(text), &m, &e))
        fail_msg("%s: %s", text, e.text);
    return m;
}

struct eval_case {
    const char *text;
    enum marker_result want;
};

static void check_all(const struct eval_case *c, size_t n, const struct marker_scope *scope)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_ARENA a = { 0 };
        enum marker_result r = marker_eval(parse(&a, c[i].text), scope);

        if (r != c[i].want)
            fail_msg("%s is %s, it should be %s", c[i].text, word(r), word(c[i].want));
    }
}

static void compares_versions_as_versions_and_text_as_text(void **state)
{
    static const struct eval_case cases[] = {
        { "python_version < '3.10'", MARKER_FALSE },
        { "python_version >= '3.9'", MARKER_TRUE },
        { "python_version == '3.11.*'", MARKER_TRUE },
        { "python_version ~= '3.9'", MARKER_TRUE },
        { "python_version > '=3.11'", MARKER_TRUE },
        { "python_full_version === '3.11.7'", MARKER_TRUE },
        { "'3.9' <= python_version", MARKER_TRUE },
        { "'linux' == sys_platform", MARKER_TRUE },
        { "platform_release >= '5.10'", MARKER_FALSE },
        { "platform_machine > 'a'", MARKER_FALSE },
        { "platform_machine >= 'x86_64'", MARKER_TRUE },
        { "platform_machine ~= 'x86_64'", MARKER_UNDEFINED },
        { "os_name === 'posix'", MARKER_UNDEFINED },
        { "os_name == 'posix' or os_name === 'posix'", MARKER_UNDEFINED },
        { "sys_platform in 'linux2'", MARKER_TRUE },
        { "'inu' in sys_platform", MARKER_TRUE },
        { "sys_platform not in 'win32 darwin'", MARKER_TRUE },
        { "os.name == 'posix' and python_implementation == 'CPython'", MARKER_TRUE },
        { "os_name == sys_platform", MARKER_FALSE },
        { "os_name == platform_machine or 'linux' == 'sys_platform'", MARKER_TRUE },
        { "'a' == 'b'", MARKER_UNDEFINED },
        { "os_name == 'nt' and os_name == 'nt' or os_name == 'posix'", MARKER_TRUE },
        { "os_name == 'nt' and (os_name == 'nt' or os_name == 'posix')", MARKER_FALSE },
        { "'x' in extras", MARKER_UNDEFINED },
    };
    struct marker_scope scope = { .env = &linux311 };

    (void)state;
    check_all(cases, COUNT(cases), &scope);
}

static void keeps_pre_releases_below_their_release(void **state)
{
    static const struct eval_case cases[] = {
        { "python_full_version >= '3.13'", MARKER_FALSE },
        { "python_full_version >= '3.13.0rc1'", MARKER_TRUE },
        { "python_version >= '3.13'", MARKER_TRUE },
    };
    static const struct eval_case untagged[] = { { "python_full_version >= '3.13.0'", MARKER_TRUE } };
    struct marker_env env = linux311;
    struct marker_scope scope = { .env = &env };

    (void)state;
    env.python_version = STR("3.13");
    env.python_full_version = STR("3.13.0rc1");
    check_all(cases, COUNT(cases), &scope);
    env.python_full_version = STR("3.13.0+");
    check_all(untagged, COUNT(untagged), &scope);
}

static void finds_a_version_in_a_list_but_not_within_a_number(void **state)
{
    static const struct eval_case cases[] = {
        { "python_version in '3.9 3.10'", MARKER_FALSE },
        { "python_version not in '3.9 3.10'", MARKER_TRUE },
        { "python_version in '2.7, 3.1'", MARKER_TRUE },
        { "python_version in '13.1'", MARKER_FALSE },
        { "python_version in '3.10 3.1'", MARKER_TRUE },
        { "'3' in python_version", MARKER_TRUE },
    };
    struct marker_env env = linux311;
    struct marker_scope scope = { .env = &env };

    (void)state;
    env.python_version = STR("3.1");
    check_all(cases, COUNT(cases), &scope);
}

static void knows_no_answer_where_the_environment_is_unknown(void **state)
{
    static const struct eval_case cases[] = {
        { "python_version >= '3.9'", MARKER_UNDEFINED },
        { "os_name == ''", MARKER_TRUE },
    };
    struct marker_env env = { .os_name = STR("") };
    struct marker_scope scope = { .env = &env };

    (void)state;
    check_all(cases, COUNT(cases), &scope);
}

static void takes_several_extras_as_a_set(void **state)
{
    static const struct eval_case none[] = {
        { "extra == 'foo'", MARKER_FALSE },
        { "extra != 'foo'", MARKER_TRUE },
        { "extra == ''", MARKER_TRUE },
    };
    static const struct eval_case two[] = {
        { "extra == 'Foo_Bar'", MARKER_TRUE },
        { "'foo.bar' == extra", MARKER_TRUE },
        { "extra == 'foo-bar' and extra == 'x'", MARKER_TRUE },
        { "extra != 'x'", MARKER_FALSE },
        { "extra == 'y'", MARKER_FALSE },
        { "extra ~= 'x'", MARKER_UNDEFINED },
    };
    static const struct str extra[] = { STR_INIT("foo-bar"), STR_INIT("x") };
    struct marker_scope scope = { .env = &linux311 };

    (void)state;
    check_all(none, COUNT(none), &scope);
    scope.extra = extra;
    scope.n_extra = COUNT(extra);
    check_all(two, COUNT(two), &scope);
}

static void asks_sets_of_extras_and_groups_in_lock_files(void **state)
{
    static const struct eval_case cases[] = {
        { "'Dev_Tools' in dependency_groups", MARKER_TRUE },
        { "'docs' in dependency_groups", MARKER_FALSE },
        { "'docs' not in extras", MARKER_TRUE },
        { "'gui' in extras and sys_platform == 'linux'", MARKER_TRUE },
        { "'gui' == extras", MARKER_FALSE },
        { "'gui' != extras", MARKER_TRUE },
        { "'gui' ~= extras", MARKER_UNDEFINED },
        { "extras == 'gui'", MARKER_UNDEFINED },
        { "extra == 'gui'", MARKER_UNDEFINED },
    };
    static const struct str extras[] = { STR_INIT("gui") }, groups[] = { STR_INIT("dev-tools") };
    struct marker_scope scope = {
        .env = &linux311,
        .context = MARKER_LOCK_FILE,
        .extras = extras,
        .n_extras = 1,
        .groups = groups,
        .n_groups = 1,
    };

    (void)state;
    check_all(cases, COUNT(cases), &scope);
}

static void prints_one_form(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "python_version<'3.9'", "python_version < \"3.9\"" },
        { "(os.name=='posix')", "os_name == \"posix\"" },
        { "((os_name == 'a' and os_name == 'b'))", "os_name == \"a\" and os_name == \"b\"" },
        { "os_name == 'a' and (os_name == 'b' or os_name == 'c')",
          "os_name == \"a\" and (os_name == \"b\" or os_name == \"c\")" },
        { "(os_name == 'a' and os_name == 'b') or os_name == 'c'",
          "(os_name == \"a\" and os_name == \"b\") or os_name == \"c\"" },
        { "os_name == 'a' and os_name == 'b' or os_name == 'c'",
          "os_name == \"a\" and os_name == \"b\" or os_name == \"c\"" },
        { "extra == \"Foo_Bar\"", "extra == \"foo-bar\"" },
        { "'Foo' in extras", "\"foo\" in extras" },
        { "os_name == 'say \"hi\"'", "os_name == 'say \"hi\"'" },
        { "platform_version  not   in 'x'", "platform_version not in \"x\"" },
        { "os_name == '\\x41\\u00e9\\101\\q'", "os_name == \"A\xc3\xa9" "A\\q\"" },
        { "python_implementation == os.name", "platform_python_implementation == os_name" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct str text = marker_text(&a, parse(&a, cases[i].text));

        assert_string_equal(text.p, cases[i].want);
        assert_true(marker_eq(parse(&a, text.p), parse(&a, cases[i].text)) || strchr(cases[i].text, '\\'));
    }
}

static void says_where_a_marker_is_wrong(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "expected a marker name or a quoted text at column 1 in ''" },
        { "python_verson < '3'", "unknown marker name at column 1" },
        { "os_name = 'a'", "expected one of <=, <, !=, ==, >=, >, ~=, ===, in, not in at column 9" },
        { "os_name == 'a", "a quoted text without its end at column 12" },
        { "os_name == 'a\\'", "a quoted text that is not a valid string at column 12" },
        { "os_name == 'a' and", "expected a marker name or a quoted text at column 19" },
        { "(os_name == 'a'", "expected 'and', 'or' or ')' at column 16" },
        { "os_name == 'a')", "expected 'and', 'or' or the end at column 15" },
        { "os_name not 'a'", "expected 'in' after 'not' at column 13" },
        { "os_name == 'a' AND os_name == 'b'", "expected 'and', 'or' or the end at column 16" },
        { "'\xc3\xa9' == os_nam", "unknown marker name at column 8" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        const struct marker *m;
        struct err e = { 0 };

        assert_false(marker_parse(&a, str_of(cases[i].text), &m, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void refuses_endless_parentheses(void **state)
{
    AUTO_ARENA a = { 0 };
    char text[MARKER_DEPTH + 2];
    const struct marker *m;
    struct err e = { 0 };

    (void)state;
    memset(text, '(', sizeof text);
    assert_false(marker_parse(&a, (struct str){ text, sizeof text }, &m, &e));
    assert_non_null(strstr(e.text, "parentheses too deep"));
}

static void combines_with_and_and_or(void **state)
{
    AUTO_ARENA a = { 0 };
    const struct marker *x = parse(&a, "os_name == 'a' or os_name == 'b'"), *y = parse(&a, "extra == 'x'");

    (void)state;
    assert_string_equal(marker_text(&a, marker_and(&a, x, y)).p,
                        "(os_name == \"a\" or os_name == \"b\") and extra == \"x\"");
    assert_string_equal(marker_text(&a, marker_or(&a, x, y)).p,
                        "(os_name == \"a\" or os_name == \"b\") or extra == \"x\"");
    assert_ptr_equal(marker_and(&a, x, NULL), x);
    assert_ptr_equal(marker_and(&a, NULL, y), y);
    assert_null(marker_or(&a, x, NULL));
    assert_int_equal(marker_text(&a, NULL).n, 0);
    assert_true(marker_is_true(NULL, &linux311, NULL, 0));
}

static void tells_markers_about_extras_from_others(void **state)
{
    static const struct {
        const char *text;
        bool mentions, only;
    } cases[] = {
        { "extra == 'a'", true, true },
        { "extra == 'a' or 'b' == extra", true, true },
        { "extra == 'a' and os_name == 'posix'", true, false },
        { "os_name == 'extra'", false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        const struct marker *m = parse(&a, cases[i].text);

        assert_int_equal(marker_mentions(m, MARKER_EXTRA), cases[i].mentions);
        assert_int_equal(marker_is_only_extra(m), cases[i].only);
    }
    assert_false(marker_is_only_extra(NULL));
}

static void leaves_the_rest_once_extras_are_decided(void **state)
{
    static const struct {
        const char *text;
        bool possible;
        const char *rest;
    } cases[] = {
        { "extra == 'a'", true, "" },
        { "extra == 'b'", false, "" },
        { "extra == 'a' and os_name == 'posix'", true, "os_name == \"posix\"" },
        { "extra == 'b' and os_name == 'posix'", false, "" },
        { "os_name == 'nt' or extra == 'a'", true, "" },
        { "os_name == 'nt' or extra == 'b'", true, "os_name == \"nt\"" },
        { "os_name == 'nt'", true, "os_name == \"nt\"" },
        { "(extra == 'b' or os_name == 'x') and (os_name == 'y' or os_name == 'z')", true,
          "os_name == \"x\" and (os_name == \"y\" or os_name == \"z\")" },
    };
    static const struct str extra[] = { STR_INIT("a") };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        const struct marker *rest;

        assert_int_equal(marker_without_extra(&a, parse(&a, cases[i].text), extra, 1, &rest), cases[i].possible);
        if (cases[i].possible)
            assert_string_equal(marker_text(&a, rest).p, cases[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_versions_as_versions_and_text_as_text),
        cmocka_unit_test(keeps_pre_releases_below_their_release),
        cmocka_unit_test(finds_a_version_in_a_list_but_not_within_a_number),
        cmocka_unit_test(knows_no_answer_where_the_environment_is_unknown),
        cmocka_unit_test(takes_several_extras_as_a_set),
        cmocka_unit_test(asks_sets_of_extras_and_groups_in_lock_files),
        cmocka_unit_test(prints_one_form),
        cmocka_unit_test(says_where_a_marker_is_wrong),
        cmocka_unit_test(refuses_endless_parentheses),
        cmocka_unit_test(combines_with_and_and_or),
        cmocka_unit_test(tells_markers_about_extras_from_others),
        cmocka_unit_test(leaves_the_rest_once_extras_are_decided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
