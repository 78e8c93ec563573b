#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "config/find.h"

static char top[] = "/tmp/blast-find-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    (void)memcpy(top + sizeof top - 7, "XXXXXX", 6);
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct err e = { 0 };

    (void)state;
    return file_remove_tree(AT_FDCWD, top, &e) ? 0 : -1;
}

static void make(const char *path, const char *text)
{
    char full[512];
    struct err e = { 0 };
    char *slash;
    AUTO_FD fd = -1;

    (void)snprintf(full, sizeof full, "%s/%s", top, path);
    slash = strrchr(full, '/');
    *slash = '\0';
    if (!file_make_dirs(AT_FDCWD, full, 0777, &e))
        fail_msg("%s", e.text);
    *slash = '/';
    if (text && (!fd_open(AT_FDCWD, full, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, &e) ||
                 !fd_write_all(fd, text, strlen(text), full, &e)))
        fail_msg("%s", e.text);
}

static void expect(const char *start, const char *home, const char *dir, enum find_marker marker)
{
    AUTO_ARENA a = { 0 };
    struct find_project p;
    struct err e = { 0 };
    const char *from = arena_printf(&a, "%s/%s", top, start).p;

    if (!find_project(from, home ? arena_printf(&a, "%s/%s", top, home).p : NULL, &a, &p, &e))
        fail_msg("%s", e.text);
    if (strncmp(p.dir, top, strlen(top)) != 0 || strcmp(p.dir + strlen(top), dir) != 0 || p.marker != marker)
        fail_msg("from %s: %s by %d, want %s by %d", start, p.dir, p.marker, dir, marker);
}

static void finds_the_nearest_of_the_most_meaningful_marker(void **state)
{
    (void)state;
    make("p/blast.toml", "");
    make("p/pkg/pyproject.toml", "");
    make("p/pkg/src/requirements.txt", "");
    make("q/pyproject.toml", "");
    make("q/pkg/pyproject.toml", "");
    make("q/pkg/src/x", "");
    make("r/.venv/x", "");
    make("r/sub/x", "");
    expect("p", NULL, "/p", FIND_BLAST_TOML);
    expect("p/pkg/src", NULL, "/p", FIND_BLAST_TOML);
    expect("q/pkg/src", NULL, "/q/pkg", FIND_PYPROJECT);
    expect("q", NULL, "/q", FIND_PYPROJECT);
    expect("r/sub", NULL, "/r", FIND_VENV);
}

static void stays_below_the_home_directory(void **state)
{
    (void)state;
    make("home/pyproject.toml", "");
    make("home/work/x", "");
    make("blast.toml", "");
    expect("home/work", "home", "/home/work", FIND_NOTHING);
    expect("home", "home", "/home", FIND_PYPROJECT);
}

static void stays_in_the_repository_once_something_is_found(void **state)
{
    (void)state;
    make("blast.toml", "");
    make("repo/.git/HEAD", "");
    make("repo/pkg/pyproject.toml", "");
    make("bare/.git/HEAD", "");
    make("bare/x/y", "");
    expect("repo/pkg", NULL, "/repo/pkg", FIND_PYPROJECT);
    expect("bare/x", NULL, "", FIND_BLAST_TOML);
}

static void does_not_trust_directories_that_all_can_write(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    make("open/blast.toml", "");
    make("open/mine/x", "");
    assert_int_equal(chmod(arena_printf(&a, "%s/open", top).p, 01777), 0);
    expect("open/mine", NULL, "/open/mine", FIND_NOTHING);
    expect("open", NULL, "/open", FIND_BLAST_TOML);
}

static void refuses_to_start_where_no_directory_is(void **state)
{
    AUTO_ARENA a = { 0 };
    struct find_project p;
    struct err e = { 0 };

    (void)state;
    make("file", "");
    assert_false(find_project(arena_printf(&a, "%s/none", top).p, NULL, &a, &p, &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_false(find_project(arena_printf(&a, "%s/file", top).p, NULL, &a, &p, &e));
    assert_non_null(strstr(e.text, "Not a directory"));
}

static void reads_the_first_line_of_python_version_that_counts(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD dir = -1;
    struct str version;
    unsigned line = 0;
    struct err e = { 0 };

    (void)state;
    assert_true(fd_open_dir(AT_FDCWD, top, &dir, &e));
    assert_true(find_python_version(dir, &a, &version, &line, &e));
    assert_int_equal(version.n, 0);
    make(".python-version", "# pinned\r\n\r\n  3.11.7 \n3.10\n");
    assert_true(find_python_version(dir, &a, &version, &line, &e));
    assert_string_equal(version.p, "3.11.7");
    assert_int_equal(line, 3);
    make(".python-version", "# nothing\n");
    assert_true(find_python_version(dir, &a, &version, NULL, &e));
    assert_int_equal(version.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_the_nearest_of_the_most_meaningful_marker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stays_below_the_home_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stays_in_the_repository_once_something_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(does_not_trust_directories_that_all_can_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_to_start_where_no_directory_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_the_first_line_of_python_version_that_counts, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
