/* What a source distribution says of itself, as far as that may be believed without a build. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define SDIST_MAX ((size_t)256 << 20)          /* bytes of an archive fetched only for its metadata */
#define SDIST_UNPACKED_MAX ((size_t)1 << 30)   /* ... and what it may unpack to, in either form */

/* A file in the only top-level directory of a .tar.gz or .zip, at most METADATA_MAX bytes; in the arena. out->p == NULL
 * when it is not there. "*.egg-info/x" is x in a directory of that ending. */
MUST_USE bool sdist_file(struct str archive, struct str file_name, struct str leaf, struct arena *a, struct str *out,
                         struct err *e);
/* METADATA of a source distribution that may be believed without a build, in the arena: its PKG-INFO, of 2.2 or later
 * and with no field declared dynamic that says something of dependencies (PEP 643), else [project] of its
 * pyproject.toml where that declares none of them dynamic (PEP 621), else what setuptools left in its .egg-info.
 * ERR_PACKAGE when only a build can tell. */
MUST_USE bool sdist_meta_of(struct str archive, struct str file_name, struct arena *a, struct str *out, struct err *e);
