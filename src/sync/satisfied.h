/* "Already satisfied": what is installed meets the requirements, so that nothing need be asked of an index. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct env_packages;
struct inputs;
struct lock_selection;
struct env;
struct workspace;

/* Every requirement whose marker holds is installed in a version that fits, and so is, unless --no-deps, everything
 * that METADATA of these packages requires. False when it is not, or when that cannot be told from what is on disk
 * (requirements by URL, damaged packages). */
MUST_USE bool satisfied(struct workspace *w, struct env *env, const struct env_packages *have, const struct inputs *in);

/* Exactly these packages, in exactly these versions, and nothing else is installed, all of it from indexes: told from
 * the names of the .dist-info directories. False when in doubt. */
MUST_USE bool satisfied_exactly(struct workspace *w, struct env *env, const struct lock_selection *sel);
