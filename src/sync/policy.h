/* What the words of [sync], [pkg_layer] and [updates] mean, in one place. Pure.
 *
 *   pkg_layer   automatic: what the files ask for is resolved and installed
 *               manual:    only commands change packages, nothing in the background does
 *               locked:    only what the lock says; a lock that does not fit is a decision, not resolved over
 *   env_layer   strict:    another Python or name in the files: the environment is made anew
 *               relaxed:   it stays as long as requires-python takes its interpreter
 *               manual:    it stays; only --python on a command makes it anew
 *   version_policy  how far `update` and automatic updates move a package from the version locked: latest anywhere,
 *               minor within its first release number, patch within its first two, locked not at all
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"

struct arena;
struct version;

enum policy_env { POLICY_ENV_REMAKE, POLICY_ENV_KEEP, POLICY_ENV_ASK };

/* The files ask for another interpreter than the environment has; `fits`: requires-python takes the one it has;
 * `command`: --python was given. ASK: kept, and the user has to decide. */
MUST_USE enum policy_env policy_env(enum config_env_layer layer, bool fits, bool command);

/* Why nothing is installed in the background, or n == 0 when it may be. */
MUST_USE struct str policy_background(const struct config *c);

/* Whether an update may go from one version to the other. */
MUST_USE bool policy_allows(enum config_versions policy, const struct version *from, const struct version *to);
/* The same as a requirement text that bounds the package: "rich<15", "rich==14.1.0"; n == 0 for latest. */
MUST_USE struct str policy_bound(enum config_versions policy, struct str name, const struct version *from,
                                 struct arena *a);
MUST_USE const char *policy_word(enum config_versions policy); /* as in blast.toml */
