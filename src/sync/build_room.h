/* The place of one build: <cache>/builds-v1/<pid>-<n>/ with env (what the build requires), work (the source, the
 * result), log. Removed at the end; what a killed process left is swept up by the next build. Private to sync/build.c.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct pkg_job;

struct build_room {
    const char *path; /* in the workspace's arena */
    int dir, work, lock;
    bool env; /* the environment is there */
};

MUST_USE bool build_room_open(const struct pkg_job *job, struct build_room *out, struct err *e);
void build_room_close(struct build_room *r);
#define AUTO_BUILD_ROOM AUTO(build_room_close) struct build_room

/* Installs these requirements into the room's environment, which is made at the first call. */
MUST_USE bool build_room_install(const struct pkg_job *job, struct build_room *r, const struct str *requirement,
                                 size_t n, struct err *e);
