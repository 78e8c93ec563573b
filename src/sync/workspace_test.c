#include "sync/workspace.h"

#include "env/env.h"
#include "sync/test_project.h"

/* Who is asked for an interpreter, by the error when nobody has it: PATH leads nowhere. */
static void wishes_for_an_interpreter_have_an_order(void **state)
{
    static const struct {
        const char *option, *file, *setting, *who, *version;
    } cases[] = {
        { "9.9", "9.8", "9.7", "find the interpreter that --python asks for", "9.9" },
        { "", "# comment\n9.8\n", "9.7", "find the interpreter that .python-version asks for", "9.8" },
        { "", "", "9.7", "find the interpreter that BLAST_ENV_PYTHON_VERSION asks for", "9.7" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;
        struct err e = { 0 };

        test_init(&p, state);
        (void)setenv("PATH", arena_printf(&p.a, "%s/nothing", p.t->path).p, 1);
        p.r.python = str_of(cases[i].option);
        test_write(p.t, "p/.python-version", cases[i].file);
        (void)setenv("BLAST_ENV_PYTHON_VERSION", cases[i].setting, 1);
        struct workspace *w = test_open(&p);

        (void)unsetenv("BLAST_ENV_PYTHON_VERSION");
        w->python_known = false;
        assert_false(workspace_python(w, &e));
        assert_int_equal(e.kind, ERR_PYTHON);
        if (!strstr(e.text, cases[i].who) || !strstr(e.text, cases[i].version))
            fail_msg("'%s', want '%s' and %s", e.text, cases[i].who, cases[i].version);
        test_close(&p);
    }
}

static void without_a_wish_nobody_is_blamed(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    (void)setenv("PATH", arena_printf(&p.a, "%s/nothing", p.t->path).p, 1);
    test_write(p.t, "p/pyproject.toml", "[project]\nname = 'p'\nversion = '1'\nrequires-python = '>=9.5'\n");
    struct workspace *w = test_open(&p);

    w->python_known = false;
    assert_false(workspace_python(w, &e));
    assert_int_equal(e.kind, ERR_PYTHON);
    assert_null(strstr(e.text, "asks for"));
    test_close(&p);
}

static void bounds_that_cannot_be_read_are_named(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    test_write(p.t, "p/pyproject.toml", "[project]\nname = 'p'\nversion = '1'\nrequires-python = '3.8 or so'\n");
    struct workspace *w = test_open(&p);

    w->python_known = false;
    assert_false(workspace_python(w, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "pyproject.toml:4: requires-python"));
    test_close(&p);
}

static void an_environment_that_names_no_interpreter_is_refused(void **state)
{
    struct test_project p;
    struct err e = { 0 };
    struct env env = { 0 };

    test_init(&p, state);
    struct workspace *w = test_open(&p);

    assert_true(workspace_python_of(w, &env, &e)); /* known already: not looked at */
    w->python_known = false;
    static char path[] = "/x/.venv";

    env.path = path;
    assert_false(workspace_python_of(w, &env, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_non_null(strstr(e.text, "'/x/.venv' does not say which interpreter it is for"));
    test_close(&p);
}

static void is_named_by_its_setting_its_project_or_its_folder(void **state)
{
    static const struct {
        const char *setting, *pyproject, *want;
    } cases[] = {
        { "set", "[project]\nname = 'named'\nversion = '1'\n", "set" },
        { NULL, "[project]\nname = 'named'\nversion = '1'\n", "named" },
        { NULL, "", "p" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;

        test_init(&p, state);
        test_write(p.t, "p/pyproject.toml", cases[i].pyproject);
        if (cases[i].setting)
            (void)setenv("BLAST_ENV_NAME", cases[i].setting, 1);
        struct str name = workspace_name(test_open(&p));

        (void)unsetenv("BLAST_ENV_NAME");
        if (!str_eq(name, str_of(cases[i].want)))
            fail_msg("'" STR_FMT "', want '%s'", STR_ARG(name), cases[i].want);
        test_close(&p);
    }
}

static void finds_its_environment(void **state)
{
    struct test_project p;
    struct err e = { 0 };
    AUTO_ARENA a = { 0 };

    test_init(&p, state);
    (void)test_open(&p);
    assert_string_equal(p.w.env_path, arena_printf(&a, "%s/p/.venv", p.t->path).p);
    assert_false(p.w.foreign_env);
    test_close(&p);
    test_init(&p, state);
    assert_true(file_make_dirs(p.t->fd, "other", 0777, &e));
    p.r.env = arena_printf(&p.a, "%s/p/..//./other/", p.t->path);
    (void)test_open(&p);
    assert_string_equal(p.w.env_path, arena_printf(&a, "%s/other", p.t->path).p);
    assert_true(p.w.foreign_env);
    test_close(&p);
}

static void a_project_that_is_not_there_is_named(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    p.r.project = arena_printf(&p.a, "%s/missing", p.t->path);
    assert_false(workspace_open(&p.r, &p.a, &p.w, &e));
    assert_non_null(strstr(e.text, "missing"));
    test_close(&p);
}

static void collects_the_warnings_of_its_files(void **state)
{
    struct test_project p;

    test_init(&p, state);
    test_write(p.t, "user/x", "");
    test_write(p.t, "home/config/config.toml", "[resolver]\nindex_ulr = 'x'\n");
    struct workspace *w = test_open(&p);
    size_t n = w->warnings.n;

    assert_true(n >= 1);
    assert_true(str_search(w->warnings.p[0], STR("index_ulr")) < w->warnings.p[0].n);
    workspace_warn(w, "one more: %d", 7);
    assert_int_equal(w->warnings.n, n + 1);
    assert_true(str_eq(w->warnings.p[n], STR("one more: 7")));
    test_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(wishes_for_an_interpreter_have_an_order),
        TEST_IN_DIR(without_a_wish_nobody_is_blamed),
        TEST_IN_DIR(bounds_that_cannot_be_read_are_named),
        TEST_IN_DIR(an_environment_that_names_no_interpreter_is_refused),
        TEST_IN_DIR(is_named_by_its_setting_its_project_or_its_folder),
        TEST_IN_DIR(finds_its_environment),
        TEST_IN_DIR(a_project_that_is_not_there_is_named),
        TEST_IN_DIR(collects_the_warnings_of_its_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
