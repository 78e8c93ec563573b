#include "jail/asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"

static struct asked_item read_of(const char *path)
{
    return (struct asked_item){ .how = ASKED_READ, .what = str_of(path), .count = 1 };
}

static void keeps_each_thing_once_and_counts(void **state)
{
    AUTO_ASKED s = { 0 };
    struct asked_item a = read_of("/opt/a"), w = a, named = a;

    (void)state;
    asked_init(&s);
    w.how = ASKED_WRITE;
    named.by = STR("pandas");
    named.count = 5;
    assert_true(asked_add(&s, &a));
    assert_true(asked_add(&s, &w));
    assert_false(asked_add(&s, &named));
    assert_int_equal(s.items.n, 2);
    assert_int_equal(asked_find(&s, ASKED_READ, STR("/opt/a"))->count, 6);
    assert_true(str_eq(asked_find(&s, ASKED_READ, STR("/opt/a"))->by, STR("pandas")));
    assert_null(asked_find(&s, ASKED_EXEC, STR("/opt/a")));
    assert_null(asked_find(&s, ASKED_READ, STR("/opt/")));
}

static void grows_no_further_than_its_bounds(void **state)
{
    AUTO_ASKED s = { 0 };
    char path[ASKED_WHAT_MAX + 2];
    struct asked_item item = read_of("");

    (void)state;
    asked_init(&s);
    assert_false(asked_add(&s, &item));
    memset(path, 'x', sizeof path);
    item.what = (struct str){ path, sizeof path };
    assert_false(asked_add(&s, &item));
    assert_int_equal(s.left_out, 2);
    for (unsigned i = 0; i < ASKED_MAX + 10; i++) {
        (void)snprintf(path, sizeof path, "/%u", i);
        item.what = str_of(path);
        assert_int_equal(asked_add(&s, &item), i < ASKED_MAX);
    }
    assert_int_equal(s.items.n, ASKED_MAX);
    assert_int_equal(s.left_out, 12);
    item.what = STR("/7");
    assert_false(asked_add(&s, &item)); /* what is known is counted all the same */
    assert_int_equal(asked_find(&s, ASKED_READ, STR("/7"))->count, 2);
}

static void holds_so_many_bytes_of_names(void **state)
{
    AUTO_ASKED s = { 0 };
    char path[ASKED_WHAT_MAX];
    struct asked_item item = { .how = ASKED_READ, .what = { path, sizeof path } };

    (void)state;
    asked_init(&s);
    memset(path, 'x', sizeof path);
    for (unsigned i = 0; i < 2 * ASKED_BYTES / ASKED_WHAT_MAX; i++) {
        (void)snprintf(path, sizeof path, "%u", i);
        (void)asked_add(&s, &item);
    }
    assert_int_equal(s.items.n, ASKED_BYTES / ASKED_WHAT_MAX);
    assert_true(s.bytes <= ASKED_BYTES);
}

static void reads_what_it_wrote(void **state)
{
    AUTO_BUF b = { .limit = ASKED_LINE_MAX };
    AUTO_ARENA a = { 0 };
    struct asked_item item = { ASKED_BROKEN, STR("a \"b\"\n\x1b[2J"), STR("demo"), STR("because"), 7 }, back;
    struct err e = { 0 };
    struct json_write w;

    (void)state;
    arena_init(&a);
    json_write_init(&w, &b, false);
    asked_write(&item, &w);
    assert_true(json_write_end(&w));
    assert_null(memchr(b.p, '\x1b', b.n));
    assert_true(asked_parse(buf_done(&b), &a, &back, &e));
    assert_int_equal(back.how, ASKED_BROKEN);
    assert_true(str_eq(back.what, item.what) && str_eq(back.by, item.by) && str_eq(back.why, item.why));
    assert_int_equal(back.count, 7);
}

static void refuses_what_is_none(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        { "{}", "without a way or a name" },
        { "{\"how\":\"read\"}", "without a way or a name" },
        { "{\"how\":\"look\",\"what\":\"/a\"}", "'look' is no way" },
        { "{\"how\":\"read\",\"what\":\"/a\\u0000b\"}", "a NUL in it" },
        { "{\"how\":\"read\",\"what\":\"/a\",\"more\":1}", "unknown member 'more'" },
        { "[]", "read what was asked for in a sandbox" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct asked_item item;
        struct err e = { 0 };

        arena_init(&a);
        assert_false(asked_parse(str_of(cases[i].json), &a, &item, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_non_null(strstr(e.text, cases[i].why));
    }
}

static void takes_refusals_of_the_gateway(void **state)
{
    static const struct {
        const char *json;
        bool refusal;
        enum asked_how how;
        const char *what;
    } cases[] = {
        { "{'verdict':'ready'}", false, 0, "" },
        { "{'verdict':'allowed','protocol':'tcp','to':'198.18.0.1:443','name':'good.test'}", false, 0, "" },
        { "{'verdict':'denied','protocol':'dns','to':'10.0.2.2:53','name':'good.test','why':'the name is not allowed'}",
          true, ASKED_NAME, "good.test" },
        { "{'verdict':'denied','protocol':'tcp','from':'10.0.2.100:1','to':'203.0.113.7:443'}", true, ASKED_DENIED,
          "203.0.113.7:443" },
        { "{'verdict':'denied','protocol':'tcp','to':'198.18.0.1:443','name':'good.test','rule':'*.test','ms':3}", true,
          ASKED_BROKEN, "good.test" },
        { "{'verdict':'denied','protocol':'udp','to':'203.0.113.7:9'}", true, ASKED_BROKEN, "203.0.113.7:9" },
        { "{'verdict':'denied','protocol':'tcp','to':'10.0.2.100:8000','inbound':true}", false, 0, "" },
        { "{'verdict':'denied'}", false, 0, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct asked_item item;
        struct err e = { 0 };

        arena_init(&a);
        char *json = arena_cstr(&a, str_of(cases[i].json));

        for (char *p = json; *p; p++)
            *p = *p == '\'' ? '"' : *p;
        assert_int_equal(asked_parse_gate(str_of(json), &a, &item, &e), cases[i].refusal);
        assert_int_equal(e.kind, ERR_NONE);
        if (!cases[i].refusal)
            continue;
        assert_int_equal(item.how, cases[i].how);
        assert_true(str_eq(item.what, str_of(cases[i].what)));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_each_thing_once_and_counts), cmocka_unit_test(grows_no_further_than_its_bounds),
        cmocka_unit_test(holds_so_many_bytes_of_names),     cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(refuses_what_is_none),             cmocka_unit_test(takes_refusals_of_the_gateway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
