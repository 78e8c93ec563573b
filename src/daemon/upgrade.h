/* Noticing that the daemon's own program was replaced, and becoming the new one.
 *
 * The directory of the program is watched; some time after the last change of its name the file is looked at. It must
 * be another file than the one that runs, executable and of the right kind: half of a program is not started.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <uv.h>
#include "base/attr.h"

struct err;

#define UPGRADE_SETTLE_MS 1000 /* linkers and copies write in many pieces */

struct upgrade {
    char *program; /* its path, owned; NULL: not known, never upgraded */
    const char *name;
    struct stat now; /* of the file that runs */
    uv_fs_event_t watch;
    uv_timer_t settle;
    void (*found)(void *ctx); /* there is a new program */
    void *ctx;
};

/* Where the program's directory cannot be watched it goes without. */
MUST_USE bool upgrade_watch(uv_loop_t *loop, void (*found)(void *ctx), void *ctx, struct upgrade *out, struct err *e);
void upgrade_close(struct upgrade *u); /* handles; run the loop once more, then upgrade_clear() */
void upgrade_clear(struct upgrade *u);
/* The program's file is another one than the one that runs, and can be started. */
MUST_USE bool upgrade_is_there(const struct upgrade *u);
/* Only returns when it did not work. The descriptors stay open in the new program, all others are closed. */
MUST_USE bool upgrade_become(const struct upgrade *u, const char *const *argv, const int *fds, size_t n, struct err *e);
