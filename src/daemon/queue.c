#include "daemon/queue.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "daemon/record.h"

#define QUEUE_TAG "blast-queue-1"
#define RETRY_LOCKED 2     /* seconds, doubled each time */
#define RETRY_NETWORK 30
#define RETRY_CRASH 5
#define RETRY_MOST 3600
#define CRASHES_MAX 3

void queue_init(struct queue *q)
{
    *q = (struct queue){ .next = 1 };
}

static void free_job(struct queue_job *j)
{
    free(j->path);
    free(j->reason);
    VEC_CLEAR(&j->waiters);
    free(j);
}

void queue_clear(struct queue *q)
{
    for (size_t i = 0; i < q->jobs.n; i++)
        free_job(q->jobs.p[i]);
    VEC_CLEAR(&q->jobs);
}

/* ------------------------------------------------------------ adding */

static struct str cut_reason(struct str s)
{
    size_t n = MIN(s.n, (size_t)QUEUE_REASON_MAX);

    while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80) /* not within a character */
        n--;
    return str_sub(s, 0, n);
}

static void join_reason(struct queue_job *j, struct str more)
{
    struct str have = str_of(j->reason);

    if (!more.n || str_search(have, more) < have.n || have.n + 2 + more.n > QUEUE_REASON_MAX)
        return;
    char *text = mem_alloc(have.n + 2 + more.n + 1);

    (void)snprintf(text, have.n + 2 + more.n + 1, "%s%s" STR_FMT, j->reason, have.n ? "; " : "", STR_ARG(more));
    free(j->reason);
    j->reason = text;
}

static struct queue_job *find_waiting(const struct queue *q, const char *path, enum job_verb verb)
{
    for (size_t i = 0; i < q->jobs.n; i++) {
        struct queue_job *j = q->jobs.p[i];

        if (j->verb == verb && strcmp(j->path, path) == 0 && (j->state == JOB_WAITING || j->again))
            return j;
    }
    return NULL;
}

static bool add_waiter(struct queue_job *j, struct queue_waiter w, struct err *e)
{
    if (!w.done)
        return true;
    if (j->waiters.n >= QUEUE_WAITERS_MAX)
        return err_set(e, ERR_DAEMON, "%zu wait for this job already", j->waiters.n);
    VEC_PUSH(&j->waiters, w);
    return true;
}

bool queue_add(struct queue *q, const struct queue_new *n, int64_t now, struct queue_job **out, bool *merged,
               struct err *e)
{
    struct queue_job *j = find_waiting(q, n->path, n->verb);

    if (merged)
        *merged = j != NULL;
    if (j) {
        if (!add_waiter(j, n->waiter, e))
            return false;
        join_reason(j, cut_reason(n->reason));
        j->priority = MIN(j->priority, n->priority);
        j->not_before = 0; /* there is news: what failed before may succeed now */
        j->attempts = 0;
        q->changed = true;
        *out = j;
        return true;
    }
    if (q->jobs.n >= QUEUE_MAX)
        return err_set(e, ERR_DAEMON, "%zu jobs are waiting, the limit is %d", q->jobs.n, QUEUE_MAX);
    struct str reason = cut_reason(n->reason);

    j = mem_zero(1, sizeof *j);
    j->id = q->next++;
    j->path = mem_dup(n->path, strlen(n->path));
    j->reason = mem_dup(reason.n ? reason.p : "", reason.n);
    j->verb = n->verb;
    j->priority = n->priority;
    j->state = JOB_WAITING;
    j->submitted = now;
    (void)add_waiter(j, n->waiter, e);
    VEC_PUSH(&q->jobs, j);
    q->changed = true;
    *out = j;
    return true;
}

void queue_remove(struct queue *q, struct queue_job *j)
{
    for (size_t i = 0; i < q->jobs.n; i++)
        if (q->jobs.p[i] == j) {
            memmove(&q->jobs.p[i], &q->jobs.p[i + 1], (q->jobs.n - i - 1) * sizeof q->jobs.p[0]);
            q->jobs.n--;
            break;
        }
    free_job(j);
    q->changed = true;
}

