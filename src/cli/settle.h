/* [sync] conflict_resolution put into effect for commands: what the user has to decide is asked, parked, refused or
 * taken.
 *
 *   interactive  in a terminal the choices are listed and asked for; elsewhere they are parked, and the command ends
 *                with exit code 4 and the choices in the error's JSON
 *   fail         the error, exit code 1
 *   keep         sync, start and run leave all as it is, with a warning; a command that asks for an edit fails
 *   newest       the choice that follows the later change is taken; when there is none: the error
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "cli/cli.h"
#include "sync/coordinator.h"

struct decision;
struct err;
struct workspace;

#define EXIT_DECISION 4

/* A command's run, for what has to be settled on the way. */
struct settle {
    struct cmd *c;
    struct workspace *w;
    struct sync_job *job;
    struct sync_outcome *out;
};

/* sync_run() with that. For a command that `follows` the project (sync, start, run) packages installed by hand, a lock
 * under pkg_layer = locked and an interpreter under env_layer = manual are decisions too. */
MUST_USE bool settle_sync(struct cmd *c, struct workspace *w, bool follows, struct sync_job *job,
                          struct sync_outcome *out, struct err *e);

/* [sync] pkg_layer = manual and there is an environment: start and run take it as it is. */
MUST_USE bool settle_leaves(const struct workspace *w);

/* A resolve of an edit failed; `base` is pyproject.toml as it was tried. True: a choice was taken, *out is its outcome.
 * Other failures than conflicts stay as they are. */
MUST_USE bool settle_conflict(struct cmd *c, struct workspace *w, struct str base, struct sync_job *job,
                              struct sync_outcome *out, struct err *e);

/* The facts of a resolve without solution into the details of the error that is about to be reported. */
void settle_facts(struct cmd *c);

/* Shows one and asks; *choice is from 0. False without an error when the answer is "later". */
MUST_USE bool settle_ask(struct cmd *c, struct workspace *w, const struct decision *d, size_t *choice);
/* Makes a choice come true: an ordinary edit with an ordinary generation. */
MUST_USE bool settle_take(const struct settle *s, const struct decision *d, size_t choice, struct err *e);
/* "  1) update anyio 4.8.0 -> 4.9.0 (+0 -0 ~1)  edits pyproject.toml:14" lines on stderr. */
void settle_list(struct cmd *c, const struct decision *d);
