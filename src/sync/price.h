/* What taking a lock would cost an environment: packages that come, go and change, and bytes to fetch. Nothing is
 * fetched and nothing is changed: names and versions are compared, and the store is asked what it has. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct env_packages;
struct err;
struct inputs;
struct lock_selection;
struct workspace;

struct price {
    uint32_t add, remove, change;
    uint64_t bytes;     /* of the files that the store lacks, as far as the lock knows their sizes */
    struct str changes; /* "+rich 14.1.0 -six 1.16.0 ~httpx 0.27.2 -> 0.28.0"; in the workspace's arena */
};

/* `have` is what is installed now. A package without a file that fits counts, but not its bytes. */
MUST_USE bool price_selection(struct workspace *w, const struct inputs *in, const struct env_packages *have,
                              const struct lock_selection *want, struct price *out, struct err *e);
/* "+1 -0 ~2, 1.2 MB to fetch"; in the arena. */
MUST_USE struct str price_text(const struct price *p, struct arena *a);
