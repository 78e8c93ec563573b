#include "jail/scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void is_private_and_gone_at_the_end(void **state)
{
    (void)state;
    struct scratch s;
    struct err e = { 0 };
    struct stat st;

    assert_true(scratch_make(&s, &e));
    char path[sizeof s.path];

    memcpy(path, s.path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    AUTO_FD dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(mkdirat(dir, "below", 0700), 0);
    scratch_remove(&s);
    assert_false(is_there(path));
    scratch_remove(&s); /* nothing happens */
}

/* A process that makes one and says its name, then waits for its end. */
static pid_t maker(char path[40])
{
    int said[2];

    assert_int_equal(pipe(said), 0);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct scratch s;
        struct err e = { 0 };

        if (scratch_make(&s, &e) && write(said[1], s.path, sizeof s.path) == (ssize_t)sizeof s.path)
            (void)pause();
        _exit(1);
    }
    assert_int_equal(read(said[0], path, 40), 40);
    (void)close(said[0]);
    (void)close(said[1]);
    return pid;
}

static void one_in_use_stays_and_one_of_the_dead_goes(void **state)
{
    (void)state;
    char theirs[40];
    struct scratch s;
    struct err e = { 0 };
    pid_t pid = maker(theirs);

    assert_true(scratch_make(&s, &e));
    assert_true(is_there(theirs));
    scratch_remove(&s);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(is_there(theirs));
    assert_true(scratch_make(&s, &e));
    assert_false(is_there(theirs));
    scratch_remove(&s);
}

static void a_link_of_that_name_is_left_alone(void **state)
{
    (void)state;
    struct scratch s;
    struct err e = { 0 };
    char target[] = "/tmp/scratch-test-XXXXXX", link[] = "/tmp/blast-run-scratch-test";

    assert_non_null(mkdtemp(target));
    (void)unlink(link);
    assert_int_equal(symlink(target, link), 0);
    assert_true(scratch_make(&s, &e));
    assert_true(is_there(link) && is_there(target));
    scratch_remove(&s);
    assert_int_equal(unlink(link) | rmdir(target), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_private_and_gone_at_the_end),
        cmocka_unit_test(one_in_use_stays_and_one_of_the_dead_goes),
        cmocka_unit_test(a_link_of_that_name_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
