/* What the daemon does by itself: it watches projects, notes what is to be done, and has it done by child processes.
 *
 * The other half of the daemon, the server, adds projects and sessions, hands in jobs and gives events to its
 * subscribers. All of this runs in one libuv loop and one thread; no function here waits for anything. The scheduler
 * never resolves or installs: a job is a child `blast background VERB --project DIR`, in a process group of its own,
 * and its result is the JSON that it prints.
 *
 * Promise: with nothing under way there is no timer and no wake-up. One project has at most one job at a time, and a
 * burst of changes (a branch switch) is one job. What was handed in survives the death of the daemon: the queue is on
 * disk before scheduler_submit() returns. No file of a project is ever written.
 *
 * Texts given are copied; texts in callbacks are valid during the callback only. Callbacks come from the loop, except
 * that scheduler_cancel() calls `done` of a job that had not started before it returns. A callback may call any
 * function here but scheduler_stop().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "daemon/job.h"

struct dirs;
struct err;
struct scheduler;
struct uv_loop_s;

enum daemon_event_kind {
    EVENT_JOB,     /* a job's state, phase or progress changed: job, verb, state, phase, done, total, text, json */
    EVENT_PROJECT, /* what scheduler_project_find() says of the project changed */
    EVENT_CHANGED, /* the bytes of the project's inputs changed: text says what ("pyproject.toml") */
    EVENT_DRIFT,   /* site-packages was changed by hand */
    EVENT_IMPORT,  /* a saved source imports what nothing provides: name, file, line, distribution, verified */
    EVENT_NOTICE,  /* one line for the user: text */
    EVENT_LOG      /* one line for the daemon's log only: text */
};

struct daemon_event {
    enum daemon_event_kind kind;
    struct str project; /* path; empty when it is about none */
    struct str text;
    uint64_t job;
    enum job_verb verb;
    enum job_state state;
    struct str phase;   /* empty: none said */
    uint64_t done, total;
    struct str json;    /* EVENT_JOB with an ended job: the child's object; else empty */
    struct str name, file, distribution; /* EVENT_IMPORT; distribution is empty when nothing can be proposed */
    unsigned line;
    bool verified;      /* the distribution is known to provide the name, not guessed from it */
};

struct scheduler_config {
    const char *blast;           /* absolute path of the program that jobs run */
    const char *state;           /* directory of the daemon's own state; must exist: queue, seen */
    const struct dirs *dirs;     /* used while the scheduler lives */
    void (*event)(void *ctx, const struct daemon_event *event);
    void *ctx;                   /* of `event` */
    unsigned max_jobs;           /* running at a time; 0: 2 */
    bool (*online)(void);        /* NULL: there is a route to the outside */
};

/* Reads the queue that an earlier daemon left; its jobs run once their project is added again, and a project's jobs
 * are dropped when it is not added before scheduler_ready(). ERR_DAEMON. */
MUST_USE bool scheduler_start(struct uv_loop_s *loop, const struct scheduler_config *config, struct scheduler **out,
                              struct err *e);
/* All projects the server knows of have been added. */
void scheduler_ready(struct scheduler *s);
/* Ends running jobs (TERM; they stay in the queue for the next daemon) and closes all handles. The memory goes when
 * the loop has run the close callbacks: run it once more. No callback but uv's comes any more. */
void scheduler_stop(struct scheduler *s);
/* No further job starts; `drained` is called, from the loop, when none runs (any more). */
void scheduler_drain(struct scheduler *s, void (*drained)(void *ctx), void *ctx);
/* Nobody would miss the daemon now: no session, no `always` project, no job under way or waiting. */
MUST_USE bool scheduler_is_idle(const struct scheduler *s);

/* `path` is absolute and without links. Adding a project again only changes `always` (watched without a session too).
 * Adding does not fail for a directory that is missing or cannot be read: its status says so and it is taken up when
 * it appears. ERR_DAEMON: not absolute, or too many projects. */