/* ------------------------------------------------------------ asking */

struct queue_job *queue_find(const struct queue *q, uint64_t id)
{
    for (size_t i = 0; i < q->jobs.n; i++)
        if (q->jobs.p[i]->id == id)
            return q->jobs.p[i];
    return NULL;
}

struct queue_job *queue_running(const struct queue *q, const char *path)
{
    for (size_t i = 0; i < q->jobs.n; i++)
        if (q->jobs.p[i]->state == JOB_RUNNING && strcmp(q->jobs.p[i]->path, path) == 0)
            return q->jobs.p[i];
    return NULL;
}

size_t queue_count(const struct queue *q, const char *path, enum job_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < q->jobs.n; i++)
        n += q->jobs.p[i]->state == state && (!path || strcmp(q->jobs.p[i]->path, path) == 0);
    return n;
}

/* A clock that was set back must not make a job wait for ever. */
static bool is_later(const struct queue_job *j, int64_t now)
{
    return j->not_before > now && j->not_before <= now + RETRY_MOST;
}

static bool can_start(const struct queue *q, const struct queue_job *j, const struct queue_gate *gate)
{
    return j->state == JOB_WAITING && !queue_running(q, j->path) && (!gate || gate->open(gate->ctx, j));
}

struct queue_job *queue_pick(const struct queue *q, const struct queue_gate *gate, int64_t now)
{
    struct queue_job *best = NULL;

    for (size_t i = 0; i < q->jobs.n; i++) {
        struct queue_job *j = q->jobs.p[i];

        if ((!best || j->priority < best->priority) && !is_later(j, now) && can_start(q, j, gate))
            best = j;
    }
    return best;
}

int64_t queue_due(const struct queue *q, const struct queue_gate *gate, int64_t now)
{
    int64_t due = 0;

    for (size_t i = 0; i < q->jobs.n; i++) {
        const struct queue_job *j = q->jobs.p[i];

        if (is_later(j, now) && (!due || j->not_before < due) && can_start(q, j, gate))
            due = j->not_before;
    }
    return due;
}

/* ------------------------------------------------------------ states */

void queue_start(struct queue *q, struct queue_job *j, int64_t now)
{
    j->state = JOB_RUNNING;
    j->again = false;
    j->started = now;
    j->not_before = 0;
    q->changed = true;
}

void queue_again(struct queue *q, struct queue_job *j, int64_t not_before)
{
    j->again = false;
    struct queue_job *twin = find_waiting(q, j->path, j->verb);

    j->state = JOB_WAITING;
    j->started = 0;
    j->not_before = not_before;
    q->changed = true;
    if (!twin)
        return;
    join_reason(j, str_of(twin->reason));
    j->priority = MIN(j->priority, twin->priority);
    j->not_before = 0;
    for (size_t i = 0; i < twin->waiters.n; i++)
        VEC_PUSH(&j->waiters, twin->waiters.p[i]);
    queue_remove(q, twin);
}

unsigned queue_retry(struct str word, int exit_code, unsigned attempts)
{
    unsigned first;

    if (str_eq(word, STR("locked")) || exit_code == 7)
        first = RETRY_LOCKED;
    else if (exit_code == 6)
        first = RETRY_NETWORK;
    else if (exit_code > 128 && attempts <= CRASHES_MAX)
        first = RETRY_CRASH;
    else
        return 0;
    return attempts > 10 ? RETRY_MOST : MIN(first << (attempts ? attempts - 1 : 0), RETRY_MOST);
}

/* ------------------------------------------------------------ the file */

