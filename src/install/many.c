#include "install/many.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "base/work.h"

#define BATCH 256

struct batch {
    struct job job; /* first */
    int store, prefix;
    size_t n, done;
    int error; /* of link number `done`; 0: all were made or are full */
    struct many_copy link[BATCH];
    bool full[BATCH];
};

struct many {
    struct work *pool;
    int store, prefix;
    struct batch *open; /* being filled */
    VEC(struct many_copy) copy;
    int error;
    const char *failed; /* the link that could not be made */
};

static void make_links(struct job *j)
{
    struct batch *b = (struct batch *)j;

    for (; b->done < b->n; b->done++) {
        if (linkat(b->store, b->link[b->done].from, b->prefix, b->link[b->done].to, 0) == 0)
            continue;
        b->full[b->done] = errno == EMLINK;
        if (!b->full[b->done]) {
            b->error = errno;
            return;
        }
    }
}

struct many *many_new(int store, int prefix)
{
    struct err ignored;
    struct many *m = mem_zero(1, sizeof *m);

    m->store = store;
    m->prefix = prefix;
    if (work_open(0, &m->pool, &ignored))
        return m;
    free(m);
    return NULL;
}

static void push(struct many *m)
{
    if (m->open)
        work_push(m->pool, &m->open->job);
    m->open = NULL;
}

void many_add(struct many *m, const char *from, const char *to)
{
    if (!m->open) {
        m->open = mem_zero(1, sizeof *m->open);
        m->open->job.run = make_links;
        m->open->store = m->store;
        m->open->prefix = m->prefix;
    }
    m->open->link[m->open->n++] = (struct many_copy){ from, to };
    if (m->open->n == BATCH)
        push(m);
}

static void take(struct many *m, struct batch *b)
{
    if (b->error && !m->error) {
        m->error = b->error;
        m->failed = b->link[b->done].to;
    }
    for (size_t i = 0; i < b->done; i++)
        if (b->full[i])
            VEC_PUSH(&m->copy, b->link[i]);
    free(b);
}

static void take_all(struct many *m)
{
    struct job *j;

    while ((j = work_next(m->pool, true)))
        take(m, (struct batch *)j);
}

bool many_finish(struct many *m, const struct many_copy **copy, size_t *n, struct err *e)
{
    push(m);
    take_all(m);
    if (m->error) {
        errno = m->error;
        return err_sys(e, "link %s", m->failed);
    }
    *copy = m->copy.p;
    *n = m->copy.n;
    return true;
}

void many_free(struct many *m)
{
    if (!m)
        return;
    free(m->open);
    take_all(m);
    work_close(m->pool);
    VEC_CLEAR(&m->copy);
    free(m);
}
