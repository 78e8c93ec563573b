#include "index/feed.h"

#include <stddef.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "codec/zip.h"
#include "index/feed_priv.h"
#include "index/source.h"
#include "net/fresh.h"
#include "net/url.h"
#include "pep/metadata.h"
#include "resolve/solve.h"

#define WORKER_FROM ((size_t)8 << 10) /* bytes of a page that is worth a worker */
#define AHEAD_MAX 50u     /* versions of one project looked at ahead ... */
#define AHEAD_FEW 3u      /* ... of one that was tried before */
#define AHEAD_FROM 5u     /* ... once so many were tried ... */
#define AHEAD_EVERY 20u   /* ... and again after so many more */

struct feed *feed_new(struct catalog *c, struct source *s, struct http *http)
{
    struct feed *f = mem_zero(1, sizeof *f);

    *f = (struct feed){ .c = c, .s = s, .http = http };
    cache_open(c->settings->cache_dir, "hosts-v1", &f->hosts);
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    struct http_request *r;
    struct job *j;

    while (f->reading && (j = work_next(f->pool, true))) { /* after a failure: they end first */
        struct feed_task *t = (struct feed_task *)((char *)j - offsetof(struct feed_task, job));

        f->reading--;
        buf_clear(&t->record);
        VEC_PUSH(&f->idle, t);
    }
    work_close(f->pool);
    while (f->http && (r = http_take_back(f->http)))
        VEC_PUSH(&f->idle, r->user); /* guesses that nobody waits for any more */
    for (size_t i = 0; i < f->idle.n; i++) {
        struct feed_task *t = f->idle.p[i];

        http_request_clear(&t->r);
        buf_clear(&t->body);
        arena_clear(&t->a);
        free(t);
    }
    for (size_t i = 0; i < f->records.n; i++)
        free(f->records.p[i]);
    VEC_CLEAR(&f->records);
    VEC_CLEAR(&f->idle);
    map_clear(&f->meta_asked);
    cache_close(&f->hosts);
    arena_clear(&f->a);
    free(f);
}

void feed_figures(const struct feed *f, struct feed_figures *out)
{
    *out = f->figures;
}

struct feed_task *feed_task_new(struct feed *f, enum feed_step step, uint32_t project, uint32_t rank, size_t limit)
{
    struct feed_task *t = f->idle.n ? f->idle.p[--f->idle.n] : mem_zero(1, sizeof *t);
    struct buf body = t->body;

    http_request_clear(&t->r);
    arena_clear(&t->a);
    *t = (struct feed_task){ .feed = f, .step = step, .project = project, .rank = rank, .body = body };
    t->body.limit = limit;
    buf_reset(&t->body);
    t->r.body = &t->body;
    t->r.user = t;
    return t;
}

void feed_start(struct feed_task *t, int priority)
{
    t->r.priority = priority;
    t->feed->outstanding++;
    http_start(t->feed->http, &t->r);
}

void feed_task_done(struct feed_task *t)
{
    if (t->body.cap > (1u << 20))
        buf_clear(&t->body);
    VEC_PUSH(&t->feed->idle, t);
}

void feed_fail(struct feed *f, const struct err *e)
{
    if (f->e.kind == ERR_NONE)
        f->e = *e;
}

/* ------------------------------------------------------------ pages */

static void page_start(struct feed *f, uint32_t project, int priority)
{
    struct catalog_project *p = f->c->projects.p[project];
    struct feed_task *t = feed_task_new(f, FEED_PAGE, project, 0, LISTING_PAGE_MAX);
    struct str index = f->c->settings->url[p->asking];
    struct listing old;

    t->r.url = arena_printf(&t->a, STR_FMT STR_FMT "/", STR_ARG(index), STR_ARG(p->name));
    t->r.accept = STR(LISTING_ACCEPT);
    t->r.compressed = t->r.packed = true; /* unpacked where it is read */
    if (p->stale && listing_open(p->mapped, &old)) {
        t->r.etag = listing_text(&old, old.head->etag);
        t->r.last_modified = listing_text(&old, old.head->last_modified);
    }
    feed_start(t, priority);
}

