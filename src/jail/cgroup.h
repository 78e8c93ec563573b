/* Control groups: limits over all processes of a sandbox together, in a group of its own that is removed at the end.
 *
 * Version 2 where this user may make groups (root, or below a delegated one), version 1 controller by controller.
 * The group's name holds our process id and start time, and its directory is locked for as long as we live; at the next
 * start that has limits those of the dead are swept, in each hierarchy.
 * What cannot be had is no error: the report says it, and pid 1 samples instead where it can.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "jail/report.h"

struct err;
struct jail_policy;

enum cgroup_kind { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_IO, CGROUP_KINDS };

struct cgroup {
    int dir[CGROUP_KINDS];    /* the group, by controller; version 2: the same for all; -1: none */
    int base[CGROUP_KINDS];   /* the directory it was made in */
    bool v2;
    char name[64];
};

/* Makes the group, if the policy has limits, and writes them. `io_path` is a directory whose disk iops_limit is for. */
void cgroup_make(const struct jail_policy *p, const char *io_path, struct jail_report *r, struct cgroup *out);
/* The directory of the group for clone3(2)'s CLONE_INTO_CGROUP, -1 where there is none (version 1). A process that is
 * born in its group need not be moved, for which the kernel waits until no processor starts one. */
MUST_USE int cgroup_birthplace(const struct cgroup *g);
/* The calling process, which has one thread and no children yet, goes into its group of version 1. Whoever moves itself
 * alone does not wait for the other processors either (measured: 0.03 ms against 8 ms from outside). */
MUST_USE bool cgroup_enter(int door[CGROUP_KINDS], struct err *e);
/* What it needs for that, opened by whoever may: the rights are those of the opener. -1: nothing to enter. */
MUST_USE bool cgroup_open_doors(const struct cgroup *g, int door[CGROUP_KINDS], struct err *e);
/* From outside, before the process does anything. */
MUST_USE bool cgroup_join(const struct cgroup *g, pid_t pid, struct err *e);
/* How often a limit was met: processes ended for memory, refused because there are too many, periods in which the
 * processor was withheld; 0 for disk operations, which are only delayed. For memory the kernel ends the largest
 * process, one after the other, not the whole group: another command, such as a shell, need not pay for it. */
MUST_USE uint64_t cgroup_hits(const struct cgroup *g, enum cgroup_kind k);
/* The setting that it is the limit of. */
MUST_USE enum jail_setting cgroup_setting(enum cgroup_kind k);
/* Ends what is still in it and removes it. */
void cgroup_remove(struct cgroup *g);
/* The same for the groups of a launcher that was killed; for its parent, which alone knows that it is the one. */
void cgroup_remove_of(pid_t launcher);
