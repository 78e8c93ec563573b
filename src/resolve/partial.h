/* The partial solution: what has been decided and what follows from it, in the order it came about.
 *
 * One trail of dated assignments. A decision opens a level and fixes one version; a derivation is forced by an
 * incompatibility and belongs to the level of that moment. Each entry carries everything known about its package so
 * far, so the state of a package is its latest entry, its state at an earlier moment is found by binary search, and
 * going back is cutting the trail.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/vec.h"
#include "resolve/incompat.h"
#include "resolve/source.h"
#include "resolve/term.h"

struct assignment {
    uint32_t pkg;
    uint32_t level;    /* decisions made so far, this one included */
    uint32_t cause;    /* the incompatibility that forced it; INCOMPAT_NONE for a decision */
    struct term known; /* of the package, this entry included */
};

struct partial_package {
    VEC(uint32_t) at; /* its entries: indices into the trail, ascending */
    uint32_t decided; /* rank, or RANK_NONE */
    uint64_t stamp;   /* of the last change */
};

struct partial {
    struct arena *a;
    VEC(struct assignment) trail;
    VEC(struct partial_level {
        size_t start;    /* of the level's decision in the trail */
        uint64_t serial; /* never used twice, so "since that level was opened" is one comparison */
    }) level;            /* [0] is the time before any decision */
    VEC(struct partial_package) of; /* by package */
    uint64_t clock;
    VEC(uint32_t) changed; /* packages with a new entry or less entries since the list was last emptied */
    VEC(bool) is_changed;
};

void partial_init(struct partial *ps, struct arena *a);
void partial_clear(struct partial *ps);

static inline uint32_t partial_level(const struct partial *ps)
{
    return (uint32_t)ps->level.n - 1;
}

/* What is known about the package; a term that says nothing when that is nothing. Valid until the next change. */
MUST_USE const struct term *partial_known(const struct partial *ps, uint32_t pkg);
/* What the first level alone says: nothing but a new solve changes that. */
MUST_USE const struct term *partial_lasting(const struct partial *ps, uint32_t pkg);
MUST_USE uint32_t partial_decided(const struct partial *ps, uint32_t pkg); /* RANK_NONE: not decided */
MUST_USE uint64_t partial_stamp(const struct partial *ps, uint32_t pkg);

/* The level that the package's decision opened; it is decided. */
MUST_USE uint32_t partial_decision_level(const struct partial *ps, uint32_t pkg);

void partial_decide(struct partial *ps, uint32_t pkg, uint32_t rank);
/* Adds the negation of `forbidden`, which `cause` forces. */
void partial_derive(struct partial *ps, const struct term *forbidden, uint32_t cause);
/* Undoes every assignment above the level. */
void partial_backtrack(struct partial *ps, uint32_t level);
/* The next package whose knowledge changed since it was last taken here; false when there is none. */
bool partial_take_changed(struct partial *ps, uint32_t *pkg);

enum partial_relation {
    PARTIAL_SATISFIED,    /* all terms hold: a conflict */
    PARTIAL_ALMOST,       /* all but one, and that one is open: its negation follows */
    PARTIAL_CONTRADICTED, /* one term is false: nothing to learn */
    PARTIAL_OPEN,
};

/* *open is the term that does not hold, for PARTIAL_ALMOST. */
MUST_USE enum partial_relation partial_relate(const struct partial *ps, const struct incompat *ic,
                                              const struct term **open);
/* Whether all terms would hold if pkg were decided at rank. */
MUST_USE bool partial_would_satisfy(const struct partial *ps, const struct incompat *ic, uint32_t pkg, uint32_t rank);

/* How a satisfied incompatibility came to be so. */
struct satisfier {
    uint32_t pkg;      /* whose assignment completed it */
    uint32_t cause;    /* of that assignment; INCOMPAT_NONE for a decision */
    uint32_t level;    /* of that assignment */
    uint32_t previous; /* the level at which all but this assignment was in place, at least 1 */
};

MUST_USE struct satisfier partial_satisfier(const struct partial *ps, const struct incompat_store *store,
                                            const struct incompat *ic);
