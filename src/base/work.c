#include "base/work.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#define THREADS_MAX 64u

struct queue {
    struct job *first, **last;
};

struct work {
    pthread_mutex_t lock;
    pthread_cond_t more, done;
    struct queue todo, finished;
    size_t outstanding; /* touched by the owner's thread only */
    size_t waiting;     /* threads without a job */
    size_t queued;
    unsigned started, threads;
    bool closing;
    int event;
    pthread_t thread[THREADS_MAX];
};

static void append(struct queue *q, struct job *j)
{
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

static struct job *take(struct queue *q)
{
    struct job *j = q->first;

    if (j && !(q->first = j->next))
        q->last = &q->first;
    return j;
}

static unsigned cpu_count(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

bool work_open(unsigned threads, struct work **out, struct err *e)
{
    AUTO_FD event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event < 0)
        return err_sys(e, "make an event descriptor for the workers");
    struct work *w = mem_zero(1, sizeof *w);

    w->threads = MIN(threads ? threads : cpu_count(), THREADS_MAX);
    w->todo.last = &w->todo.first;
    w->finished.last = &w->finished.first;
    (void)pthread_mutex_init(&w->lock, NULL); /* none of the three can fail on Linux */
    (void)pthread_cond_init(&w->more, NULL);
    (void)pthread_cond_init(&w->done, NULL);
    w->event = event;
    event = -1;
    *out = w;
    return true;
}

static void announce(struct work *w)
{
    uint64_t one = 1;

    (void)!write(w->event, &one, sizeof one); /* full means it is readable already */
}

static void *worker(void *arg)
{
    struct work *w = arg;

    (void)pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        struct job *j = take(&w->todo);

        if (!j) {
            w->waiting++;
            (void)pthread_cond_wait(&w->more, &w->lock);
            w->waiting--;
            continue;
        }
        w->queued--;
        (void)pthread_mutex_unlock(&w->lock);
        j->run(j);
        (void)pthread_mutex_lock(&w->lock);
        append(&w->finished, j);
        announce(w);
        (void)pthread_cond_signal(&w->done);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals go to the main thread. */
static bool start_thread(struct work *w)
{
    sigset_t all, before;
    bool ok;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = pthread_create(&w->thread[w->started], NULL, worker, w) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started += ok;
    return ok;
}

void work_push(struct work *w, struct job *j)
{
    (void)pthread_mutex_lock(&w->lock);
    append(&w->todo, j);
    w->queued++;
    w->outstanding++;
    bool thread = w->queued > w->waiting && w->started < w->threads;
    bool helpless = thread && !start_thread(w) && w->started == 0;

    (void)pthread_cond_signal(&w->more);
    (void)pthread_mutex_unlock(&w->lock);
    if (helpless) { /* not one thread is to be had: do it here */
        (void)take(&w->todo);
        w->queued--;
        j->run(j);
        append(&w->finished, j);
        announce(w);
    }
}

struct job *work_next(struct work *w, bool wait)
{
    uint64_t count;
    struct job *j;

    if (w->outstanding == 0)
        return NULL;
    (void)pthread_mutex_lock(&w->lock);
    while (!(j = take(&w->finished)) && wait)
        (void)pthread_cond_wait(&w->done, &w->lock);
    if (!w->finished.first)
        (void)!read(w->event, &count, sizeof count); /* EAGAIN: was not set */
    (void)pthread_mutex_unlock(&w->lock);
    w->outstanding -= j != NULL;
    return j;
}

size_t work_outstanding(const struct work *w)
{
    return w->outstanding;
}

int work_fd(const struct work *w)
{
    return w->event;
}

void work_close(struct work *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->closing = true;
    (void)pthread_cond_broadcast(&w->more);
    (void)pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->started; i++)
        (void)pthread_join(w->thread[i], NULL);
    (void)pthread_cond_destroy(&w->done);
    (void)pthread_cond_destroy(&w->more);
    (void)pthread_mutex_destroy(&w->lock);
    fd_close(&w->event);
    free(w);
}

void work_auto(struct work **w)
{
    work_close(*w);
}
