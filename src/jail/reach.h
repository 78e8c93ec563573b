/* What a sandbox may reach, from [sandbox.network] to the policy: names, networks, ports, checked and normal. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct arena;
struct config;
struct err;
struct jail_place;
struct jail_policy;

#define REACH_ROUTER "10.0.2.2" /* the sandbox's name server too */

/* Fills the lists of the policy, whose level and network are known. ERR_CONFIG names the setting that is wrong. */
MUST_USE bool reach_compile(const struct config *c, const struct jail_place *at, struct arena *a,
                            struct jail_policy *out, struct err *e);