/* The record stays for as long as the feed; the buffer is empty afterwards. */
static struct str keep(struct feed *f, struct buf *b)
{
    struct str record = { b->p, b->n };

    VEC_PUSH(&f->records, b->p);
    *b = (struct buf){ .limit = LISTING_PAGE_MAX };
    return record;
}

/* Still good: only its dates change. */
static bool page_unchanged(struct feed *f, struct catalog_project *p, const struct listing_source *s)
{
    struct listing_head head;
    struct buf b = { .limit = LISTING_PAGE_MAX };

    if (!p->stale || p->mapped.n < sizeof head || !buf_str(&b, p->mapped)) {
        buf_clear(&b);
        return false;
    }
    memcpy(&head, b.p, sizeof head);
    head.checked = s->checked;
    head.until = s->until;
    head.by_ttl = s->by_ttl;
    memcpy(b.p, &head, sizeof head);
    (void)cache_patch(p->fd, 0, (struct str){ (char *)&head, sizeof head }); /* else it is asked about again */
    catalog_listed(f->c, (uint32_t)map_find(&f->c->names, p->name), keep(f, &b));
    return true;
}

static void describe_page(struct feed_task *t)
{
    int64_t now = clock_now();

    t->source = (struct listing_source){
        .project = t->feed->c->projects.p[t->project]->name,
        .url = t->r.final_url,
        .content_type = t->r.content_type,
        .etag = t->r.got_etag,
        .last_modified = t->r.got_last_modified,
        .checked = now,
        .until = fresh_until_of(&t->r, now, t->feed->c->settings->ttl),
        .by_ttl = t->r.max_age < 0,
        .absent = t->r.status == 404 || t->r.status == 410,
    };
    t->record = (struct buf){ .limit = LISTING_PAGE_MAX };
    t->read_error = (struct err){ 0 };
}

/* In a worker or here: touches nothing but the task. */
static void page_read(struct job *j)
{
    struct feed_task *t = (struct feed_task *)((char *)j - offsetof(struct feed_task, job));

    struct str body = buf_done(&t->body), encoding = t->r.encoding;
    AUTO_BUF unpacked = { .limit = LISTING_PAGE_MAX };

    if (t->source.absent || encoding.n == 0 || str_eq_nocase(encoding, STR("identity"))) {
        t->unread = !listing_build(body, &t->source, &t->record, &t->read_error);
    } else if (!str_eq_nocase(encoding, STR("gzip")) && !str_eq_nocase(encoding, STR("x-gzip"))) {
        t->unread = true;
        (void)err_set(&t->read_error, ERR_NETWORK, "the index sends the page of '" STR_FMT "' packed as '" STR_FMT
                      "', which nobody asked for", STR_ARG(t->source.project), STR_ARG(encoding));
    } else {
        t->unread = !gzip_unpack(body, &unpacked, &t->read_error);
        if (t->unread)
            (void)err_wrap(&t->read_error, "unpack the page of '" STR_FMT "'", STR_ARG(t->source.project));
        else
            t->unread = !listing_build(buf_done(&unpacked), &t->source, &t->record, &t->read_error);
    }
}

/* The version that would be taken of the newest known requirement: its metadata is likely to be wanted. */
static void guess_metadata(struct feed *f, uint32_t project)
{
    struct catalog *c = f->c;
    struct set all = set_span(0, c->projects.p[project]->n);

    for (size_t i = f->s->needs.n; i-- > 0;) {
        struct source_need *need = f->s->needs.p[i];

        if (need->project == project && !need->bad && source_need_set(f->s, need)) {
            all = need->set;
            break;
        }
    }
    if (set_is_empty(&all) || f->s->no_deps)
        return;
    for (unsigned tries = 0; tries < 8 && !set_is_empty(&all); tries++) {
        uint32_t rank = catalog_choose(c, project, &all);

        if (rank == UINT32_MAX)
            return;
        if (candidate_is_usable(catalog_candidate(c, project, rank))) {
            (void)meta_start(f, project, rank, PRIORITY_AHEAD);
            return;
        }
        struct set one = set_one(rank);

        all = set_minus(&f->a, &all, &one);
    }
}

