/* What is written down while a sandbox is there, so that one whose keeper was killed is noticed and cleaned up after.
 *
 * <state>/cells/NAME.run is locked for as long as its keeper lives; one that can be locked is nobody's. What a sandbox
 * is made of ends with its processes (namespaces, mounts, what lies in memory), or is swept by blast-jail at its next
 * start (control groups, the HOME of the level process), or kept for the user (cli/recovered.h). The journal is not
 * flushed to disk: a power cut leaves none, and what is to be kept is found without it.
 */
#pragma once

#include "base/attr.h"
#include "base/str.h"

struct workspace;

#define CELL_JOURNAL ".run"

/* By the keeper, while the lock of the directory is held. Returns the locked file, or -1 where there can be none; it
 * is the caller's for the sandbox's life. */
MUST_USE int cell_journal_open(int dir, const char *name, const char *digest);
void cell_journal_remove(int dir, const char *name);
/* For the names that begin with `mark`: those whose keeper is dead are told to the audit log and removed, with their
 * sockets; what sandboxes left on disk is kept or removed. By whoever holds the lock of the directory. */
void cell_journal_recover(struct workspace *w, int dir, const char *mark);
