/* What the daemon remembers of projects from one life to the next: when it looked, and what the inputs were then.
 *
 * Only to save work: lost, every project is looked at once more. One file, kept to SEEN_MAX projects, those forgotten
 * first that were used longest ago.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/vec.h"

struct err;

#define SEEN_MAX 1024

struct seen {
    char *path;
    uint64_t inputs;   /* digest of the inputs that the last sync was made for; 0: none */
    uint64_t env;      /* which generation the last sync left; 0: no environment, or not known */
    uint64_t site;     /* digest of the names in site-packages; 0: not known */
    int64_t sync, check, snapshot, change, used; /* seconds since 1970; 0: never */
};

struct seen_list {
    VEC(struct seen *) all; /* pointers stay valid until seen_clear() */
    bool changed;
};

void seen_clear(struct seen_list *l);
/* The project's entry, added when it is not there. */
NOT_NULL struct seen *seen_get(struct seen_list *l, const char *path, int64_t now);
MUST_USE bool seen_load(struct seen_list *l, int dir, const char *name, bool *damaged, struct err *e);
/* Does nothing when nothing changed. */
MUST_USE bool seen_save(struct seen_list *l, int dir, const char *name, struct err *e);
