/* One background job as a child process: `blast background VERB --project DIR --json --no-daemon --no-input`.
 *
 * The child has a process group of its own, is ended with the daemon (PDEATHSIG) and watched by a pidfd, so that a
 * recycled pid can never be hit. Jobs that nobody waits for run at the lowest priority of processor and disk. Of what
 * it prints at most JOB_OUTPUT_MAX bytes are kept, of its messages the last WORKER_TAIL. A child that is told to end
 * and does not is killed after WORKER_GRACE_MS.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/str.h"
#include "daemon/job.h"

struct err;
struct uv_loop_s;
struct worker;

#define WORKER_TAIL 1024
#define WORKER_GRACE_MS 5000

struct worker_spec {
    const char *blast, *project;
    enum job_verb verb;
    enum job_priority priority;
    struct str reason;
};

/* The result's texts are valid during the call; result->job is 0. The worker frees itself after `ended`. */
struct worker_calls {
    void (*progress)(void *ctx, const struct job_progress *p);
    void (*ended)(void *ctx, const struct job_result *result);
    void *ctx;
};

/* ERR_DAEMON when no process can be had. A program that cannot be executed is a result. */
MUST_USE bool worker_start(struct uv_loop_s *loop, const struct worker_spec *spec, const struct worker_calls *calls,
                           struct worker **out, struct err *e);
MUST_USE pid_t worker_pid(const struct worker *w);
/* TERM to its group, later KILL; `ended` comes when it is gone. */
void worker_stop(struct worker *w);
/* TERM to its group, and no call any more. The loop must run once for the memory to go. */
void worker_abandon(struct worker *w);
