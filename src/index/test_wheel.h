/* Archives for tests: members stored as they are. For *_test.c only. */
#pragma once

#include <libdeflate.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"

struct test_member {
    const char *name, *data;
};

static inline void test_put(struct buf *b, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        (void)buf_char(b, (char)(v >> 8 * i));
}

/* The part that both headers have: versions and flags, then sizes and name lengths. */
static inline void test_put_common(struct buf *b, const struct test_member *m)
{
    size_t n = strlen(m->data);

    test_put(b, 20, 2);
    test_put(b, 0, 2 + 2 + 4); /* flags, stored, no time */
    test_put(b, libdeflate_crc32(0, m->data, n), 4);
    test_put(b, n, 4);
    test_put(b, n, 4);
    test_put(b, strlen(m->name), 2);
    test_put(b, 0, 2);
}

static inline struct str test_archive(struct arena *a, const struct test_member *m, size_t n)
{
    AUTO_BUF b = { .limit = 1 << 22 };
    uint32_t at[16];

    for (size_t i = 0; i < n; i++) {
        at[i] = (uint32_t)b.n;
        test_put(&b, 0x04034b50, 4);
        test_put_common(&b, &m[i]);
        (void)buf_str(&b, str_of(m[i].name));
        (void)buf_str(&b, str_of(m[i].data));
    }
    size_t central = b.n;

    for (size_t i = 0; i < n; i++) {
        test_put(&b, 0x02014b50, 4);
        test_put(&b, 0x0314, 2); /* made on Unix */
        test_put_common(&b, &m[i]);
        test_put(&b, 0, 2 + 2 + 2);
        test_put(&b, (uint64_t)0100644 << 16, 4);
        test_put(&b, at[i], 4);
        (void)buf_str(&b, str_of(m[i].name));
    }
    size_t end = b.n;

    test_put(&b, 0x06054b50, 4);
    test_put(&b, 0, 4);
    test_put(&b, n, 2);
    test_put(&b, n, 2);
    test_put(&b, end - central, 4);
    test_put(&b, central, 4);
    test_put(&b, 0, 2);
    return arena_str(a, buf_done(&b));
}
