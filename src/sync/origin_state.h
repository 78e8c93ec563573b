/* Paths and states of source trees: what is written in a lock, and what must change before one is built again. Private
 * to sync/origin.c.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct workspace;

/* Is the directory the project's own? */
MUST_USE bool origin_is_project(const struct workspace *w, const char *tree);
/* Of an editable one the files that say how it is built, of others all files by name, size and time. */
MUST_USE struct str origin_key(struct workspace *w, const char *tree, bool editable, bool own);
MUST_USE struct str origin_archive_key(struct workspace *w, struct str sha256, struct str subdirectory);

/* Relative, without "..": below the directory it is taken from. */
MUST_USE bool origin_path_stays(struct str path);
/* What origin_path_in_lock() wrote, absolute. */
MUST_USE struct str origin_path_from_lock(struct workspace *w, struct str path);
/* The commit that the lock has for this repository and revision; n == 0: none, or it is to be upgraded. */
MUST_USE struct str origin_locked_commit(struct workspace *w, struct str url, struct str revision);
