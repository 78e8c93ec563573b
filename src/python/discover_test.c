#include "python/discover.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

/* A machine of its own: <dir>/bin on PATH, <dir>/pyenv, <dir>/managed, <dir>/venv. The interpreters are scripts that
 * answer the probe and add their path to <dir>/asked. */
struct place {
    struct arena a;
    char dir[64];
    struct py_search search;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    (void)snprintf(p->dir, sizeof p->dir, "/tmp/blast-discover-XXXXXX");
    *state = p;
    if (!mkdtemp(p->dir))
        return -1;
    p->search = (struct py_search){
        .path = arena_printf(&p->a, "%s/pyenv/shims:relative:%s/bin", p->dir, p->dir).p,
        .home = p->dir,
        .pyenv_root = arena_printf(&p->a, "%s/pyenv", p->dir).p,
        .managed = arena_printf(&p->a, "%s/managed", p->dir).p,
        .virtual_env = "",
    };
    return unsetenv("PYENV_VERSION");
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    int rc = file_remove_tree(AT_FDCWD, p->dir, &e) ? 0 : -1;

    arena_clear(&p->a);
    free(p);
    return rc;
}

static char *path_in(struct place *p, const char *name)
{
    return arena_cstr(&p->a, arena_printf(&p->a, "%s/%s", p->dir, name));
}

static char *write_file(struct place *p, const char *name, const char *text)
{
    char *path = path_in(p, name);
    struct err e = { 0 };
    AUTO_FD fd = -1;

    if (!file_make_dirs(AT_FDCWD, arena_printf(&p->a, "%.*s", (int)str_rfind(str_of(path), '/'), path).p, 0755, &e) ||
        !fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0755, &fd, &e) ||
        !fd_write_all(fd, text, strlen(text), path, &e))
        fail_msg("%s", e.text);
    return path;
}

static void add_python(struct place *p, const char *name, const char *implementation, const char *version)
{
    struct str part[3] = { { "3", 1 }, { "0", 1 }, { "0", 1 } };
    size_t digits = strspn(version, "0123456789.");
    static const char format[] =
        "#!/bin/sh\necho '%s' >> '%s/asked'\necho '{\"major\":" STR_FMT ",\"minor\":" STR_FMT ",\"micro\":" STR_FMT
        ",\"full\":\"%s\",\"implementation\":\"%s\",\"abiflags\":\"%s\",\"base_prefix\":\"%s/base\","
        "\"executable\":\"%s\",\"libc\":\"glibc 2.36\"}'\n";

    (void)str_split((struct str){ version, digits }, '.', part, 3);
    (void)write_file(p, name, arena_printf(&p->a, format, name, p->dir, STR_ARG(part[0]), STR_ARG(part[1]),
                                           STR_ARG(part[2]), version, implementation,
                                           name[strlen(name) - 1] == 't' ? "t" : "", p->dir, path_in(p, name)).p);
}

static void add_usual(struct place *p)
{
    add_python(p, "bin/python3.9", "cpython", "3.9.2");
    add_python(p, "bin/python3.13t", "cpython", "3.13.0");
    add_python(p, "pyenv/versions/3.10.13/bin/python3", "cpython", "3.10.13");
    add_python(p, "pyenv/versions/3.12.1/bin/python3", "cpython", "3.12.1");
    add_python(p, "pyenv/versions/3.12.4/bin/python3", "cpython", "3.12.4");
    add_python(p, "pyenv/versions/pypy3.10-7.3.17/bin/python3", "pypy", "3.10.14");
    (void)write_file(p, "pyenv/versions/2.7.18/bin/python", "#!/bin/sh\nexit 1\n");
    add_python(p, "managed/cpython-3.14.0rc1-linux/bin/python3", "cpython", "3.14.0rc1");
    (void)write_file(p, "pyenv/shims/python3", "#!/bin/sh\necho shim >> asked\nexit 1\n");
    assert_int_equal(symlink("python3.9", path_in(p, "bin/python3")), 0);
}

static struct py_request request_of(struct place *p, const char *text)
{
    struct py_request r;
    struct err e = { 0 };

    if (!python_request_parse(str_of(text), p->dir, &p->a, &r, &e))
        fail_msg("'%s': %s", text, e.text);
    return r;
}

