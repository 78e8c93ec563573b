/* The metadata of a source tree as far as its pyproject.toml says it (PEP 621). Private to sync/origin.c.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct origin;
struct workspace;

/* As a METADATA file would have it; p == NULL when only a build can tell. Of the project itself the dependencies are
 * left out: they are installed for themselves. ERR_PACKAGE for a pyproject.toml that cannot be read. */
MUST_USE bool origin_static_text(struct workspace *w, struct origin *o, struct str *out, struct err *e);
