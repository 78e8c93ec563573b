/* Source distribution file names: name-version.tar.gz or .zip (source distribution format; PEP 625)
 *
 * Pure: no I/O; the views point into the input. Old names are not normalised: the project may hold
 * hyphens, and so may an old version ("1.0-1"), so that only the expected name tells where one ends.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

struct sdist_name {
    struct str project; /* as written */
    struct str version; /* a valid version, as written */
    struct str ext;     /* ".tar.gz", ".zip"; for a known project ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst" too */
};

/* Splits at the last hyphen. Fails with ERR_PACKAGE. */
MUST_USE bool sdist_name_parse(struct str file, struct sdist_name *out, struct err *e);
/* The file of a known project: the name must begin with it, in whatever spelling. */
MUST_USE bool sdist_name_parse_for(struct str file, struct str project, struct sdist_name *out, struct err *e);
/* Ends like a source distribution? *stem is the name without the ending. */
MUST_USE bool sdist_name_ext(struct str file, struct str *stem, struct str *ext);
