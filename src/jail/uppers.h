/* Upper layers on disk: what a sandbox changes under its overlays, where its policy wants that to outlive a crash.
 *
 *     <keep>/NAME.PID.upper/          0700, one sandbox's; <keep> is the policy's
 *     <keep>/NAME.PID.upper/lock      held by blast-jail and pid 1, thus for as long as anything can write below
 *     <keep>/NAME.PID.upper/about.json  struct uppers_about
 *     <keep>/NAME.PID.upper/0/upper   of the policy's first overlay, and so on, with 0/work for the kernel
 *
 * The sandbox sees 0/upper alone, merged with what it lies over. blast-jail removes all of it when the sandbox ends in
 * order; what is there and not locked was left by a crash. Whoever makes, takes or moves such a directory holds the
 * lock of <keep> meanwhile. What the program left in it is hostile: nothing here follows a link, or is bounded by the
 * depth of a tree.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;
struct jail_path;
struct jail_policy;

#define UPPERS_MAX 8        /* overlays of one sandbox whose changes lie on disk */
#define UPPERS_NAME 96      /* bytes of NAME and a NUL */
#define UPPERS_TRY "check" /* NAME of a sandbox that is only tried: nothing of it is ever kept */
#define UPPERS_SUFFIX ".upper"
#define UPPERS_DROPPED ".drop" /* instead: it is being removed, and nothing of it counts any more */
#define UPPERS_ABOUT "about.json"
#define UPPERS_ABOUT_MAX (64u << 10)

struct uppers {
    char path[PATH_MAX]; /* "": none */
    int base, lock;
};
#define UPPERS_NONE { "", -1, -1 }

/* By blast-jail, outside. ERR_ENVIRONMENT with the way out where the file system can hold none. */
MUST_USE bool uppers_make(const struct jail_policy *p, const char *name, struct uppers *out, struct err *e);
/* Lets go of it; `drop`: and removes it. Nothing happens where there is none. */
void uppers_end(struct uppers *u, bool drop);

/* The way out, as a hint: false. */
bool uppers_hint(struct err *e);

/* ------------------------------------------------------------ what was left */

/* The lock of one that nobody uses, or will not within that time; -1 with false: it is in use. -1 with true: it has
 * none, as when its removal was cut short. */
MUST_USE bool uppers_take(int base, const char *name, unsigned wait_ms, int *lock);
/* Was anything changed under its overlays, or under this one? */
MUST_USE bool uppers_layer_is_changed(int base, const char *name, unsigned k);
MUST_USE bool uppers_is_changed(int base, const char *name);
/* Removes what the kernel needed for its work, which is nobody's change. */
MUST_USE bool uppers_strip(int base, const char *name, struct err *e);
/* The whole tree, however deep and whatever its permissions; a missing one is fine. */
MUST_USE bool uppers_remove(int base, const char *name, struct err *e);

/* ------------------------------------------------------------ what it lay over */

struct uppers_about {
    int64_t since, kept; /* seconds since 1970: when the sandbox was made, when it was found dead; 0: not yet */
    const struct str *over;
    size_t n;            /* directory K lay over over[K] */
};

MUST_USE bool uppers_about_format(const struct uppers_about *a, struct buf *out);
/* ERR_ENVIRONMENT for what is none. The texts live in the arena. */
MUST_USE bool uppers_about_parse(struct str json, struct arena *a, struct uppers_about *out, struct err *e);
