#include "resolve/wording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "resolve/source.h"

static const char *const published[] = { "1.0", "1.1", "1.2", "2.0a1", "2.0rc1", "2.0", "2.1", "3.0.dev1", "3.0" };

static struct str tell_text(void *ctx, uint32_t pkg, uint32_t rank)
{
    (void)ctx;
    (void)pkg;
    return str_of(published[rank]);
}

static const struct solve_source source = { .version_text = tell_text };

/* "0-3,5" is ranks 0 .. 3 and 5. */
static struct set set_from(struct arena *a, const char *text)
{
    struct interval span[16];
    size_t n = 0;

    for (struct str part, rest = str_of(text); rest.n > 0 && str_next(&rest, ',', &part);) {
        struct str ends[2];
        uint64_t lo = 0, hi = 0;
        size_t k = str_split(part, '-', ends, 2);

        assert_true(str_to_u64(ends[0], &lo) && str_to_u64(ends[k - 1], &hi));
        span[n++] = (struct interval){ (uint32_t)lo, (uint32_t)hi + 1 };
    }
    return set_of(a, span, n);
}

static void ranges_are_written_as_specifiers(void **state)
{
    static const struct {
        const char *ranks, *ignored, *want;
    } cases[] = {
        { "0-8", "", "" },
        { "", "", "none" },
        { "0-1", "", "<1.2" },
        { "5-8", "", ">=2.0" },
        { "1-2", "", ">=1.1,<2.0" },      /* "<2.0" leaves its pre-releases out by itself */
        { "1-3", "", ">=1.1,<=2.0a1" },   /* but here one is inside */
        { "1", "", "==1.1" },
        { "8", "", "==3.0" },
        { "0,2", "", "==1.0 or ==1.2" },
        { "0-2,5-6", "", "<3.0" },        /* pre-releases do not split */
        { "0-2,5", "", "<2.1" },
        { "0,2,5", "", "==1.0 or >=1.2,<2.1" },
        { "0,2", "1", "<2.0" },           /* nor do versions that cannot be used */
        { "0,2,6,8", "", "==1.0 or ==1.2 or >=2.1" },
        { "3-4", "", ">=2.0a1,<=2.0rc1" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wording w = { &source, 1, COUNT(published), set_from(&a, cases[i].ignored) };
        struct set s = set_from(&a, cases[i].ranks);
        struct str got = wording_range(&w, &s, &a);

        if (!str_eq(got, str_of(cases[i].want)))
            fail_msg("%s: '%.*s', not '%s'", cases[i].ranks, STR_ARG(got), cases[i].want);
    }
}

static void lists_are_written_as_subjects(void **state)
{
    static const struct {
        const char *ranks, *want;
    } cases[] = {
        { "5", "2.0" },
        { "0-1", "1.0 and 1.1" },
        { "0-2", "1.0 to 1.2" },
        { "0,2", "1.0 and 1.2" },
        { "0,2,6", "1.0, 1.2 and 2.1" },
        { "0-4", "1.0 to 2.0rc1 (5 versions)" },
        { "0,2,5,8", "1.0 to 3.0 (4 of these 9 versions)" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct wording w = { &source, 1, COUNT(published), set_none() };
        struct set s = set_from(&a, cases[i].ranks);
        struct str got = wording_list(&w, &s, &a);

        if (!str_eq(got, str_of(cases[i].want)))
            fail_msg("%s: '%.*s', not '%s'", cases[i].ranks, STR_ARG(got), cases[i].want);
    }
}

static void reasons_agree_with_their_subject(void **state)
{
    static const struct {
        const char *reason, *many;
    } cases[] = {
        { "needs Python >=3.9", "need Python >=3.9" },
        { "has no wheel", "have no wheel" },
        { "was yanked: oops", "were yanked: oops" },
        { "would need a build", "would need a build" },
        { "hashes do not match", "hashes do not match" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str one = wording_verb(str_of(cases[i].reason), 1, &a);
        struct str many = wording_verb(str_of(cases[i].reason), 2, &a);

        assert_true(str_eq(one, str_of(cases[i].reason)));
        if (!str_eq(many, str_of(cases[i].many)))
            fail_msg("'%.*s', not '%s'", STR_ARG(many), cases[i].many);
    }
}

static void knows_a_pre_release_by_its_text(void **state)
{
    static const char *const pre[] = { "1.0a1", "1.0b2", "1.0rc1", "1.0c1", "1.0.dev3", "1.0alpha", "v2.0beta1",
                                       "1.0.post1.dev2", "1.0pre1", "1.0A1" };
    static const char *const final[] = { "1.0", "1!1.0", "1.0.post1", "1.0-r4", "1.0rev2", "v2.0", "1.0+abc.dev" };

    (void)state;
    for (size_t i = 0; i < COUNT(pre); i++)
        if (!wording_is_pre(str_of(pre[i])))
            fail_msg("%s", pre[i]);
    for (size_t i = 0; i < COUNT(final); i++)
        if (wording_is_pre(str_of(final[i])))
            fail_msg("%s", final[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_written_as_specifiers),
        cmocka_unit_test(lists_are_written_as_subjects),
        cmocka_unit_test(reasons_agree_with_their_subject),
        cmocka_unit_test(knows_a_pre_release_by_its_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
