/* SyncCoordinator: one plan and one transaction over both layers.
 *
 * inputs -> lock -> wheels in the store -> journal -> pyproject.toml, pylock.toml -> new generation -> journal removed.
 * Nothing of the user's is touched before everything that can fail far away (index, downloads, unpacking) is done.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "install/apply.h"
#include "sync/lockfile.h"
#include "sync/request.h"

struct err;
struct workspace;

struct sync_job {
    struct str command;       /* for the history */
    struct str pyproject_old; /* an edit of pyproject.toml to go with it; p == NULL: none, or there was no file */
    struct str pyproject_new; /* n == 0: no edit */
    bool no_lock;             /* packages of the command line or of files into --env: no lock is written */
    bool keep_others;
    bool check;               /* change nothing: outcome.would_change */
    const struct watch *watch;
    struct timings *timings;
};

struct sync_outcome {
    struct lockfile lock;
    struct apply_result apply;
    bool made;          /* the environment was made */
    bool nothing_to_do; /* lock and environment were right already */
    bool would_change;
    const char *env_path;
    uint32_t seq;
};

/* Everything lives in the workspace's arena. */
MUST_USE bool sync_run(struct workspace *w, const struct sync_job *job, struct sync_outcome *out, struct err *e);

struct sync_lock_job {
    const char *path; /* NULL: the project's */
    bool check;       /* write nothing */
    const struct watch *watch;
    struct timings *timings;
};

/* The lock alone: resolves when it does not fit, and writes it. */
MUST_USE bool sync_lock(struct workspace *w, const struct sync_lock_job *job, struct lockfile *out, struct err *e);
