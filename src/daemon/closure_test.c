#include "base/test_dir.h"

#include <unistd.h>
#include "base/arena.h"
#include "base/str.h"
#include "daemon/closure.h"

static void put(const struct test_dir *t, const char *name, const char *text)
{
    AUTO_FD fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool names(const struct closure *c, const char *tail)
{
    for (size_t i = 0; i < c->files.n; i++)
        if (str_ends(str_of(c->files.p[i].path), str_of(tail)))
            return true;
    return false;
}

static void follows_requirements_files_where_they_lead(void **state)
{
    const struct test_dir *t = *state;
    struct closure c;
    struct err e = { 0 };

    assert_true(file_make_dirs(t->fd, "sub/deep", 0755, &e));
    put(t, "requirements.txt", "a\n-r sub/one.txt\n-c ./limits.txt\n-r missing.txt\n");
    put(t, "requirements-dev.txt", "-r requirements.txt\n-r sub/../sub/two.txt\n");
    put(t, "sub/one.txt", "-r deep/three.txt\nb\n--no-such-option\n-r never.txt\n");
    put(t, "sub/two.txt", "-r two.txt\n"); /* a circle */
    put(t, "sub/deep/three.txt", "c\n");
    closure_read(t->path, &c);
    static const char *const there[] = { "/pyproject.toml", "/pylock.toml", "/blast.toml", "/.python-version",
                                         "/requirements.txt", "/requirements-dev.txt", "/sub/one.txt", "/sub/two.txt",
                                         "/sub/deep/three.txt" };

    for (size_t i = 0; i < COUNT(there); i++)
        if (!names(&c, there[i]))
            fail_msg("%s is not there", there[i]);
    assert_false(names(&c, "never.txt")); /* behind a mistake */
    for (size_t i = 0; i < c.files.n; i++)
        assert_null(strstr(c.files.p[i].path, ".."));
    closure_clear(&c);
}

static void missing_files_belong_to_it(void **state)
{
    const struct test_dir *t = *state;
    struct closure before, after;
    AUTO_ARENA a = { 0 };

    put(t, "requirements.txt", "-r later.txt\n-c also.txt\n");
    closure_read(t->path, &before);
    assert_true(names(&before, "/later.txt") && names(&before, "/also.txt"));
    put(t, "later.txt", "x\n");
    closure_read(t->path, &after);
    assert_true(before.digest != after.digest);
    assert_true(closure_same_files(&before, &after));
    struct str what = closure_difference(&before, &after, t->path, &a);

    assert_true(str_eq(what, STR("later.txt")));
    closure_clear(&before);
    closure_clear(&after);
}

static void only_bytes_count(void **state)
{
    const struct test_dir *t = *state;
    struct closure before, after;
    AUTO_ARENA a = { 0 };

    put(t, "pyproject.toml", "x = 1\n");
    closure_read(t->path, &before);
    put(t, "pyproject.toml", "x = 2\n");
    put(t, "pyproject.toml", "x = 1\n");
    closure_read(t->path, &after);
    assert_int_equal(before.digest, after.digest);
    assert_int_equal(closure_difference(&before, &after, t->path, &a).n, 0);
    closure_clear(&before);
    closure_clear(&after);
}

static void a_difference_names_few_files(void **state)
{
    const struct test_dir *t = *state;
    struct closure before, after;
    AUTO_ARENA a = { 0 };
    char name[40];

    closure_read(t->path, &before);
    for (unsigned i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof name, "requirements-%u.txt", i);
        put(t, name, "x\n");
    }
    closure_read(t->path, &after);
    struct str what = closure_difference(&before, &after, t->path, &a);

    assert_true(str_eq(what, STR("requirements-0.txt, requirements-1.txt, requirements-2.txt, requirements-3.txt "
                                 "and 3 more")));
    assert_false(closure_same_files(&before, &after));
    closure_clear(&before);
    closure_clear(&after);
}

static void a_project_that_is_not_there_has_nothing(void **state)
{
    struct closure c;

    (void)state;
    closure_read("/nonexistent/project", &c);
    assert_int_equal(c.files.n, 5);
    for (size_t i = 0; i < c.files.n; i++)
        assert_int_equal(c.files.p[i].hash, 0);
    assert_true(c.digest != 0);
    closure_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(follows_requirements_files_where_they_lead),
        TEST_IN_DIR(missing_files_belong_to_it),
        TEST_IN_DIR(only_bytes_count),
        TEST_IN_DIR(a_difference_names_few_files),
        cmocka_unit_test(a_project_that_is_not_there_has_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
