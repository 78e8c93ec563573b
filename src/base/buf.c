#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"

void buf_init(struct buf *b, size_t limit)
{
    *b = (struct buf){ .limit = MIN(limit, SIZE_MAX - 1) }; /* the NUL needs its place */
}

void buf_clear(struct buf *b)
{
    free(b->p);
    buf_init(b, b->limit);
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->full = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (n > b->limit || b->n > b->limit - n) {
        b->full = true;
        return NULL;
    }
    if (b->n + n + 1 > b->cap) {
        size_t cap = MAX(MAX(b->cap * 2, b->n + n + 1), 64);

        b->cap = MIN(cap, b->limit + 1);
        b->p = mem_grow(b->p, b->cap, 1);
    }
    return b->p + b->n;
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
    char *at = buf_reserve(b, n);

    if (!at)
        return false;
    if (n)
        memcpy(at, p, n);
    b->n += n;
    return true;
}

bool buf_str(struct buf *b, struct str s)
{
    return buf_add(b, s.p, s.n);
}

bool buf_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);

    va_end(ap);
    char *at = n < 0 ? NULL : buf_reserve(b, (size_t)n);

    if (at) {
        (void)vsnprintf(at, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
    return at != NULL;
}

struct str buf_done(struct buf *b)
{
    if (!b->p) /* even an empty one gives a C string */
        return STR("");
    b->p[b->n] = '\0';
    return (struct str){ b->p, b->n };
}
