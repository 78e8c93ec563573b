/* What the daemon lets be done without a command: `blast background VERB`. Decides by [sync], [pkg_layer], [updates],
 * trust and pins whether anything may happen, and never writes a file that version control keeps.
 *
 *   sync      a lock that fits is installed; one that does not is resolved, and where the lock is tracked or
 *             pkg_layer = locked the result is parked as a decision instead of written
 *   update    sync, then newer versions as far as version_policy goes, when [updates] auto_update is set
 *   check     what an update would do, as a notice once a day; changes nothing
 *
 * Killing the process at any moment leaves the old or the new environment, like every other run.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct timings;
struct workspace;

enum background_verb { BACKGROUND_SYNC, BACKGROUND_UPDATE, BACKGROUND_CHECK };

/* state, word in JSON, exit code (0: see the error) */
#define BACKGROUND_STATES(X)                                                                                           \
    X(SYNCED, "synced", 0)                                                                                             \
    X(UNCHANGED, "unchanged", 0)                                                                                       \
    X(PENDING, "pending", 4)                                                                                           \
    X(PAUSED, "paused", 0)                                                                                             \
    X(FAILED, "failed", 1)                                                                                             \
    X(DENIED, "denied", 5)                                                                                             \
    X(LOCKED, "locked", 7)

enum background_state {
#define X(state, word, code) BACKGROUND_##state,
    BACKGROUND_STATES(X)
#undef X
};

struct background {
    enum background_state state;
    uint32_t generation; /* that is current; 0: none */
    struct str changes;  /* "+rich 14.1.0 -six 1.16.0" */
    uint32_t decision;   /* that was parked; 0: none */
    struct str message;  /* one line; may be empty */
    int exit;
    bool read;           /* the files were read as far as to the lock: */
    uint64_t pyproject, lock; /* fast digests of what was read and, where the lock was written, of that; 0: missing */
    bool passing;        /* it failed by what may pass by itself: a full disk */
};

const char *background_word(enum background_state state);
/* The state that an error leads to, with its text as the message. */
struct background background_failed(const struct err *e, struct workspace *w);
/* Never fails: what goes wrong is the state. */
void background_run(struct workspace *w, enum background_verb verb, struct timings *t, struct background *out);

/* The notice of the last check that is not older than a day, for a prompt and status; n == 0: none. */
MUST_USE struct str background_notice(struct workspace *w);

/* Puts the word that is true now into the status line of shells: pinned, a decision, or all is well. */
void background_status(struct workspace *w);
