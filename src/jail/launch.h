/* blast-jail, outside: reads its order, makes the sandbox and pid 1 in it, relays terminal and signals, reports.
 *
 * The order comes in a sealed memfd: struct launch_header, the policy as JSON, then texts with a NUL behind each: the
 * working directory, the command's words, its environment. They are bytes, not JSON, because neither need be UTF-8.
 * What happens goes to the status socket as lines of JSON; run.c reads them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "jail/policy.h"

struct arena;
struct err;

#define LAUNCH_MAGIC UINT32_C(0x4c494a42)
#define LAUNCH_MAX (16u << 20) /* bytes of an order; a command line may have 2 MiB */

struct launch_header {
    uint32_t magic, version;
    uint32_t policy_bytes, words, variables;
    int32_t parent;  /* whoever wrote it; when that process is gone nothing starts */
    uint64_t wall_ms;
    uint8_t only_try; /* set up, report, run nothing */
    uint8_t foreground;
    uint8_t pad[6];
};

struct launch_order {
    struct launch_header h;
    struct jail_policy policy;
    const char *cwd;
    char **argv, **env; /* NULL at the end */
};

/* `control`: a listening socket for the table of connections, or -1. Returns the exit code: the command's. */
MUST_USE int launch_run(int order, int status, int control);
