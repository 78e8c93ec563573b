/* What a sandbox may reach, from [sandbox.network] to the policy: names, networks, ports, checked and normal. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct config;
struct err;
struct jail_place;
struct jail_policy;

#define REACH_ROUTER "10.0.2.2" /* the sandbox's name server too */

/* Fills the lists of the policy, whose level and network are known. ERR_CONFIG names the setting that is wrong. */
MUST_USE bool reach_compile(const struct config *c, const struct jail_place *at, struct arena *a,
                            struct jail_policy *out, struct err *e);
/* Can this be the name of a host? Not an address; labels as DNS takes them. */
MUST_USE bool reach_is_name(struct str name);
