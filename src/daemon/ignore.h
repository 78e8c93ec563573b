/* Which names in a folder matter and which do not. Pure. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

/* Files that editors and downloads put down for a moment: 4913 (vim's probe), .x.swp, x~, .#x, #x#, x.tmp,
 * .goutputstream-x, x___jb_tmp___, x___jb_old___, .x.PID.N.tmp of file_replace(). */
MUST_USE bool ignore_is_temporary(struct str name);
/* Folders that hold no source of the project: version control, environments, caches, build results. */
MUST_USE bool ignore_is_folder(struct str name);
/* What in site-packages says that a distribution is installed: x.dist-info, x.egg-info, x.egg-link. */
MUST_USE bool ignore_is_distribution(struct str name);
/* A line of .gitignore that names a folder without saying where ("out/", "/out", "*.egg-info/"): then *pattern is for
 * fnmatch() on the folder's name, and *anchored says that only one beside .gitignore is meant. False for lines that say
 * more than that (a slash within, a "!"), which are passed over: looking into one folder too many does no harm. */
MUST_USE bool ignore_line(struct str line, struct str *pattern, bool *anchored);
