/* Which package to decide next.
 *
 * Order: class first, then who was mentioned first. Names count, not numbers: an extra goes with its base.
 *
 * Backtracking goes wrong when B keeps losing its versions because of A, decided earlier: every version of B is tried
 * although A is the one to change. So conflicts are counted per package, as the one that suffers and as the one that
 * causes; at CHOOSE_CONFLICTS the sufferer is moved to the front of the ordinary packages and the cause behind it, and
 * whoever solves undoes the cause's decision. A cause that was put first because one version is named is moved back as
 * well: s3fs pins fsspec, so fsspec, chosen freely and early, refuses one s3fs after the other. Each happens once a
 * package, so that two cannot push each other to and fro for ever.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/vec.h"

#define CHOOSE_CONFLICTS 5

enum choose_class {
    CHOOSE_ORDINARY,
    CHOOSE_CONFLICT_LATE,  /* kept causing conflicts */
    CHOOSE_CONFLICT_EARLY, /* kept suffering them */
    CHOOSE_SINGLETON,      /* a requirement names one version */
    CHOOSE_URL,
    CHOOSE_FIXED,          /* the root */
};

struct choose_name {
    uint32_t order; /* of first mention, from 1; 0: never mentioned */
    uint32_t nodes; /* 1 + the first package of the name; 0: none */
    uint32_t culprit, affected;
    enum choose_class class;
};

struct choose_node {
    uint32_t base, order;
    uint32_t twin;   /* 1 + the next package of the same name; 0: none */
    uint64_t queued; /* key of its entry in the heap; 0: none */
};

struct choose_entry {
    uint64_t key;
    uint32_t pkg;
};

struct choose {
    VEC(struct choose_name) name;  /* by base package */
    VEC(struct choose_node) node;  /* by package */
    VEC(struct choose_entry) heap; /* largest key first; entries may be out of date */
    uint32_t names, nodes;         /* mentioned so far */
    VEC(uint32_t) early, late;     /* bases that reached the limit since choose_take_*() */
};

void choose_clear(struct choose *c);

/* First mention of a package and its base (itself unless it is an extra). */
void choose_add(struct choose *c, uint32_t pkg, uint32_t base);
MUST_USE bool choose_knows(const struct choose *c, uint32_t pkg);
MUST_USE uint32_t choose_base(const struct choose *c, uint32_t pkg);
/* Raises the class of the package's name; a lower one changes nothing. True when it changed. */
bool choose_raise(struct choose *c, uint32_t pkg, enum choose_class class);

/* To CHOOSE_CONFLICT_EARLY or _LATE, upwards or downwards, for what the conflicts say; who was moved to the front stays
 * there. True when it changed. */
MUST_USE bool choose_move(struct choose *c, uint32_t pkg, enum choose_class class);

/* The package is needed and not decided: put it (again) where it belongs. */
void choose_push(struct choose *c, uint32_t pkg);
/* Takes the foremost package off; false when none is left. The caller checks that it is still open. */
bool choose_pop(struct choose *c, uint32_t *pkg);

/* `affected` met a conflict in which `other` takes part. False when the two are one name, which counts for nothing. */
bool choose_blame(struct choose *c, uint32_t affected, uint32_t other);
/* ... and at least one other package was to blame. */
void choose_suffer(struct choose *c, uint32_t affected);
/* The next base to move; false when there is none. The caller raises its class. */
bool choose_take_early(struct choose *c, uint32_t *base);
bool choose_take_late(struct choose *c, uint32_t *base);
