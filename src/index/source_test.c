#include "index/source.h"

#include "index/test_index.h"

static const struct fake_file world[] = {
    { .name = "app-1.0-py3-none-any.whl",
      .requires = "lib>=1\nwin>=1; sys_platform == 'win32'\nold; python_version<'3'" },
    { .name = "app-2.0-py3-none-any.whl", .requires = "lib>=2", .python = ">=3.13" },
    { .name = "lib-1.0-py3-none-any.whl" },
    { .name = "lib-1.5-py3-none-any.whl" },
    { .name = "lib-2.0-py3-none-any.whl", .yanked = "broken" },
    { .name = "win-1.0-py3-none-any.whl" },
    { .name = "opt-1.0-py3-none-any.whl", .requires = "lib<1.5; extra == 'Fast_Path'\nsub; extra == \"both\"\n"
      "opt[fast-path,other]; extra == 'all'\nwin; extra == 'other'", .extras = "fast-path\nother\nall\nboth" },
    { .name = "sub-1.0-py3-none-any.whl", .requires = "opt[other]" },
    { .name = "reg-1.0-py3-none-any.whl", .requires = "lib @ https://files.example/lib-9.0-py3-none-any.whl" },
    { .name = "reg-0.9-py3-none-any.whl" },
    { .name = "hid-1.0-py3-none-any.whl",
      .requires = "lib @ https://files.example/lib-9.0-py3-none-any.whl ; extra == 'x'", .extras = "x" },
    { .name = "bad-1.0-py3-none-any.whl", .requires = "lib >>> 3" },
    { .name = "late-2.0-py3-none-any.whl", .meta_python = ">=3.13" },
    { .name = "late-1.0-py3-none-any.whl", .meta_python = ">=3.8" },
    { .name = "needs-1.0-py3-none-any.whl", .requires = "lib>=1.5" },
    { .name = "cycle-1.0-py3-none-any.whl", .requires = "cycle\nround" },
    { .name = "round-1.0-py3-none-any.whl", .requires = "cycle==1.0" },
    { .name = "src-1.0.tar.gz" },
    { .name = "new-1.0-py3-none-any.whl", .time = 500 },
    { .name = "lone-1.0-py3-none-any.whl", .requires = "nothere" },
    { .name = "legacy-1.0-py3-none-any.whl", .requires = "lib (>=1.0 <1.5)" },
    { .name = "drop-2.0-py3-none-any.whl" },
    { .name = "drop-1.0-py3-none-any.whl", .requires = "lib", .extras = "x" },
};

struct solving {
    const char *roots[6];
    const char *want; /* the whole answer, or a part of the explanation */
};

static void solve_each(void **state, const struct solving *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct fake f;

        fake_init(&f, world, COUNT(world), ((struct test_dir *)*state)->path);
        fake_open(&f);
        struct str got = fake_solve(&f, s[i].roots, false);

        if (str_search(got, STR("\n")) < got.n || str_search(got, STR("'")) < got.n
                ? str_search(got, str_of(s[i].want)) == got.n
                : !str_eq(got, str_of(s[i].want)))
            fail_msg("%s: '" STR_FMT "', want '%s'", s[i].roots[0], STR_ARG(got), s[i].want);
        fake_close(&f);
    }
}

static void follows_the_requirements_whose_markers_hold(void **state)
{
    static const struct solving cases[] = {
        { { "app" }, "app 1.0, lib 1.5" },
        { { "app; sys_platform == 'win32'" }, "" },
        { { "app", "win; python_version >= '3.12'" }, "app 1.0, win 1.0, lib 1.5" },
        { { "legacy" }, "legacy 1.0, lib 1.0" },
    };

    solve_each(state, cases, COUNT(cases));
}

static void extras_add_requirements_of_the_same_version(void **state)
{
    static const struct solving cases[] = {
        { { "opt" }, "opt 1.0" },
        { { "opt[fast-path]" }, "opt 1.0, lib 1.0" },
        { { "opt[FAST.path]" }, "opt 1.0, lib 1.0" },
        { { "opt[both]" }, "opt 1.0, sub 1.0, win 1.0" },
        { { "opt[fast-path,other]", "sub" }, "opt 1.0, sub 1.0, lib 1.0, win 1.0" },
    };

    solve_each(state, cases, COUNT(cases));
}

