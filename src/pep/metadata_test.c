#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "pep/metadata.h"

static const char demo[] = "Metadata-Version: 2.5\r\n"
                           "Name: Demo.Pkg\r\n"
                           "Version: 1.2.0+local\r\n"
                           "summary: one line\r\n"
                           "Requires-Python: >=3.9\r\n"
                           "Requires-Dist: a>=1\r\n"
                           "Requires-Dist: b;\r\n"
                           "  extra == 'x'\r\n"
                           "Provides-Extra: x\r\n"
                           "Provides-Extra: y_z\r\n"
                           "Dynamic: License\r\n"
                           "License-Expression: MIT OR Apache-2.0\r\n"
                           "Import-Name: demo\r\n"
                           "Import-Name: _demo; private\r\n"
                           "Import-Namespace: space\r\n"
                           "X-Unknown: passed over\r\n"
                           "\r\n"
                           "Name: not a field but the description\r\n";

static void reads_the_fields_that_matter(void **state)
{
    AUTO_ARENA a = { 0 };
    struct metadata m;
    struct err e = { 0 };

    (void)state;
    if (!metadata_parse(&a, str_of(demo), &m, &e))
        fail_msg("%s", e.text);
    assert_int_equal(m.major, 2);
    assert_int_equal(m.minor, 5);
    assert_true(str_eq(m.name, STR("Demo.Pkg")));
    assert_true(str_eq(m.version, STR("1.2.0+local")));
    assert_true(str_eq(m.summary, STR("one line")));
    assert_true(str_eq(m.requires_python, STR(">=3.9")));
    assert_true(str_eq(m.license_expression, STR("MIT OR Apache-2.0")));
    assert_int_equal(m.n_requires_dist, 2);
    assert_true(str_eq(m.requires_dist[0], STR("a>=1")));
    assert_non_null(memmem(m.requires_dist[1].p, m.requires_dist[1].n, "extra == 'x'", 12));
    assert_null(memchr(m.requires_dist[1].p, '\n', m.requires_dist[1].n));
    assert_int_equal(m.n_provides_extra, 2);
    assert_true(str_eq(m.provides_extra[1], STR("y_z")));
    assert_int_equal(m.n_import_name, 2);
    assert_true(str_eq(m.import_name[1], STR("_demo; private")));
    assert_int_equal(m.n_import_namespace, 1);
}

static void believes_dependencies_only_when_they_are_static(void **state)
{
    static const struct {
        const char *version, *dynamic;
        bool is_static;
    } cases[] = {
        { "1.2", "", false },
        { "2.1", "", false },
        { "2.2", "", true },
        { "2.10", "", true },
        { "2.2", "Dynamic: Description\n", true },
        { "2.2", "Dynamic: Requires-Dist\n", false },
        { "2.4", "Dynamic: description\nDynamic: requires-python\n", false },
        { "2.4", "Dynamic: Provides-Extra\n", false },
        { "2.4", "Dynamic: Version\n", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct metadata m;
        struct err e = { 0 };
        struct str text = arena_printf(&a, "Metadata-Version: %s\nName: a\nVersion: 1\n%s", cases[i].version,
                                       cases[i].dynamic);

        assert_true(metadata_parse(&a, text, &m, &e));
        if (sdist_metadata_is_static(&m) != cases[i].is_static)
            fail_msg("%s %s", cases[i].version, cases[i].dynamic);
    }
}

static void reads_old_metadata_without_a_version_of_its_own(void **state)
{
    AUTO_ARENA a = { 0 };
    struct metadata m;
    struct err e = { 0 };

    (void)state;
    assert_true(metadata_parse(&a, STR("\xef\xbb\xbfName: a\nVersion: 1\nLicense: BSD\n"), &m, &e));
    assert_int_equal(m.major, 1);
    assert_true(str_eq(m.license, STR("BSD")));
    assert_false(sdist_metadata_is_static(&m));
}

static void rejects_metadata_without_identity(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "metadata without a Name" },
        { "Name: a\n", "metadata of 'a' without a Version" },
        { "Name: a\nVersion: x\n", "'x' is no version of 'a'" },
        { "Name: a/b\nVersion: 1\n", "'a/b' is no project name" },
        { "Metadata-Version: 3.0\nName: a\nVersion: 1\n", "metadata version 3.0, at most 2.x" },
        { "Metadata-Version: two\nName: a\nVersion: 1\n", "'two' is no metadata version" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct metadata m;
        struct err e = { 0 };

        assert_false(metadata_parse(&a, str_of(cases[i].text), &m, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s", e.text);
    }
}

static void compares_with_what_the_file_promises(void **state)
{
    static const struct {
        const char *name, *version, *why;
    } cases[] = {
        { "demo_pkg", "1.2.0+local", NULL },
        { "demo-pkg", "1.2+LOCAL", NULL },
        { "demo-pkg", "1.2.0", NULL },
        { "demo", "1.2.0", "metadata is of 'Demo.Pkg', the file is of 'demo'" },
        { "demo-pkg", "1.2.1", "has version 1.2.0+local, the file has 1.2.1" },
        { "demo-pkg", "1.2.0+other", "has version 1.2.0+local" },
    };
    AUTO_ARENA a = { 0 };
    struct metadata m;
    struct err e = { 0 };

    (void)state;
    assert_true(metadata_parse(&a, str_of(demo), &m, &e));
    for (size_t i = 0; i < COUNT(cases); i++) {
        err_clear(&e);
        bool ok = metadata_check_name(&m, str_of(cases[i].name), str_of(cases[i].version), &e);

        assert_int_equal(ok, cases[i].why == NULL);
        if (cases[i].why && !strstr(e.text, cases[i].why))
            fail_msg("%s", e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_fields_that_matter),
        cmocka_unit_test(believes_dependencies_only_when_they_are_static),
        cmocka_unit_test(reads_old_metadata_without_a_version_of_its_own),
        cmocka_unit_test(rejects_metadata_without_identity),
        cmocka_unit_test(compares_with_what_the_file_promises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
