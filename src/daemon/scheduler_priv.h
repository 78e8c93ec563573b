/* The scheduler's inside, shared by scheduler.c (projects, sessions, the loop), scheduler_jobs.c (queue and workers)
 * and scheduler_watch.c (what changes lead to). */
#pragma once

#include <uv.h>
#include "base/vec.h"
#include "daemon/closure.h"
#include "daemon/queue.h"
#include "daemon/scheduler.h"
#include "daemon/seen.h"
#include "daemon/update_service.h"
#include "daemon/watch.h"
#include "daemon/worker.h"

#define PROJECTS_MAX 1024
#define SESSIONS_MAX 256 /* of one project */
#define NAMED_MAX 64     /* imports of one project that were told */

/* What of blast.toml concerns the daemon. */
struct project_rules {
    bool monitor, auto_sync, auto_update;
    int64_t sync_interval, snapshot_interval;
    char **tree; /* absolute watch paths */
    size_t trees;
};

struct project {
    struct scheduler *s;
    char *path;
    bool always, gone, failed;
    bool behind;                /* the last job worked on other bytes than those that are there now */
    bool held_back;             /* changes came while a command of the user was at work */
    unsigned foreground;
    VEC(int64_t) sessions;
    struct watch_root *root;    /* NULL: not watched */
    struct project_rules rules;
    struct closure closure;     /* digest 0: not read yet */
    struct seen *seen;
    struct update_pace pace;
    uint64_t head;              /* digest of .git/HEAD's text */
    uint64_t named[NAMED_MAX];  /* imports that were told: digests of the names */
    unsigned named_n;
    int64_t snapshot_at;        /* drift is to be put away then; 0: there is none */
    int64_t check_at;           /* 0: no look for updates is due */
    int64_t first_seen;
    char *message;              /* of the last job that did not end well; NULL: none */
    char watch_text[WATCH_TEXT];
};

struct running {
    struct scheduler *s;
    struct worker *worker;
    uint64_t job, inputs;       /* inputs: their digest when it was started */
    bool cancelled, stopping;
};

struct scheduler {
    struct scheduler_config config;
    uv_loop_t *loop;
    uv_poll_t poll;             /* of the watch */
    uv_timer_t timer;
    unsigned handles;
    bool polling, ready, stopped;
    bool kicked;                /* work is left for the next turn of the loop */
    int dir;
    struct watch *watch;
    struct queue queue;
    struct seen_list seen;
    VEC(struct project *) projects;
    VEC(struct running *) running;
    void (*drained)(void *ctx);
    void *drained_ctx;
    bool draining;
    struct scheduler_metrics metrics;
};

/* ------------------------------------------------------------ scheduler.c */
MUST_USE struct project *scheduler_find(const struct scheduler *s, const char *path);
/* Something may be due now: the loop will see to it. */
void scheduler_kick(struct scheduler *s);
void scheduler_emit(struct scheduler *s, const struct daemon_event *event);
void scheduler_log(struct scheduler *s, const char *project, const char *fmt, ...) PRINTF(3, 4);
void scheduler_project_changed(struct project *p);
/* Somebody works there, or it is watched always. */
MUST_USE bool project_is_active(const struct project *p);
void scheduler_save(struct scheduler *s);

/* ------------------------------------------------------------ scheduler_jobs.c */
/* A job of the scheduler's own. `at`: not before, also for one that waits and is joined; 0: now. */
void jobs_submit(struct project *p, enum job_verb verb, enum job_priority priority, struct str reason, int64_t at);
void jobs_start(struct scheduler *s);       /* what can start */
void jobs_cancel_project(struct project *p);
void jobs_hold(struct project *p);          /* ends what runs for it below PRIORITY_FOREGROUND; it is queued again */
void jobs_abandon(struct scheduler *s);
MUST_USE int64_t jobs_due(const struct scheduler *s); /* seconds since 1970; 0: nothing by time alone */

/* ------------------------------------------------------------ scheduler_watch.c */
void project_load_rules(struct project *p);
void project_clear_rules(struct project *p);
void project_activate(struct project *p);   /* watch it and look at it */
void project_deactivate(struct project *p);
void project_changed(struct project *p, const struct watch_change *c);
/* Reads the inputs; a sync is asked for when their bytes changed (why NULL), or are not those of the last sync. */
void project_look(struct project *p, const char *why);
void project_due(struct project *p, int64_t now);       /* snapshot and check */
MUST_USE int64_t project_deadline(const struct project *p); /* seconds since 1970; 0: none */
/* What changed while a job or a command of the user was at work, when none is any more. */
void project_look_held(struct project *p);
/* What a job installed is no drift. `inputs`: what they were when it started. */
void project_job_ended(struct project *p, const struct queue_job *j, const struct job_result *r, uint64_t inputs);
void project_import(struct project *p, struct str name, struct str file, unsigned line);
