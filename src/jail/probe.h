/* Is the network of a sandbox what the report says? Tried from inside, by pid 1, for `blast sandbox check`. */
#pragma once

#include "base/attr.h"

struct jail_policy;
struct jail_report;

/* The name server must answer and know no name that is not allowed, and an address that is not allowed must be out of
 * reach; else the rows of the report are lowered. Takes a few milliseconds, seconds when nothing answers. */
void probe_gateway(const struct jail_policy *p, struct jail_report *r);
