/* Which environments exist, so that the store knows what is still needed.
 *
 * Every environment's state directory holds `env.json` with its path. A vanished environment's history counts as
 * alive for 14 days after it was last seen, and for ever while the file system it lay on is not mounted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct map;

struct registry_env {
    struct str path;  /* of the environment */
    struct str state; /* of its state directory */
    bool there;
};

/* `state`: directory of all environments' state. Missing: no environments. In the arena. */
MUST_USE bool registry_list(const char *state, struct arena *a, struct registry_env **out, size_t *n, struct err *e);
/* Those whose history counts no more: garbage collection takes what only they need, and then they are lost. */
MUST_USE bool registry_over(const char *state, struct arena *a, struct registry_env **out, size_t *n, struct err *e);
/* Adds the sha256 of every wheel that any manifest names to *live; keys are in the arena. A manifest that cannot
 * be read is an error: guessing would delete what somebody needs. */
MUST_USE bool registry_live(const char *state, struct arena *a, struct map *live, struct err *e);
