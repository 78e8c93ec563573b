/* One requirement: name [extras] specifiers-or-url ; marker (dependency specifiers; PEP 508, PEP 440, PEP 685).
 *
 * Everything in the result lives in the arena it was parsed in, or is a view of the parsed text (`name`, `spec_text`,
 * `url`), which must live as long. Pure: no I/O; environment variables in URLs stay as they are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "pep/spec.h"

struct arena;
struct buf;
struct err;
struct marker;

#define REQ_TEXT 65536 /* bytes of one requirement */

struct req {
    struct str name;       /* as written */
    struct str key;        /* normalised name */
    const struct str *extra;      /* normalised, sorted, each once */
    const struct str *extra_text; /* as written, sorted, each once; may be longer than extra */
    size_t n_extra, n_extra_text;
    struct str spec_text;        /* as written, without parentheses; n == 0 for none */
    struct spec spec;            /* of spec_text; n == 0: any version */
    struct str url;              /* n == 0 for none */
    const struct marker *marker; /* NULL for none */
    bool repaired;               /* only a lenient reading made sense of it */
};

/* The letter of the specification. Fails with ERR_PACKAGE: "expected ... at column N in '...'". */
MUST_USE bool req_parse(struct arena *a, struct str text, struct req *out, struct err *e);

/* For published metadata, which nobody can correct any more: as req_parse; where that fails the specifier is read with
 * the known repairs (a missing comma, `>=1.9.*`, `!=~5.0`, stray quotes, ...), never the marker. */
MUST_USE bool req_parse_lenient(struct arena *a, struct str text, struct req *out, struct err *e);

/* name[extras]specifiers; marker, names as written, extras sorted, specifiers without spaces, marker normalised. */
bool req_format(const struct req *r, struct buf *out);
MUST_USE struct str req_text(struct arena *a, const struct req *r);

/* Has that extra (normalised)? */
MUST_USE bool req_has_extra(const struct req *r, struct str extra);
