/* What belongs to an installed package in a plain environment, by its RECORD.
 *
 * Never anything outside the environment, never what another package's RECORD lists too, and no directory that
 * holds anything else. Compiled files beside recorded sources go with them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct env;
struct err;
struct map;

/* Paths relative to the environment: files, links, or whole directories that hold nothing else; and the
 * directories that may be empty afterwards, deepest first. */
struct uninstall_list {
    VEC(struct str) paths;
    VEC(struct str) maybe_empty;
};

/* `dist_info`: directory name below site-packages. `shared` (may be NULL) has paths that other packages own.
 * ERR_ENVIRONMENT when there is no RECORD, or when it names something outside the environment. Adds to *out;
 * texts live in the arena. */
MUST_USE bool uninstall_list(struct env *env, struct str dist_info, const struct map *shared, struct arena *a,
                             struct uninstall_list *out, struct err *e);

/* Adds every path that this package's RECORD lists, relative to the environment, to *out; none without a RECORD. */
MUST_USE bool uninstall_owned(struct env *env, struct str dist_info, struct arena *a, struct map *out, struct err *e);
