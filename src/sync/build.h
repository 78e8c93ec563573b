/* Source distributions become wheels: their build backend is called in the sandbox (PEP 517, PEP 518).
 *
 * What a build needs is resolved and fetched before, outside, in two rounds: what pyproject.toml names, then what the
 * backend itself asks for. Inside there is no network, nothing of the user's home, a bound on time, memory and
 * processes, and two directories: the requirements, read-only, and the source with room for the result. The result is
 * taken like any other wheel, with every check. What was built is kept in the cache by digest of the source,
 * interpreter and policy; a failed build leaves its output in the state directory.
 *
 * ERR_PACKAGE when the package cannot be built, ERR_ENVIRONMENT when the sandbox cannot be made.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct pkg_job;

#define BUILD_DEPTH_MAX 8 /* builds of what a build requires, of what that requires ... */

/* One source distribution, its digest verified by the caller. */
struct build_source {
    struct str file;   /* its name, which says which package it is */
    struct str sha256; /* hexadecimal */
    struct str bytes;
};

struct built_wheel {
    struct str file;   /* its name */
    struct str sha256; /* hexadecimal */
    const char *path;  /* in the cache */
};

/* METADATA of what the source would become; from the backend, or out of the wheel where the backend cannot tell. */
MUST_USE bool build_metadata(const struct pkg_job *job, const struct build_source *s, struct arena *a, struct str *text,
                             struct err *e);
/* The wheel. Texts in the workspace's arena. */
MUST_USE bool build_wheel(const struct pkg_job *job, const struct build_source *s, struct built_wheel *out,
                          struct err *e);
/* The same when it was built before; *there is false otherwise. */
MUST_USE bool build_find(const struct pkg_job *job, struct str sha256, struct built_wheel *out, bool *there,
                         struct err *e);