MUST_USE bool scheduler_project_add(struct scheduler *s, const char *path, bool always, struct err *e);
/* False when there is none. A running job is ended, waiting ones are cancelled. */
bool scheduler_project_remove(struct scheduler *s, const char *path);

struct scheduler_project {
    struct str path;
    bool always, gone;        /* gone: the directory is not there */
    size_t sessions;
    const char *state;        /* "idle", "settling", "waiting for git", "waiting", "running", "paused", "failed" */
    struct str watch;         /* "inotify, 61 dirs", "polling (9p)", "off" */
    struct str message;       /* of the last job that did not end well; empty when all is well */
    int64_t last_sync, last_check, last_change; /* seconds since 1970; 0: never */
    uint64_t job;             /* running; 0: none */
    enum job_verb verb;       /* of that */
    int64_t since;            /* when that was started */
    size_t waiting;           /* jobs */
};

/* False when the project is not known. The texts are valid until the next call of any function here. */
MUST_USE bool scheduler_project_find(struct scheduler *s, const char *path, struct scheduler_project *out);
/* Every project: start with *i = 0; false past the last. */
MUST_USE bool scheduler_project_each(struct scheduler *s, size_t *i, struct scheduler_project *out);

/* A shell works in the project (which is added when it is not known); pids are only names here, the server sees to
 * their lives. Twice the same pid is one session. */
MUST_USE bool scheduler_session_begin(struct scheduler *s, const char *path, int64_t pid, struct err *e);
bool scheduler_session_end(struct scheduler *s, const char *path, int64_t pid); /* false: no such session */

struct scheduler_job {
    const char *path; /* a project that was added */
    enum job_verb verb;
    enum job_priority priority;
    struct str reason;  /* for the history: "pyproject.toml changed"; cut at 500 bytes */
    /* May be NULL; called once, also when the job is cancelled or its project removed. */
    void (*done)(void *ctx, const struct job_result *result);
    void *ctx;
};

/* *job is its number; a job of the project that waits for the same is joined, and given the higher of the two
 * priorities. ERR_DAEMON: unknown project, queue full. */
MUST_USE bool scheduler_submit(struct scheduler *s, const struct scheduler_job *job, uint64_t *number, struct err *e);
/* `done` callbacks with this ctx will not be called any more: the connection that waited is gone. The jobs go on. */
void scheduler_forget(struct scheduler *s, const void *ctx);
bool scheduler_cancel(struct scheduler *s, uint64_t job); /* false: no such job */

struct scheduler_job_info {
    uint64_t job;
    struct str path, reason;
    enum job_verb verb;
    enum job_priority priority;
    enum job_state state;   /* WAITING or RUNNING */
    int64_t submitted, started; /* seconds since 1970 */
    int64_t not_before;     /* waits at least until then; 0: does not */
    int64_t pid;            /* 0: not running */
    unsigned attempts;
};

/* Every job that runs or waits: start with *i = 0; false past the last. */
MUST_USE bool scheduler_job_each(struct scheduler *s, size_t *i, struct scheduler_job_info *out);

/* A command of the user wants this environment now: a running job of lower priority is ended and queued again, and
 * only jobs of PRIORITY_FOREGROUND start until as many _end as _foreground calls came. A project that is not known is
 * fine. */
void scheduler_foreground(struct scheduler *s, const char *path);
void scheduler_foreground_end(struct scheduler *s, const char *path);

/* A running program missed an import: the same event as for a saved source. */
void scheduler_import_missing(struct scheduler *s, const char *path, struct str name, struct str file, unsigned line);

struct scheduler_metrics {
    uint64_t jobs_submitted, jobs_merged, jobs_started, jobs_done, jobs_failed, jobs_cancelled, jobs_preempted;
    uint64_t file_events, changes, overflows, rescans, checks, imports;
    size_t projects, sessions, watches, jobs_waiting, jobs_running;
};
void scheduler_metrics(const struct scheduler *s, struct scheduler_metrics *out);
