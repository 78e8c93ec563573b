/* What [env_layer] recovery_mode does with a damaged environment: the link .current leads nowhere, the tree of the
 * current generation is gone, or its manifest is.
 *
 * latest    the newest state that can be had again: the current one from its manifest and the store, else the one
 *           before, and so on
 * previous  the state before the last change; it is pinned as after a rollback
 * manual    nothing: an error that says so, until `blast rollback`
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct env;
struct err;
struct workspace;

/* What is damaged; n == 0: nothing. Reads the current manifest; in the arena. */
MUST_USE struct str recover_damage(struct env *env, struct arena *a);

/* Acts as recovery_mode says. The environment is locked. *did is false when nothing was damaged, or when no
 * state of the history can be had again (then it must be made anew). Says what it did as a warning of the
 * workspace. ERR_ENVIRONMENT in the mode manual. */
MUST_USE bool recover_env(struct workspace *w, struct env *env, bool *did, struct err *e);

/* Makes the newest generation whose manifest can be read the current one for the memory's sake, so that an undo or
 * rollback has a place to start from. Nothing on disk changes. */
void recover_point(struct env *env, struct arena *a);
