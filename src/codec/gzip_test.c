#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libdeflate.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/gzip.h"

static struct str pack(struct arena *a, struct str text)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t bound = libdeflate_gzip_compress_bound(c, text.n);
    char *out = arena_alloc(a, bound);
    size_t n = libdeflate_gzip_compress(c, text.p, text.n, out, bound);

    libdeflate_free_compressor(c);
    assert_true(n > 0);
    return (struct str){ out, n };
}

static struct str repeated(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (char)("blast "[i % 6]);
    return (struct str){ p, n };
}

static void unpacks_what_was_packed(void **state)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, 1000000 };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        AUTO_BUF b = { .limit = 1000000 };
        struct str text = repeated(&a, sizes[i]);
        struct err e = { 0 };

        assert_true(gzip_unpack(pack(&a, text), &b, &e));
        assert_true(str_eq(buf_done(&b), text));
    }
}

static void joins_members(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = 100000 };
    struct str one = pack(&a, repeated(&a, 20000)), two = pack(&a, STR("tail"));
    struct err e = { 0 };
    char *p = arena_alloc(&a, one.n + two.n);

    (void)state;
    memcpy(p, one.p, one.n);
    memcpy(p + one.n, two.p, two.n);
    assert_true(gzip_unpack((struct str){ p, one.n + two.n }, &b, &e));
    assert_int_equal(b.n, 20004);
    assert_true(str_ends(buf_done(&b), STR("tail")));
}

static void refuses_what_is_damaged_cut_or_too_large(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str good = pack(&a, repeated(&a, 50000));
    char *bad = arena_alloc(&a, good.n);

    (void)state;
    for (size_t i = 0; i < good.n; i++) {
        AUTO_BUF b = { .limit = 60000 };
        struct err e = { 0 };

        assert_false(gzip_unpack(str_sub(good, 0, i), &b, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
    }
    memcpy(bad, good.p, good.n);
    bad[good.n - 6] ^= 1; /* in the CRC */
    AUTO_BUF b = { .limit = 60000 };
    AUTO_BUF small = { .limit = 49999 };
    struct err e = { 0 };

    assert_false(gzip_unpack((struct str){ bad, good.n }, &b, &e));
    assert_non_null(strstr(e.text, "not valid gzip data"));
    assert_false(gzip_unpack(good, &small, &e));
    assert_non_null(strstr(e.text, "unpacks to more than 49999 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpacks_what_was_packed),
        cmocka_unit_test(joins_members),
        cmocka_unit_test(refuses_what_is_damaged_cut_or_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
