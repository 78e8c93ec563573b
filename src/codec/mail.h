/* Header fields as e-mail has them (RFC 5322), the form of core metadata and of WHEEL files.
 *
 *     for (struct str name, value, rest = text; mail_next(&rest, &name, &value);) ...
 *     body = rest
 *
 * Pure: views into the text, no errors. Lines end in \n, \r\n or \r. An empty line ends the header and belongs to
 * neither side. A line that is no field ends it too, but is not lost: it is the first of the body, as Python's email
 * package has it. A field without a name is passed over, and so is a continuation line before the first field. Bytes
 * are not judged: a caller who needs UTF-8 asks utf8_is_valid(). Names compare without case: str_eq_nocase().
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;

/* The next field off the front of *rest. *value is trimmed of white space at both ends and may hold line ends where
 * it was folded: see mail_unfold(). False at the end of the header; *rest is the body then. */
MUST_USE bool mail_next(struct str *rest, struct str *name, struct str *value);

/* Each line end and the white space behind it become one '\n' followed by what remains of the line, so that a list of
 * lines stays one; white space before a line end goes too. The value itself when it is one line, else a copy in the
 * arena. */
MUST_USE struct str mail_unfold(struct str value, struct arena *arena);

/* The first field of that name, false when there is none. */
MUST_USE bool mail_find(struct str text, struct str name, struct str *value);
