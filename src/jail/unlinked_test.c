#include "jail/unlinked.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define MIB ((size_t)1 << 20)

static void fill(int fd)
{
    static char block[MIB];

    memset(block, 'x', sizeof block);
    assert_int_equal(write(fd, block, sizeof block), sizeof block);
    assert_int_equal(fsync(fd), 0); /* blocks are counted once they are given out */
}

static struct unlinked measure(int proc, int on)
{
    struct unlinked u;
    struct stat st;

    assert_int_equal(fstat(on, &st), 0);
    unlinked_measure(proc, &st.st_dev, 1, &u);
    return u;
}

/* In a made-up /proc: this process's descriptor is one of `pid` too. */
static void show(const char *dir, int pid, int fd)
{
    char path[64], target[64];

    (void)snprintf(path, sizeof path, "%s/%d", dir, pid);
    (void)mkdir(path, 0755); /* may be there */
    (void)snprintf(path, sizeof path, "%s/%d/fd", dir, pid);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof path, "%s/%d/fd/%d", dir, pid, fd);
    (void)snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
    assert_int_equal(symlink(target, path), 0);
}

static void counts_what_has_no_name_once(void **state)
{
    char dir[] = "blast-unlinked-XXXXXX", path[64];
    struct err e = { 0 };

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/file", dir);
    AUTO_FD proc = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    AUTO_FD memory = memfd_create("blast", MFD_CLOEXEC), of_pid_1 = memfd_create("blast", MFD_CLOEXEC);
    AUTO_FD second = dup(file);

    assert_true(proc >= 0 && file >= 0);
    fill(file);
    fill(memory);
    fill(of_pid_1);
    show(dir, 7, file);
    show(dir, 7, second);
    show(dir, 8, file);
    show(dir, 8, memory);
    show(dir, 1, of_pid_1);
    struct unlinked named = measure(proc, proc);

    assert_int_equal(named.disk, 0);
    assert_in_range(named.memory, MIB, MIB + MIB / 2);
    assert_int_equal(unlink(path), 0);
    struct unlinked gone = measure(proc, proc);

    assert_in_range(gone.disk, MIB, MIB + MIB / 2);
    assert_int_equal(gone.memory, named.memory);
    assert_true(file_remove_tree(AT_FDCWD, dir, &e));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_has_no_name_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
