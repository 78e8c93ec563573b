/* Incompatibilities: sets of terms that cannot all be true. Every fact and every conclusion of a solve is one.
 *
 * They live in one array and are named by their index; an index stays valid, nothing is ever removed from the array.
 * Per package there is a list of the ones that mention it, oldest first. What several versions of a package have in
 * common (a dependency, a reason not to be used) is kept as one: the newer entry takes in the older one's versions and
 * stands in the lists instead of it (in the array the older one stays, because derivations may refer to it).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "resolve/set.h"
#include "resolve/term.h"

struct solve_dep;

#define INCOMPAT_NONE UINT32_MAX

enum incompat_cause {
    CAUSE_ROOT,       /* the root must be chosen */
    CAUSE_NONE,       /* the source chooses nothing of this set */
    CAUSE_DEPENDENCY, /* of versions of one package on another */
    CAUSE_PROXY,      /* an extra is chosen at its base's version */
    CAUSE_CONSTRAINT, /* the user limits the package */
    CAUSE_UNUSABLE,   /* these versions cannot be used */
    CAUSE_DERIVED,    /* follows from two others */
};

struct incompat {
    const struct term *term; /* one a package, none that says nothing */
    uint32_t n;
    enum incompat_cause cause;
    uint32_t left, right;        /* DERIVED: what it follows from; both smaller than its own number */
    uint32_t index;              /* DEPENDENCY of the root: which of its requirements */
    const struct solve_dep *dep; /* DEPENDENCY, CONSTRAINT: as the source stated it, first if merged */
    struct str reason;           /* UNUSABLE, NONE */
};

struct incompat_store {
    struct arena *a;
    VEC(struct incompat) all;
    VEC(struct incompat_list {
        VEC(uint32_t) id;
    }) of;             /* by package */
    struct map merged; /* hash of what may be shared -> the latest id */
};

void incompat_init(struct incompat_store *s, struct arena *a);
void incompat_clear(struct incompat_store *s);

static inline const struct incompat *incompat_get(const struct incompat_store *s, uint32_t id)
{
    return &s->all.p[id];
}

/* The term about the package, or NULL. */
MUST_USE const struct term *incompat_term(const struct incompat *ic, uint32_t pkg);

/* The ids that mention the package, oldest first; *n may be 0. Valid until the next addition. */
MUST_USE const uint32_t *incompat_list(const struct incompat_store *s, uint32_t pkg, size_t *n);

/* Takes out of the package's list those that will never matter again. */
void incompat_forget(struct incompat_store *s, uint32_t pkg, bool (*is_over)(const void *ctx, uint32_t id),
                     const void *ctx);

/* Each returns the new id. */
uint32_t incompat_add_root(struct incompat_store *s);
uint32_t incompat_add_proxy(struct incompat_store *s, uint32_t proxy, struct set set, uint32_t base);
uint32_t incompat_add_constraint(struct incompat_store *s, uint32_t pkg, struct set excluded,
                                 const struct solve_dep *dep);
/* CAUSE_UNUSABLE or CAUSE_NONE; one entry a package, cause and reason. */
uint32_t incompat_add_unusable(struct incompat_store *s, enum incompat_cause cause, uint32_t pkg, struct set set,
                               struct str reason);

/* The versions `of` of `pkg` require *dep, number `index` of its list. A dependency on itself leaves the versions
 * that contradict themselves. INCOMPAT_NONE when that says nothing. */
uint32_t incompat_add_dep(struct incompat_store *s, uint32_t pkg, struct set of, const struct solve_dep *dep,
                          uint32_t index);

/* The rule of resolution: what follows from two incompatibilities that disagree about pkg. Not put in the lists: the
 * conclusion is only an intermediate step until incompat_publish(). */
MUST_USE uint32_t incompat_resolve(struct incompat_store *s, uint32_t left, uint32_t right, uint32_t pkg);
void incompat_publish(struct incompat_store *s, uint32_t id);
