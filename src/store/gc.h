/* Removing trees that no environment needs any more.
 *
 * The caller says which entries are alive (env/registry.h collects them from the manifests of every registered
 * environment); everything else goes, and so do remains of interrupted makers that are older than an hour. Runs
 * under the exclusive guard, so that no installer can be between finding an entry and linking it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct err;
struct map;
struct store;

struct gc_result {
    uint32_t kept, removed; /* entries */
    uint64_t bytes;         /* of the removed ones, as stored; of a dry run: that would be */
};

struct gc_spec {
    const struct map *live; /* the sha256 in hexadecimal as keys */
    uint64_t limit;         /* bytes: the oldest go until the store is no larger; 0: all that nobody needs go */
    bool dry_run;
};

/* ERR_CACHE with exit 7 when the store is in use. */
MUST_USE bool gc_run(const struct store *s, const struct gc_spec *spec, struct gc_result *out, struct err *e);
