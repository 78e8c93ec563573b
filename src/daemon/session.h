/* Shells that work in projects: each is held by a descriptor of its process,
    so that its end is noticed without looking.
 *
 * A session is a project and a process. Sessions are on disk too (daemon/roster.h): a daemon that starts anew takes up
 * those whose process still lives, and no other process that got the same number.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct roster;
struct roster_entry;
struct sessions;

#define SESSIONS_MAX 512

struct sessions_config {
    uv_loop_t *loop;
    const struct roster *roster; /* must outlive the sessions */
    void *ctx;
    void (*ended)(void *ctx, const char *path, uint64_t pid); /* the process died */
};

MUST_USE NOT_NULL struct sessions *sessions_new(const struct sessions_config *config);
/* Leaves them on disk. The memory goes when the loop has run the close callbacks; then sessions_free(). */
void sessions_close(struct sessions *s);
void sessions_free(struct sessions *s);

/* Twice the same one is one. ERR_DAEMON: no such process of this user, too many. */
MUST_USE bool sessions_begin(struct sessions *s, struct str path, uint64_t pid, struct err *e);
/* One that an earlier daemon noted. False: its process is gone, and the note with it. */
MUST_USE bool sessions_resume(struct sessions *s, const struct roster_entry *entry);
bool sessions_end(struct sessions *s, struct str path, uint64_t pid); /* false: there was none */
void sessions_end_all(struct sessions *s, struct str path);           /* of a project; `ended` is called for each */
MUST_USE size_t sessions_count(const struct sessions *s);
