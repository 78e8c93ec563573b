/* The newest version of packages that the index has for this interpreter. For outdated and why. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct graph;
struct workspace;

struct newest {
    struct str version; /* normalised; n == 0: none that could be used, or not in the index */
    struct str why;     /* why not in use; empty when it is, or nothing is known */
};

/* Pages come from the cache while they are fresh. Texts in the workspace's arena. */
MUST_USE bool newest_find(struct workspace *w, const struct str *name, size_t n, struct newest *out, struct err *e);
/* Fills `why` from the requirements of those that use the package. */
void newest_explain(struct workspace *w, const struct graph *g, uint32_t node, struct newest *out);
