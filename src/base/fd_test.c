#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/test_dir.h"

static void put(const struct test_dir *t, const char *name, struct str data)
{
    struct err e = { 0 };

    if (!file_replace(t->fd, name, data, 0644, FILE_NO_SYNC, &e))
        fail_msg("%s", e.text);
}

static void opened_files_do_not_survive_exec(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD fd = -1;

    put(t, "f", STR("x"));
    assert_true(fd_open(t->fd, "f", O_RDONLY, 0, &fd, &e));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(t->fd, F_GETFD) & FD_CLOEXEC);
}

static void a_missing_file_is_named_in_the_error(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    int fd = -1;

    assert_false(fd_open(t->fd, "no/such", O_RDONLY, 0, &fd, &e));
    assert_string_equal(e.text, "open no/such: No such file or directory");
    assert_int_equal(e.kind, ERR_IO);
    assert_int_equal(fd, -1);
}

static void a_file_is_no_directory(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    int fd = -1;

    put(t, "f", STR(""));
    assert_false(fd_open_dir(t->fd, "f", &fd, &e));
    assert_string_equal(e.text, "open f: Not a directory");
}

static void absence_is_not_an_error_where_it_may_be(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text = STR("before");
    int fd = -1;
    bool there = true;

    put(t, "file", STR(""));
    assert_true(fd_open_if_there(t->fd, "none", O_RDONLY, &fd, &there, &e));
    assert_false(there);
    assert_true(fd_open_if_there(t->fd, "file/below", O_RDONLY, &fd, &there, &e));
    assert_false(there);
    assert_int_equal(e.kind, ERR_NONE);
    assert_true(fd_read_if_there(t->fd, "none", 10, &a, &text, &e));
    assert_null(text.p);
    assert_true(fd_read_if_there(t->fd, "file", 10, &a, &text, &e)); /* empty is not absent */
    assert_non_null(text.p);
    assert_int_equal(text.n, 0);
}

static void reads_a_whole_file_up_to_the_limit(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    static char big[200000];
    struct err e = { 0 };
    struct str got;

    memset(big, 'b', sizeof big);
    put(t, "big", (struct str){ big, sizeof big });
    assert_true(fd_read_file(t->fd, "big", sizeof big, &a, &got, &e));
    assert_true(str_eq(got, (struct str){ big, sizeof big }));
    assert_int_equal(got.p[got.n], '\0');
    assert_false(fd_read_file(t->fd, "big", sizeof big - 1, &a, &got, &e));
    assert_string_equal(e.text, "read big: more than 199999 bytes");
    assert_false(fd_read_file(t->fd, "big", 0, &a, &got, &e));
    assert_string_equal(e.text, "read big: more than 0 bytes");
}

static void a_directory_cannot_be_read_as_a_file(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str got;

    assert_false(fd_read_file(t->fd, ".", 10, &a, &got, &e));
    assert_string_equal(e.text, "read .: it is a directory");
}

static void reads_a_pipe_to_its_end(void **state)
{
    AUTO_BUF b;
    struct err e = { 0 };
    int p[2];

    (void)state;
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    AUTO_FD r = p[0], w = p[1];

    buf_init(&b, 100);
    assert_true(fd_write_all(w, "one ", 4, "pipe", &e));
    assert_true(fd_write_all(w, "two", 3, "pipe", &e));
    fd_close(&w);
    assert_int_equal(w, -1);
    assert_true(fd_read_all(r, &b, "pipe", &e));
    assert_string_equal(buf_done(&b).p, "one two");
}

static void a_full_disk_is_named_with_the_file(void **state)
{
    struct err e = { 0 };
    AUTO_FD full = -1;

    (void)state;
    assert_true(fd_open(AT_FDCWD, "/dev/full", O_WRONLY, 0, &full, &e));
    assert_false(fd_write_all(full, "x", 1, "the record", &e));
    assert_string_equal(e.text, "write the record: No space left on device");
    assert_int_equal(e.sys, ENOSPC);
}

