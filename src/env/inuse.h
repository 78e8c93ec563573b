/* Which processes still run on the tree of a generation.
 *
 * A Python started in an environment takes a shared lock (flock) on .gen/N/.inuse of the tree that it began with and
 * keeps it until it ends, so that the modules it imports later come from the same tree. Whoever removes a tree asks
 * here first; `blast status` names those that run on an older one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct env;
struct err;

#define INUSE_FILE ".inuse" /* in the directory of each tree; made with it */

struct inuse {
    int pid;
    uint32_t tree;       /* number of the directory in .gen */
    uint32_t generation; /* the newest one that has this tree */
    struct str command;  /* its command line, words apart by blanks; cut at 200 bytes */
};

/* Processes that hold a tree other than the current one, by pid, as far as this user may see their descriptors
 * (/proc/PID/fd). In the arena. A machine without /proc gives an empty list. */
MUST_USE bool inuse_list(struct env *env, struct arena *a, struct inuse **out, size_t *n, struct err *e);

/* Takes a tree for removal: true when nobody uses it, and then *fd keeps new users out until it is closed (-1 when
 * the tree has no such file). `path` is relative to the environment: ".gen/12". Sees users that inuse_list() cannot. */
MUST_USE bool inuse_take(struct env *env, const char *path, int *fd);
/* Uses a tree oneself: nobody removes it until *fd is closed. *fd is -1 when it has no such file. */
MUST_USE bool inuse_share(struct env *env, const char *path, int *fd);
