/* Ways out of requirements that exclude each other: each is tried before it is named.
 *
 * One of the user's requirements that take part in the failure is relaxed at a time (its bound taken away, its extras
 * left out, or the whole of it when it has no bound), and the rest is resolved again: from what the cache holds, and by
 * asking the index, for a short while, where it has just answered this very command or a decision is to be parked,
 * which needs a way out. Another failure that is known already costs no request.
 *
 *     works without the bound in flask<2 (pyproject.toml:7): flask 3.1.3 would be taken
 */
#pragma once

#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct explain;
struct failure;
struct pkg_job;
struct solve;
struct solve_dep;

#define REPAIR_LINES 3

/* Up to REPAIR_LINES ways out that work, into out->repairs. `root` is what the failed solver had as the root's
 * requirements. In the workspace's arena. */
void repair_find(const struct pkg_job *job, const struct solve_dep *root, const struct solve *failed,
                 struct failure *out);
/* A line for each, begun by a line end; n == 0 when there is none. */
MUST_USE struct str repair_text(struct arena *a, const struct failure *f);

/* A hint for a package that no index knows: a name that is spelt nearly so and is known here, or to look again. */
void repair_unknown(const struct pkg_job *job, const struct explain *x, struct err *e);
