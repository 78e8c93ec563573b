/* Core metadata 1.0 to 2.5: METADATA of a wheel, PKG-INFO of a source distribution (core metadata specifications; PEP
 * 643 for `Dynamic`, PEP 794 for import names).
 *
 * All texts are views of the input, which must outlive the result; arrays live in the arena. Requirement lines stay
 * text: pep/req.h reads those that matter. Unknown fields are passed over; a metadata version above 2.x is refused,
 * one above 2.5 is read as 2.5 (the specification's rule for minor versions).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define METADATA_MAX (32 << 20) /* bytes of one METADATA; long descriptions live in it */

struct metadata {
    struct str metadata_version; /* as written */
    unsigned major, minor;       /* of metadata_version */
    struct str name, version;    /* as written; both are there and valid */
    struct str requires_python;  /* n == 0 for none */
    struct str summary;
    struct str license_expression; /* n == 0 for none */
    struct str license;            /* the old field, when there is no expression */
    const struct str *requires_dist;
    const struct str *provides_extra; /* as written */
    const struct str *dynamic;
    const struct str *import_name, *import_namespace; /* as written, ";private" included */
    size_t n_requires_dist, n_provides_extra, n_dynamic, n_import_name, n_import_namespace;
};

/* Fails with ERR_PACKAGE. */
MUST_USE bool metadata_parse(struct arena *a, struct str text, struct metadata *out, struct err *e);

/* May the dependencies in this PKG-INFO be believed without building? Metadata 2.2 or later, and none of Requires-Dist,
 * Requires-Python, Provides-Extra (nor Version, Name) declared dynamic. */
MUST_USE bool sdist_metadata_is_static(const struct metadata *m);
MUST_USE bool metadata_has_dynamic(const struct metadata *m, struct str field); /* case is ignored */

/* The file's name promises what the metadata must hold. Names compare normalised, versions by value; the file's version
 * may lack the local part. Fails with ERR_PACKAGE naming both. */
MUST_USE bool metadata_check_name(const struct metadata *m, struct str name, struct str version, struct err *e);
