/* Growing bytes with a hard limit: whoever makes one says how large it may become.
 *
 * Adding past the limit adds nothing and sets `full`; the owner checks `full` once at the end (or the result of
 * each call) instead of at every step. buf_done() gives the view, a NUL stands behind it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct buf {
    char *p;
    size_t n, cap, limit;
    bool full;
};

void buf_init(struct buf *b, size_t limit);
void buf_clear(struct buf *b); /* releases the memory; the limit stays */
void buf_reset(struct buf *b); /* empty again, memory kept */

bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_str(struct buf *b, struct str s);
bool buf_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Room for n more bytes at the returned place, or NULL past the limit; then b->n += what was written. */
MUST_USE char *buf_reserve(struct buf *b, size_t n);

/* The bytes so far; valid until the next change. */
MUST_USE struct str buf_done(struct buf *b);

/* `AUTO_BUF b = { .limit = N };` or buf_init() before anything can return: clearing happens in any case. */
#define AUTO_BUF AUTO(buf_clear) struct buf
