/* Changing a plain environment in place so that a crash can be undone.
 *
 * Everything new is staged in <env>/.blast-tx/new/, laid out as in the environment; then the journal names every
 * path that is taken away or put in place; then paths are moved, one rename each, what is replaced going to
 * .blast-tx/old/. Removing the journal is the moment of success. While it is there inplace_recover() moves
 * everything back.
 */
#pragma once

#include <stdbool.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct env;
struct err;

struct inplace {
    struct env *env;
    int dir;   /* of .blast-tx */
    int stage; /* of .blast-tx/new */
    VEC(struct str) remove; /* relative to the environment */
    VEC(struct str) add;
};

MUST_USE bool inplace_begin(struct env *env, struct inplace *out, struct err *e);
/* The text must live until the end. A path that is to be added is the highest that does not exist yet, or exists
 * only until the removals are done. */
void inplace_remove(struct inplace *t, struct str path);
void inplace_add(struct inplace *t, struct str path);
/* On failure everything is moved back. Ends the transaction in every case. */
MUST_USE bool inplace_commit(struct inplace *t, bool durable, struct err *e);
void inplace_drop(struct inplace *t);

/* The lock is held. *did says whether something had been interrupted. */
MUST_USE bool inplace_recover(struct env *env, bool *did, struct err *e);
MUST_USE bool inplace_is_pending(const struct env *env);
