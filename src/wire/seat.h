/* Where the daemon of a user sits: its state directory, its locks, its socket.
 *
 *   state    BLAST_STATE_DIR or BLAST_HOME/state where one of them is set: then it is another daemon, on purpose;
 *            else ~/.local/state/blast/<machine>, where ~ is the home of the passwd entry. HOME and the XDG variables
 *            do not count: they differ between a login, ssh and cron, and would make two daemons of one.
 *   lock     <state>/daemon.lock, locked for as long as the daemon lives; its text (JSON) names the socket
 *   start    <state>/daemon.start, locked by whoever starts one, until it accepts connections
 *   socket   /run/user/<uid>/blast/daemon.sock where /run/user/<uid> is ours and private, and no BLAST_ variable moves
 *            the state; else <state>/daemon/daemon.sock
 *
 * A path too long for a socket address (108 bytes) is reached through /proc/self/fd. Errors are ERR_DAEMON. Both sides
 * use this file, so that they cannot disagree.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct dirs;
struct err;

#define SEAT_LOCK "daemon.lock"
#define SEAT_START "daemon.start"
#define SEAT_LOCK_MAX 8192 /* bytes of the lock file's text */

struct seat {
    const char *state;
    const char *own;        /* <state>/daemon, 0700: what only the daemon reads */
    const char *socket_dir; /* 0700 */
    const char *socket;
    const char *log, *crash; /* directories */
};

/* Nothing is created. The texts live in the arena. */
MUST_USE bool seat_find(const struct dirs *dirs, struct arena *a, struct seat *out, struct err *e);
/* The same with the passwd entry's home and the runtime directory given, for tests; NULL: there is none. */
MUST_USE bool seat_find_in(const struct dirs *dirs, const char *home, const char *runtime, struct arena *a,
                           struct seat *out, struct err *e);
/* Makes the directories. Each must be a real directory of ours that nobody else may write to; the socket's and the
 * daemon's own must be closed to others. Else the error names the path and the command that mends it. Root is refused
 * in another user's home. */
MUST_USE bool seat_prepare(const struct seat *s, struct err *e);

/* Who holds the lock, as far as the lock file says. */
struct seat_holder {
    bool held;          /* the lock is taken: a daemon lives */
    struct str socket;  /* n == 0: not said */
    pid_t pid;          /* 0: not said, or of another pid namespace, or no longer that process */
};

MUST_USE bool seat_holder(const struct seat *s, struct arena *a, struct seat_holder *out, struct err *e);
/* The text for the lock file that names this process. */
MUST_USE struct str seat_lock_text(const char *socket, struct arena *a);

/* *fd == -1 and true: nobody listens there. A connection to a process of another user is an error. */
MUST_USE bool seat_connect(const char *socket, int *fd, struct err *e);
/* Binds and listens; mode 0600, not blocking. The name must be free. */
MUST_USE bool seat_listen(const char *socket, int *fd, struct err *e);
/* The peer of a connection is a process of our user; else ERR_DAEMON names the uid. */
MUST_USE bool seat_peer_is_ours(int fd, struct err *e);
/* When the process began, in clock ticks since boot (proc(5), field 22); 0: there is none. With the pid it names a
 * process for good. */
MUST_USE uint64_t seat_process_start(pid_t pid);