static void an_extra_may_name_others_of_its_own_package(void **state)
{
    static const struct solving cases[] = { { { "opt[all]" }, "opt 1.0, lib 1.0, win 1.0" },
                                            { { "cycle" }, "cycle 1.0, round 1.0" } };

    solve_each(state, cases, COUNT(cases));
}

static void an_unknown_extra_rules_out_no_version(void **state)
{
    static const struct solving cases[] = { { { "opt[nonsense]" }, "opt 1.0" }, { { "drop[x]" }, "drop 2.0" } };

    solve_each(state, cases, COUNT(cases));
}

static void a_constraint_binds_only_what_is_needed(void **state)
{
    static const struct solving cases[] = {
        { { "app", "-c lib<1.5" }, "app 1.0, lib 1.0" },
        { { "opt", "-c lib<1.5", "-c nothere==7" }, "opt 1.0" },
        { { "app", "-c lib<1.5", "-c lib!=1.0" }, "left out by the constraint lib!=1.0 (test)" },
        { { "app", "-c lib", "-c lib<1.5; sys_platform == 'win32'" }, "app 1.0, lib 1.5" },
    };

    solve_each(state, cases, COUNT(cases));
}

static void says_why_versions_cannot_be_used(void **state)
{
    static const struct solving cases[] = {
        { { "app>=2" }, "needs Python >=3.13" },
        { { "lib>=2" }, "was yanked: broken" },
        { { "src" }, "has only a source distribution, which would need a build" },
        { { "bad" }, "has a requirement that cannot be read: 'lib >>> 3'" },
        { { "lone" }, "was not found in the index" },
        { { "nothere" }, "was not found in the index" },
        { { "needs", "lib<1.5" }, "lib" },
    };

    solve_each(state, cases, COUNT(cases));
}

static void a_pin_of_the_user_lets_a_yanked_version_in(void **state)
{
    static const struct solving cases[] = { { { "lib==2.0" }, "lib 2.0" }, { { "lib", "-c lib==2.0" }, "lib 2.0" } };

    solve_each(state, cases, COUNT(cases));
}

static void only_the_user_may_require_by_url(void **state)
{
    static const struct solving cases[] = {
        { { "reg" }, "reg 0.9" },
        { { "reg==1.0" }, "requires 'lib' from a URL, which only you may do" },
        { { "hid" }, "hid 1.0" },
        { { "hid[x]" }, "requires 'lib' from a URL, which only you may do" },
    };

    solve_each(state, cases, COUNT(cases));
}

