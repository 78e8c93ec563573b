/* A directory of its own for a test: made empty, removed with all that is in it. For *_test.c only. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

struct test_dir {
    char path[200];
    int fd;
};

/* For cmocka_unit_test_setup_teardown: *state is the struct test_dir. */
static inline int test_dir_make(void **state)
{
    static struct test_dir t;
    struct err e = { 0 };
    const char *base = getenv("TMPDIR");

    (void)snprintf(t.path, sizeof t.path, "%.150s/blast-test.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(t.path) || !fd_open_dir(AT_FDCWD, t.path, &t.fd, &e))
        return -1;
    *state = &t;
    return 0;
}

static inline int test_dir_remove(void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };

    fd_close(&t->fd);
    return file_remove_tree(AT_FDCWD, t->path, &e) ? 0 : -1;
}

#define TEST_IN_DIR(test) cmocka_unit_test_setup_teardown(test, test_dir_make, test_dir_remove)
