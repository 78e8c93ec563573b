/* The view of files inside: a new root in memory, into which the sources are mounted, nothing else.
 *
 * All of it is done by pid 1 of the sandbox in its own mount namespace, with the descriptors of the sources: no name of
 * the host is looked up again. Covers (hidden, denied, sockets of the host) come after what they cover. At the end the
 * root is read-only and the host's is gone from the namespace.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct jail_policy;
struct jail_report;
struct sources;

/* Leaves this process in the new root. *proc is its /proc, for pid 1; -1: none could be mounted. */
MUST_USE bool mounts_build(const struct jail_policy *p, const struct sources *s, struct jail_report *r, int *proc,
                           struct err *e);
