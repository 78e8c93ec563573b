#include "jail/uppers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/test_dir.h"
#include "jail/policy.h"

#define DEEP 2000

static void make(int dir, const char *name)
{
    assert_int_equal(mkdirat(dir, name, 0700), 0);
}

static void touch(int dir, const char *name)
{
    AUTO_FD fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
}

static void removes_what_a_program_made_hard_to_remove(void **state)
{
    const struct test_dir *t = *state;
    struct err e = { 0 };

    touch(t->fd, "precious");
    make(t->fd, "beside");
    touch(t->fd, "beside/precious");
    make(t->fd, "x" UPPERS_SUFFIX);
    AUTO_FD own = openat(t->fd, "x" UPPERS_SUFFIX, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    touch(own, "lock");
    make(own, "0");
    make(own, "0/upper");
    make(own, "0/upper/.0"); /* as what is moved up is called */
    make(own, "0/upper/lock");
    touch(own, "0/upper/lock/file");
    make(own, "0/upper/shut");
    make(own, "0/upper/shut/inner");
    touch(own, "0/upper/shut/inner/file");
    assert_int_equal(symlinkat("/etc", own, "0/upper/to-etc"), 0);
    assert_int_equal(symlinkat("../../../beside", own, "0/upper/to-beside"), 0);
    assert_int_equal(linkat(t->fd, "precious", own, "0/upper/second", 0), 0);
    assert_int_equal(mkfifoat(own, "0/upper/pipe", 0), 0);
    assert_int_equal(fchmodat(own, "0/upper/shut/inner", 0, 0), 0);
    assert_int_equal(fchmodat(own, "0/upper/shut", 0, 0), 0);
    assert_int_equal(fchmodat(own, "0/upper", 0500, 0), 0);
    assert_true(uppers_remove(t->fd, "x" UPPERS_SUFFIX, &e));
    assert_false(file_exists(t->fd, "x" UPPERS_SUFFIX));
    assert_false(file_exists(t->fd, "x" UPPERS_DROPPED));
    assert_true(file_exists(t->fd, "beside/precious") && file_exists(t->fd, "precious"));
    assert_true(uppers_remove(t->fd, "x" UPPERS_SUFFIX, &e)); /* nothing happens */
}

/* Deeper than a stack, and than a path can be. */
static void removes_a_tree_of_any_depth(void **state)
{
    const struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD at = -1;

    make(t->fd, "deep");
    at = openat(t->fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < DEEP; i++) {
        make(at, "directory");
        int next = openat(at, "directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_true(next >= 0);
        (void)close(at);
        at = next;
        touch(at, "file");
    }
    assert_true(uppers_remove(t->fd, "deep", &e));
    assert_false(file_exists(t->fd, "deep"));
}

static void a_link_in_its_place_is_not_followed(void **state)
{
    const struct test_dir *t = *state;
    struct err e = { 0 };
    int lock;

    make(t->fd, "beside");
    touch(t->fd, "beside/precious");
    assert_int_equal(symlinkat("beside", t->fd, "x" UPPERS_SUFFIX), 0);
    assert_false(uppers_remove(t->fd, "x" UPPERS_SUFFIX, &e));
    assert_false(uppers_take(t->fd, "x" UPPERS_SUFFIX, 0, &lock));
    assert_true(file_exists(t->fd, "beside/precious"));
}

static struct jail_policy policy_of(const struct test_dir *t, struct jail_path *over, char keep[300])
{
    (void)snprintf(keep, 300, "%s/keep", t->path);
    *over = (struct jail_path){ .path = str_of(t->path), .access = JAIL_OVERLAY };
    return (struct jail_policy){ .path = over, .n_paths = 1, .keep = str_of(keep) };
}

static const char *leaf_of(const struct uppers *u)
{
    return strrchr(u->path, '/') + 1;
}

static void one_in_use_is_nobodys_only_at_its_end(void **state)
{
    const struct test_dir *t = *state;
    struct jail_path over;
    char keep[300], name[UPPERS_NAME + 64];
    struct jail_policy p = policy_of(t, &over, keep);
    struct uppers u = UPPERS_NONE;
    struct err e = { 0 };
    struct stat st;
    int lock;

    assert_true(uppers_make(&p, "name", &u, &e));
    assert_int_equal(lstat(u.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    (void)snprintf(name, sizeof name, "%s", leaf_of(&u));
    AUTO_FD base = open(keep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_false(uppers_take(base, name, 0, &lock));
    assert_false(uppers_is_changed(base, name));
    uppers_end(&u, false); /* as a crash */
    assert_true(uppers_take(base, name, 0, &lock));
    assert_true(lock >= 0);
    fd_close(&lock);
    AUTO_FD own = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    make(own, "0/work/work");
    assert_false(uppers_layer_is_changed(base, name, 0));
    touch(own, "0/upper/file");
    assert_true(uppers_layer_is_changed(base, name, 0) && !uppers_layer_is_changed(base, name, 1));
    assert_true(uppers_is_changed(base, name));
    assert_true(uppers_strip(base, name, &e));
    assert_false(file_exists(own, "0/work"));
    assert_true(file_exists(own, "0/upper/file"));
}

static void an_end_in_order_removes_all_of_it(void **state)
{
    const struct test_dir *t = *state;
    struct jail_path over;
    char keep[300];
    struct jail_policy p = policy_of(t, &over, keep);
    struct uppers u = UPPERS_NONE;
    struct err e = { 0 };

    assert_true(uppers_make(&p, "name", &u, &e));
    uppers_end(&u, true);
    uppers_end(&u, true); /* nothing happens */
    assert_int_equal(unlinkat(t->fd, "keep", AT_REMOVEDIR), 0);
}

static void refuses_with_the_way_out(void **state)
{
    const struct test_dir *t = *state;
    struct jail_path over;
    char keep[300];
    struct jail_policy p = policy_of(t, &over, keep);
    struct uppers u = UPPERS_NONE;

    for (unsigned i = 0; i < 4; i++) {
        static const char *const bad[] = { "", "../x", ".x", "/proc" };
        struct err e = { 0 };

        p.keep = i == 3 ? str_of(bad[i]) : p.keep; /* a file system in which nobody can make anything */
        assert_false(uppers_make(&p, i == 3 ? "name" : bad[i], &u, &e));
        assert_non_null(strstr(e.text, "recovery = \"keep\""));
        assert_non_null(strstr(e.hint, "recovery = \"discard\""));
        assert_int_equal(u.path[0], '\0');
    }
}

static void says_what_it_lay_over(void **state)
{
    static const struct str over[] = { STR_INIT("/a b"), STR_INIT("/c\"\n") };
    static const char *const bad[] = { "", "[]", "{\"over\":1}", "{\"since\":\"x\"}", "{\"over\":[1]}",
                                       "{\"over\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}", "{} {}" };
    struct uppers_about about = { 5, 7, over, 2 }, back;
    AUTO_BUF text = { .limit = UPPERS_ABOUT_MAX };
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };

    (void)state;
    arena_init(&a);
    assert_true(uppers_about_format(&about, &text));
    assert_true(uppers_about_parse(buf_done(&text), &a, &back, &e));
    assert_int_equal(back.since, 5);
    assert_int_equal(back.kept, 7);
    assert_int_equal(back.n, 2);
    assert_true(str_eq(back.over[0], over[0]) && str_eq(back.over[1], over[1]));
    for (size_t i = 0; i < COUNT(bad); i++) {
        e = (struct err){ 0 };
        assert_false(uppers_about_parse(str_of(bad[i]), &a, &back, &e));
        assert_int_equal(e.kind, ERR_ENVIRONMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(removes_what_a_program_made_hard_to_remove),
        TEST_IN_DIR(removes_a_tree_of_any_depth),
        TEST_IN_DIR(a_link_in_its_place_is_not_followed),
        TEST_IN_DIR(one_in_use_is_nobodys_only_at_its_end),
        TEST_IN_DIR(an_end_in_order_removes_all_of_it),
        TEST_IN_DIR(refuses_with_the_way_out),
        cmocka_unit_test(says_what_it_lay_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