static const char *find(struct place *p, const char *request, const char *bounds)
{
    struct py_request r = request_of(p, request);
    struct err e = { 0 };
    struct py_facts f;
    struct spec s;

    if (bounds && !spec_parse(str_of(bounds), &p->a, &s, &e))
        fail_msg("%s", e.text);
    r.bounds = bounds ? &s : NULL;
    if (!python_find(&r, &p->search, &p->a, &f, NULL, &e))
        return arena_printf(&p->a, "%s", e.text).p;
    assert_true(str_starts(f.executable, str_of(p->dir)));
    return f.executable.p + strlen(p->dir) + 1;
}

static void the_newest_stable_that_fits_is_found(void **state)
{
    static const struct {
        const char *request, *bounds, *want;
    } cases[] = {
        { "3.12", NULL, "pyenv/versions/3.12.4/bin/python3" },
        { "3.12.1", NULL, "pyenv/versions/3.12.1/bin/python3" },
        { "python3.10", NULL, "pyenv/versions/3.10.13/bin/python3" },
        { "cpython@3.9", NULL, "bin/python3" },
        { "3", NULL, "pyenv/versions/3.12.4/bin/python3" },
        { ">=3.9,<3.12", NULL, "pyenv/versions/3.10.13/bin/python3" },
        { ">=3.9", "<3.12.4", "pyenv/versions/3.12.1/bin/python3" },
        { "3.14", NULL, "managed/cpython-3.14.0rc1-linux/bin/python3" },
        { "3.14-dev", NULL, "managed/cpython-3.14.0rc1-linux/bin/python3" },
        { "3.14.0rc1", NULL, "managed/cpython-3.14.0rc1-linux/bin/python3" },
        { "pypy", NULL, "pyenv/versions/pypy3.10-7.3.17/bin/python3" },
        { "pypy3.10-7.3.17", NULL, "pyenv/versions/pypy3.10-7.3.17/bin/python3" },
        { "3.13t", NULL, "bin/python3.13t" },
        { "", NULL, "bin/python3" },
        { "", ">=3.10", "pyenv/versions/3.12.4/bin/python3" },
    };
    struct place *p = *state;

    add_usual(p);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *got = find(p, cases[i].request, cases[i].bounds);

        if (strcmp(got, cases[i].want) != 0)
            fail_msg("'%s' with '%s': %s, wanted %s", cases[i].request, cases[i].bounds ? cases[i].bounds : "", got,
                     cases[i].want);
    }
}

static struct str asked(struct place *p)
{
    struct err e = { 0 };
    struct str text;

    if (!fd_read_if_there(AT_FDCWD, path_in(p, "asked"), 1 << 16, &p->a, &text, &e))
        fail_msg("%s", e.text);
    (void)unlink(path_in(p, "asked"));
    return text.p ? text : STR("");
}

static void only_what_can_fit_is_started_and_never_a_shim(void **state)
{
    struct place *p = *state;

    add_usual(p);
    assert_string_equal(find(p, "3.12", NULL), "pyenv/versions/3.12.4/bin/python3");
    assert_string_equal(asked(p).p, "pyenv/versions/3.12.4/bin/python3\n");
    assert_string_equal(find(p, ">=3.9,<3.10", NULL), "bin/python3");
    assert_string_equal(asked(p).p, "bin/python3.9\n");
    (void)find(p, "", NULL);
    assert_string_equal(asked(p).p, "bin/python3.9\n");
    assert_int_equal(file_exists(AT_FDCWD, path_in(p, "relative")), false);
}

static void pyenvs_choice_stands_for_its_shims(void **state)
{
    struct place *p = *state;

    add_usual(p);
    (void)write_file(p, "pyenv/version", "3.10.13\n3.12.1\n");
    assert_string_equal(find(p, "", NULL), "pyenv/versions/3.10.13/bin/python3");
    assert_string_equal(find(p, "", ">=3.11"), "pyenv/versions/3.12.1/bin/python3");
    assert_int_equal(setenv("PYENV_VERSION", "3.12.4", 1), 0);
    assert_string_equal(find(p, "", NULL), "pyenv/versions/3.12.4/bin/python3");
    assert_int_equal(unsetenv("PYENV_VERSION"), 0);
}

static void the_active_environment_comes_first_by_its_base(void **state)
{
    struct place *p = *state;

    add_usual(p);
    (void)write_file(p, "venv/pyvenv.cfg", "home = /nowhere\n");
    assert_true(mkdir(path_in(p, "venv/bin"), 0755) == 0);
    assert_int_equal(symlink("../../pyenv/versions/3.12.1/bin/python3", path_in(p, "venv/bin/python")), 0);
    p->search.virtual_env = path_in(p, "venv");
    assert_string_equal(find(p, "", NULL), "pyenv/versions/3.12.1/bin/python3");
    assert_string_equal(find(p, "3.12", NULL), "pyenv/versions/3.12.4/bin/python3");
}

