#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fd.h"
#include "base/test_dir.h"

#define NOBODY 65534

static void assert_content(const struct test_dir *t, const char *name, const char *want)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str got;

    if (!fd_read_file(t->fd, name, 1000, &a, &got, &e))
        fail_msg("%s", e.text);
    assert_string_equal(got.p, want);
}

/* Everything in the directory, hidden files too. */
static size_t count_entries(const struct test_dir *t, const char *path)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct err e = { 0 };
    size_t n = 0;

    assert_true(file_list_open(t->fd, path, &list, &e));
    while (file_list_next(&list, &d, &e))
        n++;
    assert_int_equal(e.kind, ERR_NONE);
    return n;
}

static void replaces_a_file_and_leaves_nothing_beside_it(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    struct stat st;

    assert_true(file_replace(t->fd, "f", STR("one"), 0600, FILE_NO_SYNC, &e));
    assert_content(t, "f", "one");
    assert_true(file_replace(t->fd, "f", STR("two"), 0600, FILE_SYNC, &e));
    assert_content(t, "f", "two");
    assert_int_equal(fstatat(t->fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(count_entries(t, "."), 1);
}

static void an_open_reader_keeps_the_old_content(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD fd = -1;
    char text[4] = "";

    assert_true(file_replace(t->fd, "f", STR("old"), 0600, FILE_NO_SYNC, &e));
    assert_true(fd_open(t->fd, "f", O_RDONLY, 0, &fd, &e));
    assert_true(file_replace(t->fd, "f", STR("new"), 0600, FILE_NO_SYNC, &e));
    assert_int_equal(read(fd, text, 3), 3);
    assert_string_equal(text, "old");
}

static void leaves_nothing_behind_when_replacing_fails(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };

    assert_int_equal(mkdirat(t->fd, "d", 0755), 0);
    assert_false(file_replace(t->fd, "d", STR("x"), 0600, FILE_NO_SYNC, &e));
    assert_non_null(strstr(e.text, " to d: Is a directory"));
    assert_false(file_replace_link(t->fd, "d", "x", FILE_NO_SYNC, &e));
    assert_int_equal(count_entries(t, "."), 1);
    assert_false(file_replace(t->fd, "sub/name", STR("x"), 0600, FILE_NO_SYNC, &e));
    assert_string_equal(e.text, "no temporary name beside 'sub/name'");
}

/* Where process numbers repeat, as in containers, the name of a crashed run may be there already. */
static void is_not_stopped_by_what_a_crash_left_behind(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    char name[NAME_MAX];

    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, ".f.%ld.%u.tmp", (long)getpid(), i);
        assert_int_equal(symlinkat("left", t->fd, name), 0);
    }
    assert_true(file_replace(t->fd, "f", STR("x"), 0600, FILE_NO_SYNC, &e));
    assert_content(t, "f", "x");
    assert_true(file_replace_link(t->fd, "f", "y", FILE_NO_SYNC, &e));
}

static void takes_names_as_long_as_the_system_allows(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    char name[NAME_MAX + 1];

    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    assert_true(file_replace(t->fd, name, STR("x"), 0600, FILE_NO_SYNC, &e));
    assert_content(t, name, "x");
}

static void replaces_a_link(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    char target[20] = "";

    assert_true(file_replace_link(t->fd, ".current", ".gen/1", FILE_NO_SYNC, &e));
    assert_true(file_replace_link(t->fd, ".current", ".gen/2", FILE_SYNC, &e));
    assert_int_equal(readlinkat(t->fd, ".current", target, sizeof target - 1), 6);
    assert_string_equal(target, ".gen/2");
    assert_true(file_exists(t->fd, ".current")); /* it dangles, and is there */
}

static void makes_directories_with_their_parents(void **state)
{
    static const char *const paths[] = { "a", "a/b/c", "a/b/c", "x//y///z", "t/u/", "./v/w", "a/../n/m" };
    struct test_dir *t = *state;
    struct err e = { 0 };
    struct stat st;

    for (size_t i = 0; i < COUNT(paths); i++) {
        if (!file_make_dirs(t->fd, paths[i], 0700, &e))
            fail_msg("%s: %s", paths[i], e.text);
        assert_int_equal(fstatat(t->fd, paths[i], &st, 0), 0);
        assert_true(S_ISDIR(st.st_mode));
    }
    assert_int_equal(fstatat(t->fd, "x/y/z", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void does_not_take_a_file_for_a_directory(void **state)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        { "f", "make directory f: Not a directory" },
        { "f/g", "make directory f/g: Not a directory" },
        { "f/g/h", "make directory f/g/h: Not a directory" },
        { "dangling", "make directory dangling: Not a directory" },
        { "", "make directory : No such file or directory" },
    };
    struct test_dir *t = *state;
    struct err e = { 0 };

    assert_true(file_replace(t->fd, "f", STR(""), 0600, FILE_NO_SYNC, &e));
    assert_true(file_replace_link(t->fd, "dangling", "nowhere", FILE_NO_SYNC, &e));
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(file_make_dirs(t->fd, cases[i].path, 0755, &e));
        assert_string_equal(e.text, cases[i].why);
    }
}

