/* What is to be said of each setting, by what was found and done: fills the enforcement report outside the sandbox. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct jail_policy;
struct jail_report;

/* What a sandbox in namespaces keeps; rows are lowered later where something was missing. */
void judge_begin(const struct jail_policy *p, struct jail_report *r);
/* After the cgroup was made: what pid 1 samples instead. */
void judge_limits(const struct jail_policy *p, struct jail_report *r);
/* What the level process keeps, by Landlock and the filter of system calls alone. */
void judge_process(const struct jail_policy *p, struct jail_report *r);
/* The way out could not be made: nothing gets out. `reason` is kept by reference. */
void judge_no_gate(const struct jail_policy *p, const char *reason, struct jail_report *r);
/* User namespaces cannot be made: says why, by the machine's settings; `failure` is what the kernel refused. */
void judge_no_namespaces(const struct jail_policy *p, const char *failure, struct jail_report *r);
/* Is this errno how a kernel, or a profile, refuses them? */
MUST_USE bool judge_is_namespace_refusal(int sys);
