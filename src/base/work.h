/* Worker threads for computing: jobs in by value of their owner, results back through a queue and an eventfd.
 *
 * A job is a struct of the caller that starts with `struct job`; it belongs to the pool from work_push() until
 * work_next() gives it back, and to one thread at a time always. Jobs share nothing; each has its own arena and
 * its own struct err. This is the only file of the product with a mutex.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

struct err;
struct work;

struct job {
    void (*run)(struct job *); /* in a worker thread */
    struct job *next;          /* the pool's */
};

/* Threads are started when the first job comes, at most `threads`; 0 = as many as the process may use CPUs. */
MUST_USE bool work_open(unsigned threads, struct work **out, struct err *e);
/* Waits for running jobs; jobs not yet started are dropped (their owner still owns the memory). */
void work_close(struct work *w);
void work_auto(struct work **w);
#define AUTO_WORK AUTO(work_auto) struct work *

void work_push(struct work *w, struct job *j);
/* A finished job, or NULL: with `wait` NULL means that no job is outstanding. */
struct job *work_next(struct work *w, bool wait);
/* Jobs pushed and not yet given back. */
MUST_USE size_t work_outstanding(const struct work *w);
/* Readable while finished jobs wait; for poll(). Owned by the pool. */
MUST_USE int work_fd(const struct work *w);
