/* What a Python source imports in any case: its imports at the top level, outside of every condition.
 *
 *     import a.b, c          a.b and c
 *     from d.e import (f)    d.e
 *     from . import g        nothing: relative
 *     try: import h          nothing: the program can do without it
 *     if TYPE_CHECKING: ...  nothing
 *
 * Pure: no I/O, no allocation; the views point into the text. Not a parser: it knows strings, comments, brackets and
 * lines that go on, which is what tells a statement from text that looks like one. Texts that are not UTF-8, or say
 * that they are something else (PEP 263), have no imports. A syntax error ends nothing: at worst something is missed.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct imports {
    const char *at, *end;
    unsigned line;      /* of `at`, from 1 */
    bool in_import;     /* behind the comma of an import statement */
    bool skip_line;     /* the rest of this statement is of no interest */
};

void imports_init(struct imports *it, struct str text);
/* The next module, a dotted name, and the line where its statement stands; false at the end. */
MUST_USE bool imports_next(struct imports *it, struct str *module, unsigned *line);
