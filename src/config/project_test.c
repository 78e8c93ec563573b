#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "codec/toml_edit.h"
#include "config/project.h"

static struct project parsed(struct arena *a, const char *text)
{
    struct project p;
    struct err e = { 0 };

    if (!project_parse(str_of(text), "pyproject.toml", a, &p, &e))
        fail_msg("%s: %s", text, e.text);
    return p;
}

static void reads_what_is_needed_with_lines(void **state)
{
    static const char text[] = "[build-system]\nrequires = [\"setuptools\"]\n"
                               "build-backend = \"setuptools.build_meta\"\n"
                               "[project]\nname = \"Demo.App\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n"
                               "dependencies = [\n  \"a>=1\", # one\n  \" b[x] \",\n]\n"
                               "dynamic = [\"optional-dependencies\"]\n"
                               "[tool.blast]\nconstraints = [\"c<2\"]\noverrides = [\"d==1\"]\n";
    AUTO_ARENA a = { 0 };
    struct project p = parsed(&a, text);

    (void)state;
    assert_true(p.found && p.has_project && p.has_build_system);
    assert_string_equal(p.name.p, "Demo.App");
    assert_string_equal(p.requires_python.p, ">=3.9");
    assert_int_equal(p.requires_python_line, 7);
    assert_string_equal(p.build_backend.p, "setuptools.build_meta");
    assert_int_equal(p.build_requires.n, 1);
    assert_int_equal(p.dependencies.reqs.n, 2);
    assert_true(str_eq(p.dependencies.reqs.p[1].text, STR("b[x]")));
    assert_int_equal(p.dependencies.reqs.p[1].line, 10);
    assert_true(p.dynamic_extras);
    assert_false(p.dynamic_dependencies);
    assert_int_equal(p.constraints.n, 1);
    assert_int_equal(p.overrides.p[0].line, 15);
    assert_int_equal(p.warnings.n, 0);
}

static void an_empty_file_is_a_project_without_anything(void **state)
{
    AUTO_ARENA a = { 0 };
    struct project p = parsed(&a, "");

    (void)state;
    assert_true(p.found);
    assert_false(p.has_project || p.has_build_system);
    assert_int_equal(p.default_groups.n, 0);
}

static void finds_extras_and_groups_by_any_spelling(void **state)
{
    AUTO_ARENA a = { 0 };
    struct project p = parsed(&a, "[project]\nname='x'\n[project.optional-dependencies]\nMy_Extra = [\"a\"]\n"
                                  "empty = []\n"
                                  "[dependency-groups]\nDev = [\"b\"]\n");

    (void)state;
    assert_int_equal(project_find_extra(&p, STR("my-extra"))->reqs.n, 1);
    assert_string_equal(project_find_extra(&p, STR("MY.EXTRA"))->normalized.p, "my-extra");
    assert_int_equal(project_find_extra(&p, STR("empty"))->line, 5);
    assert_null(project_find_extra(&p, STR("dev")));
    assert_non_null(project_find_group(&p, STR("dev")));
    assert_int_equal(p.default_groups.n, 1);
}

static void puts_included_groups_in_place(void **state)
{
    AUTO_ARENA a = { 0 };
    struct project p = parsed(&a, "[dependency-groups]\nall = [\"x\", {include-group = \"Test_1\"}, \"y\"]\n"
                                  "test-1 = [\"pytest\", {include-group = \"base\"}]\nbase = [\"b\"]\n");
    const struct project_list *all = project_find_group(&p, STR("all"));
    static const char *const want[] = { "x", "pytest", "b", "y" };

    (void)state;
    assert_int_equal(all->reqs.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++)
        assert_true(str_eq(all->reqs.p[i].text, str_of(want[i])));
    assert_int_equal(all->reqs.p[2].line, 4); /* where it is written */
}

