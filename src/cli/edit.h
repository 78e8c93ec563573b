/* Changing what the project asks for: pyproject.toml (or, without one, a new minimal one) edited in place, tried, and
 * written together with the lock and the environment. Used by install, remove and update --bump. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "cli/cli.h"
#include "sync/coordinator.h"

struct err;
struct request;
struct workspace;

/* "install flask httpx": what the history shows. */
MUST_USE struct str edit_command_line(const struct cmd *c);

/* The words of the command become requirements of the project. A requirement without version gets the lower bound
 * of what was resolved. */
MUST_USE bool edit_install(struct cmd *c, struct workspace *w, struct request *r, struct sync_job *job,
                           struct sync_outcome *out, struct err *e);
/* The words are names that leave the project's lists. */
MUST_USE bool edit_remove(struct cmd *c, struct workspace *w, struct request *r, struct sync_job *job,
                          struct sync_outcome *out, struct err *e);
/* Raises the lower bounds of these direct requirements (n == 0: of all) to the versions locked. */
MUST_USE bool edit_bump(struct cmd *c, struct workspace *w, struct request *r, struct sync_job *job,
                        struct sync_outcome *out, struct err *e);
