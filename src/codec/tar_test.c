#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/tar.h"

#define ROOM ((size_t)1 << 16)

/* One entry with a right checksum. */
static void add(struct buf *b, const char *prefix, const char *name, char type, struct str data)
{
    char h[513] = { 0 };
    static const char zeros[512];
    unsigned sum = 0;

    (void)snprintf(h, 101, "%s", name);
    (void)snprintf(h + 100, 8, "0000644");
    (void)snprintf(h + 124, 12, "%011o", (unsigned)data.n);
    (void)snprintf(h + 257, 6, "ustar");
    h[263] = h[264] = '0';
    (void)snprintf(h + 345, 156, "%s", prefix);
    h[156] = type;
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum);
    assert_true(buf_add(b, h, 512) && buf_str(b, data) && buf_add(b, zeros, (512 - data.n % 512) % 512));
}

static void gives_entries_in_order(void **state)
{
    AUTO_BUF b = { .limit = ROOM };
    static const char end[1024];
    struct tar_entry en;
    struct err e = { 0 };

    (void)state;
    add(&b, "", "demo-1.0/", '5', STR(""));
    add(&b, "", "demo-1.0/PKG-INFO", '0', STR("Name: demo\n"));
    add(&b, "demo-1.0", "src", '2', STR(""));
    assert_true(buf_add(&b, end, sizeof end));
    struct str rest = { b.p, b.n };

    assert_true(tar_next(&rest, &en, &e) && !en.is_file);
    assert_true(tar_next(&rest, &en, &e) && en.is_file);
    assert_true(str_eq(en.name, STR("demo-1.0/PKG-INFO")) && str_eq(en.data, STR("Name: demo\n")));
    assert_true(tar_next(&rest, &en, &e) && !en.is_file && str_eq(en.prefix, STR("demo-1.0")));
    assert_false(tar_next(&rest, &en, &e));
    assert_int_equal(e.kind, ERR_NONE);
}

static void refuses_what_is_damaged_or_cut(void **state)
{
    AUTO_BUF b = { .limit = ROOM };
    struct tar_entry en;

    (void)state;
    add(&b, "", "a", '0', STR("some text"));
    for (size_t n = 1; n < 512 + 9; n++) {
        struct str rest = { b.p, n };
        struct err e = { 0 };

        assert_false(tar_next(&rest, &en, &e));
        assert_non_null(strstr(e.text, "cut short"));
    }
    for (size_t i = 0; i < 512; i++) {
        struct str rest = { b.p, b.n };
        struct err e = { 0 };
        char old = b.p[i];

        b.p[i] = (char)(old ^ 1);
        bool same_sum = i >= 148 && i < 156 && tar_next(&rest, &en, &e); /* a digit that is not read */
        if (!same_sum && !(i >= 148 && i < 156)) {
            assert_false(tar_next(&rest, &en, &e));
            assert_int_equal(e.kind, ERR_PACKAGE);
        }
        b.p[i] = old;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_entries_in_order),
        cmocka_unit_test(refuses_what_is_damaged_or_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
