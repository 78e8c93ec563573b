/* The metadata of one file, the cheapest way that works: the .metadata file beside it (announced or not), the end of
 * the archive by byte ranges, the whole archive. That a host has no .metadata files is remembered. */
#include <string.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "codec/zip.h"
#include "index/feed_priv.h"
#include "index/sdist_meta.h"
#include "index/wheel_meta.h"
#include "net/url.h"
#include "pep/metadata.h"

#define LACKS_FOR 86400              /* seconds that a host is believed to serve no .metadata */
#define TAIL ((size_t)64 << 10)      /* holds the directory of most wheels, and often METADATA itself */
#define WHOLE_MAX ((size_t)512 << 20) /* bytes of an archive fetched only for its metadata */

/* What was found out about a host lies in a small record of its own: "lacks" and until when that is believed. */
static bool recorded_lack(const struct feed *f, struct str origin)
{
    struct str text;
    uint64_t until;
    char name[128];
    int fd;

    cache_name(origin, "", name);
    if (!cache_map(&f->hosts, name, &text, &fd))
        return false;
    bool lacks = str_to_u64(text, &until) && (int64_t)until > clock_now();

    fd_unmap(&text);
    fd_close(&fd);
    return lacks;
}

static struct side_file *side_of(struct feed *f, struct str url)
{
    struct err ignored;
    struct str origin;

    if (!url_origin(&f->a, url, &origin, &ignored))
        return NULL;
    for (size_t i = 0; i < f->origins.n; i++)
        if (str_eq(f->origins.p[i].origin, origin))
            return &f->origins.p[i];
    bool lacks = recorded_lack(f, origin);

    VEC_PUSH_IN(&f->a, &f->origins, (struct side_file){ .origin = origin, .known = lacks, .lacks = lacks });
    return &f->origins.p[f->origins.n - 1];
}

static bool lacks_side_files(struct feed *f, struct str url)
{
    const struct side_file *s = side_of(f, url);

    return s && s->lacks;
}

/* The first answer about files that are not announced counts: one that is missing later says nothing of the others. */
static void remember(struct feed *f, struct str url, bool lacks)
{
    struct side_file *s = side_of(f, url);
    char name[128];

    if (!s || s->known)
        return;
    s->known = true;
    s->lacks = lacks;
    if (!lacks)
        return;
    cache_name(s->origin, "", name);
    (void)cache_put(&f->hosts, name, arena_printf(&f->a, "%lld", (long long)clock_now() + LACKS_FOR)); /* a cache */
}

static struct str url_of(struct feed *f, uint32_t project, uint32_t rank)
{
    const struct catalog_project *p = f->c->projects.p[project];
    const struct candidate *cand = catalog_candidate(f->c, project, rank);

    return catalog_text(p, cand, catalog_file(p, cand)->url);
}

static void start_side(struct feed *f, uint32_t project, uint32_t rank, struct str url, int priority)
{
    struct feed_task *t = feed_task_new(f, FEED_SIDE, project, rank, METADATA_MAX);

    t->r.url = arena_printf(&t->a, STR_FMT ".metadata", STR_ARG(url));
    feed_start(t, priority);
}

static void start_tail(struct feed *f, uint32_t project, uint32_t rank, struct str url, int priority)
{
    struct feed_task *t = feed_task_new(f, FEED_TAIL, project, rank, WHOLE_MAX);

    t->r.url = arena_str(&t->a, url);
    t->r.range = HTTP_TAIL;
    t->r.range_n = TAIL;
    feed_start(t, priority);
}

static void start_sdist(struct feed *f, uint32_t project, uint32_t rank, struct str url, int priority)
{
    struct feed_task *t = feed_task_new(f, FEED_SDIST, project, rank, SDIST_MAX);

    t->r.url = arena_str(&t->a, url);
    feed_start(t, priority);
}

static void unusable(struct feed *f, uint32_t project, uint32_t rank, const struct err *e)
{
    const char *frame = "";
    unsigned n = 0;
    AUTO_ARENA a = { 0 };

    (void)err_frame(e, 0, &frame, &n);
    catalog_learned(f->c, project, rank, NULL, arena_printf(&a, "has no readable metadata: %.*s", (int)n, frame));
}

/* A file on this machine is opened at once. */
static void read_local(struct feed *f, uint32_t project, uint32_t rank, struct str url)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str path, text;

    if (!url_to_path(&a, url, &path, &e) || !wheel_meta_read(path.p, &a, &text, &e)) {
        unusable(f, project, rank, &e);
        return;
    }
    feed_learned(f, project, rank, text);
}

