/* The projects and sessions that the daemon knows, on disk, so that they outlive it.
 *
 * <state>/daemon/projects/<hash> and sessions/<hash>: one small JSON file each, replaced by renaming. What cannot be
 * read is passed over. Pure storage: who lives and what is watched is the server's and the scheduler's business.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define ROSTER_FILE_MAX 16384 /* bytes of one file */

struct roster {
    int projects, sessions; /* directories */
};

struct roster_entry {
    struct str path;       /* a NUL behind it */
    bool always;           /* projects */
    uint64_t pid, start;   /* sessions: the process, and when it began (seat_process_start()) */
    struct str boot;       /* sessions: of which boot of the machine that is */
};

MUST_USE bool roster_open(const char *own_dir, struct roster *out, struct err *e);
void roster_close(struct roster *r);

MUST_USE bool roster_put_project(const struct roster *r, struct str path, bool always, struct err *e);
void roster_drop_project(const struct roster *r, struct str path);
MUST_USE bool roster_put_session(const struct roster *r, const struct roster_entry *entry, struct err *e);
void roster_drop_session(const struct roster *r, struct str path, uint64_t pid);

/* Calls `each` for every entry; the texts live in the arena. */
MUST_USE bool roster_projects(const struct roster *r, struct arena *a,
                              void (*each)(void *ctx, const struct roster_entry *entry), void *ctx, struct err *e);
MUST_USE bool roster_sessions(const struct roster *r, struct arena *a,
                              void (*each)(void *ctx, const struct roster_entry *entry), void *ctx, struct err *e);
/* A word that is another one after each boot, in the arena; empty when the kernel does not say. */
MUST_USE struct str roster_boot(struct arena *a);
