/* Inside of the solver, shared by solve.c and explain.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "resolve/choose.h"
#include "resolve/incompat.h"
#include "resolve/partial.h"
#include "resolve/solve.h"

struct solve_entry {
    struct solve_package fact;
    uint64_t *tried; /* bit r: version r was tried */
    uint32_t tries;
    bool queued;     /* to be propagated */
};

/* An incompatibility found to have a false term stays so while the level of that moment exists. */
struct solve_mark {
    uint32_t level;
    uint64_t serial; /* of that level; 0: never found so */
};

struct solve {
    struct solve_source source;
    struct arena a;
    struct incompat_store store;
    struct partial ps;
    struct choose choose;
    VEC(struct solve_entry) pkg;     /* by package; fact.name.p is NULL before the first mention */
    VEC(struct solve_mark) mark;     /* by incompatibility */
    VEC(uint32_t) queue;             /* packages whose incompatibilities are to be looked at, last first */
    struct map ties;                 /* hash of proxy and set: {proxy in set, not base in set} is known */
    bool ended;
    enum solve_state end;
    uint32_t failure;                /* the incompatibility that says there is no solution */
    struct solve_stats stats;
};

/* The facts and conclusions that the failure rests on, its own last: ids ascending, *n of them, in the arena. Each
 * comes after what it follows from. */
MUST_USE const uint32_t *solve_proof(const struct solve *s, struct arena *a, size_t *n);
