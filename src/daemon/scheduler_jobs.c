/* The scheduler's jobs: handed in, started, ended, given back to the queue. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "daemon/scheduler_priv.h"

static bool gate_open(void *ctx, const struct queue_job *j)
{
    const struct project *p = scheduler_find(ctx, j->path);

    /* What has the highest priority may be what the command of the user waits for. */
    return p && !p->gone && (p->foreground == 0 || j->priority == PRIORITY_FOREGROUND);
}

static struct queue_gate gate_of(struct scheduler *s)
{
    return (struct queue_gate){ .open = gate_open, .ctx = s };
}

static void emit_job(struct scheduler *s, const struct queue_job *j, enum job_state state)
{
    scheduler_emit(s, &(struct daemon_event){
                          .kind = EVENT_JOB,
                          .project = str_of(j->path),
                          .job = j->id,
                          .verb = j->verb,
                          .state = state,
                          .text = str_of(j->reason),
                      });
}

/* Takes the job out of the queue, then tells everybody: whoever is told may hand in the next one. */
static void finish(struct scheduler *s, struct queue_job *j, struct job_result *r)
{
    AUTO_ARENA a = { 0 };
    VEC(struct queue_waiter) waiters = { 0 };
    struct daemon_event ev = {
        .kind = EVENT_JOB,
        .project = arena_str(&a, str_of(j->path)),
        .job = j->id,
        .verb = j->verb,
        .state = r->state,
        .text = r->message,
        .json = r->json,
    };

    r->job = j->id;
    for (size_t i = 0; i < j->waiters.n; i++)
        VEC_PUSH_IN(&a, &waiters, j->waiters.p[i]);
    queue_remove(&s->queue, j);
    scheduler_save(s);
    scheduler_emit(s, &ev);
    for (size_t i = 0; i < waiters.n; i++)
        waiters.p[i].done(waiters.p[i].ctx, r);
}

static void cancel(struct scheduler *s, struct queue_job *j)
{
    struct job_result r = { .state = JOB_CANCELLED, .exit_code = -1 };

    s->metrics.jobs_cancelled++;
    finish(s, j, &r);
}

/* ------------------------------------------------------------ handing in */

bool scheduler_submit(struct scheduler *s, const struct scheduler_job *job, uint64_t *number, struct err *e)
{
    struct queue_job *j;
    bool merged;
    struct queue_new n = {
        .path = job->path,
        .verb = job->verb,
        .priority = job->priority,
        .reason = job->reason,
        .waiter = { job->done, job->ctx },
    };

    if (!scheduler_find(s, job->path))
        return err_set(e, ERR_DAEMON, "'%s' is no project that is looked after", job->path);
    if (!queue_add(&s->queue, &n, clock_now(), &j, &merged, e))
        return false;
    s->metrics.jobs_submitted++;
    s->metrics.jobs_merged += merged;
    *number = j->id;
    scheduler_save(s);
    scheduler_kick(s);
    return true;
}

void jobs_submit(struct project *p, enum job_verb verb, enum job_priority priority, struct str reason, int64_t at)
{
    struct scheduler *s = p->s;
    struct queue_new n = { .path = p->path, .verb = verb, .priority = priority, .reason = reason };
    struct queue_job *j;
    struct err e = { 0 };
    bool merged;

    if (!queue_add(&s->queue, &n, clock_now(), &j, &merged, &e)) {
        scheduler_log(s, p->path, "%s", e.text);
        return;
    }
    j->not_before = at;
    s->metrics.jobs_submitted++;
    s->metrics.jobs_merged += merged;
    if (!merged)
        emit_job(s, j, JOB_WAITING);
    scheduler_kick(s);
}

void scheduler_forget(struct scheduler *s, const void *ctx)
{
    for (size_t i = 0; i < s->queue.jobs.n; i++) {
        struct queue_job *j = s->queue.jobs.p[i];
        size_t kept = 0;

        for (size_t k = 0; k < j->waiters.n; k++)
            if (j->waiters.p[k].ctx != ctx)
                j->waiters.p[kept++] = j->waiters.p[k];
        j->waiters.n = kept;
    }
}

