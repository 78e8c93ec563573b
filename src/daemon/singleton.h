/* One daemon a user: the lock that says so, and the socket that belongs to it.
 *
 * The lock is the kernel's, on an open file (fcntl(2), open file description locks), held until the process ends or
 * becomes a newer program. A lock file without lock says nothing, whatever is in it; so a stale one blocks nobody, and
 * no pid is trusted. The start lock is held from before the other one is taken until connections are accepted.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include "base/attr.h"

struct arena;
struct err;
struct seat;

struct singleton {
    const char *socket; /* the name; in the arena */
    int lock_fd, start_fd, listen_fd;
    bool activated;     /* the name is the service manager's */
    dev_t device;       /* of the socket's name, when it is ours */
    ino_t inode;
};

/* Descriptors that are there already (an upgrade, the service manager, the starter) are given in *s, -1 for the
 * others. Prepares the directories, takes the locks, listens, writes the lock file. A daemon that holds the lock but
 * has lost its socket is asked to end and waited for. *taken == false and true: one runs already. */
MUST_USE bool singleton_take(const struct seat *seat, struct arena *a, struct singleton *s, bool *taken, struct err *e);
/* Connections are accepted: whoever waits to start a daemon may look again. */
void singleton_ready(struct singleton *s);
/* The name of the socket still leads to ours. */
MUST_USE bool singleton_has_socket(const struct singleton *s);
/* Stops listening and removes the socket's name if it is ours. The lock stays: it goes with the process, last. */
void singleton_leave(struct singleton *s);
