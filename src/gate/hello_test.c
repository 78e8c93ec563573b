#include "gate/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/str.h"

struct bytes {
    unsigned char p[HELLO_MAX + 64];
    size_t n;
};

static void put(struct bytes *b, const void *p, size_t n)
{
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void put16(struct bytes *b, size_t v)
{
    const unsigned char two[] = { (unsigned char)(v >> 8), (unsigned char)v };

    put(b, two, 2);
}

static void put_name(struct bytes *b, struct str name)
{
    put16(b, 0);
    put16(b, name.n + 5);
    put16(b, name.n + 3);
    put(b, "\0", 1);
    put16(b, name.n);
    put(b, name.p, name.n);
}

/* The message alone, with these extensions. */
static struct bytes message(const struct bytes *extensions)
{
    struct bytes m = { .n = 4 };
    static const unsigned char begin[2 + 32 + 1 + 4 + 2] = { 3, 3, [34] = 0, 0, 2, 0x13, 1, 1, 0 };

    put(&m, begin, sizeof begin);
    put16(&m, extensions->n);
    put(&m, extensions->p, extensions->n);
    m.p[0] = 1;
    m.p[1] = (unsigned char)((m.n - 4) >> 16);
    m.p[2] = (unsigned char)((m.n - 4) >> 8);
    m.p[3] = (unsigned char)(m.n - 4);
    return m;
}

/* In records of at most `size` bytes. */
static struct bytes records(const struct bytes *m, size_t size)
{
    struct bytes out = { .n = 0 };

    for (size_t at = 0; at < m->n; at += size) {
        size_t n = MIN(size, m->n - at);

        put(&out, "\x16\x03\x01", 3);
        put16(&out, n);
        put(&out, m->p + at, n);
    }
    return out;
}

static enum hello read_name(struct str name, char out[HOST_MAX])
{
    static struct bytes e, m, r;

    e.n = 0;
    put_name(&e, name);
    m = message(&e);
    r = records(&m, 16384);
    return hello_read(r.p, r.n, out);
}

static void finds_the_name_however_it_is_split(void **state)
{
    static struct bytes e, m, r;
    char name[HOST_MAX];

    (void)state;
    e.n = 0;
    put16(&e, 0x0a0a);
    put16(&e, 0);
    put_name(&e, STR("Good.Test."));
    m = message(&e);
    for (size_t size = 1; size <= m.n; size++) {
        r = records(&m, size);
        assert_int_equal(hello_read(r.p, r.n, name), HELLO_NAME);
        assert_string_equal(name, "good.test");
        for (size_t cut = 0; cut < r.n; cut++)
            assert_int_equal(hello_read(r.p, cut, name), HELLO_MORE);
    }
}

static void refuses_names_that_are_none(void **state)
{
    static const struct str bad[] = {
        STR_INIT(""),           STR_INIT("good.test\0"), STR_INIT("go od.test"), STR_INIT("g\xc3\xb6od.test"),
        STR_INIT(".good.test"), STR_INIT("good..test"),  STR_INIT("."),
    };
    char name[HOST_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(read_name(bad[i], name), HELLO_NOT_TLS);
}

static void refuses_two_names_and_hidden_ones(void **state)
{
    static struct bytes e, m, r;
    char name[HOST_MAX];

    (void)state;
    e.n = 0;
    m = message(&e);
    r = records(&m, 100);
    assert_int_equal(hello_read(r.p, r.n, name), HELLO_NO_NAME);
    put_name(&e, STR("good.test"));
    put_name(&e, STR("other.test"));
    m = message(&e);
    r = records(&m, 16384);
    assert_int_equal(hello_read(r.p, r.n, name), HELLO_NOT_TLS);
    e.n = 0;
    put_name(&e, STR("good.test"));
    put16(&e, 0xfe0d);
    put16(&e, 1);
    put(&e, "\0", 1);
    m = message(&e);
    r = records(&m, 16384);
    assert_int_equal(hello_read(r.p, r.n, name), HELLO_ENCRYPTED);
}

static void refuses_what_is_not_tls_at_once(void **state)
{
    static const struct str bad[] = {
        STR_INIT("GET / HTTP/1.1\r\n"), STR_INIT("\x16\x02"),             STR_INIT("\x15\x03\x01\0\2\1\0"),
        STR_INIT("\x16\x03\x01\0\0"),   STR_INIT("\x16\x03\x01\0\4\2\0\0\0"), STR_INIT("\x16\x03\x01\xff\xff"),
        STR_INIT("\x16\x03\x01\0\4\1\xff\xff\xff"),
    };
    char name[HOST_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(hello_read((const unsigned char *)bad[i].p, bad[i].n, name), HELLO_NOT_TLS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_name_however_it_is_split),
        cmocka_unit_test(refuses_names_that_are_none),
        cmocka_unit_test(refuses_two_names_and_hidden_ones),
        cmocka_unit_test(refuses_what_is_not_tls_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