/* The page is a record now: for the cache, and for the catalog. */
static void page_finish(struct feed_task *t)
{
    struct feed *f = t->feed;
    uint32_t project = t->project;
    struct catalog_project *p = f->c->projects.p[project];
    char name[128];

    if (t->unread) {
        buf_clear(&t->record);
        feed_fail(f, &t->read_error);
    } else {
        catalog_page_name(f->c->settings->url[p->asking], p->name, name);
        if (!t->r.no_store)
            (void)cache_put(&f->c->listings, name, (struct str){ t->record.p, t->record.n }); /* a cache */
        catalog_listed(f->c, project, keep(f, &t->record));
    }
    feed_task_done(t);
    if (p->state == PROJECT_KNOWN)
        guess_metadata(f, project);
}

/* False: read it here. */
static bool give_to_worker(struct feed *f, struct feed_task *t)
{
    struct err ignored;

    if (t->body.n < WORKER_FROM || (!f->pool && !work_open(0, &f->pool, &ignored)))
        return false;
    t->job = (struct job){ .run = page_read };
    work_push(f->pool, &t->job);
    f->reading++;
    return true;
}

static void page_done(struct feed_task *t)
{
    struct err e = { 0 };
    struct feed *f = t->feed;
    uint32_t project = t->project;
    struct catalog_project *p = f->c->projects.p[project];

    f->figures.pages++;
    f->figures.bytes += t->body.n;
    if (t->r.err.kind != ERR_NONE) {
        feed_fail(f, &t->r.err);
        feed_task_done(t);
        return;
    }
    describe_page(t);
    if (t->r.status == 304 && page_unchanged(f, p, &t->source)) {
        feed_task_done(t);
        guess_metadata(f, project);
    } else if (!t->source.absent && !http_check_status(&t->r, &e)) {
        feed_fail(f, &e);
        feed_task_done(t);
    } else if (!give_to_worker(f, t)) {
        page_read(&t->job);
        page_finish(t);
    }
}

/* ------------------------------------------------------------ metadata */

void feed_learned(struct feed *f, uint32_t project, uint32_t rank, struct str text)
{
    struct err e = { 0 };
    AUTO_ARENA a = { 0 };
    struct metadata m;
    struct catalog_project *p = f->c->projects.p[project];

    if (!metadata_parse(&a, text, &m, &e) ||
        !metadata_check_name(&m, p->name, p->version[rank].text, &e)) {
        const char *frame = "cannot be read";
        unsigned n = 14;

        (void)err_frame(&e, 0, &frame, &n);
        catalog_learned(f->c, project, rank, NULL,
                        arena_printf(&a, "has unusable metadata: %.*s", (int)n, frame));
        return;
    }
    catalog_learned(f->c, project, rank, &m, STR(""));
    for (size_t i = 0; i < m.n_requires_dist; i++) {
        struct source_need *need = source_need_of(f->s, m.requires_dist[i]);

        if (need->base_true && !need->bad && catalog_list(f->c, need->project))
            guess_metadata(f, need->project);
    }
}

/* ------------------------------------------------------------ looking ahead */

/* Looks at up to `max` candidates of `set` from `from` on and starts the metadata of those that lack it. */
static uint32_t start_run(struct feed *f, uint32_t project, const struct set *set, uint32_t from, uint32_t max)
{
    uint32_t seen = 0, rank;

    for (; seen < max && (rank = catalog_next(f->c, project, set, &from)) != UINT32_MAX; seen++)
        (void)meta_start(f, project, rank, PRIORITY_AHEAD);
    return seen;
}

/* A window of as many versions as were tried so far: what is allowed now comes first; then what may be once the others
 * have moved on: two projects that are released together (boto3 and botocore) allow each other only a few versions at
 * a time. */
