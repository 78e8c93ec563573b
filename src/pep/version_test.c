#include "pep/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"

static void assert_format(struct arena *a, const char *text, const char *want)
{
    struct version v;

    if (!version_parse(str_of(text), a, &v))
        fail_msg("'%s' is not read", text);
    if (!str_eq(version_format(&v, a), str_of(want)))
        fail_msg("'%s' became '%s', wanted '%s'", text, version_format(&v, a).p, want);
}

static void every_spelling_has_one_normal_form(void **state)
{
    static const char *const cases[][2] = {
        { "1.0", "1.0" },          { "v1.0", "1.0" },          { " 1.0 \n", "1.0" },      { "1.0-1", "1.0.post1" },
        { "1.0-r4", "1.0.post4" }, { "1.0.POST", "1.0.post0" }, { "1.0alpha", "1.0a0" },   { "1.0.c1", "1.0rc1" },
        { "1.0_beta-2", "1.0b2" }, { "1.0preview3", "1.0rc3" }, { "1.0pre", "1.0rc0" },    { "1.0rev2", "1.0.post2" },
        { "1.0dev", "1.0.dev0" },  { "1.0-dev-3", "1.0.dev3" }, { "00001.02", "1.2" },     { "1!2.0", "1!2.0" },
        { "0!1", "1" },            { "1.0+ubuntu_1", "1.0+ubuntu.1" }, { "1.0+ABC.007", "1.0+abc.7" },
        { "1.0a1.post2.dev3+x", "1.0a1.post2.dev3+x" }, { "1.0a.", "1.0a0" },
        { "1.0.0.0.0.0.0.0.0.0", "1.0.0.0.0.0.0.0.0.0" },
        { "65536.1", "65536.1" },  { "1.256.3", "1.256.3" },    { "1.0.dev20240101", "1.0.dev20240101" },
        { "1.0a--1", "1.0a0.post1" }, { "9223372036854775807", "9223372036854775807" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_format(&a, cases[i][0], cases[i][1]);
        assert_format(&a, cases[i][1], cases[i][1]);
    }
}

static void rejects_what_is_no_version(void **state)
{
    static const char *const cases[] = {
        "", " ", "v", "x", "1_0", "1.0.", "1..0", ".1", "1.0-", "1.0+", "1.0+a..b", "1.0+.a", "1.0+a_", "1!", "!1",
        "1!2!3",
        "1.0 rc1", "1.0foo", "1.0a1a2", "1.0.post1.post2", "1.0.dev1.post1", "1.0be1", "french toast", "1.0+u\xC3\xBC",
        "9223372036854775808", "1.0a9223372036854775808", "vv1", "1.0rc1+", "1.*", "1.0\x01",
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct version v = { .key = 7 };

        if (version_parse(str_of(cases[i]), &a, &v))
            fail_msg("'%s' was read as '%s'", cases[i], version_format(&v, &a).p);
        assert_int_equal(v.key, 7);
    }
}

static void an_error_names_the_text(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct version v;

    (void)state;
    assert_false(version_get(STR("1.x"), &a, &v, &e));
    assert_int_equal(e.kind, ERR_PACKAGE);
    assert_string_equal(e.text, "'1.x' is not a version");
}

/* Each group is one version; the groups ascend. Packed and other forms alternate on purpose. */
static const char *const ascending[] = {
    "0.dev0", "0.0.0.dev1", "0a0", "0", "0.post1", "0.0.0.0.1",
    "1.0.dev1", "1.0.dev1048574", "1.0.dev1048575", "1.0.dev1048576", "1.0.dev20240101",
    "1.0a1.dev1", "1.0a1.dev1+x", "1.0a1", "1.0a1+local", "1.0a1.post0.dev1", "1.0a1.post1", "1.0a2.dev0", "1.0a2",
    "1.0b1", "1.0rc1", "1.0rc1048575", "1.0rc1048576",
    "1.0", "1.0+abc", "1.0+abc.5", "1.0+b", "1.0+5", "1.0+5.a", "1.0+5.0", "1.0+10",
    "1.0.post0.dev0", "1.0.post0", "1.0.post1.dev1", "1.0.post1", "1.0.post1+x", "1.0.post2", "1.0.post1048577",
    "1.0.0.0.0.1.dev0", "1.0.0.0.0.1", "1.0.0.0.1", "1.0.0.1", "1.0.255", "1.0.256.dev0", "1.0.256", "1.0.257",
    "1.1.dev1",
    "1.1", "1.254", "1.255", "1.255.255.255", "1.255.255.255.post1048576", "1.256.dev1", "1.256", "1.65536",
    "2.dev0", "2",
    "65534.9", "65535", "65535.9", "65536.dev1", "65536", "20240101", "20240101.1",
    "1!0.dev0", "1!0", "1!1.0a1", "1!1.0", "2!0",
};

static void versions_have_the_order_of_the_specification(void **state)
{
    AUTO_ARENA a = { 0 };
    struct version v[COUNT(ascending)];

    (void)state;
    for (size_t i = 0; i < COUNT(ascending); i++)
        assert_true(version_parse(str_of(ascending[i]), &a, &v[i]));
    for (size_t i = 0; i < COUNT(ascending); i++)
        for (size_t k = 0; k < COUNT(ascending); k++) {
            int want = (i > k) - (i < k);

            if (version_cmp(&v[i], &v[k]) != want)
                fail_msg("%s and %s: %d, wanted %d", ascending[i], ascending[k], version_cmp(&v[i], &v[k]), want);
            if (i < k && v[i].key > v[k].key)
                fail_msg("the key of %s is above that of %s", ascending[i], ascending[k]);
            if (version_cmp_slow(&v[i], &v[k]) != want)
                fail_msg("%s and %s part by part: wanted %d", ascending[i], ascending[k], want);
        }
}

static void equal_versions_hash_alike(void **state)
{
    static const char *const pairs[][2] = {
        { "1.0", "1.0.0.0" },          { "1", "1.0.0.0.0.0.0.0.0.0.0" }, { "1.0+x.1", "1.0.0+X_01" },
        { "1!1", "1!1.0" },            { "1.0.dev20240101", "1.dev20240101" },
        { "1.0rc1048575", "1.0.0.0.0.0.0.0.0rc1048575" },
        { "1.0.0.0.1", "1.0.0.0.1.0" }, { "0", "0.0" },
    };
    AUTO_ARENA a = { 0 };
    struct version x, y;

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        assert_true(version_parse(str_of(pairs[i][0]), &a, &x) && version_parse(str_of(pairs[i][1]), &a, &y));
        if (version_cmp(&x, &y) != 0 || version_hash(&x) != version_hash(&y))
            fail_msg("%s and %s are not equal", pairs[i][0], pairs[i][1]);
    }
    assert_true(version_parse(STR("1.0.dev20240101"), &a, &x) && version_parse(STR("1.0.dev20240102"), &a, &y));
    assert_true(version_hash(&x) != version_hash(&y));
}

