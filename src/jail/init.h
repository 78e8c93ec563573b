/* Pid 1 of a sandbox: builds it from inside, forks a leader for each command, reaps, samples what no cgroup limits, and
 * takes everything with it when it ends.
 *
 * At the level process it is an ordinary process in a session of its own that adopts its descendants.
 */
#pragma once

#include <sys/types.h>
#include "base/attr.h"
#include "jail/cgroup.h"
#include "jail/report.h"

struct jail_policy;
struct sources;

#define INIT_VISITS_MAX 256 /* commands that run in one sandbox at once */

struct init_task {
    const struct jail_policy *p;
    bool only_try;           /* nothing will run in it: what the report says of the way out is tried */
    struct sources *sources; /* taken already (root), or NULL: to be taken inside */
    const char *const *sockets; /* see source_sockets() */
    struct jail_report report;  /* as far as it is known outside */
    int link;
    int door[CGROUP_KINDS];  /* of its groups; see cgroup_enter() */
    pid_t outside;           /* blast-jail's process id */
    bool inside;             /* in namespaces of its own */
    bool network_made;       /* by the transit process */
    bool other_id;           /* root: becomes `uid`:`gid` of the new user namespace first */
    uid_t uid;
    gid_t gid;
    const char *uppers;      /* where changes of overlays lie on disk (jail/uppers.h); "": in memory */
    const char *scratch;     /* level process: HOME and TMPDIR of the commands, or NULL */
};

NORETURN void init_run(struct init_task *t);
