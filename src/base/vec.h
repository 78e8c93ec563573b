/* Growing arrays of any type: `VEC(struct file) files = {0}; VEC_PUSH(&files, f);` then files.p[i], files.n.
 *
 * VEC_PUSH keeps the elements on the heap: release with VEC_CLEAR. VEC_PUSH_IN keeps them in an arena and
 * needs no release; one vector uses one of the two, never both.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/mem.h"

#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *p;                                                                                                       \
        size_t n, cap;                                                                                                 \
    }

#define VEC_RESERVE(v, want)                                                                                           \
    ((void)((want) <= (v)->cap ||                                                                                      \
            ((v)->cap = vec_cap((v)->cap, (want)), (v)->p = mem_grow((v)->p, (v)->cap, sizeof *(v)->p), 0)))

#define VEC_PUSH(v, ...) (VEC_RESERVE((v), (v)->n + 1), (void)((v)->p[(v)->n++] = (__VA_ARGS__)))

#define VEC_PUSH_IN(a, v, ...)                                                                                         \
    ((void)((v)->n < (v)->cap ||                                                                                       \
            ((v)->p = arena_grow((a), (v)->p, (v)->cap * sizeof *(v)->p,                                               \
                                 vec_cap((v)->cap, (v)->n + 1) * sizeof *(v)->p),                                      \
             (v)->cap = vec_cap((v)->cap, (v)->n + 1), 0)),                                                            \
     (void)((v)->p[(v)->n++] = (__VA_ARGS__)))

#define VEC_CLEAR(v) (free((v)->p), (v)->p = NULL, (v)->n = (v)->cap = 0)

/* The capacity after growing from `cap` to hold at least `want`: doubles, from 8. */
static inline size_t vec_cap(size_t cap, size_t want)
{
    size_t grown = cap < 8 ? 8 : cap * 2;

    return grown < want ? want : grown;
}
