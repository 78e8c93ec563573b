/* Arena: memory of one operation, released all at once.
 *
 * Everything that a resolve, a page or a plan needs lives in its arena and dies with it. Blocks are taken from
 * the heap as needed and double up to 1 MiB; a larger object gets a block of its own. Zero-initialise or
 * arena_init() before use; AUTO_ARENA clears at the end of the scope. Not for use by two threads at once.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *at, *end;             /* free part of the newest block */
    size_t next_size;
    size_t total;               /* bytes handed out, for tests and figures */
};

void arena_init(struct arena *a);
void arena_clear(struct arena *a); /* releases all; the arena may be used again */

/* Aligned to 16 bytes; arena_alloc leaves the bytes undefined, arena_zero clears them. */
MUST_USE NOT_NULL void *arena_alloc(struct arena *a, size_t n);
MUST_USE NOT_NULL void *arena_zero(struct arena *a, size_t count, size_t size);
/* Unaligned bytes with a NUL behind them: text. */
MUST_USE NOT_NULL char *arena_text(struct arena *a, const char *p, size_t n);
MUST_USE struct str arena_str(struct arena *a, struct str s); /* a copy, NUL behind it */
MUST_USE NOT_NULL char *arena_cstr(struct arena *a, struct str s);
MUST_USE struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

/* Growing an array in an arena: a copy when it is not the last object. Used by VEC_PUSH_IN. */
MUST_USE NOT_NULL void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes);

#define ARENA_NEW(a, type) ((type *)arena_zero((a), 1, sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zero((a), (n), sizeof(type)))
#define AUTO_ARENA AUTO(arena_clear) struct arena
