/* The files of the user that a change touches (pyproject.toml, pylock.toml), so that they and the environment change
 * together or not at all.
 *
 * Before the first file is written their old texts go into a journal in the state directory, flushed. When the
 * environment's new generation is current the journal is removed. A journal that is found later tells a crash: if the
 * environment did not get its generation the old texts are put back, but only where the file still holds what the
 * change wrote, so that an edit by hand in between is never lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct workspace;

struct journal_file {
    const char *name;   /* in the project directory */
    struct str old, new; /* old.p == NULL: the file did not exist */
};

/* One change of a project's files at a time: taken before they are read, held until *lock is closed. Waits. */
MUST_USE bool journal_lock(struct workspace *w, int *lock, struct err *e);

/* The file still is what this run read (p == NULL: it was not there). Else somebody wrote it meanwhile, and what was
 * made from it must not replace it: ERR_ENVIRONMENT with exit code 7. */
MUST_USE bool journal_unmoved(struct workspace *w, const char *name, struct str read, struct err *e);

/* `seq` is the environment's generation before the change. */
MUST_USE bool journal_begin(struct workspace *w, const struct journal_file *file, size_t n, uint32_t seq,
                            struct err *e);
/* Puts the old texts back: after a failure. */
MUST_USE bool journal_undo(struct workspace *w, const struct journal_file *file, size_t n, struct err *e);
MUST_USE bool journal_end(struct workspace *w, struct err *e);
MUST_USE bool journal_is_there(struct workspace *w);
/* Finds a journal left by a crash and settles it; `seq` is the environment's generation now. *did: there was one. */
MUST_USE bool journal_recover(struct workspace *w, uint32_t seq, bool *did, struct err *e);
