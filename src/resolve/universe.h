/* A universe of packages in memory, as a source for the solver: for scenarios and tests.
 *
 * It speaks the real language (versions, specifiers, markers, Requires-Python) and applies the usual policies, but
 * fetches nothing. Fill it, seal it, then hand universe_source() to the solver. Everything lives in one arena, which
 * must outlive the solver.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "pep/marker_env.h"
#include "pep/req.h"
#include "pep/spec.h"
#include "pep/version.h"
#include "resolve/source.h"

struct err;

enum universe_pre { UNIVERSE_PRE_IF_NECESSARY, UNIVERSE_PRE_ALLOW, UNIVERSE_PRE_DISALLOW };
enum universe_order { UNIVERSE_HIGHEST, UNIVERSE_LOWEST, UNIVERSE_LOWEST_DIRECT };

struct universe_dep {
    struct req req;
    struct str extra; /* it belongs to this extra of the package; n == 0: to the package itself or by its marker */
    struct str text;  /* as it is named in messages */
};

struct universe_version {
    struct version v; /* first: sorted with version_order() */
    struct str python; /* Requires-Python; n == 0: any */
    bool yanked;
    struct str yank_reason;
    struct str unusable; /* reason, or n == 0 */
    const struct universe_dep *dep;
    size_t deps;
};

struct universe_package {
    struct str name; /* normalised; of an extra "flask[async]" */
    struct str extra;
    uint32_t base; /* PKG_NONE unless an extra */
    VEC(struct universe_version) version;
    const struct version *sorted; /* after sealing: rank -> version */
    VEC(struct solve_dep) constraint;
    struct str preferred;  /* version text, or n == 0 */
    uint32_t prefer;       /* its rank after sealing, or RANK_NONE */
    struct set pinned;     /* versions the user names exactly: chosen even when yanked */
    bool direct, names_pre;
};

struct universe_want {
    struct universe_dep dep;
    struct str origin;
    bool constraint;
};

struct universe {
    struct arena *a;
    VEC(struct universe_package) package; /* [0] is the root */
    struct map by_name;
    VEC(struct universe_want) want;
    struct solve_deps root;
    enum universe_pre pre;
    enum universe_order order;
    struct str python;       /* "3.12.1" */
    struct marker_env env;
    uint32_t wait_every;     /* 0: answers at once; n: about every n-th question is put off */
    uint64_t wait_seed;
};

void universe_init(struct universe *u, struct arena *a);
void universe_clear(struct universe *u); /* what is not in the arena */

/* The package's number; adds it when it is new. An extra comes with its base. */
uint32_t universe_package(struct universe *u, struct str name, struct str extra);
/* Reads `[extra] name[extras] spec if marker`. ERR_PACKAGE. */
MUST_USE bool universe_dep_parse(struct universe *u, struct str text, struct universe_dep *out, struct err *e);

/* Sorts the versions and turns requirements into sets. Fails when a version is there twice. */
MUST_USE bool universe_seal(struct universe *u, struct err *e);
MUST_USE struct solve_source universe_source(struct universe *u);
