/* The lock as a graph: who needs whom, and what the user asked for. For tree and why. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "lock/lock.h"

struct arena;
struct err;
struct workspace;

struct graph_list {
    const uint32_t *p;
    size_t n;
};

struct graph {
    const struct lock *lock;
    uint32_t n;               /* packages */
    struct graph_list *needs; /* by package */
    struct graph_list *users;
    struct str *direct;       /* by package: the user's requirement with its origin; n == 0: not direct */
};

/* From the project's lock. ERR_RESOLUTION with a hint when there is none. In the workspace's arena. */
MUST_USE bool graph_load(struct workspace *w, struct graph *out, struct err *e);
MUST_USE uint32_t graph_find(const struct graph *g, struct str name); /* UINT32_MAX: not there */
/* ERR_PACKAGE: the name is not in the lock; with the nearest one that is. */
bool graph_unknown(const struct graph *g, struct arena *a, struct str name, struct err *e);
MUST_USE struct graph_list graph_needs(const struct graph *g, uint32_t i);
MUST_USE struct graph_list graph_users(const struct graph *g, uint32_t i);
