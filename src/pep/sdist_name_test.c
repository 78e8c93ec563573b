#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "pep/sdist_name.h"

static void splits_at_the_last_hyphen(void **state)
{
    struct sdist_name s;
    struct err e = { 0 };

    (void)state;
    assert_true(sdist_name_parse(STR("foo-bar-1.0.tar.gz"), &s, &e));
    assert_true(str_eq(s.project, STR("foo-bar")));
    assert_true(str_eq(s.version, STR("1.0")));
    assert_true(str_eq(s.ext, STR(".tar.gz")));
    assert_true(sdist_name_parse(STR("foo-1!2.0rc1.zip"), &s, &e));
    assert_true(str_eq(s.ext, STR(".zip")));
}

static void splits_old_names_by_the_project(void **state)
{
    static const struct {
        const char *file, *project, *version;
    } cases[] = {
        { "foo-bar-1.0.tar.gz", "foo-bar", "1.0" },  { "Foo.Bar-1.0.zip", "foo-bar", "1.0" },
        { "foo-1.0-1.tar.gz", "foo", "1.0-1" },      { "foo-2-1.0.tar.gz", "foo-2", "1.0" },
        { "foo_bar-1.0.tar.bz2", "foo-bar", "1.0" }, { "zope.interface-3.1.0c1.tgz", "zope-interface", "3.1.0c1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sdist_name s;
        struct err e = { 0 };

        if (!sdist_name_parse_for(str_of(cases[i].file), str_of(cases[i].project), &s, &e))
            fail_msg("%s: %s", cases[i].file, e.text);
        assert_true(str_eq(s.version, str_of(cases[i].version)));
    }
}

static void rejects_what_is_no_source_distribution(void **state)
{
    static const struct {
        const char *file, *project, *why;
    } cases[] = {
        { "foo-1.0.tgz", NULL, "ends neither in .tar.gz nor in .zip" },
        { "foo.tar.gz", NULL, "has no '-' before a version" },
        { "-1.0.tar.gz", NULL, "has no project name" },
        { "foo-x.tar.gz", NULL, "'x' is no version" },
        { "foo-1.0.exe", "foo", "does not end like a source distribution" },
        { "foo-bar-1.0.tar.gz", "foo", "is not 'foo' and a version" },
        { "foo-.tar.gz", "foo", "is not 'foo' and a version" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sdist_name s;
        struct err e = { 0 };

        assert_false(cases[i].project
                         ? sdist_name_parse_for(str_of(cases[i].file), str_of(cases[i].project), &s, &e)
                         : sdist_name_parse(str_of(cases[i].file), &s, &e));
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].file, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_at_the_last_hyphen),
        cmocka_unit_test(splits_old_names_by_the_project),
        cmocka_unit_test(rejects_what_is_no_source_distribution),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
