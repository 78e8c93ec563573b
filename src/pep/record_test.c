#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "pep/record.h"

/* sha256 of nothing */
#define EMPTY "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

static void reads_rows_of_all_forms(void **state)
{
    static const char text[] = "demo/__init__.py,sha256=" EMPTY ",0\r\n"
                               "\"demo/a,\"\"b\"\".py\",sha256=" EMPTY "=,12\r\n"
                               "../../../bin/d\xc3\xa9mo,,\r\n"
                               "demo-1.dist-info/RECORD,,\r\n";
    AUTO_ARENA a = { 0 };
    struct record r;
    struct err e = { 0 };

    (void)state;
    if (!record_parse(&a, str_of(text), &r, &e))
        fail_msg("%s", e.text);
    assert_int_equal(r.n, 4);
    assert_int_equal(r.row[0].n_digest, 32);
    assert_int_equal(r.row[0].digest[0], 0xe3);
    assert_int_equal(r.row[0].size, 0);
    assert_true(str_eq(r.row[1].path, STR("demo/a,\"b\".py")));
    assert_int_equal(r.row[1].size, 12);
    assert_int_equal(r.row[2].alg.n, 0);
    assert_true(r.row[2].size == RECORD_NO_SIZE);
    assert_ptr_equal(record_find(&r, STR("../../../bin/d\xc3\xa9mo")), &r.row[2]);
    assert_null(record_find(&r, STR("nothing")));
}

static void writes_what_it_reads(void **state)
{
    static const char text[] = "demo/__init__.py,sha256=" EMPTY ",0\n"
                               "\"demo/a,\"\"b\"\".py\",sha256=" EMPTY ",12\n"
                               "demo-1.dist-info/RECORD,,\n";
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct record r;
    struct err e = { 0 };

    (void)state;
    buf_init(&b, 4096);
    assert_true(record_parse(&a, str_of(text), &r, &e));
    for (size_t i = 0; i < r.n; i++)
        assert_true(record_write(&b, &r.row[i]));
    assert_string_equal(buf_done(&b).p, text);
}

static void names_the_line_that_is_wrong(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "a,,\nb,sha256,\n", "line 2 of RECORD: 'sha256' is no hash" },
        { "a,sha256=short,\n", "is no hash" },
        { "a,sha256=" EMPTY "!,\n", "is no hash" },
        { "a,sha 256=" EMPTY ",\n", "is no hash" },
        { "a,,x\n", "line 1 of RECORD: 'x' is no size" },
        { "a,,-1\n", "is no size" },
        { ",,\n", "has no path" },
        { "a,,,\n", "has 4 fields" },
        { "\"a,,\n", "read RECORD" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct record r;
        struct err e = { 0 };

        assert_false(record_parse(&a, str_of(cases[i].text), &r, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s", e.text);
    }
}

static void encodes_bytes_as_urlsafe_text(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        { "", 0, "" }, { "f", 1, "Zg" }, { "fo", 2, "Zm8" }, { "foo", 3, "Zm9v" }, { "\xfb\xff", 2, "-_8" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[BASE64_LEN(3) + 1];
        unsigned char bytes[3];
        size_t n;

        base64url_encode((const unsigned char *)cases[i].bytes, cases[i].n, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(strlen(text), BASE64_LEN(cases[i].n));
        assert_true(base64url_decode(str_of(text), bytes, sizeof bytes, &n));
        assert_int_equal(n, cases[i].n);
        assert_memory_equal(bytes, cases[i].bytes, n);
    }
}

static void decodes_nothing_else(void **state)
{
    static const char *const wrong[] = { "Z", "Zm9vZ", "+/8=", "Zh", "Zg===", "Zm9vZm9v", "Z=" };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        unsigned char bytes[4];
        size_t n;

        if (base64url_decode(str_of(wrong[i]), bytes, sizeof bytes, &n))
            fail_msg("'%s' was taken", wrong[i]);
    }
}

static void knows_the_rows_without_hash(void **state)
{
    (void)state;
    assert_true(record_is_unhashed(STR("a-1.dist-info/RECORD")));
    assert_true(record_is_unhashed(STR("a-1.dist-info/RECORD.jws")));
    assert_true(record_is_unhashed(STR("a-1.dist-info/RECORD.p7s")));
    assert_false(record_is_unhashed(STR("RECORD")));
    assert_false(record_is_unhashed(STR("a-1.dist-info/METADATA")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rows_of_all_forms),      cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(names_the_line_that_is_wrong), cmocka_unit_test(encodes_bytes_as_urlsafe_text),
        cmocka_unit_test(decodes_nothing_else),         cmocka_unit_test(knows_the_rows_without_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
