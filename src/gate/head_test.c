#include "gate/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void reads_host_and_length(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        uint64_t left;
        bool chunked;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: good.test\r\n\r\n", "good.test", 0, 0, false },
        { "GET /a?b HTTP/1.0\r\nhost:GOOD.test.:8080 \r\nX:\t y\r\n\r\n", "good.test", 8080, 0, false },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n", "a", 0, 17, false },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", "a", 0, 0, true },
        { "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", 0, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str t = str_of(cases[i].text);
        struct head h;

        assert_int_equal(head_read(t, &h), HEAD_WHOLE);
        assert_string_equal(h.host, cases[i].host);
        assert_int_equal(h.port, cases[i].port);
        assert_int_equal(h.length, t.n);
        assert_int_equal(h.body.left, cases[i].left);
        assert_int_equal(h.body.chunked, cases[i].chunked);
        for (size_t cut = 0; cut < t.n; cut++)
            assert_int_equal(head_read(str_sub(t, 0, cut), &h), HEAD_MORE);
    }
}

static void refuses_what_two_could_read_differently(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "GET / HTTP/1.1\r\n\r\n", "no Host" },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two Host" },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "a Host field that is none" },
        { "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "a Host field that is none" },
        { "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", "a Host field that is none" },
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "a field that is none" },
        { "GET / HTTP/1.1\r\nX: 1\r\n Host: b\r\nHost: a\r\n\r\n", "a field that is none" },
        { "GET / HTTP/1.1\r\nX: 1\nHost: b\r\nHost: a\r\n\r\n", "a field that is none" },
        { "GET / HTTP/1.1\r\nX: 1\rHost: b\r\nHost: a\r\n\r\n", "a field that is none" },
        { "GET / HTTP/1.1\nHost: a\r\n\r\n", "not a request" },
        { "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "not a request" },
        { "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "not a request" },
        { "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "not a path" },
        { "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "not a path" },
        { "CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT" },
        { "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", "Upgrade" },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "length" },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", "length" },
        { "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "length" },
        { "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "length" },
        { "\x16\x03\x01", "not a request" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct head h;

        assert_int_equal(head_read(str_of(cases[i].text), &h), HEAD_WRONG);
        if (!strstr(h.why, cases[i].why))
            fail_msg("case %zu: '%s' does not say '%s'", i, h.why, cases[i].why);
    }
}

static void gives_up_on_a_head_without_end(void **state)
{
    static char text[HEAD_MAX];
    struct head h;

    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(head_read((struct str){ text, sizeof text - 1 }, &h), HEAD_MORE);
    assert_int_equal(head_read((struct str){ text, sizeof text }, &h), HEAD_WRONG);
}

static void follows_chunks_to_the_end(void **state)
{
    struct body b = { .chunked = true, .first = true };
    size_t n;

    (void)state;
    assert_false(body_is_over(&b));
    assert_int_equal(body_read(&b, STR("1"), &n), HEAD_MORE);
    assert_int_equal(body_read(&b, STR("1a\r\nabc"), &n), HEAD_WHOLE);
    assert_int_equal(n, 4);
    assert_int_equal(b.left, 26);
    b.left = 0;
    assert_int_equal(body_read(&b, STR("\r\n0\r\n"), &n), HEAD_MORE);
    assert_int_equal(body_read(&b, STR("\r\n0\r\n\r\nGET"), &n), HEAD_WHOLE);
    assert_int_equal(n, 7);
    assert_true(body_is_over(&b));
}

static void refuses_chunks_with_anything_more(void **state)
{
    static const char *const bad[] = { "1;x=y\r\n", "g\r\n", "\r\n", "1\n", " 1\r\n", "0\r\nX: y\r\n\r\n", "0x1\r\n",
                                       "10000000000000000\r\n" };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct body b = { .chunked = true, .first = true };
        size_t n;

        assert_int_equal(body_read(&b, str_of(bad[i]), &n), HEAD_WRONG);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_host_and_length),
        cmocka_unit_test(refuses_what_two_could_read_differently),
        cmocka_unit_test(gives_up_on_a_head_without_end),
        cmocka_unit_test(follows_chunks_to_the_end),
        cmocka_unit_test(refuses_chunks_with_anything_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
