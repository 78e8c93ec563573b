#include "pep/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"

static struct version version_of(struct arena *a, const char *text)
{
    struct version v;

    if (!version_parse(str_of(text), a, &v))
        fail_msg("'%s' is no version", text);
    return v;
}

static struct spec spec_of(struct arena *a, const char *text)
{
    struct err e = { 0 };
    struct spec s;

    if (!spec_parse(str_of(text), a, &s, &e))
        fail_msg("'%s': %s", text, e.text);
    return s;
}

/* Lists are words with spaces between. */
static void assert_each(struct arena *a, const char *spec, const char *versions, bool want)
{
    struct spec s = spec_of(a, spec);
    struct str one, rest = str_of(versions);

    while (str_next(&rest, ' ', &one)) {
        struct version v = version_of(a, arena_cstr(a, one));

        if (spec_contains(&s, &v, SPEC_PRE_ALLOW) != want)
            fail_msg("'%s' %s '" STR_FMT "'", spec, want ? "refuses" : "accepts", STR_ARG(one));
    }
}

static void clauses_mean_what_the_specification_says(void **state)
{
    static const struct {
        const char *spec, *accepts, *refuses;
    } cases[] = {
        { "==1.0", "1.0 1 1.0.0 1.0+x", "1.0.post1 1.0.dev0 1.0a1 1.0.1 1.0.0.0.1" },
        { "==1.0+a", "1.0+a 1.0.0+A", "1.0 1.0+b 1.0+a.1" },
        { "!=1.0", "1.0.post1 1.0a1 1.1", "1.0 1.0+x 1.0.0" },
        { "!=1.0+a", "1.0 1.0+b 1.0+a.1", "1.0+a" },
        { "<=1.0", "1.0 1.0+x 1.0a1 0.9", "1.0.post1 1.0.post0.dev0 1.0.1" },
        { "<=2", "2.0rc1 2.0", "2.0.post1" },
        { ">=1.0", "1.0 1.0+x 1.0.post1 1.1a1", "1.0rc1 0.9 1.0.dev1" },
        { ">1.0", "1.1 1.0.1 1.0.1.dev0 1!0 1.0.0.0.1", "1.0 1.0+x 1.0.post1 1.0.post1+x 1.0.post99999999 1.0rc1" },
        { ">1.0.post1", "1.0.post2 1.0.post2.dev0 1.1", "1.0.post1 1.0.post1+l 1.0.post1.dev3 1.0" },
        { ">1.0rc1", "1.0rc2 1.0rc2.dev0 1.0", "1.0rc1 1.0rc1.post1 1.0rc1+x 1.0b9" },
        { ">1.0.dev1", "1.0.dev2 1.0a1 1.0", "1.0.dev1 1.0.dev1+x 1.0.dev0" },
        { "<1.0", "0.9 0.9.post1 0.9+x", "1.0a1 1.0.dev0 1.0 1.0rc1.dev1" },
        { "<1.0a2", "1.0a1 1.0a1.post1 1.0.dev3 1.0a2.dev1", "1.0a2 1.0" },
        { "<1.0rc1", "1.0rc1.dev1 1.0b1", "1.0rc1" },
        { "<1.0.post1", "1.0 1.0+x 1.0.post0", "1.0.post1.dev0 1.0.post1" },
        { "<0.dev0", "", "0.dev0 0 1" },
        { "==1.0.*", "1 1.0 1.0.dev1 1.0a1 1.0.post1 1.0+l 1.0.9", "1.1 1.1.dev0 0.9 1.1a1 1!1.0" },
        { "!=1.0.*", "1.1 1.1.dev0 0.9", "1 1.0.dev1 1.0.5" },
        { "==2.1.*", "2.1 2.1.5", "2 2.0 2.2" },
        { "== v1.*", "1.9", "2" },
        { "==1!2.*", "1!2.3", "2.3 1!3" },
        { "~=1.4.5", "1.4.5 1.4.99 1.4.5.post1 1.4.6a1", "1.4.5a1 1.5 1.5.dev0 1.4.4" },
        { "~=2.2.post3", "2.3 2.2.post3 2.9", "2.2 2.2.post2 3 3.dev0" },
        { "~=1.0a1", "1.1 1.0a1 1.0", "2.0.dev0 1.0.dev5" },
        { "~=1!1.0", "1!1.5", "1.5 1!2" },
        { ">=1!0", "1!0", "2.0" },
        { "===1.0", "1.0", "1.0.0 1" },
        { "===1.0RC1", "1.0rc1 1.0RC1", "1.0.rc1" },
        { ">=1.0,!=1.2.*,<2", "1.0 1.1 1.3", "0.9 1.2 1.2.5 2 2.0a1" },
        { "", "1 0.dev0 1!5+x", "" },
        { " , ,>=1 , ", "1", "0" },
        { ">=1,<1", "", "1 0 2" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (*cases[i].accepts)
            assert_each(&a, cases[i].spec, cases[i].accepts, true);
        if (*cases[i].refuses)
            assert_each(&a, cases[i].spec, cases[i].refuses, false);
    }
}

static void rejects_what_is_no_specifier_and_says_why(void **state)
{
    static const struct {
        const char *spec, *why;
    } cases[] = {
        { "1.0", "'1.0' has no comparison operator" },
        { ">=", "'>=' is not a version after the operator" },
        { ">=1.0,foo", "'foo' has no comparison operator" },
        { "~=1", "'~=1' needs two release numbers" },
        { ">=1.0+x", "'>=1.0+x' has a local version" },
        { "<1.0+x", "has a local version" },
        { "~=1.0+x", "has a local version" },
        { ">=1.*", "'>=1.*' has '.*'" },
        { "~=1.0.*", "has '.*'" },
        { "==1.0.post1.*", "has '.*'" },
        { "==1.0a1.*", "has '.*'" },
        { "==1.0.dev1.*", "has '.*'" },
        { "==1.0+x.*", "has '.*'" },
        { "==1.0 .*", "has '.*'" },
        { "==.*", "has '.*'" },
        { "==1.*.*", "has '.*'" },
        { "=1.0", "has no comparison operator" },
        { "> =1.0", "is not a version after the operator" },
        { "===a b", "is not a version after the operator" },
        { ">=7.2.0<8.0.0", "is not a version after the operator" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct spec s;

        if (spec_parse(str_of(cases[i].spec), &a, &s, &e))
            fail_msg("'%s' was accepted", cases[i].spec);
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("'%s': \"%s\" does not say \"%s\"", cases[i].spec, e.text, cases[i].why);
    }
}

static void repairs_what_published_metadata_gets_wrong(void **state)
{
    static const char *const cases[][2] = {
        { ">=7.2.0<8.0.0", ">=7.2.0,<8.0.0" }, { ">=2.6 !=3.0.*", ">=2.6,!=3.0.*" },
        { "!=~5.0", "!=5.0" },                 { ">=1.9.*", ">=1.9" },
        { ">= 3.5.*", ">=3.5" },               { "~=3.6.*", "~=3.6" },
        { "!=3.0*", "!=3.0.*" },               { ">dev", ">0.0.0dev" },
        { ">=9.0.0a1.0", ">=9.0.0a1" },        { ">='2.7'", ">=2.7" },
        { "\">=3.6\"", ">=3.6" },              { ">=2.7,!=3.0*,<4.*", ">=2.7,!=3.0.*,<4" },
        { ">=3.6,<3.9'", ">=3.6,<3.9" },       { "==3.0.*<4", "==3.0.*,<4" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        bool repaired = false;
        struct spec s;

        if (!spec_parse_lenient(str_of(cases[i][0]), &a, &s, &repaired, &e))
            fail_msg("'%s': %s", cases[i][0], e.text);
        assert_true(repaired);
        assert_int_equal(e.kind, ERR_NONE);
        if (!str_eq(spec_format(&s, &a), str_of(cases[i][1])))
            fail_msg("'%s' became '%s'", cases[i][0], spec_format(&s, &a).p);
    }
}

static void does_not_repair_what_is_right_or_hopeless(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    bool repaired = true;
    struct spec s;

    (void)state;
    assert_true(spec_parse_lenient(STR(">=1,"), &a, &s, &repaired, &e));
    assert_false(repaired);
    assert_false(spec_parse_lenient(STR("any version"), &a, &s, &repaired, &e));
    assert_false(repaired);
    assert_string_equal(e.text, "version specifier 'any version' has no comparison operator");
}

static void a_filter_gives_prereleases_when_nothing_else_is_left(void **state)
{
    static const struct {
        const char *spec;
        enum spec_pre pre;
        const char *versions, *want;
    } cases[] = {
        { ">=1.0", SPEC_PRE_DEFAULT, "1.0 1.1b1", "1.0" },
        { ">=1.0", SPEC_PRE_DEFAULT, "0.9 1.0a1 1.1b1", "1.1b1" },
        { ">=1.1b1", SPEC_PRE_DEFAULT, "1.0 1.1b1 1.2", "1.1b1 1.2" },
        { "!=1.0a1", SPEC_PRE_DEFAULT, "1.0a1 1.0b1", "1.0b1" },
        { "!=1.0a1", SPEC_PRE_DEFAULT, "1.0a1 1.0b1 1.0", "1.0" },
        { "==1.0.*", SPEC_PRE_DEFAULT, "1.0rc1 1.0.1", "1.0.1" },
        { "===1.0rc1", SPEC_PRE_DEFAULT, "1.0rc1 1.0", "1.0rc1" },
        { "", SPEC_PRE_DEFAULT, "1.3 1.5a1", "1.3" },
        { "", SPEC_PRE_DEFAULT, "1.5a1", "1.5a1" },
        { ">=1.0", SPEC_PRE_ALLOW, "1.0 1.1b1", "1.0 1.1b1" },
        { ">=1.1b1", SPEC_PRE_DENY, "1.1b1 1.2", "1.2" },
        { ">=1.1b1", SPEC_PRE_DENY, "1.1b1", "" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spec s = spec_of(&a, cases[i].spec);
        struct version v[8];
        uint32_t index[8];
        struct str one, rest = str_of(cases[i].versions), got = STR("");
        size_t n = 0;

        while (str_next(&rest, ' ', &one))
            v[n++] = version_of(&a, arena_cstr(&a, one));
        n = spec_filter(&s, v, n, cases[i].pre, index);
        for (size_t k = 0; k < n; k++)
            got = arena_printf(&a, STR_FMT "%s" STR_FMT, STR_ARG(got), k ? " " : "", STR_ARG(v[index[k]].text));
        if (!str_eq(got, str_of(cases[i].want)))
            fail_msg("'%s' of '%s': '" STR_FMT "', wanted '%s'", cases[i].spec, cases[i].versions, STR_ARG(got),
                     cases[i].want);
    }
}

static void one_prerelease_alone_is_refused_only_on_request(void **state)
{
    AUTO_ARENA a = { 0 };
    struct spec s = spec_of(&a, ">=1.0");
    struct version v = version_of(&a, "1.1a1");

    (void)state;
    assert_true(spec_contains(&s, &v, SPEC_PRE_DEFAULT));
    assert_true(spec_contains(&s, &v, SPEC_PRE_ALLOW));
    assert_false(spec_contains(&s, &v, SPEC_PRE_DENY));
    assert_false(spec_mentions_prerelease(&s));
}

static void only_same_clauses_accept_what_is_no_version(void **state)
{
    AUTO_ARENA a = { 0 };
    struct spec same = spec_of(&a, "===Foo"), other = spec_of(&a, ">=1"), all = spec_of(&a, "");

    (void)state;
    assert_true(spec_contains_text(&same, STR("foo")));
    assert_false(spec_contains_text(&same, STR("food")));
    assert_false(spec_contains_text(&other, STR("foo")));
    assert_true(spec_contains_text(&all, STR("foo")));
}

static void requires_python_looks_at_the_release_alone(void **state)
{
    static const struct {
        const char *spec, *python;
        bool ok, ok_without_upper;
    } cases[] = {
        { ">=3.13", "3.13.0b1", true, true },       { ">=3.13", "3.12.9", false, false },
        { ">=3.8,<3.12", "3.13.0", false, true },   { ">=3.8,<=3.11", "3.11.4", false, true },
        { "==3.11.*", "3.11.7", true, true },       { "==3.11.*", "3.12.1", false, true },
        { "==3.11.*", "3.10.1", false, false },     { "~=3.8", "3.13.1", true, true },
        { "~=3.8.1", "3.9.0", false, true },        { "!=3.9.*", "3.9.1", false, false },
        { ">=3.6", "3.13.0+local", true, true },    { ">3.9", "3.9.18", true, true },
        { "", "3.6.15", true, true },               { "<4", "3.14.0a1", true, true },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spec s = spec_of(&a, cases[i].spec);
        struct version v = version_of(&a, cases[i].python);

        if (spec_accepts_python(&s, &v, false) != cases[i].ok ||
            spec_accepts_python(&s, &v, true) != cases[i].ok_without_upper)
            fail_msg("'%s' and %s", cases[i].spec, cases[i].python);
    }
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Versions that lie close together, so that every end of every clause has neighbours on both sides. */
static struct str random_version(struct arena *a, uint64_t *seed, bool local)
{
    static const char *const release[] = { "1", "1.0", "1.1", "1.0.0.0.1", "2", "1!1", "1.256", "0", "1.0.255" };
    static const char *const pre[] = { "", "", "", "a1", "a2", "rc1" };
    static const char *const post[] = { "", "", "", ".post0", ".post1", ".post1048577" };
    static const char *const dev[] = { "", "", "", ".dev0", ".dev1", ".dev1048577" };
    static const char *const plus[] = { "", "", "", "", "+x", "+1", "+x.1" };

    return arena_printf(a, "%s%s%s%s%s", release[next_random(seed) % COUNT(release)],
                        pre[next_random(seed) % COUNT(pre)], post[next_random(seed) % COUNT(post)],
                        dev[next_random(seed) % COUNT(dev)], local ? plus[next_random(seed) % COUNT(plus)] : "");
}

static struct str random_clause(struct arena *a, uint64_t *seed)
{
    enum spec_op op = (enum spec_op)(next_random(seed) % 8);
    static const char *const prefix[] = { "1", "1.0", "1.1", "2", "1!1", "1.0.0", "1.255", "0" };

    if ((op == SPEC_EQ || op == SPEC_NE) && next_random(seed) % 2)
        return arena_printf(a, "%s%s.*", spec_op_text(op), prefix[next_random(seed) % COUNT(prefix)]);
    return arena_printf(a, "%s" STR_FMT, spec_op_text(op),
                        STR_ARG(random_version(a, seed, op == SPEC_EQ || op == SPEC_NE || op == SPEC_SAME)));
}

static void assert_ranks(const struct spec *s, const struct version *v, size_t n, struct arena *a, struct str text)
{
    struct spec_range *range;
    size_t ranges = spec_ranks(s, v, n, a, &range), at = 0;

    for (size_t i = 0; i < ranges; i++)
        if (range[i].lo >= range[i].hi || range[i].hi > n || (i > 0 && range[i].lo <= range[i - 1].hi))
            fail_msg("'" STR_FMT "': range %zu is [%u,%u)", STR_ARG(text), i, range[i].lo, range[i].hi);
    for (uint32_t i = 0; i < n; i++) {
        while (at < ranges && range[at].hi <= i)
            at++;

        bool inside = at < ranges && range[at].lo <= i;

        if (inside != spec_contains(s, &v[i], SPEC_PRE_ALLOW))
            fail_msg("'" STR_FMT "' and '" STR_FMT "': ranks say %d", STR_ARG(text), STR_ARG(v[i].text), inside);
    }
}

static void ranks_agree_with_contains(void **state)
{
    uint64_t seed = 440;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        AUTO_ARENA a = { 0 };
        struct version v[60];
        size_t n = next_random(&seed) % (COUNT(v) + 1);
        struct str text = STR("");
        struct err e = { 0 };
        struct spec s;

        for (size_t i = 0; i < n; i++)
            assert_true(version_parse(random_version(&a, &seed, true), &a, &v[i]));
        if (n > 0)
            qsort(v, n, sizeof *v, version_order);
        for (uint32_t i = next_random(&seed) % 4; i > 0; i--)
            text = arena_printf(&a, STR_FMT STR_FMT ",", STR_ARG(text), STR_ARG(random_clause(&a, &seed)));
        if (spec_parse(text, &a, &s, &e)) /* "~=1" comes up too */
            assert_ranks(&s, v, n, &a, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clauses_mean_what_the_specification_says),
        cmocka_unit_test(rejects_what_is_no_specifier_and_says_why),
        cmocka_unit_test(repairs_what_published_metadata_gets_wrong),
        cmocka_unit_test(does_not_repair_what_is_right_or_hopeless),
        cmocka_unit_test(a_filter_gives_prereleases_when_nothing_else_is_left),
        cmocka_unit_test(one_prerelease_alone_is_refused_only_on_request),
        cmocka_unit_test(only_same_clauses_accept_what_is_no_version),
        cmocka_unit_test(requires_python_looks_at_the_release_alone),
        cmocka_unit_test(ranks_agree_with_contains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
