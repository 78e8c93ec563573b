/* What feed.c and fetch_meta.c share. */
#pragma once

#include <stdbool.h>
#include "base/arena.h"
#include "base/buf.h"
#include "index/catalog.h"
#include "base/work.h"
#include "index/feed.h"
#include "net/http.h"

struct feed_task;

#define PRIORITY_WANTED 2 /* the solver stands still for it */
#define PRIORITY_AHEAD 1

/* Whether a host serves .metadata files. */
struct side_file {
    struct str origin;
    bool known; /* an answer came, now or in an earlier run */
    bool lacks;
};

struct feed {
    struct catalog *c;
    struct source *s;
    struct http *http;
    struct arena a; /* tasks, and the records that came */
    VEC(struct feed_task *) idle;
    struct map meta_asked; /* (project, rank) -> 1 */
    struct feed_figures figures;
    struct work *pool;     /* reads large pages; opened for the first */
    uint32_t reading;      /* pages with the workers */
    VEC(char *) records;   /* listings that came, which the catalog has views of */
    uint32_t arrived; /* answers dealt with; feed_wait() returns when it changes */
    uint32_t outstanding;
    VEC(struct side_file) origins;
    struct cache hosts; /* what is known of them from earlier runs */
    struct err e;     /* the first failure */
};

enum feed_step { FEED_PAGE, FEED_SDIST, FEED_SIDE, FEED_TAIL, FEED_CENTRAL, FEED_MEMBER, FEED_WHOLE };

/* One request and what it is for. */
struct feed_task {
    struct http_request r; /* first: a request is its task */
    struct feed *feed;
    enum feed_step step;
    uint32_t project, rank;
    struct buf body;
    struct arena a; /* texts of the request */
    /* a page being read, maybe by a worker */
    struct job job;
    struct listing_source source;
    struct buf record;
    struct err read_error;
    bool unread; /* it could not be read */
    /* reading METADATA out of a remote archive */
    struct str tail;
    uint64_t total, central_at, central_n;
    struct zip_entry *entry;
};

MUST_USE struct feed_task *feed_task_new(struct feed *f, enum feed_step step, uint32_t project, uint32_t rank,
                                         size_t limit);
void feed_start(struct feed_task *t, int priority);
void feed_task_done(struct feed_task *t);
/* The answer cannot be had: for a metadata file the version becomes unusable, unless it is the network's fault. */
void feed_fail(struct feed *f, const struct err *e);

/* fetch_meta.c: asks for the metadata of a candidate, however it can be had: false when it is here, under way, or of no
 * use; and takes an answer. */
bool meta_start(struct feed *f, uint32_t project, uint32_t rank, int priority);
void meta_done(struct feed_task *t);
/* feed.c: metadata has come; asks for the pages of its requirements. */
void feed_learned(struct feed *f, uint32_t project, uint32_t rank, struct str text);
