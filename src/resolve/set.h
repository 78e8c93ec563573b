/* Sets of versions of one package: sorted, disjoint, never touching half-open intervals of ranks.
 *
 * The versions of a package are known and ranked 0..n-1, oldest first, so a set is a finite thing: equal sets have
 * equal intervals, neighbours always merge, and comparing is integer work. No version text is ever looked at here.
 * A set of one interval holds it inline and costs no memory; a larger one points into an arena (or into memory of
 * whoever made it) that must outlive it. Sets are values: pass and copy them freely, nobody changes them in place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

struct arena;

struct interval {
    uint32_t lo, hi; /* ranks lo .. hi-1; lo < hi */
};

struct set {
    uint32_t n; /* intervals; 0 is the empty set */
    union {
        struct interval one;         /* n == 1 */
        const struct interval *many; /* n > 1 */
    };
};

static inline struct set set_none(void)
{
    return (struct set){ 0 };
}

/* Ranks lo .. hi-1; empty when lo >= hi. set_span(0, n) is every version of a package that has n. */
static inline struct set set_span(uint32_t lo, uint32_t hi)
{
    return lo < hi ? (struct set){ .n = 1, .one = { lo, hi } } : set_none();
}

static inline struct set set_one(uint32_t rank)
{
    return set_span(rank, rank + 1);
}

/* The intervals in ascending order, s->n of them; valid as long as *s and its arena. */
static inline const struct interval *set_spans(const struct set *s)
{
    return s->n == 1 ? &s->one : s->many;
}

static inline bool set_is_empty(const struct set *s)
{
    return s->n == 0;
}

/* Any n intervals, in any order, overlapping, touching or empty: sorted and merged into a set in the arena. */
MUST_USE struct set set_of(struct arena *a, const struct interval *spans, size_t n);

MUST_USE bool set_has(const struct set *s, uint32_t rank);
MUST_USE uint32_t set_count(const struct set *s); /* how many ranks */
MUST_USE uint32_t set_min(const struct set *s);   /* of a set that is not empty */
MUST_USE uint32_t set_max(const struct set *s);   /* of a set that is not empty */
MUST_USE bool set_equal(const struct set *x, const struct set *y);
MUST_USE bool set_subset(const struct set *x, const struct set *y); /* x is inside y */
MUST_USE bool set_disjoint(const struct set *x, const struct set *y);
MUST_USE uint64_t set_hash(const struct set *s);

MUST_USE struct set set_intersect(struct arena *a, const struct set *x, const struct set *y);
MUST_USE struct set set_unite(struct arena *a, const struct set *x, const struct set *y);
MUST_USE struct set set_minus(struct arena *a, const struct set *x, const struct set *y);

/* The largest rank of s below `limit`, or the smallest at or above `from`; UINT32_MAX when there is none. For
 * walking candidates newest first (start with UINT32_MAX) or oldest first (start with 0). */
MUST_USE uint32_t set_below(const struct set *s, uint32_t limit);
MUST_USE uint32_t set_above(const struct set *s, uint32_t from);
