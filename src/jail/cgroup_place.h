/* Where the group of this process lies in the file system, from the kernel's two lists.
 *
 * Pure: no I/O. A group that cannot be seen from here (it lies outside what is mounted, or outside this cgroup
 * namespace) has no place: another group that happens to be mounted is never taken for it.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;

/* `groups` is /proc/self/cgroup, `mounts` /proc/self/mountinfo (proc_pid_mountinfo(5)). `controller` of version 1, as
 * in "memory", or "" for the hierarchy of version 2. *out has a NUL behind it and lives in the arena. */
MUST_USE bool cgroup_place(struct str groups, struct str mounts, struct str controller, struct arena *a,
                           struct str *out);
