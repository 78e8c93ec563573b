/* The facts behind a failure: the leaves of the proof, united and put in reading order.
 *
 * Those of one kind about the same packages are one: versions that depend on the same thing, or cannot be used for the
 * same reason, become one set. What only ties an extra to its base is left out. In reading order the user's own
 * requirements come first, then the rest by distance from them, so that each follows from ones already read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "resolve/explain.h"
#include "resolve/set.h"

struct incompat;
struct solve;

struct facts_group {
    enum explain_cause cause;
    uint32_t pkg, on;    /* on: PKG_NONE unless something is required */
    struct set of;       /* versions of pkg */
    struct set target;   /* versions of on */
    struct str text;     /* as written first; n == 0 when it varies */
    bool varies;         /* versions in `of` want different sets of `on` */
    struct str reason, origin;
    uint32_t depth, seq; /* for ordering */
};

struct facts {
    struct arena *a; /* set by the owner; the groups live in it */
    VEC(struct facts_group) group;
    struct map by_key;
};

/* Adds an incompatibility of the proof; conclusions and ties are passed over. */
void facts_add(struct facts *f, const struct incompat *ic);
void facts_sort(struct facts *f, const struct solve *s);
void facts_clear(struct facts *f); /* empty again */
