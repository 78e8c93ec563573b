/* entry_points.txt: the programs a wheel asks for (entry points specification).
 *
 * Only console_scripts and gui_scripts are read; the names become files in the environment's bin, so they are refused
 * when they would leave it or take the place of the interpreter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define ENTRY_POINTS_MAX (1 << 20) /* bytes of one entry_points.txt */

struct entry_point {
    struct str name;   /* case kept */
    struct str module; /* "pkg.mod" */
    struct str attr;   /* "main", "App.run" */
    bool gui;
};

struct entry_points {
    struct entry_point *p; /* file order; a name given twice is there once, the later one */
    size_t n;
};

/* Views of the input; the array lives in the arena. Fails with ERR_PACKAGE, naming the entry. */
MUST_USE bool entry_points_parse(struct arena *a, struct str text, struct entry_points *out, struct err *e);

/* python, python3, python3.N[t], pythonw, pypy..., activate...; case ignored, with .py or .exe too. */
MUST_USE bool entry_point_is_reserved(struct str name);
/* A plain file name: no separator, no control character, not "." or "..", not empty, no leading "-". */
MUST_USE bool entry_point_is_safe(struct str name);
