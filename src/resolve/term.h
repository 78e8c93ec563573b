/* A term: what one statement says about one package.
 *
 * Positive: "the package is chosen, at a version in the set". Negative: "it is not chosen at a version in the set",
 * which is also true while it is not chosen at all. A negative term over the empty set says nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "resolve/set.h"

struct arena;

struct term {
    uint32_t pkg;
    bool positive;
    struct set set;
};

/* How what is known (`known`) stands to a term. */
enum term_relation {
    TERM_SATISFIED,    /* known implies the term */
    TERM_CONTRADICTED, /* known excludes it */
    TERM_OPEN,         /* neither */
};

static inline struct term term_yes(uint32_t pkg, struct set set)
{
    return (struct term){ pkg, true, set };
}

static inline struct term term_no(uint32_t pkg, struct set set)
{
    return (struct term){ pkg, false, set };
}

static inline struct term term_not(struct term t)
{
    t.positive = !t.positive;
    return t;
}

/* Says nothing: true whatever is chosen. */
static inline bool term_is_any(const struct term *t)
{
    return !t->positive && t->set.n == 0;
}

/* All about one package. */
MUST_USE struct term term_and(struct arena *a, const struct term *x, const struct term *y);
MUST_USE struct term term_or(struct arena *a, const struct term *x, const struct term *y);
MUST_USE bool term_implies(const struct term *known, const struct term *t);
MUST_USE enum term_relation term_relate(const struct term *known, const struct term *t);
