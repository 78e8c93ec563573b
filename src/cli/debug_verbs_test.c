/* The answers of the plumbing verbs for versions, specifiers and tags, which other tests rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/debug.h"

#define WORDS 8

struct question {
    const char *word[WORDS];
    const char *answer; /* or what the error says */
};

static void assert_answers(bool (*verb)(struct debug_call *, struct err *), const struct question *q, size_t n, bool ok)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF out;
        struct str word[WORDS];
        struct debug_call c = { .word = word, .a = &a, .out = &out };
        struct err e = { 0 };

        buf_init(&out, 1 << 20);
        while (c.n < WORDS && q[i].word[c.n]) {
            word[c.n] = str_of(q[i].word[c.n]);
            c.n++;
        }

        bool done = verb(&c, &e);
        const char *got = done ? buf_done(&out).p : e.text;

        if (done != ok || !strstr(got, q[i].answer))
            fail_msg("question %zu: %s, wanted %s", i, got, q[i].answer);
    }
}

static void version_compare_takes_one_or_two_versions(void **state)
{
    static const struct question good[] = {
        { { "1.0-RC.1" }, "{\"valid\":true,\"normalized\":\"1.0rc1\",\"epoch\":0,\"release\":[1,0],\"pre\":[\"rc\",1],"
                          "\"post\":null,\"dev\":null,\"local\":null}" },
        { { "1!2.post3.dev4+a-1" },
          "\"epoch\":1,\"release\":[2],\"pre\":null,\"post\":3,\"dev\":4,\"local\":\"a.1\"}" },
        { { "1_0" }, "{\"valid\":false}" },
        { { "1.0", "1.0.0" }, "{\"valid\":true,\"cmp\":0}" },
        { { "1.0a1", "1.0" }, "{\"valid\":true,\"cmp\":-1}" },
        { { "1.0", "x" }, "{\"valid\":false}" },
    };
    static const struct question bad[] = {
        { { NULL }, "takes one or two versions, not 0" },
        { { "1", "2", "3" }, "takes one or two versions, not 3" },
    };

    (void)state;
    assert_answers(debug_version_compare, good, COUNT(good), true);
    assert_answers(debug_version_compare, bad, COUNT(bad), false);
}

static void specifier_tests_and_filters(void **state)
{
    static const struct question good[] = {
        { { ">= 1.0 ,!=1.2.*" }, "{\"valid\":true,\"clauses\":[[\">=\",\"1.0\"],[\"!=\",\"1.2.*\"]]}" },
        { { ">=1", "2" }, "\"contains\":true}" },
        { { ">=1", "2a1", "--pre", "deny" }, "\"contains\":false}" },
        { { ">=1", "x" }, "\"contains\":null}" },
        { { ">=x", "1" }, "{\"valid\":false}" },
        { { "--filter", ">=1", "0.9", "1.0", "2rc1", "v1.1" }, "\"filtered\":[\"1.0\",\"v1.1\"]}" },
        { { "--filter", "--pre", "allow", ">=1", "2rc1", "1" }, "\"filtered\":[\"2rc1\",\"1\"]}" },
        { { "--filter", "===foo", "1", "FOO" }, "\"filtered\":[\"FOO\"]}" },
        { { "--filter", ">=1" }, "\"filtered\":[]}" },
    };
    static const struct question bad[] = {
        { { NULL }, "takes a specifier" },
        { { ">=1", "1", "2" }, "at most one version" },
        { { ">=1", "--pre" }, "--pre needs a value" },
        { { ">=1", "--pre", "some" }, "not 'some'" },
    };

    (void)state;
    assert_answers(debug_specifier, good, COUNT(good), true);
    assert_answers(debug_specifier, bad, COUNT(bad), false);
}

static void wheel_tags_takes_file_names_apart(void **state)
{
    static const struct question good[] = {
        { { "Foo_Bar-1.0.0-1x-py2.py3-none-any.whl" },
          "{\"valid\":true,\"name\":\"foo-bar\",\"version\":\"1.0.0\",\"build\":[1,\"x\"],"
          "\"tags\":[\"py2-none-any\",\"py3-none-any\"]}" },
        { { "foo-1.0.tar.gz" }, "{\"valid\":true,\"name\":\"foo\",\"version\":\"1.0\"}" },
        { { "foo-1.0.WHL" }, "{\"valid\":false}" },
    };
    static const struct question bad[] = {
        { { NULL }, "wheel-tags takes a file" },
        { { "--order", "a-1-py3-none-any.whl" }, "wheel-tags takes a file" },
        { { "a-1-py3-none-any.whl", "--python" }, "--python needs a value" },
        { { "--python", "/nonexistent/python" }, "/nonexistent/python" },
    };

    (void)state;
    assert_answers(debug_wheel_tags, good, COUNT(good), true);
    assert_answers(debug_wheel_tags, bad, COUNT(bad), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_compare_takes_one_or_two_versions),
        cmocka_unit_test(specifier_tests_and_filters),
        cmocka_unit_test(wheel_tags_takes_file_names_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