/* ------------------------------------------------------------ running */

static struct running *find_running(const struct scheduler *s, uint64_t job)
{
    for (size_t i = 0; i < s->running.n; i++)
        if (s->running.p[i]->job == job)
            return s->running.p[i];
    return NULL;
}

static void take_running(struct scheduler *s, const struct running *r)
{
    for (size_t i = 0; i < s->running.n; i++)
        if (s->running.p[i] == r) {
            s->running.p[i] = s->running.p[--s->running.n];
            return;
        }
}

static void note_result(struct project *p, const struct queue_job *j, const struct job_result *r, uint64_t inputs)
{
    int64_t now = clock_now();
    bool trouble = r->state == JOB_FAILED || str_eq(r->word, STR("pending"));

    if (j->verb == JOB_SYNC || j->verb == JOB_UPDATE) {
        p->seen->sync = now;
        p->failed = r->state == JOB_FAILED;
        free(p->message);
        p->message = trouble && r->message.n ? mem_dup(r->message.p, r->message.n) : NULL;
    }
    if (j->verb == JOB_CHECK || j->verb == JOB_UPDATE)
        p->seen->check = now;
    if (j->verb == JOB_SNAPSHOT)
        p->seen->snapshot = now;
    project_job_ended(p, j, r, inputs);
    scheduler_project_changed(p);
}

/* Tried again later, or over. */
static void settle(struct scheduler *s, struct queue_job *j, struct job_result *r)
{
    const struct project *p = scheduler_find(s, j->path);
    struct str why = r->passing ? STR("locked") : r->word;
    unsigned wait = r->state == JOB_FAILED ? queue_retry(why, r->exit_code, ++j->attempts) : 0;

    if (r->state == JOB_FAILED)
        scheduler_log(s, j->path, "%s failed (exit %d): " STR_FMT, job_verb_word(j->verb), r->exit_code,
                      STR_ARG(r->message));
    if (wait && p && project_is_active(p) && j->waiters.n == 0) {
        queue_again(&s->queue, j, clock_now() + wait);
        emit_job(s, j, JOB_WAITING);
        return;
    }
    s->metrics.jobs_failed += r->state == JOB_FAILED;
    s->metrics.jobs_done += r->state != JOB_FAILED;
    finish(s, j, r);
}

static void ended(void *ctx, const struct job_result *result)
{
    AUTO_ARENA a = { 0 };
    struct running run = *(struct running *)ctx;
    struct scheduler *s = run.s;
    struct queue_job *j = queue_find(&s->queue, run.job);
    struct job_result r = *result;

    take_running(s, ctx);
    free(ctx);
    scheduler_kick(s);
    if (!j)
        return;
    const char *path = arena_cstr(&a, str_of(j->path));
    struct project *p = scheduler_find(s, path);

    if (run.cancelled) {
        cancel(s, j);
    } else if (j->again && r.state == JOB_FAILED && r.exit_code >= 128) {
        s->metrics.jobs_preempted++;
        queue_again(&s->queue, j, 0);
        emit_job(s, j, JOB_WAITING);
    } else { /* also one that was told to end and had done its work by then */
        if (p)
            note_result(p, j, &r, run.inputs);
        settle(s, j, &r);
    }
    p = scheduler_find(s, path); /* whoever was told may have removed it */
    if (p)
        project_look_held(p);
}

static void progress(void *ctx, const struct job_progress *at)
{
    struct running *run = ctx;
    const struct queue_job *j = queue_find(&run->s->queue, run->job);

    if (j)
        scheduler_emit(run->s, &(struct daemon_event){
                                   .kind = EVENT_JOB,
                                   .project = str_of(j->path),
                                   .job = j->id,
                                   .verb = j->verb,
                                   .state = JOB_RUNNING,
                                   .phase = at->phase,
                                   .done = at->done,
                                   .total = at->total,
                               });
}

