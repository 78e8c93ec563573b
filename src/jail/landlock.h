/* Landlock: which files may be touched, by what lies beneath a directory; for the level process the main wall, for the
 * others a second one behind the mounts.
 *
 * Everything is refused that no rule grants. Rules only grant, so a denied path inside a granted directory is left out
 * by granting the directory's other entries one by one. Each right is asked for only where the kernel's ABI knows it.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct jail_policy;

#define LANDLOCK_ABI_KNOWN 7

/* The kernel's ABI, at most the newest that is known here; 0: no Landlock. */
MUST_USE int landlock_abi(void);

struct landlock_wants {
    bool no_tcp;    /* refuse bind and connect (ABI 4) */
    bool scoped;    /* no abstract sockets and no signals to processes outside (ABI 6) */
    bool own_view;  /* the paths are those of a new root: also its /dev, /proc */
    const char *scratch; /* one more writable directory, or NULL */
};

/* Grants what the policy shows, as seen from this process's root, then restricts this process. */
MUST_USE bool landlock_restrict(const struct jail_policy *p, const struct landlock_wants *wants, struct err *e);
