/* Programs in bin/: made from entry points, or taken from a wheel's .data/scripts with their first line rewritten.
 *
 * A first line that the kernel would not take (longer than 127 bytes, or spaces in the path) becomes a /bin/sh
 * trampoline that Python reads as a string. Which names are fit is said by pep/entry_points.h.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

struct err;

/* "#!/path/python\n" or the trampoline; interpreter is absolute, any bytes but NUL. */
bool script_shebang(struct str interpreter, struct buf *out);
/* The program for an entry point "module:attr.attr"; ERR_PACKAGE when object is not of that form. */
MUST_USE bool script_entry_point(struct str interpreter, struct str object, struct buf *out, struct err *e);
/* Whether the first line is exactly #!python or #!pythonw (anything may follow a space), and what follows it. */
MUST_USE bool script_wants_python(struct str content, struct str *rest);
