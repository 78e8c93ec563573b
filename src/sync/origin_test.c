/* URLs and paths of what no index lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "sync/origin.h"
#include "sync/origin_git.h"
#include "sync/origin_state.h"

static void splits_repository_and_revision(void **state)
{
    static const struct {
        const char *text, *url, *revision;
    } cases[] = {
        { "git+https://host.example/a/b.git@v1.0", "https://host.example/a/b.git", "v1.0" },
        { "git+https://host.example/a/b.git", "https://host.example/a/b.git", "" },
        { "git+ssh://git@host.example/a/b.git@feature/x", "ssh://git@host.example/a/b.git", "feature/x" },
        { "git+ssh://git@host.example/a/b.git", "ssh://git@host.example/a/b.git", "" },
        { "git+file:///repo@main", "file:///repo", "main" },
        { "git+file:///repo", "file:///repo", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct git_source s = { 0 };
        struct err e = { 0 };

        if (!git_source_parse(str_of(cases[i].text), &s, &e) || !str_eq(s.url, str_of(cases[i].url)) ||
            !str_eq(s.revision, str_of(cases[i].revision)))
            fail_msg("%s: '" STR_FMT "' at '" STR_FMT "' %s", cases[i].text, STR_ARG(s.url), STR_ARG(s.revision),
                     e.text);
    }
}

static void refuses_what_git_must_not_be_told(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "git+ext::sh -c x", "git cannot be asked for" },
        { "git+ftp://host.example/x", "git cannot be asked for" },
        { "git+--upload-pack=x", "git cannot be asked for" },
        { "https://host.example/x", "does not begin with git+" },
        { "git+https://host.example/x@--output=y", "is no revision" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct git_source s;
        struct err e = { 0 };

        if (git_source_parse(str_of(cases[i].text), &s, &e) || !strstr(e.text, cases[i].why))
            fail_msg("%s: '%s', want '%s'", cases[i].text, e.text, cases[i].why);
        assert_int_equal(e.kind, ERR_PACKAGE);
    }
}

static void tells_paths_from_extras(void **state)
{
    static const struct {
        const char *text, *path, *extras;
    } cases[] = {
        { "./lib", "./lib", "" },
        { ".[a,b]", ".", "[a,b]" },
        { "./x[y", "./x[y", "" },
        { "/a[1]/b[c]", "/a[1]/b", "[c]" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str path, extras;

        origin_split_extras(str_of(cases[i].text), &path, &extras);
        if (!str_eq(path, str_of(cases[i].path)) || !str_eq(extras, str_of(cases[i].extras)))
            fail_msg("%s: '" STR_FMT "' '" STR_FMT "'", cases[i].text, STR_ARG(path), STR_ARG(extras));
    }
}

static void a_subdirectory_stays_inside(void **state)
{
    (void)state;
    assert_true(origin_path_stays(STR("a/b")));
    assert_true(origin_path_stays(STR("a/..b")));
    assert_false(origin_path_stays(STR("")));
    assert_false(origin_path_stays(STR("/a")));
    assert_false(origin_path_stays(STR("a/../..")));
}

static void wheels_are_not_built(void **state)
{
    (void)state;
    assert_false(origin_is(STR("https://host.example/x-1-py3-none-any.whl#sha256=00")));
    assert_true(origin_is(STR("https://host.example/x-1.tar.gz")));
    assert_true(origin_is(STR("file:///src/x")));
    assert_false(origin_is(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_repository_and_revision),
        cmocka_unit_test(refuses_what_git_must_not_be_told),
        cmocka_unit_test(tells_paths_from_extras),
        cmocka_unit_test(a_subdirectory_stays_inside),
        cmocka_unit_test(wheels_are_not_built),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
