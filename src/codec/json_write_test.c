#include "codec/json_write.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static void sample(struct json_write *w)
{
    json_write_object_begin(w);
    json_write_member(w, "name", STR("de\"mo"));
    json_write_key(w, STR("files"));
    json_write_array_begin(w);
    json_write_u64(w, UINT64_MAX);
    json_write_i64(w, -5);
    json_write_fixed(w, 1.25, 1);
    json_write_object_begin(w);
    json_write_object_end(w);
    json_write_array_begin(w);
    json_write_array_end(w);
    json_write_array_end(w);
    json_write_member_bool(w, "yes", true);
    json_write_member_cstr(w, "none", NULL);
    json_write_key(w, STR("raw"));
    json_write_raw(w, STR("[1]"));
    json_write_object_end(w);
}

static void writes_minified(void **state)
{
    AUTO_BUF b;
    struct json_write w;

    (void)state;
    buf_init(&b, 4096);
    json_write_init(&w, &b, false);
    sample(&w);
    assert_true(json_write_end(&w));
    assert_string_equal(buf_done(&b).p, "{\"name\":\"de\\\"mo\",\"files\":[18446744073709551615,-5,1.2,{},[]],"
                                        "\"yes\":true,\"none\":null,\"raw\":[1]}");
}

static void writes_indented(void **state)
{
    AUTO_BUF b;
    struct json_write w;

    (void)state;
    buf_init(&b, 4096);
    json_write_init(&w, &b, true);
    sample(&w);
    assert_true(json_write_end(&w));
    assert_string_equal(buf_done(&b).p,
                        "{\n  \"name\": \"de\\\"mo\",\n  \"files\": [\n    18446744073709551615,\n    -5,\n    1.2,\n"
                        "    {},\n    []\n  ],\n  \"yes\": true,\n  \"none\": null,\n  \"raw\": [1]\n}\n");
}

static void escapes_what_json_forbids_and_repairs_what_is_not_text(void **state)
{
    const struct {
        struct str in;
        const char *out;
    } cases[] = {
        { STR(""), "\"\"" },
        { STR("a\\b\"c/"), "\"a\\\\b\\\"c/\"" },
        { STR("\b\f\n\r\t\x01\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"" },
        { STR("a\0b"), "\"a\\u0000b\"" },
        { STR("\xC3\xA9\xFF.\xE2\x82"), "\"\xC3\xA9\xEF\xBF\xBD.\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF b;
        struct json_write w;

        buf_init(&b, 4096);
        json_write_init(&w, &b, false);
        json_write_str(&w, cases[i].in);
        assert_true(json_write_end(&w));
        assert_string_equal(buf_done(&b).p, cases[i].out);
    }
}

static void writes_null_for_numbers_that_are_none(void **state)
{
    AUTO_BUF b;
    struct json_write w;
    double zero = 0;

    (void)state;
    buf_init(&b, 64);
    json_write_init(&w, &b, false);
    json_write_fixed(&w, 1 / zero, 3);
    assert_true(json_write_end(&w));
    assert_string_equal(buf_done(&b).p, "null");
}

static void says_when_the_buffer_was_full(void **state)
{
    AUTO_BUF b;
    struct json_write w;

    (void)state;
    buf_init(&b, 5);
    json_write_init(&w, &b, false);
    json_write_str(&w, STR("123456"));
    assert_false(json_write_end(&w));
}

static void value_without_name(struct json_write *w)
{
    json_write_object_begin(w);
    json_write_null(w);
}

static void name_in_array(struct json_write *w)
{
    json_write_array_begin(w);
    json_write_key(w, STR("a"));
}

static void two_names(struct json_write *w)
{
    json_write_object_begin(w);
    json_write_key(w, STR("a"));
    json_write_key(w, STR("b"));
}

static void wrong_end(struct json_write *w)
{
    json_write_object_begin(w);
    json_write_array_end(w);
}

static void end_after_name(struct json_write *w)
{
    json_write_object_begin(w);
    json_write_key(w, STR("a"));
    json_write_object_end(w);
}

static void two_values(struct json_write *w)
{
    json_write_null(w);
    json_write_null(w);
}

static void end_too_early(struct json_write *w)
{
    json_write_array_begin(w);
    (void)json_write_end(w);
}

static void too_deep(struct json_write *w)
{
    for (int i = 0; i <= JSON_WRITE_MAX_DEPTH; i++)
        json_write_array_begin(w);
}

static void aborts_on_misuse(void **state)
{
    static void (*const misuse[])(struct json_write *) = { value_without_name, name_in_array, two_names,     wrong_end,
                                                           end_after_name,     two_values,    end_too_early, too_deep };

    (void)state;
    for (size_t i = 0; i < COUNT(misuse); i++) {
        pid_t pid = fork();
        int status = 0;

        assert_true(pid >= 0);
        if (pid == 0) {
            AUTO_BUF b;
            struct json_write w;

            (void)signal(SIGABRT, SIG_DFL);
            (void)close(STDERR_FILENO);
            buf_init(&b, 4096);
            json_write_init(&w, &b, false);
            misuse[i](&w);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
            fail_msg("misuse %zu went unnoticed", i);
    }
}

static void minifies_and_keeps_order_and_spelling(void **state)
{
    AUTO_BUF b;
    struct err e = { 0 };

    (void)state;
    buf_init(&b, 4096);
    assert_true(json_write_minified(STR(" { \"b\" : [ 1.50 , -0 ],\n\t\"a \\\" \\\\\" : \"\\u0041 \" } \n"), &b, &e));
    assert_string_equal(buf_done(&b).p, "{\"b\":[1.50,-0],\"a \\\" \\\\\":\"\\u0041 \"}");
}

static void minifying_fails_with_line_and_column(void **state)
{
    AUTO_BUF b;
    struct err e = { 0 };

    (void)state;
    buf_init(&b, 4);
    assert_false(json_write_minified(STR("[1,\n2,]"), &b, &e));
    assert_string_equal(e.text, "line 2, column 3: expected a value, found ']'");
    assert_int_equal(b.n, 0);
    assert_false(json_write_minified(STR("[1,2,3]"), &b, &e));
    assert_string_equal(e.text, "the minified JSON passes 4 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_minified),
        cmocka_unit_test(writes_indented),
        cmocka_unit_test(escapes_what_json_forbids_and_repairs_what_is_not_text),
        cmocka_unit_test(writes_null_for_numbers_that_are_none),
        cmocka_unit_test(says_when_the_buffer_was_full),
        cmocka_unit_test(aborts_on_misuse),
        cmocka_unit_test(minifies_and_keeps_order_and_spelling),
        cmocka_unit_test(minifying_fails_with_line_and_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
