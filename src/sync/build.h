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

/* What is built: a source distribution whose digest was verified by the caller, or the tree of a directory. */
struct build_source {
    struct str label;        /* what messages and the log call it; no '/' in it */
    struct str project;      /* the wheel must be of this one, normalised; n == 0: of any */
    struct str key;          /* of an archive its sha256, of a tree a value that changes when it must be built again */
    struct str file, bytes;  /* the archive: its name, which says how it is packed, and what is in it */
    const char *tree;        /* absolute; NULL: an archive. A build works on a private copy */
    struct str subdirectory; /* where in it the project lies; n == 0: at its top */
    bool editable;           /* the wheel refers to the tree (PEP 660), where the build may write, too */
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
MUST_USE bool build_find(const struct pkg_job *job, struct str key, struct built_wheel *out, bool *there,
                         struct err *e);
