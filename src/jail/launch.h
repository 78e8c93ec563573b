/* blast-jail, outside: reads its order, makes the sandbox and pid 1 in it, serves the commands that come, reports.
 *
 * The order comes in a sealed memfd: struct launch_header, then the policy as JSON. Commands come over `serve`
 * (jail/visit.h); the sandbox ends when the last one is over and no session holds it. What happens goes to the status
 * socket (tell.h).
 *
 * The end of whoever holds the other side of the status socket is the end of the sandbox.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "jail/policy.h"
#include "jail/uppers.h"

#define LAUNCH_MAGIC UINT32_C(0x4c494a42)
#define LAUNCH_VERSION 3
#define LAUNCH_MAX (JAIL_POLICY_MAX + 64u)

struct launch_header {
    uint32_t magic, version;
    uint32_t policy_bytes;
    uint32_t only_try; /* set up, report, run nothing */
    char uppers[UPPERS_NAME]; /* how what the policy has on disk begins its name; "": a policy without that */
};

/* `control`: a listening socket for the table of connections, or -1. Returns the exit code: 0 when commands could run.
 */
MUST_USE int launch_run(int order, int status, int serve, int control);