static void makes_very_deep_paths_and_refuses_too_long_ones(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    char path[PATH_MAX + 1];

    for (size_t i = 0; i < sizeof path - 1; i += 2)
        memcpy(path + i, "d/", 2);
    path[PATH_MAX] = '\0';
    assert_false(file_make_dirs(t->fd, path, 0755, &e));
    assert_string_equal(e.text, "make directory: the path has 4096 bytes, the limit is 4095");
    path[800] = '\0'; /* 400 deep: still within what file_remove_tree takes */
    assert_true(file_make_dirs(t->fd, path, 0755, &e));
    assert_true(file_remove_tree(t->fd, "d", &e));
    assert_int_equal(count_entries(t, "."), 0);
}

static void removes_a_tree_but_not_what_its_links_point_to(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };

    assert_true(file_make_dirs(t->fd, "keep", 0755, &e));
    assert_true(file_make_dirs(t->fd, "tree/a/b", 0755, &e));
    assert_int_equal(symlinkat("../../keep", t->fd, "tree/a/link"), 0);
    assert_int_equal(symlinkat("nowhere", t->fd, "tree/dangling"), 0);
    assert_int_equal(mkfifoat(t->fd, "tree/fifo", 0600), 0);
    assert_true(file_replace(t->fd, "top", STR(""), 0600, FILE_NO_SYNC, &e));
    assert_int_equal(symlinkat("keep", t->fd, "link"), 0);

    assert_true(file_remove_tree(t->fd, "tree", &e));
    assert_true(file_remove_tree(t->fd, "top", &e));
    assert_true(file_remove_tree(t->fd, "link", &e));
    assert_true(file_remove_tree(t->fd, "not there", &e));
    assert_true(file_remove_tree(t->fd, "not/there", &e));
    assert_int_equal(count_entries(t, "."), 1);
    assert_true(file_exists(t->fd, "keep"));
}

/* The store is read-only, and root would not notice: as an ordinary user. */
static void removes_read_only_trees(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    bool root = geteuid() == 0;

    assert_int_equal(fchmod(t->fd, 0777), 0);
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    assert_true(file_make_dirs(t->fd, "s/a/b", 0755, &e));
    assert_int_equal(mknodat(t->fd, "s/a/b/f", S_IFREG | 0444, 0), 0);
    assert_int_equal(fchmodat(t->fd, "s/a/b", 0111, 0), 0); /* cannot even be listed */
    assert_int_equal(fchmodat(t->fd, "s/a", 0555, 0), 0);
    assert_int_equal(fchmodat(t->fd, "s", 0555, 0), 0);
    bool ok = file_remove_tree(t->fd, "s", &e);

    if (root)
        assert_int_equal(seteuid(0), 0);
    if (!ok)
        fail_msg("%s", e.text);
    assert_int_equal(count_entries(t, "."), 0);
}

static void says_what_it_may_not_remove(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };

    if (geteuid() != 0) {
        print_message("SKIP: needs another user's directory, so root\n");
        skip();
    }
    assert_true(file_make_dirs(t->fd, "theirs/x", 0755, &e));
    assert_int_equal(fchmod(t->fd, 0755), 0);
    assert_int_equal(seteuid(NOBODY), 0);
    bool ok = file_remove_tree(t->fd, "theirs", &e);

    assert_int_equal(seteuid(0), 0);
    assert_false(ok);
    assert_string_equal(e.text, "remove directory x: Permission denied");
    assert_true(file_exists(t->fd, "theirs/x"));
}

static void lists_all_but_dot_and_dot_dot(void **state)
{
    struct test_dir *t = *state;
    struct file_list list = { NULL };
    struct err e = { 0 };

    assert_int_equal(count_entries(t, "."), 0);
    assert_true(file_replace(t->fd, ".hidden", STR(""), 0600, FILE_NO_SYNC, &e));
    assert_true(file_replace(t->fd, "..odd", STR(""), 0600, FILE_NO_SYNC, &e));
    assert_int_equal(count_entries(t, "."), 2);
    assert_false(file_list_open(t->fd, "none", &list, &e));
    assert_string_equal(e.text, "open none: No such file or directory");
    file_list_close(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(replaces_a_file_and_leaves_nothing_beside_it),
        TEST_IN_DIR(an_open_reader_keeps_the_old_content),
        TEST_IN_DIR(leaves_nothing_behind_when_replacing_fails),
        TEST_IN_DIR(is_not_stopped_by_what_a_crash_left_behind),
        TEST_IN_DIR(takes_names_as_long_as_the_system_allows),
        TEST_IN_DIR(replaces_a_link),
        TEST_IN_DIR(makes_directories_with_their_parents),
        TEST_IN_DIR(does_not_take_a_file_for_a_directory),
        TEST_IN_DIR(makes_very_deep_paths_and_refuses_too_long_ones),
        TEST_IN_DIR(removes_a_tree_but_not_what_its_links_point_to),
        TEST_IN_DIR(removes_read_only_trees),
        TEST_IN_DIR(says_what_it_may_not_remove),
        TEST_IN_DIR(lists_all_but_dot_and_dot_dot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
