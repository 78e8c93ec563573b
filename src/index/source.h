/* The catalog as the solver's source: requirements become sets of ranks, extras become packages of their own.
 *
 * Requirement texts repeat by the thousand in a resolve; each distinct one is parsed once and turned into a set once
 * (boto3: 1,100 versions, eleven texts). Markers are evaluated for the one target environment.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/map.h"
#include "base/vec.h"
#include "index/catalog.h"
#include "pep/req.h"
#include "resolve/source.h"

struct err;

/* What the user asks for. */
struct source_root {
    struct req req;
    struct str text;   /* as written */
    struct str origin; /* "pyproject.toml:14" */
    bool editable;     /* the directory of its URL is installed by reference */
    struct str place;  /* what stands for its URL in the digest of the inputs; n == 0: the text does */
    bool constraint;   /* only bounds a package that is needed anyway */
    bool override;     /* stands for every requirement on its package, whoever states it (as uv's overrides): with a
                        * marker that does not hold the package is not needed at all. `constraint` is set too */
};

/* A requirement text, understood once. */
struct source_need {
    struct str text;
    struct req req;
    bool bad;            /* cannot be read: the version that states it is unusable */
    struct str why;
    struct str shown;    /* an override, as a dependency is told by it; made at the first use */
    bool base_true;      /* its marker holds without any extra */
    bool by_extra;       /* its marker asks for an extra */
    uint32_t project;
    bool has_set;
    struct set set;
};

struct source_package {
    uint32_t project;    /* in the catalog */
    struct str extra;    /* n == 0: the base */
    struct str name;     /* "flask[async]" */
    uint32_t base;       /* package number of the base */
};

struct source {
    struct arena a;
    struct catalog *catalog;
    VEC(struct source_package) packages; /* by solver number; 0 is the root */
    struct map package_of;               /* "name" or "name[extra]" -> number */
    VEC(struct source_need *) needs;
    struct map need_of;
    const struct solve_dep *root;
    size_t n_root;
    bool root_ready;
    const struct source_root *roots;
    size_t n_roots;
    uint32_t *root_need;
    VEC(size_t) overrides;               /* numbers of the roots that are some */
    struct map deps_of; /* (package, rank) -> index into deps */
    VEC(struct solve_deps) deps;
    bool no_deps;
};

/* Takes the requirements and constraints; direct references must have been given to the catalog already.
 * ERR_PACKAGE for one that cannot be used. */
MUST_USE bool source_open(struct source *s, struct catalog *c, const struct source_root *roots, size_t n, bool no_deps,
                          struct err *e);
void source_close(struct source *s);

MUST_USE struct solve_source source_interface(struct source *s);

/* The set of ranks that a requirement text allows; false when the project's listing is lacking. */
MUST_USE bool source_need_set(struct source *s, struct source_need *need);
MUST_USE struct source_need *source_need_of(struct source *s, struct str text);
/* What counts in the place of a requirement: itself, or the overrides of its package. Number i of them, NULL past the
 * last; *origin (may be NULL) is where an override stands, else untouched. */
MUST_USE struct source_need *source_effective(struct source *s, struct source_need *need, size_t i,
                                              struct str *origin);
/* Does it hold for the base (extra.n == 0), or because of this extra only? */
MUST_USE bool source_applies(const struct source *s, const struct source_need *need, struct str extra);
MUST_USE uint32_t source_package_of(struct source *s, uint32_t project, struct str extra);
