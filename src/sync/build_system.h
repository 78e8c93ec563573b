/* What a source distribution says of its build: [build-system] of its pyproject.toml (PEP 517, PEP 518).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct build_system {
    const struct str *requires; /* requirement texts */
    size_t n_requires;
    struct str backend;         /* "module:object" */
    const struct str *backend_path; /* relative to the source tree */
    size_t n_backend_path;
};

/* `text` of pyproject.toml; p == NULL: there is none. Without the table, or without a backend in it, it is built by
 * setuptools as before PEP 517. ERR_PACKAGE for a table that says nothing usable. */
MUST_USE bool build_system_read(struct str text, struct arena *a, struct build_system *out, struct err *e);
