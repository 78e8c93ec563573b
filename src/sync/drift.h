/* Changes that were made in an environment by hand or by another tool: found, kept as a generation, taken back.
 *
 * A tree that was changed is never taken for the generation it once was: that one is made again from the store. The
 * changed content becomes a generation of the kind "scratch" before anything replaces it, with the files of its
 * packages in the store, so that undo finds them again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/generation.h"
#include "env/stamp.h"

struct env;
struct err;
struct workspace;

enum drift_state {
    DRIFT_NONE,    /* the tree is what its manifest says (or there is no environment with a history) */
    DRIFT_TAKEN,   /* a snapshot was made: generation, changes */
    DRIFT_TOO_SOON, /* there is drift, but the last automatic snapshot is younger than snapshot_interval: due */
    DRIFT_OFF,     /* there is drift, and snapshot_interval = 0 */
    DRIFT_BUSY     /* somebody is changing the environment right now */
};

struct drift_snapshot {
    enum drift_state state;
    uint32_t generation; /* now current; 0: no environment */
    int64_t due;         /* of DRIFT_TOO_SOON: seconds since 1970 */
    struct str changes;  /* "+rich 14.1 -x 1"; empty without drift */
};

/* What `blast background snapshot` does: when the environment was changed by hand and the last automatic snapshot is
 * at least [env_layer] snapshot_interval old, the changes become a scratch generation. Never waits for the lock. In
 * the workspace's arena. */
MUST_USE bool drift_snapshot(struct workspace *w, struct drift_snapshot *out, struct err *e);

/* The changes in the current tree; out->n == 0: none. For a plain environment always none. */
MUST_USE bool drift_look(struct workspace *w, struct env *env, struct stamp_changes *out, struct err *e);
/* What the environment was before it was changed by hand: the newest generation up to the current one that is no
 * scratch. ERR_ENVIRONMENT without one. */
MUST_USE bool drift_base(struct workspace *w, struct env *env, struct generation *out, struct err *e);
/* "+rich 14.1 -x 1 ~y 1 -> 2" in the workspace's arena. */
MUST_USE struct str drift_text(struct workspace *w, const struct stamp_changes *changes);

/* The current tree, as it lies there, becomes a generation of the kind "scratch"; *seq is its number. The environment
 * is locked. Its packages that are not in the store get there. */
MUST_USE bool drift_scratch(struct workspace *w, struct env *env, const struct stamp_changes *changes,
                            struct str command, uint32_t *seq, struct err *e);
