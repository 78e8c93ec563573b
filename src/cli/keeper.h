/* The process that keeps a sandbox: the parent of its blast-jail, which writes down what is told of it.
 *
 * It begins as a copy of the command that has the sandbox made, opens the journal, starts blast-jail, and becomes
 * `blast sandbox keep` while that one is at work: in a session of its own, without a terminal, and with nobody's
 * environment active. It ends with the sandbox; killed, it takes the sandbox along, and the next start says so.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct jail_policy;
struct workspace;

struct keeper_job {
    const struct jail_policy *policy;
    int dir;          /* of the sandboxes; -1: it has no name, and nobody else comes to it */
    const char *name; /* in `dir`: its socket's */
    int order, serve; /* see jail/run.h; they stay the caller's */
};
MUST_USE bool keeper_start(const struct workspace *w, const struct keeper_job *job, struct err *e);

/* `blast sandbox keep PID DIGEST`: of blast-jail and of its policy. The descriptors are those that keeper_start() put
 * in their places. */
struct keeper_words {
    const char *pid, *digest;
};
MUST_USE bool keeper_run(struct workspace *w, const struct keeper_words *words, struct err *e);
