/* What a process may no longer do after these calls: rights it drops, and the limits that the kernel keeps for each. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct jail_policy;
struct jail_report;

/* All capabilities of all sets, and no new ones by exec. */
MUST_USE bool limits_drop_privileges(struct err *e);

/* No core files, the largest file, and the number of processes where it counts for the sandbox alone
 * (`own_users`: in a user namespace). Says in the report what it does. */
MUST_USE bool limits_apply(const struct jail_policy *p, bool own_users, struct jail_report *r, struct err *e);