static void a_broken_candidate_is_a_note(void **state)
{
    struct place *p = *state;
    struct py_request r;
    struct err e = { 0 };
    struct py_facts f;
    struct py_found found;

    add_usual(p);
    (void)write_file(p, "pyenv/versions/3.12.9/bin/python3", "#!/bin/sh\necho 'no libpython' >&2\nexit 127\n");
    r = request_of(p, "3.12");
    if (!python_find(&r, &p->search, &p->a, &f, &found, &e))
        fail_msg("%s", e.text);
    assert_string_equal(f.version_text.p, "3.12.4");
    assert_int_equal(found.n_notes, 2);
    assert_string_equal(found.note[0].why.p, "python 2.7 is not supported");
    assert_non_null(strstr(found.note[1].path.p, "3.12.9"));
    assert_non_null(strstr(found.note[1].why.p, "ended with status 127: no libpython"));
}

static void nothing_that_fits_lists_what_there_is(void **state)
{
    struct place *p = *state;
    const char *text;

    add_usual(p);
    text = find(p, "3.8", NULL);
    assert_non_null(strstr(text, "no Python interpreter for '3.8'; found: "));
    assert_non_null(strstr(text, "3.12.4 ("));
    assert_non_null(strstr(text, "python 2.7 is not supported"));
    text = find(p, ">=3.10", "<3.10");
    assert_non_null(strstr(text, "for '>=3.10' with requires-python '<3.10'"));
    p->search.path = "";
    p->search.pyenv_root = p->search.managed = "/nonexistent";
    assert_string_equal(find(p, "", NULL), "no Python interpreter was found");
}

static void a_path_means_exactly_that_interpreter(void **state)
{
    struct place *p = *state;
    struct py_request r;

    add_usual(p);
    r = request_of(p, "bin/python3.9");
    assert_int_equal(r.kind, PY_PATH);
    assert_string_equal(find(p, "bin/python3.9", NULL), "bin/python3.9");
    assert_string_equal(find(p, "pyenv/versions/3.12.1", NULL), "pyenv/versions/3.12.1/bin/python3");
    assert_non_null(strstr(find(p, "bin/python3.9", ">=3.10"),
                           "is not what requires-python '>=3.10' asks for"));
    /* A file that exists wins over the version that its name would be. */
    add_python(p, "3.12", "cpython", "3.9.9");
    assert_string_equal(find(p, "3.12", NULL), "3.12");
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "./nope", "'./nope' does not exist" },
        { "/tmp", "'/tmp' has no bin/python" },
        { "/dev/null", "'/dev/null' is not an executable file" },
        { "french-toast", "'french-toast' is neither an interpreter nor a version" },
        { "3.x", "is neither an interpreter nor a version" },
        { "3.1.2.4", "is neither an interpreter nor a version" },
        { ">=3.x", "version specifier '>=3.x' is not a version" },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct py_request r;

        if (python_request_parse(str_of(cases[i].text), p->dir, &p->a, &r, &e))
            fail_msg("'%s' was accepted", cases[i].text);
        assert_int_equal(e.kind, ERR_PYTHON);
        if (!strstr(e.text, cases[i].why))
            fail_msg("'%s': \"%s\" does not say \"%s\"", cases[i].text, e.text, cases[i].why);
    }
}

static void a_list_has_each_interpreter_once_best_first(void **state)
{
    static const char *const want[] = { "3.9.2", "3.13.0", "3.12.4", "3.12.1", "3.10.13", "3.14.0rc1", "3.10.14" };
    struct place *p = *state;
    struct err e = { 0 };
    struct py_found found;

    add_usual(p);
    p->search.cache = path_in(p, "cache");
    if (!python_list(&p->search, &p->a, &found, &e))
        fail_msg("%s", e.text);
    assert_int_equal(found.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++)
        assert_string_equal(found.facts[i].version_text.p, want[i]);
    assert_int_equal(found.n_notes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_stable_that_fits_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_can_fit_is_started_and_never_a_shim, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pyenvs_choice_stands_for_its_shims, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_active_environment_comes_first_by_its_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_candidate_is_a_note, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_that_fits_lists_what_there_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_means_exactly_that_interpreter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_that_make_no_sense_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_list_has_each_interpreter_once_best_first, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
