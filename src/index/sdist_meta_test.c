#include "index/sdist_meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "index/test_wheel.h"
#include "pep/metadata.h"

#define NAME STR("demo-1.0.zip")

static const struct test_member members[] = {
    { "demo-1.0/setup.py", "raise SystemExit\n" },
    { "demo-1.0/PKG-INFO", "Metadata-Version: 2.2\nName: demo\nVersion: 1.0\nRequires-Dist: dep>=1\n\n" },
    { "demo-1.0/src/PKG-INFO", "one directory too deep" },
    { "demo-1.0/demo.egg-info/requires.txt", "dep\n" },
    { "demo-1.0/a/demo.egg-info/deep.txt", "one directory too deep" },
};

static struct str archive_of(struct arena *a)
{
    return test_archive(a, members, COUNT(members));
}

/* Both headers of the first entry of this name say that it is deflated, from what is there to n bytes. */
static void claim(struct str archive, const char *name, uint32_t n)
{
    char *p = (char *)(uintptr_t)archive.p;
    struct str rest = archive;
    unsigned found = 0;

    for (size_t at; (at = str_search(rest, str_of(name))) < rest.n; rest = str_sub(rest, at + strlen(name), rest.n)) {
        char *file = p + (rest.p - archive.p) + at;
        bool central = file - p >= 46 && memcmp(file - 46, "PK\1\2", 4) == 0;
        char *size = central ? file - 46 + 24 : file - 30 + 22, *method = central ? file - 46 + 10 : file - 30 + 8;

        *method = 8;
        memcpy(size, &n, sizeof n);
        found++;
    }
    assert_int_equal(found, 2);
}

static void finds_files_in_the_top_directory_alone(void **state)
{
    static const struct {
        const char *leaf, *text; /* NULL: it is not there */
    } cases[] = {
        { "setup.py", "raise SystemExit\n" },     { "PKG-INFO", "Metadata-Version: 2.2" },
        { "demo.egg-info/requires.txt", "dep\n" }, { "*.egg-info/requires.txt", "dep\n" },
        { "*.egg-info/deep.txt", NULL },          { "src", NULL },
        { "demo-1.0/PKG-INFO", NULL },            { "pkg-info", NULL },
    };
    AUTO_ARENA a = { 0 };
    struct str archive = archive_of(&a);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct str out;

        if (!sdist_file(archive, NAME, str_of(cases[i].leaf), &a, &out, &e))
            fail_msg("%s: %s", cases[i].leaf, e.text);
        if (cases[i].text ? !out.p || !str_starts(out, str_of(cases[i].text)) : out.p != NULL)
            fail_msg("%s: '" STR_FMT "'", cases[i].leaf, STR_ARG(out));
    }
}

static void the_metadata_of_a_zip_is_believed(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str out;

    (void)state;
    assert_true(sdist_meta_of(archive_of(&a), NAME, &a, &out, &e));
    assert_true(str_eq(out, str_of(members[1].data)));
}

/* Whatever the directory says is checked before anything is made room for, and before anything is unpacked. */
static void refuses_what_would_unpack_to_too_much(void **state)
{
    static const struct {
        uint32_t setup, info; /* bytes that setup.py and PKG-INFO are said to have; 0: what they have */
        const char *says;
    } cases[] = {
        { SDIST_UNPACKED_MAX + 1, 0, "entry 'demo-1.0/setup.py' unpacks to 1073741825 bytes, the limit is 1073741824" },
        { SDIST_UNPACKED_MAX / 2, SDIST_UNPACKED_MAX / 2, "the zip archive unpacks to more than 1073741824 bytes" },
        { 0, METADATA_MAX + 1, "PKG-INFO has 33554433 bytes, the limit is 33554432" },
        { 0, UINT32_MAX - 1, "entry 'demo-1.0/PKG-INFO' unpacks to 4294967294 bytes" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct str out, archive = archive_of(&a);

        if (cases[i].setup)
            claim(archive, members[0].name, cases[i].setup);
        if (cases[i].info)
            claim(archive, members[1].name, cases[i].info);
        if (sdist_file(archive, NAME, STR("PKG-INFO"), &a, &out, &e))
            fail_msg("'%s' was taken", cases[i].says);
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].says))
            fail_msg("'%s' does not say '%s'", e.text, cases[i].says);
        err_clear(&e);
        assert_false(sdist_meta_of(archive, NAME, &a, &out, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
    }
}

static void refuses_what_is_no_archive(void **state)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        { "demo-1.0.tar.xz", "'demo-1.0.tar.xz' is neither .tar.gz nor .zip" },
        { "demo-1.0.tar.gz", "gzip" },
        { "demo-1.0.zip", "no end record found" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct str out;

        assert_false(sdist_file(STR("no archive"), str_of(cases[i].name), STR("PKG-INFO"), &a, &out, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].says))
            fail_msg("'%s' does not say '%s'", e.text, cases[i].says);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_files_in_the_top_directory_alone),
        cmocka_unit_test(the_metadata_of_a_zip_is_believed),
        cmocka_unit_test(refuses_what_would_unpack_to_too_much),
        cmocka_unit_test(refuses_what_is_no_archive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
