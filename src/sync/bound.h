/* [pkg_layer] version_policy put into effect: every package of the lock is bounded by its version there. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct inputs;
struct workspace;

/* Adds constraints to the inputs; their digest stays, since the lock that results is no other kind of lock. A package
 * whose version in the lock does not meet the project's own requirement is left free: what was asked for comes first.
 * Nothing happens without a lock or with version_policy = latest. */
MUST_USE bool bound_versions(struct workspace *w, struct inputs *in, struct err *e);
