#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void assert_frame(const struct err *e, unsigned i, const char *want)
{
    const char *frame;
    unsigned n;

    assert_true(err_frame(e, i, &frame, &n));
    if (n != strlen(want) || memcmp(frame, want, n) != 0)
        fail_msg("frame %u is '%.*s', wanted '%s'", i, (int)n, frame, want);
}

static void every_setter_returns_false(void **state)
{
    struct err e = { 0 };

    (void)state;
    assert_false(err_set(&e, ERR_CONFIG, "a"));
    assert_false(err_wrap(&e, "b"));
    assert_false(err_as(&e, ERR_PYTHON, "c"));
    assert_false(err_hint(&e, "d"));
    assert_false(err_exit(&e, 4));
    errno = ENOENT;
    assert_false(err_sys(&e, "e"));
}

static void names_the_system_error_behind_the_root(void **state)
{
    struct err e = { 0 };

    (void)state;
    errno = ENOSPC;
    (void)err_sys(&e, "swap %s and %s", "a", "b");
    assert_string_equal(e.text, "swap a and b: No space left on device");
    assert_int_equal(e.sys, ENOSPC);
    assert_int_equal(e.kind, ERR_IO);
    errno = 99999;
    (void)err_sys(&e, "x");
    assert_string_equal(e.text, "x: unknown error");
}

static void lists_frames_from_the_outermost_inwards(void **state)
{
    struct err e = { 0 };
    const char *frame;
    unsigned n;

    (void)state;
    errno = ENOENT;
    (void)err_sys(&e, "open x");
    (void)err_wrap(&e, "read the manifest");
    (void)err_as(&e, ERR_ENVIRONMENT, "publish environment '%s'", "demo");
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_int_equal(e.sys, ENOENT);
    assert_frame(&e, 0, "publish environment 'demo'");
    assert_frame(&e, 1, "read the manifest");
    assert_frame(&e, 2, "open x: No such file or directory");
    assert_false(err_frame(&e, 3, &frame, &n));
}

static void has_no_frame_when_nothing_went_wrong(void **state)
{
    struct err e = { 0 };
    const char *frame;
    unsigned n;

    (void)state;
    assert_false(err_frame(&e, 0, &frame, &n));
    (void)err_set(&e, ERR_CACHE, "x");
    err_clear(&e);
    assert_int_equal(e.kind, ERR_NONE);
    assert_false(err_frame(&e, 0, &frame, &n));
}

static void a_new_root_forgets_the_old_error(void **state)
{
    struct err e = { 0 };

    (void)state;
    (void)err_set(&e, ERR_CACHE, "old");
    (void)err_hint(&e, "old hint");
    (void)err_exit(&e, 5);
    (void)err_set(&e, ERR_CONFIG, "new");
    assert_string_equal(e.text, "new");
    assert_string_equal(e.hint, "");
    assert_int_equal(err_exit_code(&e), 2);
}

/* A caller may quote the error it is replacing. */
static void a_new_root_may_quote_the_old_text(void **state)
{
    struct err e = { 0 };

    (void)state;
    (void)err_set(&e, ERR_IO, "inner");
    (void)err_set(&e, ERR_CONFIG, "outer (%s)", e.text);
    assert_string_equal(e.text, "outer (inner)");
    errno = EIO;
    (void)err_sys(&e, "again %s", e.text);
    assert_string_equal(e.text, "again outer (inner): Input/output error");
    (void)err_hint(&e, "first");
    (void)err_hint(&e, "%s and second", e.hint);
    assert_string_equal(e.hint, "first and second");
}

static void keeps_a_frame_on_one_line_whatever_is_in_it(void **state)
{
    struct err e = { 0 };

    (void)state;
    (void)err_set(&e, ERR_PACKAGE, "bad name '%s'", "a\nerror: b");
    assert_frame(&e, 0, "bad name 'a error: b'");
}

static void keeps_the_lines_of_a_resolution_together(void **state)
{
    struct err e = { 0 };
    const char *frame;
    unsigned n;

    (void)state;
    (void)err_set(&e, ERR_RESOLUTION, "a needs b\nb needs c");
    assert_frame(&e, 0, "a needs b\nb needs c");
    assert_false(err_frame(&e, 1, &frame, &n));
}

static void drops_later_frames_when_full_and_keeps_the_root(void **state)
{
    struct err e = { 0 };

    (void)state;
    (void)err_set(&e, ERR_IO, "the root");
    for (int i = 0; i < 500; i++)
        (void)err_wrap(&e, "frame number %d of a very deep stack", i);
    assert_in_range(e.n, 1, sizeof e.text - 1);
    assert_int_equal(strlen(e.text), e.n);
    assert_int_equal(strncmp(e.text, "the root\nframe number 0 ", 24), 0);
}

static void tells_the_reason_even_behind_a_very_long_name(void **state)
{
    struct err e = { 0 };
    char name[4096];

    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    errno = ENAMETOOLONG;
    (void)err_sys(&e, "open %s", name);
    assert_int_equal(strlen(e.text), e.n);
    assert_non_null(strstr(e.text, ": File name too long"));
}

static void each_kind_has_its_word_and_exit_code(void **state)
{
    static const struct {
        enum err_kind kind;
        const char *word;
        int code;
    } cases[] = {
        { ERR_IO, "io", 1 },           { ERR_PYTHON, "python", 1 },         { ERR_PACKAGE, "package", 1 },
        { ERR_CACHE, "cache", 1 },     { ERR_ENVIRONMENT, "environment", 1 }, { ERR_RESOLUTION, "resolution", 1 },
        { ERR_CONFIG, "config", 2 },   { ERR_NETWORK, "network", 6 },       { ERR_DAEMON, "daemon", 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { .kind = cases[i].kind };

        assert_string_equal(err_word(cases[i].kind), cases[i].word);
        assert_int_equal(err_exit_code(&e), cases[i].code);
    }
    assert_string_equal(err_word(ERR_NONE), "none");
}

static void an_exit_code_of_its_own_wins_over_the_kinds(void **state)
{
    struct err e = { 0 };

    (void)state;
    (void)err_set(&e, ERR_PACKAGE, "hash differs");
    (void)err_exit(&e, 5);
    (void)err_as(&e, ERR_NETWORK, "download x");
    assert_int_equal(err_exit_code(&e), 5);
}

static void a_bug_names_file_and_line_and_aborts(void **state)
{
    int p[2], status;
    char text[200] = "";

    (void)state;
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(p[1], STDERR_FILENO);
        err_bug("x.c", 7, "impossible %d", 3);
    }
    (void)close(p[1]);
    assert_true(read(p[0], text, sizeof text - 1) > 0);
    (void)close(p[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "bug at x.c:7: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setter_returns_false),
        cmocka_unit_test(names_the_system_error_behind_the_root),
        cmocka_unit_test(lists_frames_from_the_outermost_inwards),
        cmocka_unit_test(has_no_frame_when_nothing_went_wrong),
        cmocka_unit_test(a_new_root_forgets_the_old_error),
        cmocka_unit_test(a_new_root_may_quote_the_old_text),
        cmocka_unit_test(keeps_a_frame_on_one_line_whatever_is_in_it),
        cmocka_unit_test(keeps_the_lines_of_a_resolution_together),
        cmocka_unit_test(drops_later_frames_when_full_and_keeps_the_root),
        cmocka_unit_test(tells_the_reason_even_behind_a_very_long_name),
        cmocka_unit_test(each_kind_has_its_word_and_exit_code),
        cmocka_unit_test(an_exit_code_of_its_own_wins_over_the_kinds),
        cmocka_unit_test(a_bug_names_file_and_line_and_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
