#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

#define SH(script) ((const char *const[]){ "sh", "-c", script, NULL })

struct ran {
    int status;
    struct buf out, err;
    struct err e;
    bool ok;
};

static struct ran run(struct proc_spec spec)
{
    struct ran r = { .status = -1 };

    buf_init(&r.out, 1000);
    buf_init(&r.err, 1000);
    spec.out = &r.out;
    spec.err = &r.err;
    r.ok = proc_run(&spec, &r.status, &r.e);
    return r;
}

static void ran_clear(struct ran *r)
{
    buf_clear(&r->out);
    buf_clear(&r->err);
}

#define AUTO_RAN AUTO(ran_clear) struct ran

static void captures_both_streams_and_the_exit_code(void **state)
{
    AUTO_RAN r = run((struct proc_spec){ .argv = SH("echo out; echo err >&2; exit 3") });

    (void)state;
    assert_true(r.ok);
    assert_int_equal(r.status, 3);
    assert_string_equal(buf_done(&r.out).p, "out\n");
    assert_string_equal(buf_done(&r.err).p, "err\n");
}

static void a_signal_is_128_and_its_number(void **state)
{
    AUTO_RAN r = run((struct proc_spec){ .argv = SH("kill -TERM $$") });

    (void)state;
    assert_true(r.ok);
    assert_int_equal(r.status, 128 + SIGTERM);
}

static void a_missing_program_is_named(void **state)
{
    static const char *const argv[] = { "no-such-program-anywhere", NULL };
    AUTO_RAN r = run((struct proc_spec){ .argv = argv });

    (void)state;
    assert_false(r.ok);
    assert_string_equal(r.e.text, "start no-such-program-anywhere: No such file or directory");
    assert_int_equal(r.e.kind, ERR_IO);
}

static void the_child_reads_nothing_and_gets_no_descriptor_of_ours(void **state)
{
    struct err e = { 0 };
    AUTO_FD ours = -1;
    char script[100];

    (void)state;
    assert_true(fd_open(AT_FDCWD, "/dev/null", O_RDONLY, 0, &ours, &e));
    (void)snprintf(script, sizeof script, "cat; test -e /proc/self/fd/%d || echo none", ours);
    AUTO_RAN r = run((struct proc_spec){ .argv = SH(script) });

    assert_true(r.ok);
    assert_string_equal(buf_done(&r.out).p, "none\n");
}

static void directory_and_environment_are_as_given(void **state)
{
    static const char *const env[] = { "PATH=/usr/bin:/bin", "WORD=yes", NULL };
    AUTO_RAN r = run((struct proc_spec){ .argv = SH("pwd; echo $WORD$HOME"), .dir = "/", .env = env });

    (void)state;
    assert_true(r.ok);
    assert_string_equal(buf_done(&r.out).p, "/\nyes\n");
}

static void words_are_not_looked_at_by_a_shell(void **state)
{
    static const char *const argv[] = { "echo", "$HOME", "a b", "*", NULL };
    AUTO_RAN r = run((struct proc_spec){ .argv = argv });

    (void)state;
    assert_true(r.ok);
    assert_string_equal(buf_done(&r.out).p, "$HOME a b *\n");
}

static void too_much_output_is_an_error_and_ends_the_child(void **state)
{
    AUTO_RAN r = run((struct proc_spec){ .argv = SH("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyy; done") });

    (void)state;
    assert_false(r.ok);
    assert_string_equal(r.e.text, "sh printed more than 1000 bytes");
}

static void a_child_that_takes_too_long_is_ended(void **state)
{
    static const char *const scripts[] = {
        "sleep 100",                  /* a grandchild keeps the pipes open */
        "exec sleep 100",
        "exec >&- 2>&-; exec sleep 100", /* nothing left to read, and still running */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(scripts); i++) {
        uint64_t began = clock_ms();
        AUTO_RAN r = run((struct proc_spec){ .argv = SH(scripts[i]), .timeout_ms = 100 });

        assert_false(r.ok);
        assert_string_equal(r.e.text, "sh ran for more than 0.1 s");
        assert_true(clock_ms() - began < 50000);
        assert_int_equal(r.status, 128 + SIGKILL);
    }
}

static void the_time_is_not_used_up_when_the_child_ends_before(void **state)
{
    AUTO_RAN r = run((struct proc_spec){ .argv = SH("echo done"), .timeout_ms = 60000 });

    (void)state;
    assert_true(r.ok);
    assert_string_equal(buf_done(&r.out).p, "done\n");
}

static void output_nobody_wants_is_discarded(void **state)
{
    struct err e = { 0 };
    int status;
    struct proc_spec spec = { .argv = SH("head -c 1000000 /dev/zero; exit 4") };

    (void)state;
    assert_true(proc_run(&spec, &status, &e));
    assert_int_equal(status, 4);
}

static void both_streams_may_go_to_one_place(void **state)
{
    AUTO_BUF b;
    struct err e = { 0 };
    int status;

    (void)state;
    buf_init(&b, 100);
    struct proc_spec spec = { .argv = SH("echo one; echo two >&2"), .out = &b, .err = &b };

    assert_true(proc_run(&spec, &status, &e));
    assert_int_equal(buf_done(&b).n, 8);
}

static void signals_blocked_here_are_open_in_the_child(void **state)
{
    sigset_t set, before;

    (void)state;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
    AUTO_RAN r = run((struct proc_spec){ .argv = SH("kill -TERM $$; echo alive") });

    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_true(r.ok);
    assert_int_equal(r.status, 128 + SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_both_streams_and_the_exit_code),
        cmocka_unit_test(a_signal_is_128_and_its_number),
        cmocka_unit_test(a_missing_program_is_named),
        cmocka_unit_test(the_child_reads_nothing_and_gets_no_descriptor_of_ours),
        cmocka_unit_test(directory_and_environment_are_as_given),
        cmocka_unit_test(words_are_not_looked_at_by_a_shell),
        cmocka_unit_test(too_much_output_is_an_error_and_ends_the_child),
        cmocka_unit_test(a_child_that_takes_too_long_is_ended),
        cmocka_unit_test(the_time_is_not_used_up_when_the_child_ends_before),
        cmocka_unit_test(output_nobody_wants_is_discarded),
        cmocka_unit_test(both_streams_may_go_to_one_place),
        cmocka_unit_test(signals_blocked_here_are_open_in_the_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
