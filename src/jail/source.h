/* Sources: the host's directories and files, each opened once without following any link and cloned as a mount that
 * hangs nowhere yet. What is mounted later is this very inode, whatever happens to its name meanwhile.
 *
 * An ordinary user may clone mounts only inside the new namespaces; idmapped ones (root) can only be made outside.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct jail_policy;

#define SOURCE_DEVICES 6

struct source {
    int fd;      /* -1: not there, or nothing of the host */
    mode_t mode; /* type and permissions of what it shows */
    int layer;   /* of an overlay, for its changes: directories upper and work (jail/uppers.h); -1: in memory */
};

struct sources {
    struct source *path;               /* as the policy's paths, index by index */
    int device[SOURCE_DEVICES];        /* as source_device_name */
    size_t n;
    const char *const *socket;         /* paths of the host's listening sockets, NULL at the end */
};

extern const char *const source_device_name[SOURCE_DEVICES]; /* "null", ... */

/* `as`: the number the program has outside, to which owners are translated (root); 0: no translation. `uppers`: path of
 * what uppers_make() made, "" where the changes of overlays lie in memory. */
MUST_USE bool sources_take(const struct jail_policy *p, uid_t as, const char *uppers, struct arena *a,
                           struct sources *out, struct err *e);
void sources_close(struct sources *s);

/* The paths of unix sockets that something listens on, from /proc/net/unix of this network namespace: must be asked
 * before the new one is entered. NULL at the end; in the arena. */
MUST_USE const char *const *source_sockets(struct arena *a);
