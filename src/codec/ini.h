/* INI files as Python's configparser reads them with '=' as the only delimiter and names as written: the form of
 * entry_points.txt (Entry points specification, "File format").
 *
 *     struct ini i;
 *     struct ini_item item;
 *
 *     ini_init(&i, text, arena, e);
 *     while (ini_next(&i, &item)) ...
 *     if (i.failed)
 *         return false;
 *
 * [section] lines; `name = value` up to the first '=', both trimmed; lines that begin with # or ; (after white space)
 * are comments, a # later in a line is not; a line indented deeper than its name goes on with the value, joined by
 * '\n'. A name before any section or a line without '=' fails (ERR_PACKAGE, with the line). Doubles are reported as
 * they come: the caller decides. Values are views unless they go on over lines.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct ini_item {
    struct str section, name, value;
    size_t line; /* of the name, from 1 */
};

struct ini {
    struct str rest;
    struct arena *arena;
    struct err *e;
    struct str section;
    size_t line;
    bool in_section;
    bool failed;
};

void ini_init(struct ini *i, struct str text, struct arena *arena, struct err *e);
/* False at the end or on failure. */
MUST_USE bool ini_next(struct ini *i, struct ini_item *out);