static void refuses_what_the_specifications_forbid(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "[project]\nname = 1\n", "pyproject.toml:2:8: project.name is an integer, a string is wanted" },
        { "[project]\nname = \"a b\"\n", "2:8: 'a b' is not a valid project name" },
        { "[project]\nname='x'\ndependencies = \"a\"\n", "3:16: project.dependencies is a string, an array is wanted" },
        { "[project]\nname='x'\ndependencies = [1]\n", "an element of project.dependencies is an integer" },
        { "project = 1\n", "[project] is an integer, a table is wanted" },
        { "[project]\nname='x'\n[project.optional-dependencies]\na-b=[]\nA_B=[]\n",
          "5:5: the extra 'A_B' is the same name as 'a-b' in line 4" },
        { "[dependency-groups]\n\"a b\" = []\n", "'a b' is not a name for a dependency group" },
        { "[dependency-groups]\na-b = []\na_b = []\n",
          "the dependency group 'a_b' is the same name as 'a-b' in line 2" },
        { "[dependency-groups]\na = [{include-group = \"b\"}]\nb = [{include-group = \"a\"}]\n",
          "3:23: dependency groups include each other: a -> b -> a" },
        { "[dependency-groups]\na = [{include-group = \"A\"}]\n", "dependency groups include each other: a -> a" },
        { "[dependency-groups]\na = [{include-group = \"b\"}]\n", "2:23: there is no dependency group 'b' to include" },
        { "[dependency-groups]\na = [{path = \"b\"}]\n", "{include-group = \"name\"} and nothing else" },
        { "[dependency-groups]\na = [{include-group = \"a\", x = 1}]\n"
          "", "{include-group = \"name\"} and nothing else" },
        { "[dependency-groups]\na = [1]\n", "an element of a dependency group is an integer" },
        { "[dependency-groups]\na = 'x'\n", "a dependency group is a string, an array is wanted" },
        { "[tool.blast]\ndefault_groups = ['x']\n", "pyproject.toml:2: there is no dependency group 'x'" },
        { "x = \n", "pyproject.toml:1:5: a value is missing" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct project p;
        struct err e = { 0 };

        assert_false(project_parse(str_of(cases[i].text), "pyproject.toml", &a, &p, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("got '%s', want '%s'", e.text, cases[i].why);
    }
}

static void says_which_settings_of_other_tools_are_not_read(void **state)
{
    AUTO_ARENA a = { 0 };
    struct project p = parsed(&a, "[tool.uv.sources]\nfoo = {path = \"x\"}\nbar = {git = \"y\"}\n[project]\n");

    (void)state;
    assert_int_equal(p.warnings.n, 2);
    assert_string_equal(p.warnings.p[0].p, "pyproject.toml:4: [project] has no name");
    assert_string_equal(p.warnings.p[1].p, "pyproject.toml:1: tool.uv.sources (foo, bar) is not read by Blast");
}

static void includes_cannot_grow_without_bound(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str text = STR("[dependency-groups]\ng0 = [\"x\"]\n");
    struct project p;
    struct err e = { 0 };

    (void)state;
    for (int i = 1; i < 40; i++)
        text = arena_printf(&a, STR_FMT "g%d = [{include-group=\"g%d\"},{include-group=\"g%d\"}]\n", STR_ARG(text), i,
                            i - 1, i - 1);
    assert_false(project_parse(text, "pyproject.toml", &a, &p, &e));
    assert_non_null(strstr(e.text, "more than 20000 requirements"));
}

static void edits_requirement_lists(void **state)
{
    static const struct {
        const char *before;
        struct project_target to;
        const char *requirement, *replaced, *after;
    } cases[] = {
        { "[project]\nname='x'\ndependencies = [\n    \"b\", # keep\n]\n", { PROJECT_DEPENDENCIES, { 0 } }, "a>=1", "",
          "[project]\nname='x'\ndependencies = [\n    \"a>=1\",\n    \"b\", # keep\n]\n" },
        { "[project]\ndependencies = [\"Foo.Bar<2\", \"z\"]\n", { PROJECT_DEPENDENCIES, { 0 } }, "foo-bar>=2",
          "Foo.Bar<2", "[project]\ndependencies = [\"foo-bar>=2\", \"z\"]\n" },
        { "[project]\ndependencies = [\"a; python_version<'3'\", \"a\"]\n", { PROJECT_DEPENDENCIES, { 0 } }, "a>1", "a",
          "[project]\ndependencies = [\"a; python_version<'3'\", \"a>1\"]\n" },
        { "[project]\ndependencies = [\"a; python_version<'3'\"]\n", { PROJECT_DEPENDENCIES, { 0 } },
          "a>1 ; python_version < \"3\"", "a; python_version<'3'",
          "[project]\ndependencies = ['a>1 ; python_version < \"3\"']\n" },
        { "[project]\ndependencies = [\"a>1\", \"b\", \"A<3\"]\n", { PROJECT_DEPENDENCIES, { 0 } }, "a", "a>1",
          "[project]\ndependencies = [\"a\", \"b\"]\n" },
        { "[project]\nname = 'x'\n\n[tool.x]\n", { PROJECT_EXTRA, { "My-Extra", 8 } }, "a", "",
          "[project]\nname = 'x'\n\n[project.optional-dependencies]\nMy-Extra = [\n    \"a\",\n]\n\n[tool.x]\n" },
        { "[project]\n[project.optional-dependencies]\nmy_extra = []\n", { PROJECT_EXTRA, { "My-Extra", 8 } }, "a", "",
          "[project]\n[project.optional-dependencies]\nmy_extra = [\"a\"]\n" },
        { "", { PROJECT_GROUP, { "dev", 3 } }, "pytest", "", "[dependency-groups]\ndev = [\n    \"pytest\",\n]\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].before), "pyproject.toml" };
        struct str replaced;
        struct err e = { 0 };

        if (!project_add_requirement(&ed, cases[i].to, str_of(cases[i].requirement), &replaced, &e))
            fail_msg("%s: %s", cases[i].before, e.text);
        if (!str_eq(ed.text, str_of(cases[i].after)) || !str_eq(replaced, str_of(cases[i].replaced)))
            fail_msg("got\n" STR_FMT "\nwant\n%s\nreplaced " STR_FMT, STR_ARG(ed.text), cases[i].after,
                     STR_ARG(replaced));
    }
}

static void adding_and_removing_a_requirement_gives_the_same_bytes(void **state)
{
    static const char text[] = "# top\n[project]\nname = \"x\"\ndependencies = [\n    \"b\",  # two spaces\n"
                               "    # note\n"
                               "    'd'\n]\n\n[tool.x] # end\n";
    AUTO_ARENA a = { 0 };
    struct project_target to = { PROJECT_DEPENDENCIES, { 0 } };
    struct toml_edit ed = { &a, str_of(text), NULL };
    unsigned removed = 0;
    struct err e = { 0 };

    (void)state;
    for (const char *name = "ace"; *name; name++) {
        struct str one = { name, 1 };

        assert_true(project_add_requirement(&ed, to, one, NULL, &e));
        assert_false(str_eq(ed.text, str_of(text)));
        assert_true(project_remove_requirement(&ed, to, one, &removed, &e));
        assert_int_equal(removed, 1);
        assert_true(str_eq(ed.text, str_of(text)));
    }
    assert_true(project_remove_requirement(&ed, to, STR("zzz"), &removed, &e));
    assert_int_equal(removed, 0);
}

static void refuses_edits_that_would_not_take_effect(void **state)
{
    static const struct {
        const char *text, *requirement, *why;
    } cases[] = {
        { "[tool.x]\n", "a", "pyproject.toml has no [project] table" },
        { "[project]\ndynamic = ['dependencies']\n", "a", "pyproject.toml leaves dependencies to the build" },
        { "[project]\n", "./path", "'./path' does not begin with a project name" },
        { "[project]\ndependencies = 'a'\n", "a", "is a string, not an array of strings" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct toml_edit ed = { &a, str_of(cases[i].text), "pyproject.toml" };
        struct project_target to = { PROJECT_DEPENDENCIES, { 0 } };
        struct err e = { 0 };

        assert_false(project_add_requirement(&ed, to, str_of(cases[i].requirement), NULL, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("got '%s', want '%s'", e.text, cases[i].why);
    }
}

static void makes_a_minimal_project(void **state)
{
    AUTO_ARENA a = { 0 };
    struct toml_edit ed = { &a, STR(""), NULL };
    struct err e = { 0 };
    struct project p;

    (void)state;
    assert_true(project_ensure(&ed, STR("-my app!"), STR(">=3.11"), &e));
    assert_true(str_eq(ed.text, STR("[project]\nname = \"my-app\"\nversion = \"0.1.0\"\nrequires-python = \">=3.11\"\n"
                                    "dependencies = []\n")));
    p = parsed(&a, ed.text.p);
    assert_int_equal(p.warnings.n, 0);
    assert_true(project_ensure(&ed, STR("other"), STR(""), &e));
    assert_non_null(strstr(ed.text.p, "my-app"));
    ed.text = STR("[tool.x]\na = 1\n");
    assert_true(project_ensure(&ed, STR("!"), STR(""), &e));
    assert_true(str_eq(ed.text, STR("[tool.x]\na = 1\n\n[project]\nname = \"project\"\nversion = \"0.1.0\"\n"
                                    "dependencies = []\n")));
}

static void reads_the_name_at_the_head_of_a_requirement(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    assert_true(str_eq(project_requirement_name(STR(" Foo.Bar[x]>=1"), &a), STR("foo-bar")));
    assert_true(str_eq(project_requirement_name(STR("a@https://h/x"), &a), STR("a")));
    assert_int_equal(project_requirement_name(STR("./x"), &a).n, 0);
    assert_int_equal(project_requirement_name(STR(""), &a).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_needed_with_lines),
        cmocka_unit_test(an_empty_file_is_a_project_without_anything),
        cmocka_unit_test(finds_extras_and_groups_by_any_spelling),
        cmocka_unit_test(puts_included_groups_in_place),
        cmocka_unit_test(refuses_what_the_specifications_forbid),
        cmocka_unit_test(says_which_settings_of_other_tools_are_not_read),
        cmocka_unit_test(includes_cannot_grow_without_bound),
        cmocka_unit_test(edits_requirement_lists),
        cmocka_unit_test(adding_and_removing_a_requirement_gives_the_same_bytes),
        cmocka_unit_test(refuses_edits_that_would_not_take_effect),
        cmocka_unit_test(makes_a_minimal_project),
        cmocka_unit_test(reads_the_name_at_the_head_of_a_requirement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
