/* The queue of jobs: what is to be done for which project, what comes first, and what is joined.
 *
 * Pure but for queue_load() and queue_save(); time is an argument. Of one project and verb at most one job waits: a
 * second one joins it, with the higher priority and both reasons. Of one project at most one runs. Jobs are ordered
 * by priority, then by age. The file holds every job but those of PRIORITY_FOREGROUND, whose waiter dies with the
 * daemon; jobs that ran when it was written are waiting ones when it is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "daemon/job.h"

struct err;

#define QUEUE_MAX 4096        /* jobs */
#define QUEUE_REASON_MAX 500  /* bytes */
#define QUEUE_WAITERS_MAX 256 /* of one job */

struct queue_waiter {
    void (*done)(void *ctx, const struct job_result *result);
    void *ctx;
};

struct queue_job {
    uint64_t id;
    char *path, *reason;
    enum job_verb verb;
    enum job_priority priority;
    enum job_state state;  /* WAITING or RUNNING */
    unsigned attempts;     /* that failed; being pre-empted is none */
    bool again;            /* pre-empted: goes back into the queue when its process has ended */
    int64_t submitted, started, not_before; /* seconds since 1970; 0: not, none */
    VEC(struct queue_waiter) waiters;
};

struct queue {
    VEC(struct queue_job *) jobs; /* oldest first */
    uint64_t next;
    bool changed; /* since it was saved */
};

void queue_init(struct queue *q);
void queue_clear(struct queue *q);

/* What is handed in. The job is the queue's; *merged (may be NULL): it was there. ERR_DAEMON when the queue is full. */
struct queue_new {
    const char *path;
    enum job_verb verb;
    enum job_priority priority;
    struct str reason;
    struct queue_waiter waiter; /* done == NULL: none */
};
MUST_USE bool queue_add(struct queue *q, const struct queue_new *n, int64_t now, struct queue_job **out, bool *merged,
                        struct err *e);
/* Takes it out and releases it. */
void queue_remove(struct queue *q, struct queue_job *j);
MUST_USE struct queue_job *queue_find(const struct queue *q, uint64_t id); /* NULL when there is none */
/* The job of the project that runs, or NULL. */
MUST_USE struct queue_job *queue_running(const struct queue *q, const char *path);
MUST_USE size_t queue_count(const struct queue *q, const char *path, enum job_state state); /* path NULL: all */

/* Whether a job may start at all. */
struct queue_gate {
    bool (*open)(void *ctx, const struct queue_job *job);
    void *ctx;
};
/* The waiting job that is to start now, or NULL. */
MUST_USE struct queue_job *queue_pick(const struct queue *q, const struct queue_gate *gate, int64_t now);
/* The next moment at which queue_pick() can give something because time has passed; 0: none. */
MUST_USE int64_t queue_due(const struct queue *q, const struct queue_gate *gate, int64_t now);

void queue_start(struct queue *q, struct queue_job *j, int64_t now);
/* Back among the waiting ones. A waiting job for the same is joined to it. */
void queue_again(struct queue *q, struct queue_job *j, int64_t not_before);

/* Seconds until a job that ended with this word and exit code is tried again after `attempts` failures; 0: not before
 * something changes. What passes by itself is tried again: a held lock soon, a network that is gone ever less often. */
MUST_USE unsigned queue_retry(struct str word, int exit_code, unsigned attempts);

/* *damaged: the file cannot be read and counts as empty. */
MUST_USE bool queue_load(struct queue *q, int dir, const char *name, bool *damaged, struct err *e);
/* Does nothing when nothing changed. */
MUST_USE bool queue_save(struct queue *q, int dir, const char *name, struct err *e);