static void a_direct_file_is_the_only_candidate_and_bounds_still_hold(void **state)
{
    static const struct solving cases[] = {
        { { "win @ https://files.example/win-7.0-py3-none-any.whl" }, "win 7.0" },
        { { "win @ https://files.example/win-7.0-py3-none-any.whl", "win<7" }, "win" },
        { { "lib @ https://files.example/lib-9.0-py3-none-any.whl", "reg==1.0" }, "lib 9.0, reg 1.0" },
        { { "lib @ https://files.example/lib-0.5-py3-none-any.whl", "needs" }, "needs" },
    };
    static const struct fake_file files[] = {
        { .name = "win-7.0-py3-none-any.whl" }, { .name = "lib-9.0-py3-none-any.whl" },
        { .name = "lib-0.5-py3-none-any.whl" }, { .name = "needs-1.0-py3-none-any.whl", .requires = "lib>=1.5" },
        { .name = "reg-1.0-py3-none-any.whl", .requires = "lib @ https://files.example/lib-1.0-py3-none-any.whl" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake f;

        fake_init(&f, files, COUNT(files), ((struct test_dir *)*state)->path);
        fake_open(&f);
        struct str got = fake_solve(&f, cases[i].roots, false);
        bool solved = strchr(cases[i].want, ' ') != NULL;

        if (solved ? !str_eq(got, str_of(cases[i].want)) : !str_starts(got, STR("your project")) &&
                                                               str_search(got, STR("cannot")) == got.n &&
                                                               str_search(got, STR("no ")) == got.n)
            fail_msg("%s: '" STR_FMT "', want '%s'", cases[i].roots[0], STR_ARG(got), cases[i].want);
        fake_close(&f);
    }
}

static void refuses_direct_files_that_contradict(void **state)
{
    static const struct solving cases[] = {
        { { "lib @ https://files.example/lib-9.0-py3-none-any.whl",
            "lib @ https://x.example/lib-9.0-py3-none-any.whl" },
          "'lib' is required from 'https://files.example/lib-9.0-py3-none-any.whl' and from 'https://x.example/" },
        { { "lib @ https://files.example/win-1.0-py3-none-any.whl" }, "'lib' is required, but the file is 'win-1.0-" },
        { { "lib @ https://files.example/lib-1.0.tar.gz" }, "does not end in .whl" },
        { { "lib @ https://files.example/lib-1.0-py3-none-any.whl#sha256=12" }, "'12' is no sha256" },
    };

    solve_each(state, cases, COUNT(cases));
}

static void requires_python_of_the_metadata_counts_when_the_page_says_nothing(void **state)
{
    static const struct solving cases[] = { { { "late" }, "late 1.0" }, { { "late>1" }, "needs Python >=3.13" } };

    solve_each(state, cases, COUNT(cases));
}

static void without_dependencies_only_the_named_are_taken(void **state)
{
    static const char *const roots[] = { "app", "opt[all]", NULL };
    struct fake f;

    fake_init(&f, world, COUNT(world), ((struct test_dir *)*state)->path);
    fake_open(&f);
    struct str got = fake_solve(&f, roots, true);

    if (!str_eq(got, STR("app 1.0, opt 1.0")))
        fail_msg("'" STR_FMT "'", STR_ARG(got));
    assert_int_equal(f.metadata, 0);
    fake_close(&f);
}

static void keeps_the_versions_of_the_lock(void **state)
{
    static const char *const roots[] = { "app", NULL };
    struct fake f;

    fake_init(&f, world, COUNT(world), ((struct test_dir *)*state)->path);
    fake_open(&f);
    fake_get(&f, "lib")->preferred = STR("1.0");
    struct str got = fake_solve(&f, roots, false);

    if (!str_eq(got, STR("lib 1.0, app 1.0")))
        fail_msg("'" STR_FMT "'", STR_ARG(got));
    fake_close(&f);
}

static void says_that_a_cutoff_leaves_nothing(void **state)
{
    static const char *const roots[] = { "new", NULL };
    struct fake f;

    fake_init(&f, world, COUNT(world), ((struct test_dir *)*state)->path);
    f.settings.exclude_newer = 400;
    fake_open(&f);
    struct str got = fake_solve(&f, roots, false);

    if (str_search(got, STR("has no version before the cutoff")) == got.n)
        fail_msg("'" STR_FMT "'", STR_ARG(got));
    fake_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(follows_the_requirements_whose_markers_hold),
        TEST_IN_DIR(extras_add_requirements_of_the_same_version),
        TEST_IN_DIR(an_extra_may_name_others_of_its_own_package),
        TEST_IN_DIR(an_unknown_extra_rules_out_no_version),
        TEST_IN_DIR(a_constraint_binds_only_what_is_needed),
        TEST_IN_DIR(says_why_versions_cannot_be_used),
        TEST_IN_DIR(a_pin_of_the_user_lets_a_yanked_version_in),
        TEST_IN_DIR(only_the_user_may_require_by_url),
        TEST_IN_DIR(a_direct_file_is_the_only_candidate_and_bounds_still_hold),
        TEST_IN_DIR(refuses_direct_files_that_contradict),
        TEST_IN_DIR(requires_python_of_the_metadata_counts_when_the_page_says_nothing),
        TEST_IN_DIR(without_dependencies_only_the_named_are_taken),
        TEST_IN_DIR(keeps_the_versions_of_the_lock),
        TEST_IN_DIR(says_that_a_cutoff_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