static void maps_a_file_and_an_empty_one(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    struct str map;
    AUTO_FD fd = -1, none = -1;

    put(t, "f", STR("content"));
    put(t, "none", STR(""));
    assert_true(fd_open(t->fd, "f", O_RDONLY, 0, &fd, &e));
    assert_true(fd_map(fd, "f", &map, &e));
    assert_true(str_eq(map, STR("content")));
    fd_unmap(&map);
    assert_null(map.p);
    assert_true(fd_open(t->fd, "none", O_RDONLY, 0, &none, &e));
    assert_true(fd_map(none, "none", &map, &e));
    assert_int_equal(map.n, 0);
    fd_unmap(&map);
    assert_false(fd_map(t->fd, "dir", &map, &e));
    assert_string_equal(e.text, "map dir: not a regular file");
}

static void closing_keeps_the_error_number(void **state)
{
    int fd = -1;

    (void)state;
    errno = ENOSPC;
    fd_close(&fd);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    errno = ENOSPC;
    fd_close(&fd);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fd, -1);
}

static void a_lock_keeps_another_opening_of_the_file_out(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD one = -1, two = -1;
    bool got;

    assert_true(fd_open(t->fd, "lock", O_RDWR | O_CREAT, 0600, &one, &e));
    assert_true(fd_open(t->fd, "lock", O_RDWR, 0, &two, &e));
    assert_true(fd_lock(one, true, "lock", &e));
    assert_true(fd_try_lock(two, true, &got, "lock", &e));
    assert_false(got);
    assert_true(fd_try_lock(two, false, &got, "lock", &e));
    assert_false(got);
    fd_close(&one);
    assert_true(fd_try_lock(two, true, &got, "lock", &e));
    assert_true(got);
}

static void readers_share_a_lock(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD one = -1, two = -1, three = -1;
    bool got;

    assert_true(fd_open(t->fd, "lock", O_RDWR | O_CREAT, 0600, &one, &e));
    assert_true(fd_open(t->fd, "lock", O_RDWR, 0, &two, &e));
    assert_true(fd_open(t->fd, "lock", O_RDWR, 0, &three, &e));
    assert_true(fd_lock(one, false, "lock", &e));
    assert_true(fd_try_lock(two, false, &got, "lock", &e));
    assert_true(got);
    assert_true(fd_try_lock(three, true, &got, "lock", &e));
    assert_false(got);
}

static void a_lock_ends_with_its_process(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD fd = -1;
    int status;
    bool got;

    assert_true(fd_open(t->fd, "lock", O_RDWR | O_CREAT, 0600, &fd, &e));
    pid_t pid = fork();

    if (pid == 0) {
        int own = -1;

        _exit(!fd_open(t->fd, "lock", O_RDWR, 0, &own, &e) || !fd_lock(own, true, "lock", &e));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(fd_try_lock(fd, true, &got, "lock", &e));
    assert_true(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(opened_files_do_not_survive_exec),
        TEST_IN_DIR(a_missing_file_is_named_in_the_error),
        TEST_IN_DIR(a_file_is_no_directory),
        TEST_IN_DIR(absence_is_not_an_error_where_it_may_be),
        TEST_IN_DIR(reads_a_whole_file_up_to_the_limit),
        TEST_IN_DIR(a_directory_cannot_be_read_as_a_file),
        cmocka_unit_test(reads_a_pipe_to_its_end),
        cmocka_unit_test(a_full_disk_is_named_with_the_file),
        TEST_IN_DIR(maps_a_file_and_an_empty_one),
        cmocka_unit_test(closing_keeps_the_error_number),
        TEST_IN_DIR(a_lock_keeps_another_opening_of_the_file_out),
        TEST_IN_DIR(readers_share_a_lock),
        TEST_IN_DIR(a_lock_ends_with_its_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
