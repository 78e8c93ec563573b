/* When the daemon looks for updates, for drift to put away, and how often it may act on its own. Pure: time is an
 * argument, in seconds since 1970.
 *
 * Updates are looked for at most once a day for each project, at a moment of the project's own, so that a machine with
 * many projects, and many machines after a weekend, do not ask at once. Nothing is looked for without a route to the
 * outside, nor when the environment says BLAST_NO_UPDATE_NOTIFIER, NO_UPDATE_NOTIFIER, CI or BLAST_OFFLINE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

#define UPDATE_EVERY 86400
#define UPDATE_JITTER 14400    /* added to a day, between none and all of it */
#define UPDATE_FIRST 300       /* after the project was seen first: not while its owner waits for other things */
#define UPDATE_OFFLINE 3600    /* later, when there is no route */
#define UPDATE_FREE_SYNCS 20   /* within one sync_interval, for changes that follow each other */

/* When to look next, having looked at `last` (0: never) of a project first seen at `seen`. Never before now. A moment
 * in the future more than a day and the jitter away is a clock that was set back: then a day from now. */
MUST_USE int64_t update_next_check(const char *path, int64_t seen, int64_t last, int64_t now);
/* The variables allow looking. */
MUST_USE bool update_is_wanted(const char *const *env);
/* There is a default route (/proc/net/route, /proc/net/ipv6_route). */
MUST_USE bool update_is_online(void);
/* `route` and `route6` are the texts of these two files. */
MUST_USE bool update_has_route(const char *route, const char *route6);

/* A change of a file is followed at once, as long as not more than UPDATE_FREE_SYNCS syncs fall into one
 * [pkg_layer] sync_interval: a program that rewrites an input all the time costs one sync an interval. */
struct update_pace {
    int64_t began; /* of the interval */
    unsigned syncs;
};
/* The moment at which a sync may start; counts it. */
MUST_USE int64_t update_pace_next(struct update_pace *p, int64_t interval, int64_t now);
/* When a snapshot of changes by hand may be made: at most one an interval; 0: none is wanted. */
MUST_USE int64_t update_next_snapshot(int64_t last, int64_t interval, int64_t now);