bool meta_start(struct feed *f, uint32_t project, uint32_t rank, int priority)
{
    uint64_t key = (uint64_t)project << 32 | rank;
    struct catalog_project *p = f->c->projects.p[project];
    struct candidate *cand = catalog_candidate(f->c, project, rank);
    AUTO_ARENA scratch = { 0 };
    struct known_meta m;
    bool fresh;

    if (!candidate_is_usable(cand) || (cand->state == CANDIDATE_SDIST && priority != PRIORITY_WANTED) ||
        catalog_metadata(f->c, project, rank, true, &scratch, &m))
        return false;
    (void)map_get_or_add_u64(&f->meta_asked, key, 1, &fresh);
    if (!fresh)
        return false;
    const struct listing_file *file = catalog_file(p, cand);
    struct str url = url_of(f, project, rank);

    if (url_is_file(url)) {
        f->arrived++;
        read_local(f, project, rank, url);
    } else if (f->c->settings->offline) {
        return false; /* a guess; what is really wanted is refused by feed_wait() */
    } else if (cand->state == CANDIDATE_SDIST) {
        start_sdist(f, project, rank, url, priority);
    } else if (file->flags & LISTING_METADATA || !lacks_side_files(f, url)) {
        start_side(f, project, rank, url, priority);
    } else {
        start_tail(f, project, rank, url, priority);
    }
    return true;
}

static void learn(struct feed_task *t, struct str text)
{
    struct feed *f = t->feed;
    uint32_t project = t->project, rank = t->rank;

    f->figures.metadata++;
    f->figures.bytes += text.n;
    feed_learned(f, project, rank, text);
    feed_task_done(t);
}

static void side_done(struct feed_task *t)
{
    struct feed *f = t->feed;
    const struct catalog_project *p = f->c->projects.p[t->project];
    const struct listing_file *file = catalog_file(p, catalog_candidate(f->c, t->project, t->rank));
    unsigned char sum[HASH_SHA256];
    struct err e = { 0 };
    bool there = t->r.status >= 200 && t->r.status < 300;

    if (!(file->flags & LISTING_METADATA))
        remember(f, t->r.url, !there);
    if (!there) {
        start_tail(f, t->project, t->rank, url_of(f, t->project, t->rank), t->r.priority);
        feed_task_done(t);
        return;
    }
    if (file->flags & LISTING_METADATA_SHA256 &&
        (!hash_sha256(t->body.p, t->body.n, sum, &e) || memcmp(sum, file->metadata_sha256, sizeof sum) != 0)) {
        if (e.kind == ERR_NONE)
            (void)err_set(&e, ERR_PACKAGE, "the metadata file has another hash than the index says");
        unusable(f, t->project, t->rank, &e);
        feed_task_done(t);
        return;
    }
    learn(t, buf_done(&t->body));
}

/* The archive's METADATA when the whole of it is in memory. */
static void whole_done(struct feed_task *t)
{
    struct err e = { 0 };
    struct str text;

    if (!wheel_meta_of((struct str){ t->body.p, t->body.n }, &t->a, &text, &e)) {
        unusable(t->feed, t->project, t->rank, &e);
        feed_task_done(t);
        return;
    }
    learn(t, text);
}

/* A whole source distribution: verified, then its PKG-INFO, if that may be believed. */
static void sdist_done(struct feed_task *t)
{
    struct feed *f = t->feed;
    const struct catalog_project *p = f->c->projects.p[t->project];
    const struct candidate *cand = catalog_candidate(f->c, t->project, t->rank);
    const struct listing_file *file = catalog_file(p, cand);
    unsigned char sum[HASH_SHA256];
    struct err e = { 0 };
    struct str text;
    bool ok = !(file->flags & LISTING_SHA256) ||
              (hash_sha256(t->body.p, t->body.n, sum, &e) &&
               (memcmp(sum, file->sha256, sizeof sum) == 0 ||
                err_set(&e, ERR_PACKAGE, "the source distribution has another hash than the index says")));

    struct str archive = { t->body.p, t->body.n };

    if (ok && catalog_sdist_metadata(f->c, catalog_text(p, cand, file->name), archive, &t->a, &text, &e)) {
        learn(t, text);
        return;
    }
    const char *frame = "";
    unsigned n = 0;

    if (f->c->e.kind != ERR_NONE)
        feed_fail(f, &f->c->e);
    (void)err_frame(&e, 0, &frame, &n);
    catalog_learned(f->c, t->project, t->rank, NULL,
                    arena_printf(&t->a, "has only a source distribution: %.*s", (int)n, frame));
    feed_task_done(t);
}

