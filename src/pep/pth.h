/* Lines of path configuration files (*.pth in site-packages), as the site module of any Python reads them.
 *
 * Pure. A line that begins with "import " or "import\t" is executed at every start of the interpreter, any other is a
 * folder for sys.path. Where versions of Python differ the reading here is the one that finds more code: since 3.13
 * lines end as str.splitlines() ends them (form feed, U+0085, U+2028 ...), and a byte order mark is passed over.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

/* The next line, its end left out; false when *rest is used up. Start with the whole content. */
MUST_USE bool pth_next(struct str *rest, struct str *line);
MUST_USE bool pth_is_code(struct str line);
/* Whether any line of the content is code. */
MUST_USE bool pth_has_code(struct str content);
