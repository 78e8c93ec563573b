/* One call of a hook of a build backend, in the sandbox or on the host, and what becomes of its output.
 *
 * All that the calls of one build say stays in <state>/builds/<label>.log, with the enforcement report of the sandbox
 * at its head; of a failed one the last lines are the error's causes. Nothing that a build leaves behind is opened
 * through links. Private to sync/build.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "jail/report.h"
#include "sync/build_room.h"
#include "sync/build_system.h"

struct arena;
struct build_source;
struct err;
struct pkg_job;

/* A build under way. */
struct build {
    const struct pkg_job *job;
    const struct build_source *source;
    struct build_room room;
    struct build_system system;
    struct arena *a;
    struct buf log;             /* of all calls so far */
    struct jail_report report;  /* of the last one */
    bool reported;
    const char *limit;          /* the setting that ended it; NULL: none */
    uint64_t begun;             /* clock_ms() */
    char shown[120];            /* the line of output that stands in the progress */
};

/* Calls the hook with one directory as argument (NULL: none). *answer: the text of the file it left. */
MUST_USE bool build_call(struct build *b, const char *hook, const char *target, struct str *answer, struct err *e);

/* Opens and reads what was made below the room. ERR_IO, ERR_PACKAGE when it is no regular file. */
MUST_USE bool build_made_open(const struct build *b, const char *path, int *fd, struct err *e);
MUST_USE bool build_made_read(const struct build *b, const char *path, size_t limit, struct arena *a, struct str *out,
                              struct err *e);

/* Where logs and records of builds lie: the user's, also of builds for builds. */
MUST_USE const char *build_state(const struct build *b);
/* Keeps the log; its path, or NULL when it cannot be written. */
const char *build_log_keep(const struct build *b);