static void write_job(struct json_write *w, const struct queue_job *j)
{
    json_write_object_begin(w);
    json_write_member_u64(w, "id", j->id);
    json_write_member_cstr(w, "path", j->path);
    json_write_member_cstr(w, "verb", job_verb_word(j->verb));
    json_write_member_cstr(w, "priority", job_priority_word(j->priority));
    json_write_member_cstr(w, "reason", j->reason);
    json_write_member_u64(w, "attempts", j->attempts);
    json_write_member_u64(w, "submitted", (uint64_t)j->submitted);
    json_write_member_u64(w, "not_before", (uint64_t)j->not_before);
    json_write_object_end(w);
}

bool queue_save(struct queue *q, int dir, const char *name, struct err *e)
{
    if (!q->changed)
        return true;
    AUTO_BUF b = { .limit = RECORD_MAX };
    struct json_write w;

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_member_u64(&w, "next", q->next);
    json_write_key(&w, STR("jobs"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < q->jobs.n; i++)
        if (q->jobs.p[i]->priority != PRIORITY_FOREGROUND)
            write_job(&w, q->jobs.p[i]);
    json_write_array_end(&w);
    json_write_object_end(&w);
    if (!json_write_end(&w))
        return err_set(e, ERR_DAEMON, "the queue of %zu jobs has more than %u bytes", q->jobs.n, RECORD_MAX);
    if (!record_save(&(struct record){ dir, name, QUEUE_TAG }, buf_done(&b), e))
        return false;
    q->changed = false;
    return true;
}

/* What stands in the file was written by a program that may be newer: a verb it does not know is passed over. */
static bool read_job(struct json *j, struct queue *q)
{
    struct queue_job got = { .state = JOB_WAITING };
    struct str key, path = { 0 }, reason = { 0 }, verb = { 0 }, priority = { 0 };
    uint64_t attempts = 0, submitted = 0, not_before = 0;

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("id")))
            json_u64(j, &got.id);
        else if (str_eq(key, STR("path")))
            json_string(j, &path);
        else if (str_eq(key, STR("verb")))
            json_string(j, &verb);
        else if (str_eq(key, STR("priority")))
            json_string(j, &priority);
        else if (str_eq(key, STR("reason")))
            json_string(j, &reason);
        else if (str_eq(key, STR("attempts")))
            json_u64(j, &attempts);
        else if (str_eq(key, STR("submitted")))
            json_u64(j, &submitted);
        else if (str_eq(key, STR("not_before")))
            json_u64(j, &not_before);
    }
    if (!json_ok(j))
        return false;
    if (!job_verb_find(verb, &got.verb) || !job_priority_find(priority, &got.priority) || !str_starts(path, STR("/")) ||
        memchr(path.p, 0, path.n) || (reason.n && memchr(reason.p, 0, reason.n)) || q->jobs.n >= QUEUE_MAX)
        return true;
    struct queue_job *job = mem_alloc(sizeof *job);

    reason = cut_reason(reason);
    got.path = mem_dup(path.p, path.n);
    got.reason = mem_dup(reason.n ? reason.p : "", reason.n);
    got.attempts = (unsigned)MIN(attempts, (uint64_t)100);
    got.submitted = (int64_t)MIN(submitted, (uint64_t)INT64_MAX);
    got.not_before = (int64_t)MIN(not_before, (uint64_t)INT64_MAX / 2);
    *job = got;
    VEC_PUSH(&q->jobs, job);
    q->next = MAX(q->next, got.id < UINT64_MAX ? got.id + 1 : 1);
    return true;
}

bool queue_load(struct queue *q, int dir, const char *name, bool *damaged, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str text, key;
    struct json j;
    struct err wrong = { 0 };
    uint64_t next = 0;

    if (!record_load(&(struct record){ dir, name, QUEUE_TAG }, &a, &text, damaged, e))
        return false;
    if (!text.p)
        return true;
    json_init(&j, text, &a, &wrong);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("next")))
                json_u64(&j, &next);
            else if (str_eq(key, STR("jobs")) && json_array_begin(&j))
                while (json_array_next(&j) && read_job(&j, q))
                    ;
        }
    q->next = MAX(q->next, next);
    q->changed = false;
    if (!json_end(&j))
        *damaged = true;
    return true;
}
