/* How commands get at the daemon, and when they do without.
 *
 * A daemon is never used with --no-daemon or BLAST_NO_DAEMON, and never started where nobody would expect one: with CI
 * set, or when neither stdin nor stderr is a terminal. Every command gives the same result without it. Nothing here
 * fails: what goes wrong is a note with -v, or a warning when the user asked for something that only a daemon does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "wire/client.h"

struct cmd;
struct workspace;

/* May a running daemon be asked at all? */
MUST_USE bool daemon_link_allowed(const struct cmd *c);
/* May one be started by this command? */
MUST_USE bool daemon_link_may_start(const struct cmd *c);

/* Connects: starts one where that is allowed and `start` says so. False: there is none; out->fd is -1. */
MUST_USE bool daemon_link(const struct cmd *c, const struct workspace *w, enum wire_start start,
                          struct wire_client *out);

/* The user waits for this environment: background work on it makes way until this process ends. None is started. */
void daemon_foreground(const struct cmd *c, const struct workspace *w);

/* A shell (its pid) begins or ends to work in the project. Beginning starts a daemon where allowed. True: the daemon
 * knows now. */
bool daemon_session_begin(const struct cmd *c, const struct workspace *w, int64_t pid);
bool daemon_session_end(const struct cmd *c, const struct workspace *w, int64_t pid);
/* The project is not looked after any more: what is deleted now stays deleted. None is started. */
void daemon_forget(const struct cmd *c, const struct workspace *w);
