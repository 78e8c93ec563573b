#include "base/copy.h"

#include <fcntl.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fd.h"
#include "base/test_dir.h"

static void check_text(const struct test_dir *t, const char *name, struct str want)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text;

    if (!fd_read_file(t->fd, name, 4096, &a, &text, &e))
        fail_msg("%s", e.text);
    if (!str_eq(text, want))
        fail_msg("'" STR_FMT "', wanted '" STR_FMT "'", STR_ARG(text), STR_ARG(want));
}

static void copies_from_where_a_file_stands(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD in = -1, out = -1;

    assert_true(file_replace(t->fd, "in", STR("one two"), 0644, FILE_NO_SYNC, &e));
    assert_true(fd_open(t->fd, "in", O_RDONLY, 0, &in, &e));
    assert_true(fd_open(t->fd, "out", O_WRONLY | O_CREAT, 0644, &out, &e));
    assert_int_equal(lseek(in, 4, SEEK_SET), 4);
    assert_true(fd_write_all(out, "-", 1, "out", &e));
    assert_true(copy_content(in, out, "in", &e));
    check_text(t, "out", STR("-two"));
}

static void copies_what_the_kernel_does_not(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD out = -1;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "from a pipe", 11), 11);
    (void)close(ends[1]);
    assert_true(fd_open(t->fd, "out", O_WRONLY | O_CREAT, 0644, &out, &e));
    assert_true(copy_content(ends[0], out, "pipe", &e));
    (void)close(ends[0]);
    check_text(t, "out", STR("from a pipe"));
}

static void names_what_cannot_be_copied(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };
    AUTO_FD in = -1, out = -1;

    assert_true(file_replace(t->fd, "in", STR("text"), 0644, FILE_NO_SYNC, &e));
    assert_true(fd_open(t->fd, "in", O_RDONLY, 0, &in, &e));
    assert_true(fd_open(t->fd, "out", O_RDONLY | O_CREAT, 0644, &out, &e));
    assert_false(copy_content(in, out, "in", &e));
    assert_string_equal(e.text, "copy in: Bad file descriptor");
    assert_int_equal(e.kind, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(copies_from_where_a_file_stands),
        TEST_IN_DIR(copies_what_the_kernel_does_not),
        TEST_IN_DIR(names_what_cannot_be_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
