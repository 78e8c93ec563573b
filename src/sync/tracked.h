/* Whether version control keeps a file of the project: then nothing in the background may write it.
 *
 * Git is asked by reading its index (gitformat-index(5), versions 2 to 4), which starts no program and costs one pass
 * over a mapped file; also in linked work trees and submodules, where .git is a file. A folder without .git above it
 * is under no version control. What cannot be read or understood, and the folders of Mercurial and Jujutsu, count as
 * keeping every file: in doubt nothing is written.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

/* `folder` is absolute, `name` a file in it that need not exist. */
MUST_USE bool tracked_is(const char *folder, const char *name);

/* Is `path` (relative to the work tree, slashes) in the text of an index? *understood is false when the text is no
 * index of a known version. Pure. */
MUST_USE bool tracked_in_index(struct str index, struct str path, bool *understood);
