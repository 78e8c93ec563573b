#include "wire/protocol.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"

static void reads_requests_with_their_parameters(void **state)
{
    AUTO_ARENA a = { 0 };
    struct wire_request r;
    enum wire_fault fault;
    struct err e = { 0 };

    (void)state;
    assert_true(wire_request_parse(STR("{\"id\":7,\"method\":\"project.add\",\"params\":{\"path\":\"/p\",\"more\":[1],"
                                       "\"always\":true},\"later\":{}}"), &a, &r, &fault, &e));
    assert_int_equal(r.method, WIRE_PROJECT_ADD);
    assert_int_equal(r.id, 7);
    assert_true(str_eq(wire_value_get(&r, "path")->text, STR("/p")));
    assert_int_equal(wire_value_get(&r, "always")->count, 1);
    assert_true(wire_request_parse(STR("{\"method\":\"job.submit\",\"params\":{\"path\":\"/\",\"verb\":\"check\","
                                       "\"wait\":null}}"),
                                   &a, &r, &fault, &e));
    assert_int_equal(r.id, 0);
    assert_false(wire_value_get(&r, "wait")->given);
    assert_true(wire_request_parse(STR("{\"hello\":{\"proto\":3,\"build\":\"x\",\"pid\":9}}"), &a, &r, &fault, &e));
    assert_int_equal(r.method, WIRE_HELLO);
    assert_int_equal(r.hello.proto, 3);
    assert_int_equal(r.hello.pid, 9);
}

static void says_what_is_wrong_with_a_request(void **state)
{
    static const struct {
        const char *line;
        enum wire_fault fault;
        uint64_t id;
        const char *why;
    } cases[] = {
        { "", WIRE_FAULT_PARSE, 0, "read the request" },
        { "GET / HTTP/1.1", WIRE_FAULT_PARSE, 0, "line 1, column 1" },
        { "[]", WIRE_FAULT_PARSE, 0, "an object" },
        { "{\"id\":1}", WIRE_FAULT_PARSE, 1, "no method" },
        { "{\"id\":-1,\"method\":\"status\"}", WIRE_FAULT_PARSE, 0, "read the request" },
        { "{\"id\":9007199254740993,\"method\":\"status\"}", WIRE_FAULT_PARSE, 0, "2^53" },
        { "{\"id\":1,\"method\":\"status\"} x", WIRE_FAULT_PARSE, 1, "read the request" },
        { "{\"id\":1,\"method\":\"\xff\"}", WIRE_FAULT_PARSE, 1, "UTF-8" },
        { "{\"id\":2,\"method\":\"hello\"}", WIRE_FAULT_METHOD, 2, "'hello'" },
        { "{\"id\":2,\"method\":\"project.sell\"}", WIRE_FAULT_METHOD, 2, "'project.sell'" },
        { "{\"id\":3,\"method\":\"project.add\"}", WIRE_FAULT_PARAMS, 3, "wants the parameter 'path'" },
        { "{\"id\":3,\"method\":\"project.add\",\"params\":[]}", WIRE_FAULT_PARAMS, 3, "an object" },
        { "{\"id\":3,\"method\":\"project.add\",\"params\":{\"path\":\"p\"}}", WIRE_FAULT_PARAMS, 3, "plain spelling" },
        { "{\"id\":3,\"method\":\"project.add\",\"params\":{\"path\":\"/a/../b\"}}", WIRE_FAULT_PARAMS, 3,
          "plain spelling" },
        { "{\"id\":3,\"method\":\"project.add\",\"params\":{\"path\":\"/a/\"}}", WIRE_FAULT_PARAMS, 3,
          "plain spelling" },
        { "{\"id\":3,\"method\":\"project.add\",\"params\":{\"path\":\"/a\\u0000\"}}", WIRE_FAULT_PARAMS, 3,
          "plain spelling" },
        { "{\"id\":3,\"method\":\"project.add\",\"params\":{\"path\":null}}", WIRE_FAULT_PARAMS, 3,
          "parameters of project.add" },
        { "{\"id\":4,\"method\":\"session.end\",\"params\":{\"path\":\"/a\",\"pid\":0}}", WIRE_FAULT_PARAMS, 4,
          "'pid' is not between" },
        { "{\"id\":4,\"method\":\"job.submit\",\"params\":{\"path\":\"/a\",\"verb\":\"rm\"}}", WIRE_FAULT_PARAMS, 4,
          "none of sync" },
        { "{\"id\":4,\"method\":\"subscribe\",\"params\":{\"path\":7}}", WIRE_FAULT_PARAMS, 4,
          "parameters of subscribe" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct wire_request r;
        enum wire_fault fault;
        struct err e = { 0 };

        if (wire_request_parse(str_of(cases[i].line), &a, &r, &fault, &e))
            fail_msg("accepted: %s", cases[i].line);
        assert_int_equal(e.kind, ERR_DAEMON);
        if (fault != cases[i].fault || r.id != cases[i].id || !strstr(e.text, cases[i].why))
            fail_msg("%s: fault %s, id %llu: %s", cases[i].line, wire_fault_word(fault), (unsigned long long)r.id,
                     e.text);
    }
}

static void bounds_the_depth_of_a_request(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = 4096 };
    struct wire_request r;
    enum wire_fault fault;
    struct err e = { 0 };

    (void)state;
    (void)buf_str(&b, STR("{\"method\":\"status\",\"x\":"));
    for (int i = 0; i < 100; i++)
        (void)buf_char(&b, '[');
    assert_false(wire_request_parse(buf_done(&b), &a, &r, &fault, &e));
    assert_int_equal(fault, WIRE_FAULT_PARSE);
}

