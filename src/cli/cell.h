/* The sandbox of an environment: one for all that is run in it at the same time, and for the shells that work in it.
 *
 * A command finds it by a socket that is named after project and policy (<state>/cells), or has it made and served by a
 * keeper (keeper.h). It ends with the last command, or with the
 * last shell that held it. What blast.toml says anew makes another sandbox; what runs keeps the old one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define CELL_DIR "cells" /* of the state directory: sockets, journals, what is kept (cli/recovered.h) */

struct arena;
struct cmd;
struct err;
struct jail_command;
struct jail_policy;
struct jail_result;
struct workspace;

/* Runs a command in it, as jail_run(). *made is set before the command hears of anything: the sandbox is new. */
struct cell_job {
    const struct jail_policy *policy;
    const struct jail_command *command;
    bool *made;
};
MUST_USE bool cell_run(struct cmd *c, struct workspace *w, const struct cell_job *job, struct jail_result *out,
                       struct err *e);

/* What the project's sandboxes are doing; in the arena. */
struct cell_use {
    struct str json;     /* {"memory": bytes, "cpu_us":, "processes":, "commands": [{"command":, "seconds":}]} */
    uint64_t memory, cpu_us, processes;
    struct str commands; /* "python 12 s, sh 3 s"; empty: only shells hold it */
};
MUST_USE struct cell_use *cell_look(const struct workspace *w, struct arena *a, size_t *n);
/* Ends them, with everything in them; `all`: those of all projects of the user. How many. */
size_t cell_stop(const struct workspace *w, bool all);
