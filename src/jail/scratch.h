/* The directory that is HOME and TMPDIR at the level process, which has no file system of its own: in /tmp, removed at
 * the end, and by the next start where its launcher was killed.
 *
 * Whoever uses it holds a lock on it, in whatever pid namespace it lives; one that can be locked is nobody's.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;

struct scratch {
    char path[40]; /* "": none */
    int lock;      /* held, also by what is forked, until it execs or ends */
};

/* Removes what was left behind first. Mode 0700. */
MUST_USE bool scratch_make(struct scratch *out, struct err *e);
/* With all that is in it. */
void scratch_remove(struct scratch *s);
