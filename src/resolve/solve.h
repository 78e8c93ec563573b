/* The solver: finds one version for every package that is needed, or proves that there is none.
 *
 * PubGrub (Natalie Weizenbaum, "PubGrub: Next-Generation Version Solving", and the refinements listed at the head
 * of solve.c). It does no I/O and knows nothing of Python: it steps over the facts of a solve_source and stops when
 * one is missing. For the same answers the result is the same, however often it had to wait.
 *
 *     while ((state = solve_step(s)) == SOLVE_WANTS)
 *         ... look at solve_open_next() for what to fetch ahead, then wait for what the source noted ...
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "resolve/set.h"
#include "resolve/source.h"

struct solve;

enum solve_state {
    SOLVE_DONE,   /* solve_decision() holds the answer */
    SOLVE_FAILED, /* there is no solution; resolve/explain.h says why */
    SOLVE_WANTS,  /* the source answered SOLVE_PENDING: step again when it knows more */
};

/* The source is copied; its ctx must outlive the solver. */
MUST_USE struct solve *solve_new(const struct solve_source *source);
void solve_free(struct solve *s);

/* Runs until the end or until the source lacks something. After the end, says the same again. */
MUST_USE enum solve_state solve_step(struct solve *s);

/* The rank chosen for the package, or RANK_NONE when it is not (yet) part of the solution. */
MUST_USE uint32_t solve_decision(const struct solve *s, uint32_t pkg);
/* One more than the largest package number mentioned so far: the bound of a loop over solve_decision(). */
MUST_USE uint32_t solve_packages(const struct solve *s);

/* A package that is needed and not decided. */
struct solve_open {
    uint32_t pkg;
    struct set allowed; /* what it may still be */
    struct set lasting; /* the same from the root's own requirements alone: what no backtracking widens; every
                         * version when the root says nothing */
    uint64_t stamp;     /* changes whenever `allowed` does */
    uint32_t tried;     /* versions of it tried so far, as solve_tried() */
};

/* Walks the open packages, the one to be decided next not necessarily first. Start with *at = 0; false at the end.
 * The walk is over at the next solve_step(). */
bool solve_open_next(const struct solve *s, uint32_t *at, struct solve_open *out);

/* How many distinct versions of the package were tried so far: many mean that more will be. */
MUST_USE uint32_t solve_tried(const struct solve *s, uint32_t pkg);

struct solve_stats {
    uint32_t decisions;  /* versions decided on, those undone later included */
    uint32_t rejections; /* versions refused at once because a requirement of theirs cannot hold */
    uint32_t conflicts;  /* dead ends met by propagation */
    uint32_t backtracks; /* times decisions were undone */
    uint32_t reorders;   /* packages moved because they kept causing or suffering conflicts */
    uint32_t facts;      /* incompatibilities stored */
};

MUST_USE struct solve_stats solve_stats(const struct solve *s);

/* After SOLVE_FAILED: which requirements of the root take part in the failure, as indices into the root's deps
 * array in ascending order. Writes at most max of them, returns how many there are. Solving again with one of them
 * relaxed is how repairs are found. */
uint32_t solve_culprits(const struct solve *s, uint32_t *index, uint32_t max);
