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
#include "lock/lock.h"
#include "sync/lockfile.h"
#include "sync/price.h"
#include "sync/request.h"

struct env;
struct env_package;
struct err;
struct inputs;
struct workspace;

/* Why a run stopped before it changed anything: somebody has to decide (sync/decision.h). */
enum sync_held {
    SYNC_NOT_HELD,
    SYNC_HELD_LOCK,  /* the lock would have to be written anew */
    SYNC_HELD_HAND,  /* packages that were installed by hand would go */
    SYNC_HELD_PYTHON /* the files ask for another interpreter, env_layer = manual keeps this one */
};

struct sync_job {
    struct str command;       /* for the history */
    struct str pyproject_old; /* an edit of pyproject.toml to go with it; p == NULL: none, or there was no file */
    struct str pyproject_new; /* n == 0: no edit */
    bool no_lock;             /* packages of the command line or of files into --env: no lock is written */
    bool keep_others;
    bool throwaway;           /* of a build: nobody's environment, no audit, no consent to start-up code */
    bool check;               /* change nothing: outcome.would_change */
    struct str lock_new;      /* a lock that was made before: taken when it is for these inputs, not resolved again */
    bool hold_lock;           /* stop when the lock would be written */
    bool price_only;          /* stop in any case when the lock is known: for its text and its price */
    bool hold_hand;           /* stop when packages that were installed by hand would go */
    bool decide;              /* the caller handles outcome.held for the interpreter too; without it that is an error */
    bool bounded;             /* versions move only as far as [pkg_layer] version_policy lets them */
    bool leave_hand;          /* a run in passing: changes made by hand stay while the lock does */
    bool hand_known;          /* the user has just decided about them: no word about those that are left behind */
    bool (*trial)(void *ctx, struct env *env, const char *tree, struct err *e); /* see struct apply_spec */
    void *trial_ctx;
    uint32_t *aside;
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
    enum sync_held held;
    struct price price;            /* of what was held */
    const struct env_package *hand; /* SYNC_HELD_HAND: those that would go */
    size_t n_hand;
};

/* What of a lock these extras and groups need here. */
MUST_USE bool sync_select(struct workspace *w, const struct inputs *in, struct lockfile *l, struct lock_selection *out,
                          struct err *e);

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
