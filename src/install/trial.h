/* A generation's tree as an environment of its own, so that a command can run in it before, or without, its being
 * current.
 *
 *     view/pyvenv.cfg -> the environment's     view/lib -> that of the tree
 *     view/bin/python...                       as in the tree
 *     view/bin/SCRIPT                          with the view's interpreter in the first line
 *
 * Python takes the view for its environment, and so do scripts that call each other by name.
 */
#pragma once

#include <stdbool.h>
#include "base/arena.h"
#include "base/attr.h"
#include "env/generation.h"

struct env;
struct err;
struct store;

#define TRIAL_VIEW ".view" /* in a tree that was kept aside after its trial failed */

/* Makes the view of a tree; both paths are relative to the environment. A view that is there is replaced. */
MUST_USE bool trial_view(struct env *env, const char *tree, const char *view, struct err *e);

struct trial {
    struct env *env;
    const char *view; /* absolute path */
    char name[64];    /* of the directory that goes with it, below the environment */
    int held;         /* keep others from removing what is used here */
    int held_tree;
};

/* A view of an older generation: of its own tree where that is untouched, else of one built aside from the store.
 * The current generation stays as it is and needs no lock. ERR_ENVIRONMENT for another Python, ERR_CACHE when wheels
 * are gone. */
MUST_USE bool trial_open(struct env *env, const struct store *store, const struct generation *g, struct arena *a,
                         struct trial *out, struct err *e);
void trial_close(struct trial *t);
