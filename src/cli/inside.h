/* The sandbox as commands see it: the policy of a workspace, a command run under it, and what is said about it. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "cli/cli.h"
#include "jail/policy.h"
#include "jail/report.h"

struct err;
struct json_write;
struct workspace;

/* Does this run go into the sandbox? Not without a blast.toml that asks for one, nor with --no-sandbox, which is
 * ERR_CONFIG with exit code 5 unless the policy is permissive or the user trusts the project's settings. */
MUST_USE bool inside_wanted(struct cmd *c, struct workspace *w, bool *wanted, struct err *e);
/* In the command's arena. */
MUST_USE bool inside_policy(struct cmd *c, const struct workspace *w, struct jail_policy *out, struct err *e);
/* Runs argv (NULL at the end) and leaves its exit code in c->exit_code. `more`: variables for it beside those that
 * activation sets, "NAME=value", NULL at the end; NULL: none. */
MUST_USE bool inside_run(struct cmd *c, struct workspace *w, char *const *argv, const char *const *more,
                         struct err *e);
/* Is this process in the sandbox of that environment? */
MUST_USE bool inside_is(const struct workspace *w);

/* One line, such as "namespace, network isolated; not enforced: iops_limit". */
MUST_USE struct str inside_summary(struct arena *a, const struct jail_policy *p, const struct jail_report *r);
