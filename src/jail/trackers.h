/* What follows the commands of a sandbox, outside: for each that is tracked by system call a process that serves its
 * listener (jail/track.h), and for all of them fanotify on the sandbox's mounts (jail/fan.h).
 *
 * A process each, because a caller's memory may be slow to read and blast-jail must not wait for it. It ends with the
 * last process of its command, and with blast-jail. One that is killed leaves its command without an answer: the kernel
 * refuses the calls with ENOSYS.
 *
 * What cannot be told is never left out in silence: its number is told as ASKED_UNREAD, with the reason.
 */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/fan.h"
#include "jail/init.h"

struct err;
struct jail_policy;

#define TRACKERS_POLL_MAX (INIT_VISITS_MAX + 1)
#define TRACKERS_LAST_MS 2000 /* for what trackers have still to say when nobody is left whom they follow */

struct trackers {
    struct trackers_one {
        pid_t pid;
        uint32_t visit;
        int events; /* one message each thing, JSON */
    } one[INIT_VISITS_MAX];
    size_t n;
    struct fan fan; /* fd < 0: none */
    uint64_t fan_lost;   /* of what it lost, how much was told of */
    unsigned last_ms;    /* TRACKERS_LAST_MS */
    pid_t dying[INIT_VISITS_MAX]; /* killed and not dead: their read is one that no signal ends */
    size_t n_dying;
    void (*tell)(void *ctx, struct str json);
    void *ctx;
};

void trackers_init(struct trackers *t, void (*tell)(void *ctx, struct str json), void *ctx);
/* Follows the command of this visit; the listener is taken. When that cannot be, its end is the answer. */
void trackers_follow(struct trackers *t, uint32_t visit, int listener);
/* Watches the mounts of the sandbox whose pid 1 is `init`. */
MUST_USE bool trackers_watch(struct trackers *t, pid_t init, const struct jail_policy *p, struct err *e);

/* Fills at most TRACKERS_POLL_MAX entries; trackers_take() takes the same ones after poll(2). */
MUST_USE size_t trackers_poll(const struct trackers *t, struct pollfd *p);
void trackers_take(struct trackers *t, const struct pollfd *p, size_t n);
/* The command of this visit and all that it left have ended: what is known of it has been told when this returns. A
 * tracker that has not come to its end after TRACKERS_LAST_MS (the memory it reads lies in a file that no server hands
 * out) is killed; what it did not tell any more is told of as unread. */
void trackers_over(struct trackers *t, uint32_t visit);
/* All commands have ended: the same for all trackers that are left, in TRACKERS_LAST_MS together. */
void trackers_close(struct trackers *t);
