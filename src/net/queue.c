#include "net/queue.h"

#include "base/vec.h"
#include "net/http.h"

static bool before(const struct queue *q, const struct http_request *a, const struct http_request *b)
{
    if (q->by_time && a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    if (!q->by_time && a->priority != b->priority)
        return a->priority > b->priority;
    return a->seq < b->seq;
}

static void put(struct queue *q, size_t at, struct http_request *r)
{
    q->p[at] = r;
    r->heap_at = at;
}

static void sift_up(struct queue *q, size_t at, struct http_request *r)
{
    for (; at > 0 && before(q, r, q->p[(at - 1) / 2]); at = (at - 1) / 2)
        put(q, at, q->p[(at - 1) / 2]);
    put(q, at, r);
}

static void sift_down(struct queue *q, size_t at, struct http_request *r)
{
    for (size_t child; (child = 2 * at + 1) < q->n; at = child) {
        if (child + 1 < q->n && before(q, q->p[child + 1], q->p[child]))
            child++;
        if (!before(q, q->p[child], r))
            break;
        put(q, at, q->p[child]);
    }
    put(q, at, r);
}

void queue_clear(struct queue *q)
{
    VEC_CLEAR(q);
}

void queue_add(struct queue *q, struct http_request *r)
{
    VEC_PUSH(q, r);
    sift_up(q, q->n - 1, r);
}

struct http_request *queue_peek(const struct queue *q)
{
    return q->n ? q->p[0] : NULL;
}

void queue_remove(struct queue *q, struct http_request *r)
{
    size_t at = r->heap_at;
    struct http_request *last = q->p[--q->n];

    if (last == r)
        return;
    if (before(q, last, r))
        sift_up(q, at, last);
    else
        sift_down(q, at, last);
}
