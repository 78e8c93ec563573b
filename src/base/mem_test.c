#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void never_gives_null_for_nothing(void **state)
{
    AUTO(mem_auto) void *a = mem_alloc(0);
    AUTO(mem_auto) void *b = mem_zero(0, 0);
    AUTO(mem_auto) void *c = mem_grow(NULL, 0, 0);
    AUTO(mem_auto) char *d = mem_dup(NULL, 0);

    (void)state;
    assert_true(a && b && c);
    assert_string_equal(d, "");
}

static void grows_and_keeps_what_was_there(void **state)
{
    AUTO(mem_auto) char *p = mem_dup("abcdef", 3);

    (void)state;
    assert_string_equal(p, "abc");
    p = mem_grow(p, 1000, 100);
    assert_string_equal(p, "abc");
}

/* The test runs in a child, which must end by abort() after one line. */
static void assert_ends(void (*take)(void))
{
    int p[2], status;
    char text[4096] = "";

    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(p[1], STDERR_FILENO);
        take();
        _exit(0);
    }
    (void)close(p[1]);
    assert_true(read(p[0], text, sizeof text - 1) > 0);
    (void)close(p[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#ifndef __SANITIZE_ADDRESS__ /* it has its own words, unless told to return NULL */
    assert_string_equal(text, "error: out of memory\n");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
#endif
}

static volatile size_t huge = SIZE_MAX / 2; /* not known to the compiler, which would warn */

static void take_much(void)
{
    free(mem_alloc(huge));
}

static void take_a_product(void)
{
    free(mem_grow(NULL, huge, 4));
}

static void take_zeros(void)
{
    free(mem_zero(huge, 4));
}

static void running_out_ends_the_process_with_one_line(void **state)
{
    (void)state;
    assert_ends(take_much);
    assert_ends(take_a_product); /* the product does not fit a size */
    assert_ends(take_zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_gives_null_for_nothing),
        cmocka_unit_test(grows_and_keeps_what_was_there),
        cmocka_unit_test(running_out_ends_the_process_with_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
