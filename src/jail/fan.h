/* Access tracking by fanotify: for root, marks on the mounts of a sandbox, from outside.
 *
 * The mounts are the sandbox's own, so every event is of something in it, and nothing in it can open a file on them
 * without one, whatever language it is written in. It costs next to nothing, as nobody waits for us. What it does not
 * tell: what was refused, for nothing was opened; and the network. A file opened to be written is told as read when it
 * is opened, and as written when it is closed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "jail/asked.h"

struct err;
struct jail_policy;

struct fan {
    int fd;
    int mounts; /* the sandbox's mount namespace, kept until the last event is read: a mount that is gone has no path */
    struct asked asked;
    uint64_t lost; /* events that came faster than they were read, or whose file could not be opened for us */
};

/* May this process do it, on this kernel? Changes nothing. */
MUST_USE bool fan_is_there(void);
/* Marks the mounts that the policy made in the sandbox whose pid 1, or any other process in its finished view, is `pid`
 * here. ERR_IO. */
MUST_USE bool fan_open(struct fan *f, pid_t pid, const struct jail_policy *p, struct err *e);
void fan_close(struct fan *f);
#define AUTO_FAN AUTO(fan_close) struct fan
#define FAN_NONE { .fd = -1, .mounts = -1 }

/* Tells what has come, each thing once. False when it cannot go on. */
MUST_USE bool fan_step(struct fan *f, void (*tell)(void *ctx, const struct asked_item *item), void *ctx);
/* Until `stop`, a descriptor, becomes readable or its other end is closed; what came before that is told. */
void fan_serve(struct fan *f, int stop, void (*tell)(void *ctx, const struct asked_item *item), void *ctx);