static void next_span(struct feed_task *t, enum feed_step step, uint64_t at, uint64_t n)
{
    struct feed *f = t->feed;
    struct feed_task *next = feed_task_new(f, step, t->project, t->rank, WHOLE_MAX);

    next->r.url = arena_str(&next->a, url_of(f, t->project, t->rank));
    next->r.range = HTTP_SPAN;
    next->r.range_at = at;
    next->r.range_n = n;
    next->total = t->total;
    next->central_at = t->central_at;
    next->central_n = t->central_n;
    if (t->entry) {
        next->entry = ARENA_NEW(&next->a, struct zip_entry);
        *next->entry = *t->entry;
        next->entry->name = arena_str(&next->a, t->entry->name);
    }
    feed_start(next, t->r.priority);
    feed_task_done(t);
}

/* `bytes` is exactly the central directory: find METADATA in it. */
static void central_known(struct feed_task *t, struct str bytes, struct str tail)
{
    struct err e = { 0 };
    struct zip z;
    struct zip_central central = { .offset = t->central_at, .size = t->central_n };
    struct str text;
    const struct zip_entry *en;
    uint64_t tail_at = t->total - tail.n;

    (void)!zip_find_central(tail, t->total, &central, &e); /* entries; its other fields are known by now */
    if (!zip_parse_central(bytes, &central, NULL, &t->a, &z, &e) || !(en = wheel_meta_entry(&z, &e))) {
        unusable(t->feed, t->project, t->rank, &e);
        feed_task_done(t);
        return;
    }
    if (en->offset >= tail_at && tail.n) { /* it lies in what is here already */
        struct str member = str_sub(tail, en->offset - tail_at, en->end - tail_at);

        if (!wheel_meta_member(member, en, &t->a, &text, &e)) {
            unusable(t->feed, t->project, t->rank, &e);
            feed_task_done(t);
            return;
        }
        learn(t, text);
        return;
    }
    t->entry = (struct zip_entry *)(uintptr_t)en;
    next_span(t, FEED_MEMBER, en->offset, en->end - en->offset);
}

static void tail_done(struct feed_task *t)
{
    struct err e = { 0 };
    struct zip_central central;
    struct str tail = { t->body.p, t->body.n };

    if (t->r.status == 200 || t->r.total_size == UINT64_MAX || t->r.total_size == t->body.n) {
        whole_done(t); /* no ranges here: all of it came */
        return;
    }
    t->total = t->r.total_size;
    if (!zip_find_central(tail, t->total, &central, &e)) {
        unusable(t->feed, t->project, t->rank, &e);
        feed_task_done(t);
        return;
    }
    if (central.missing) {
        next_span(t, FEED_TAIL, t->total - central.missing, central.missing);
        return;
    }
    t->central_at = central.offset;
    t->central_n = central.size;
    uint64_t tail_at = t->total - tail.n;

    if (central.offset >= tail_at)
        central_known(t, str_sub(tail, central.offset - tail_at, central.offset - tail_at + central.size), tail);
    else
        next_span(t, FEED_TAIL, central.offset, t->total - central.offset);
}

static void member_done(struct feed_task *t)
{
    struct err e = { 0 };
    struct str text;

    if (t->r.status == 200) {
        whole_done(t);
        return;
    }
    if (!wheel_meta_member((struct str){ t->body.p, t->body.n }, t->entry, &t->a, &text, &e)) {
        unusable(t->feed, t->project, t->rank, &e);
        feed_task_done(t);
        return;
    }
    learn(t, text);
}

void meta_done(struct feed_task *t)
{
    struct err e = { 0 };

    if (t->r.err.kind != ERR_NONE) {
        feed_fail(t->feed, &t->r.err);
        feed_task_done(t);
        return;
    }
    if (t->step == FEED_SIDE) {
        side_done(t);
        return;
    }
    if (t->r.status == 404 || t->r.status == 410) {
        (void)err_set(&e, ERR_PACKAGE, "the file is gone from the index");
        unusable(t->feed, t->project, t->rank, &e);
        feed_task_done(t);
        return;
    }
    if (!http_check_status(&t->r, &e)) {
        feed_fail(t->feed, &e);
        feed_task_done(t);
        return;
    }
    if (t->step == FEED_SDIST)
        sdist_done(t);
    else if (t->step == FEED_TAIL)
        tail_done(t);
    else
        member_done(t);
}
