#include "pep/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"

static void names_begin_and_end_with_a_letter_or_digit(void **state)
{
    static const struct {
        struct str name;
        bool valid, normal;
    } cases[] = {
        { { "foo", 3 }, true, true },        { { "Foo", 3 }, true, false },       { { "foo-bar", 7 }, true, true },
        { { "foo_bar", 7 }, true, false },   { { "foo.bar", 7 }, true, false },   { { "foo--bar", 8 }, true, false },
        { { "a", 1 }, true, true },          { { "0", 1 }, true, true },          { { "", 0 }, false, false },
        { { "-foo", 4 }, false, false },     { { "foo-", 4 }, false, false },     { { ".", 1 }, false, false },
        { { "foo\n", 4 }, false, false },    { { "fo o", 4 }, false, false },     { { "f\xC3\xB6", 3 }, false, false },
        { { "foo\0x", 5 }, false, false },   { { "foo!", 4 }, false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (name_is_valid(cases[i].name) != cases[i].valid)
            fail_msg("'" STR_FMT "' valid: wanted %d", STR_ARG(cases[i].name), cases[i].valid);
        if (name_is_normal(cases[i].name) != cases[i].normal)
            fail_msg("'" STR_FMT "' normal: wanted %d", STR_ARG(cases[i].name), cases[i].normal);
    }
}

static void spellings_have_one_normal_form(void **state)
{
    static const struct {
        const char *name, *normal;
    } cases[] = {
        { "Django", "django" },           { "oslo.concurrency", "oslo-concurrency" },
        { "Foo__Bar.-_Baz", "foo-bar-baz" }, { "a--b", "a-b" },
        { "x", "x" },                     { "A_B", "a-b" },
        { "_x_", "-x-" },                 { "", "" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str name = str_of(cases[i].name), want = str_of(cases[i].normal);
        struct str got = name_normalize(&a, name);

        if (!str_eq(got, want))
            fail_msg("'%s' became '" STR_FMT "', wanted '%s'", cases[i].name, STR_ARG(got), cases[i].normal);
        assert_true(name_eq(name, want));
        assert_int_equal(name_cmp(name, want), 0);
        assert_true(name_hash(name) == name_hash(want));
    }
}

static void a_normal_name_is_not_copied(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str name = STR("zope-interface");

    (void)state;
    assert_ptr_equal(name_normalize(&a, name).p, name.p);
    assert_int_equal(a.total, 0);
}

static void names_are_ordered_by_their_normal_form(void **state)
{
    static const char *const ascending[] = { "A", "a-b", "A.c", "ab", "B", "b0" };

    (void)state;
    for (size_t i = 0; i + 1 < COUNT(ascending); i++) {
        struct str x = str_of(ascending[i]), y = str_of(ascending[i + 1]);

        if (name_cmp(x, y) >= 0 || name_cmp(y, x) <= 0 || name_eq(x, y))
            fail_msg("'%s' is not before '%s'", ascending[i], ascending[i + 1]);
    }
}

static void long_names_hash_by_their_normal_form_too(void **state)
{
    char a[400], b[400];

    (void)state;
    for (size_t i = 0; i < sizeof a; i++) {
        a[i] = i % 7 == 3 ? '-' : 'q';
        b[i] = i % 7 == 3 ? '_' : 'Q';
    }
    for (size_t n = 1; n <= sizeof a; n++)
        assert_true(name_hash((struct str){ a, n }) == name_hash((struct str){ b, n }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_begin_and_end_with_a_letter_or_digit),
        cmocka_unit_test(spellings_have_one_normal_form),
        cmocka_unit_test(a_normal_name_is_not_copied),
        cmocka_unit_test(names_are_ordered_by_their_normal_form),
        cmocka_unit_test(long_names_hash_by_their_normal_form_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
