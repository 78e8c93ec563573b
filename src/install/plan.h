/* What has to happen to turn the installed packages into the wanted ones. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;

enum plan_kind { PLAN_KEEP, PLAN_ADD, PLAN_REMOVE, PLAN_REPLACE };

/* One side of the comparison. The same file (digest) or, where one has no digest, the same version and origin
 * means kept. */
struct plan_package {
    struct str name;       /* normalised */
    struct str version;
    struct str sha256;     /* hexadecimal; n == 0: not known (installed by another tool) */
    struct str direct_url; /* n == 0: from an index */
    bool direct;
};

struct plan_side {
    const struct plan_package *p;
    size_t n;
};

struct plan_step {
    enum plan_kind kind;
    const struct plan_package *have, *want; /* NULL for PLAN_ADD, PLAN_REMOVE */
};

struct plan {
    struct plan_step *steps; /* by name */
    size_t n;
    uint32_t keep, add, remove, replace;
};

/* `keep_others`: what is installed and not wanted stays. Everything in *out lives in the arena and points to the
 * packages given. */
void plan_make(const struct plan_side *have, const struct plan_side *want, bool keep_others, struct arena *a,
               struct plan *out);
