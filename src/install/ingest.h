/* A package that another tool installed, taken into the store as it lies there.
 *
 * Its entry is found by a digest over the names and contents of its files, not over a wheel, so it never takes the
 * place of one. From then on the package can be linked into any tree like all others.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/hash.h"
#include "base/str.h"

struct arena;
struct env;
struct err;
struct store;

/* `dist_info`: its directory below site-packages of the current tree. *hex, in the arena, is the name of its entry;
 * empty, without an error, for what has no RECORD or names files that are not there or lie outside the environment:
 * then only the tree has it. */
MUST_USE bool ingest_package(struct env *env, const struct store *store, struct str dist_info, struct arena *a,
                             struct str *hex, struct err *e);