static void common_versions_need_no_memory(void **state)
{
    static const char *const cases[] = { "1.0", "2024.12.31", "1.2.3.4", "0.1rc3", "1.0.post2", "3.0.dev9",
                                         "1.0.0.0.0.0" };
    AUTO_ARENA a = { 0 };
    struct version v;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(version_parse(str_of(cases[i]), &a, &v));
        assert_null(v.full);
    }
    assert_int_equal(a.total, 0);
}

static void knows_what_kind_of_release_it_is(void **state)
{
    static const struct {
        const char *text;
        bool pre, post, dev, local;
    } cases[] = {
        { "1.0", 0, 0, 0, 0 },          { "1.0a1", 1, 0, 0, 0 },      { "1.0.dev1", 1, 0, 1, 0 },
        { "1.0.post1", 0, 1, 0, 0 },    { "1.0.post1.dev1", 1, 1, 1, 0 }, { "1.0a1.post1", 1, 1, 0, 0 },
        { "1.0+x", 0, 0, 0, 1 },        { "1!1.0rc1+x", 1, 0, 0, 1 }, { "1.0.0.0.1", 0, 0, 0, 0 },
    };
    AUTO_ARENA a = { 0 };
    struct version v;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(version_parse(str_of(cases[i].text), &a, &v));
        if (version_is_pre(&v) != cases[i].pre || version_is_post(&v) != cases[i].post ||
            version_is_dev(&v) != cases[i].dev || version_has_local(&v) != cases[i].local)
            fail_msg("%s: pre %d post %d dev %d local %d", cases[i].text, version_is_pre(&v), version_is_post(&v),
                     version_is_dev(&v), version_has_local(&v));
    }
}

static void the_text_stays_as_written_without_space_around(void **state)
{
    AUTO_ARENA a = { 0 };
    struct version v;

    (void)state;
    assert_true(version_parse(STR("  v1.0-RC.1\t"), &a, &v));
    assert_true(str_eq(v.text, STR("v1.0-RC.1")));
    assert_int_equal(v.n_release, 2);
    assert_int_equal(version_release(&v, 0), 1);
    assert_int_equal(version_release(&v, 9), 0);
}

static void the_final_version_has_the_release_numbers_alone(void **state)
{
    static const char *const cases[][2] = {
        { "3.13.0rc1", "3.13.0" }, { "3.14.0a2+local", "3.14.0" }, { "3.9.1", "3.9.1" }, { "3.9.dev1", "3.9" },
        { "3.9.post1.dev20", "3.9" },
    };
    AUTO_ARENA a = { 0 };
    struct version v, final, want;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(version_parse(str_of(cases[i][0]), &a, &v) && version_parse(str_of(cases[i][1]), &a, &want));
        version_final(&v, &final);
        if (version_cmp(&final, &want) != 0)
            fail_msg("%s became %s", cases[i][0], version_format(&final, &a).p);
    }
}

static void what_is_taken_apart_can_be_put_together(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(ascending); i++) {
        uint64_t room[VERSION_INLINE];
        struct version v, again;
        struct version_parts parts;

        assert_true(version_parse(str_of(ascending[i]), &a, &v));
        version_split(&v, room, &parts);
        version_make(&parts, &a, &again);
        if (again.key != v.key || version_cmp(&v, &again) != 0 ||
            !str_eq(version_format(&again, &a), str_of(ascending[i])))
            fail_msg("%s became %s", ascending[i], version_format(&again, &a).p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_has_one_normal_form),
        cmocka_unit_test(rejects_what_is_no_version),
        cmocka_unit_test(an_error_names_the_text),
        cmocka_unit_test(versions_have_the_order_of_the_specification),
        cmocka_unit_test(equal_versions_hash_alike),
        cmocka_unit_test(common_versions_need_no_memory),
        cmocka_unit_test(knows_what_kind_of_release_it_is),
        cmocka_unit_test(the_text_stays_as_written_without_space_around),
        cmocka_unit_test(the_final_version_has_the_release_numbers_alone),
        cmocka_unit_test(what_is_taken_apart_can_be_put_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
