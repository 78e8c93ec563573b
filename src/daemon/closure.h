/* The project's own input files: which there are, and whether their bytes changed.
 *
 * pyproject.toml, pylock.toml, blast.toml, .python-version, requirements*.txt beside them, and everything these
 * requirements files take in by -r and -c, wherever it lies. Files that are named and missing belong to it: when they
 * appear something has changed. Contents are read, digested and forgotten.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct arena;

#define CLOSURE_FILE_MAX (8u << 20) /* a larger file is judged by size and time */

struct closure_file {
    char *path;     /* absolute, without "." and ".." where that can be said of the text alone */
    uint64_t hash;  /* of the bytes; 0: missing or not readable */
};

struct closure {
    VEC(struct closure_file) files; /* sorted by path */
    uint64_t digest;                /* of paths and hashes; never 0 */
};

/* Reads the files of the project at `root`. Cannot fail: what cannot be read counts as missing, a requirements file
 * that is wrong leads no further than its first fault. */
void closure_read(const char *root, struct closure *out);
void closure_clear(struct closure *c);
/* The names of what differs, relative to root where they lie below it: "pylock.toml, pyproject.toml"; at most four,
 * then " and 3 more". n == 0 when nothing does. */
MUST_USE struct str closure_difference(const struct closure *before, const struct closure *after, const char *root,
                                       struct arena *a);
/* The same files, whatever is in them. */
MUST_USE bool closure_same_files(const struct closure *x, const struct closure *y);
