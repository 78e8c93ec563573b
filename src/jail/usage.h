/* What a sandbox uses now: from its control groups where it has them, else summed over its processes. */
#pragma once

#include <sys/types.h>

struct cgroup;
struct json_write;

/* Members "memory" (bytes), "cpu_us" (since the start), "processes" of the open object; one that is not to be had is
 * left out. `init` is pid 1 of the sandbox, seen from here. */
void usage_write(const struct cgroup *g, pid_t init, struct json_write *w);
