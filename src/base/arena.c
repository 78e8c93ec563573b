#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include "base/mem.h"

#define FIRST_BLOCK 4096u
#define LARGEST_BLOCK (1u << 20)
#define ALIGN 16u

struct arena_block {
    struct arena_block *next;
    size_t size;
};

_Static_assert(sizeof(struct arena_block) % ALIGN == 0, "objects behind the header are aligned");

void arena_init(struct arena *a)
{
    *a = (struct arena){ 0 };
}

void arena_clear(struct arena *a)
{
    struct arena_block *b = a->blocks;

    while (b) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
    *a = (struct arena){ 0 };
}

static char *new_block(struct arena *a, size_t n)
{
    size_t size = a->next_size ? a->next_size : FIRST_BLOCK;

    if (n > SIZE_MAX - sizeof(struct arena_block) - ALIGN)
        n = SIZE_MAX; /* lets mem_alloc end the process */
    else
        n += sizeof(struct arena_block);
    if (n > size / 2) {
        /* its own block, behind the current one so that the free part stays in use */
        struct arena_block *own = mem_alloc(n);

        own->size = n;
        if (a->blocks) {
            own->next = a->blocks->next;
            a->blocks->next = own;
        } else {
            own->next = NULL;
            a->blocks = own;
            a->at = a->end = (char *)own + n;
        }
        return (char *)(own + 1);
    }

    struct arena_block *b = mem_alloc(size);

    *b = (struct arena_block){ .next = a->blocks, .size = size };
    a->blocks = b;
    a->at = (char *)(b + 1);
    a->end = (char *)b + size;
    a->next_size = MIN(size * 2, LARGEST_BLOCK);
    return NULL;
}

static char *take(struct arena *a, size_t n, size_t align)
{
    size_t pad = a->at ? (align - (uintptr_t)a->at % align) % align : 0;

    a->total += n;
    if (!a->at || (size_t)(a->end - a->at) < pad || (size_t)(a->end - a->at) - pad < n) {
        char *own = new_block(a, n);

        if (own)
            return own;
        pad = 0;
    }
    char *p = a->at + pad;

    a->at = p + n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return take(a, n, ALIGN);
}

void *arena_zero(struct arena *a, size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n))
        n = SIZE_MAX;
    void *p = arena_alloc(a, n);

    memset(p, 0, n);
    return p;
}

char *arena_text(struct arena *a, const char *p, size_t n)
{
    char *q = take(a, n + 1, 1);

    if (n)
        memcpy(q, p, n);
    q[n] = '\0';
    return q;
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){ arena_text(a, s.p, s.n), s.n };
}

char *arena_cstr(struct arena *a, struct str s)
{
    return arena_text(a, s.p, s.n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);

    va_end(ap);
    if (n < 0)
        n = 0;
    char *p = take(a, (size_t)n + 1, 1);

    (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){ p, (size_t)n };
}

void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes)
{
    if (p && (char *)p + old_bytes == a->at && (size_t)(a->end - a->at) >= new_bytes - old_bytes) {
        a->at += new_bytes - old_bytes;
        a->total += new_bytes - old_bytes;
        return p;
    }
    void *q = arena_alloc(a, new_bytes);

    if (p)
        memcpy(q, p, old_bytes);
    return q;
}
