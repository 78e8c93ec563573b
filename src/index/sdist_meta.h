/* PKG-INFO out of a source distribution, and whether it may be believed without a build. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define SDIST_MAX ((size_t)256 << 20)          /* bytes of an archive fetched only for its metadata */
#define SDIST_UNPACKED_MAX ((size_t)1 << 30)

/* A file in the only top-level directory of a .tar.gz or .zip, at most METADATA_MAX bytes; in the arena. out->p == NULL
 * when it is not there. */
MUST_USE bool sdist_file(struct str archive, struct str file_name, struct str leaf, struct arena *a, struct str *out,
                         struct err *e);
/* The text of the PKG-INFO in the only top-level directory of a .tar.gz or .zip; in the arena. ERR_PACKAGE when there
 * is none, or when what it says of dependencies is not static: metadata below 2.2, or a field declared dynamic
 * (PEP 643); then only a build can tell. */
MUST_USE bool sdist_meta_of(struct str archive, struct str file_name, struct arena *a, struct str *out, struct err *e);
