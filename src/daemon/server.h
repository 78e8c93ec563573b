/* The daemon's server: one loop, one socket, all projects of one user.
 *
 * It answers requests (wire/messages.def), keeps the lists of projects and sessions on disk, hands work to the
 * scheduler and its events to subscribers. One thread; no request waits for another. Promise: status is answered at
 * once; what clients send or do not read cannot make it grow beyond fixed bounds or stop it; with nothing to do there
 * is no timer and no wake-up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct dirs;
struct err;

struct server_config {
    const struct dirs *dirs;
    int listen_fd;          /* -1: made here; else from the service manager or from the program before */
    int lock_fd;            /* -1: taken here; else kept over an upgrade */
    int start_fd;           /* -1: taken here; else the starter's: closed once connections are accepted */
    int ready_fd;           /* -1, else one byte is written here once connections are accepted, and it is closed */
    uint64_t idle_ms;       /* ends after so long without session, connection, job or `always` project; 0: never */
    bool activated;         /* listen_fd is the service manager's: its name is never removed */
    bool verbose;           /* the log goes to stderr too */
};

/* Runs until stopped. True with *ran == false: a daemon runs already, which a starter may take for success. ERR_DAEMON:
 * it could not begin. An upgrade does not return: the process becomes the new program. */
MUST_USE bool server_run(const struct server_config *config, bool *ran, struct err *e);