static void fetch_ahead(struct feed *f, uint32_t project, const struct solve_open *o)
{
    uint32_t window = MIN(o->tried, AHEAD_MAX);
    uint32_t seen = start_run(f, project, &o->allowed, catalog_first(f->c, project), window);

    if (seen < window && !set_is_empty(&o->allowed))
        (void)start_run(f, project, &o->lasting,
                        catalog_lowest_first(f->c, project) ? set_max(&o->allowed) + 1 : set_min(&o->allowed),
                        window - seen);
}

/* What will be asked next: of every open project whose allowed versions changed the first ones; of projects that are
 * tried version after version batches. */
static void look_ahead(struct feed *f, const struct solve *solver)
{
    struct solve_open open;
    uint32_t at = 0;

    while (solve_open_next(solver, &at, &open)) {
        if (open.pkg == PKG_ROOT)
            continue;
        uint32_t project = f->s->packages.p[open.pkg].project;
        struct catalog_project *p = f->c->projects.p[project];

        if (p->stamp == open.stamp || f->s->no_deps)
            continue;
        p->stamp = open.stamp;
        (void)start_run(f, project, &open.allowed, catalog_first(f->c, project), open.tried ? AHEAD_FEW : 1);
        if (open.tried < AHEAD_FROM ||
            open.tried < p->tried_at + (open.tried < AHEAD_EVERY ? AHEAD_FROM : AHEAD_EVERY))
            continue;
        p->tried_at = open.tried;
        fetch_ahead(f, project, &open);
    }
}

/* ------------------------------------------------------------ the loop */

static bool refuse_offline(struct feed *f, struct err *e)
{
    struct catalog *c = f->c;
    struct str name = c->lacking_list.n ? c->projects.p[c->lacking_list.p[0]]->name
                                        : c->projects.p[c->lacking_meta.p[0].project]->name;

    (void)err_set(e, ERR_NETWORK, "'" STR_FMT "' is not in the cache, and --offline forbids asking for it",
                  STR_ARG(name));
    return err_hint(e, "run once without --offline");
}

static void start_lacking(struct feed *f, int priority)
{
    struct catalog *c = f->c;

    while (c->lacking_list.n)
        page_start(f, c->lacking_list.p[--c->lacking_list.n], priority);
    while (c->lacking_meta.n) {
        struct catalog_want w = c->lacking_meta.p[--c->lacking_meta.n];

        (void)meta_start(f, w.project, w.rank, PRIORITY_WANTED);
    }
}

static void take_answers(struct feed *f)
{
    struct http_request *r;
    struct job *j;

    while (f->reading && (j = work_next(f->pool, false))) {
        f->reading--;
        f->arrived++;
        page_finish((struct feed_task *)((char *)j - offsetof(struct feed_task, job)));
        start_lacking(f, PRIORITY_AHEAD);
    }
    while ((r = http_done(f->http))) {
        struct feed_task *t = r->user;

        f->outstanding--;
        f->arrived++;
        if (t->step == FEED_PAGE)
            page_done(t);
        else
            meta_done(t);
        start_lacking(f, PRIORITY_AHEAD);
    }
}

bool feed_wait(struct feed *f, const struct solve *solver, struct err *e)
{
    struct catalog *c = f->c;

    if (f->c->settings->offline && (c->lacking_list.n || c->lacking_meta.n))
        return refuse_offline(f, e);
    uint32_t before = f->arrived; /* a file on this machine arrives at once */

    start_lacking(f, PRIORITY_WANTED);
    if (solver)
        look_ahead(f, solver);
    while (f->arrived == before && f->e.kind == ERR_NONE && (f->outstanding || f->reading)) {
        if (!http_step(f->http, -1, f->reading ? work_fd(f->pool) : -1, e))
            return false;
        take_answers(f);
    }
    if (f->e.kind != ERR_NONE) {
        *e = f->e;
        return false;
    }
    return true;
}