static void start(struct scheduler *s, struct queue_job *j)
{
    struct running *run = mem_zero(1, sizeof *run);
    struct worker_calls calls = { .progress = progress, .ended = ended, .ctx = run };
    struct err e = { 0 };
    struct worker_spec spec = {
        .blast = s->config.blast,
        .project = j->path,
        .verb = j->verb,
        .priority = j->priority,
        .reason = str_of(j->reason),
    };

    const struct project *p = scheduler_find(s, j->path);

    *run = (struct running){ .s = s, .job = j->id, .inputs = p ? p->closure.digest : 0 };
    if (!worker_start(s->loop, &spec, &calls, &run->worker, &e)) {
        struct job_result r = { .state = JOB_FAILED, .word = STR("failed"), .exit_code = -1 };

        r.message = str_of(e.text);
        free(run);
        s->metrics.jobs_failed++;
        finish(s, j, &r);
        return;
    }
    queue_start(&s->queue, j, clock_now());
    VEC_PUSH(&s->running, run);
    s->metrics.jobs_started++;
    s->metrics.checks += j->verb == JOB_CHECK;
    emit_job(s, j, JOB_RUNNING);
}

void jobs_start(struct scheduler *s)
{
    struct queue_gate gate = gate_of(s);
    struct queue_job *j;

    while (s->ready && !s->draining && s->running.n < s->config.max_jobs &&
           (j = queue_pick(&s->queue, &gate, clock_now())))
        start(s, j);
}

int64_t jobs_due(const struct scheduler *s)
{
    struct queue_gate gate = { .open = gate_open, .ctx = NULL };
    union {
        const struct scheduler *in;
        void *out;
    } ctx = { s };

    gate.ctx = ctx.out;
    return s->running.n < s->config.max_jobs ? queue_due(&s->queue, &gate, clock_now()) : 0;
}

/* ------------------------------------------------------------ ending */

static void stop(struct running *run)
{
    if (!run->stopping)
        worker_stop(run->worker);
    run->stopping = true;
}

bool scheduler_cancel(struct scheduler *s, uint64_t job)
{
    struct queue_job *j = queue_find(&s->queue, job);
    struct running *run = find_running(s, job);

    if (!j)
        return false;
    if (run) {
        run->cancelled = true;
        stop(run);
        return true;
    }
    cancel(s, j);
    scheduler_kick(s);
    return true;
}

void jobs_cancel_project(struct project *p)
{
    struct scheduler *s = p->s;
    bool found = true;

    while (found) {
        found = false;
        for (size_t i = 0; i < s->queue.jobs.n && !found; i++) {
            struct queue_job *j = s->queue.jobs.p[i];
            struct running *run = find_running(s, j->id);

            if (strcmp(j->path, p->path) != 0)
                continue;
            if (run) {
                run->cancelled = true;
                stop(run);
                continue;
            }
            cancel(s, j);
            found = true;
        }
    }
}

void jobs_hold(struct project *p)
{
    struct queue_job *j = queue_running(&p->s->queue, p->path);
    struct running *run = j ? find_running(p->s, j->id) : NULL;

    if (!run || j->priority == PRIORITY_FOREGROUND)
        return;
    j->again = true;
    p->s->queue.changed = true;
    stop(run);
}

void jobs_abandon(struct scheduler *s)
{
    for (size_t i = 0; i < s->running.n; i++) {
        worker_abandon(s->running.p[i]->worker);
        free(s->running.p[i]);
    }
    VEC_CLEAR(&s->running);
}

bool scheduler_job_each(struct scheduler *s, size_t *i, struct scheduler_job_info *out)
{
    if (*i >= s->queue.jobs.n)
        return false;
    const struct queue_job *j = s->queue.jobs.p[(*i)++];
    const struct running *run = find_running(s, j->id);

    *out = (struct scheduler_job_info){
        .job = j->id,
        .path = str_of(j->path),
        .reason = str_of(j->reason),
        .verb = j->verb,
        .priority = j->priority,
        .state = j->state,
        .submitted = j->submitted,
        .started = j->started,
        .not_before = j->not_before,
        .pid = run ? worker_pid(run->worker) : 0,
        .attempts = j->attempts,
    };
    return true;
}
