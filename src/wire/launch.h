/* Starting the daemon on demand.
 *
 * No time is waited for: the start lock keeps all but one starter away, and the new daemon says through a pipe that
 * it accepts connections, or why it does not. Whoever comes second finds it running. The daemon is a child of nobody:
 * its own session, no descriptor, no terminal and no directory of ours, and of our environment only what is the
 * user's and not the project's. Errors are ERR_DAEMON.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct arena;
struct err;
struct seat;

/* Connects to the daemon that runs; *fd == -1 and true when none does. */
MUST_USE bool launch_find(const struct seat *s, int *fd, struct err *e);
/* Connects, after starting a daemon if none runs. */
MUST_USE bool launch_daemon(const struct seat *s, int *fd, struct err *e);
/* The daemon's program: blastd beside ours, or in libexec/blast beside the directory of ours. */
MUST_USE bool launch_program(struct arena *a, const char **out, struct err *e);
/* The other way round: `name` beside the running program or in the bin directory that belongs to it. */
MUST_USE bool launch_beside(const char *name, struct arena *a, const char **out, struct err *e);
/* The variables of `env` that a daemon keeps, NULL at the end. */
MUST_USE NOT_NULL char **launch_environment(const char *const *env, struct arena *a);