static void reads_what_it_writes(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = 4096 };
    struct wire_reply r;
    struct json_write w;
    struct str line, rest;
    struct err e = { 0 };

    (void)state;
    wire_write_hello(&b, 12);
    wire_write_error(&b, 5, WIRE_FAULT_BUSY, STR("a \"quoted\"\nreason"));
    wire_write_result(&b, 6, &w);
    json_write_member_bool(&w, "stopped", true);
    wire_write_end(&w);
    wire_write_event(&b, 7, WIRE_EVENT_NOTICE, &w);
    json_write_member(&w, "text", STR("hear"));
    wire_write_end(&w);
    rest = buf_done(&b);
    assert_true(str_next(&rest, '\n', &line) && wire_reply_parse(line, &a, &r, &e));
    assert_int_equal(r.kind, WIRE_REPLY_HELLO);
    assert_int_equal(r.hello.pid, 12);
    assert_int_equal(r.hello.proto, WIRE_PROTO);
    assert_true(str_next(&rest, '\n', &line) && wire_reply_parse(line, &a, &r, &e));
    assert_int_equal(r.kind, WIRE_REPLY_ERROR);
    assert_int_equal(r.id, 5);
    assert_true(str_eq(r.code, STR("busy")) && str_eq(r.message, STR("a \"quoted\"\nreason")));
    assert_true(str_next(&rest, '\n', &line) && wire_reply_parse(line, &a, &r, &e));
    assert_int_equal(r.kind, WIRE_REPLY_RESULT);
    assert_true(str_eq(r.body, STR("{\"stopped\":true}")));
    assert_true(str_next(&rest, '\n', &line) && wire_reply_parse(line, &a, &r, &e));
    assert_int_equal(r.kind, WIRE_REPLY_EVENT);
    assert_true(str_eq(r.type, STR("notice")));
    assert_true(str_next(&rest, '\n', &line) && line.n == 0);
}

static void refuses_answers_that_are_none(void **state)
{
    static const char *const lines[] = {
        "", "{}", "{\"id\":1}", "{\"result\":{},\"error\":{}}", "{\"hello\":{}}", "{\"error\":[]}", "{\"event\":7}",
        "{\"result\":{}", "{\"id\":\"x\",\"result\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        AUTO_ARENA a = { 0 };
        struct wire_reply r;
        struct err e = { 0 };

        if (wire_reply_parse(str_of(lines[i]), &a, &r, &e))
            fail_msg("accepted: %s", lines[i]);
        assert_int_equal(e.kind, ERR_DAEMON);
    }
}

static void writes_requests_that_it_reads(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = 4096 };
    struct wire_request r;
    enum wire_fault fault;
    struct err e = { 0 };

    (void)state;
    wire_write_request(&b, 3, "project.status", STR("{\"path\":\"/p\"}"));
    struct str line = buf_done(&b);

    assert_true(str_cut_suffix(&line, STR("\n")));
    assert_true(wire_request_parse(line, &a, &r, &fault, &e));
    assert_int_equal(r.method, WIRE_PROJECT_STATUS);
    assert_int_equal(r.id, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_requests_with_their_parameters), cmocka_unit_test(says_what_is_wrong_with_a_request),
        cmocka_unit_test(bounds_the_depth_of_a_request),        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(refuses_answers_that_are_none),        cmocka_unit_test(writes_requests_that_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
