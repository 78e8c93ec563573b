#include "sync/metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "config/dirs.h"

#define MAGIC "blstmet1"

/* Upper ends of the histogram of durations, in microseconds; one more bucket takes the rest. */
static const uint64_t bucket_us[] = { 10000, 30000, 100000, 300000, 1000000, 3000000, 10000000, 60000000 };
#define BUCKETS (COUNT(bucket_us) + 1)

struct head {
    char magic[8];
    uint64_t check; /* hash_fast() of all behind this field */
    uint64_t n;     /* syncs recorded; slot of the next: n % METRICS_RING */
    int64_t since;
    uint64_t outcomes[METRICS_OUTCOMES], buckets[BUCKETS];
    uint64_t total_us, us[PHASES], bytes, pages, metadata, wheels, hits, added, removed, replaced;
};

static uint64_t check_of(const struct head *h)
{
    return hash_fast(&h->n, sizeof *h - offsetof(struct head, n));
}

static void add(struct head *h, const struct metrics_record *r)
{
    size_t b = 0;

    while (b < COUNT(bucket_us) && r->total_us > bucket_us[b])
        b++;
    if (h->n++ == 0)
        h->since = r->when;
    h->buckets[b]++;
    h->outcomes[MIN(r->outcome, (uint32_t)METRICS_OUTCOMES - 1)]++;
    h->total_us += r->total_us;
    for (unsigned i = 0; i < PHASES; i++)
        h->us[i] += r->us[i];
    h->bytes += r->bytes;
    h->pages += r->pages;
    h->metadata += r->metadata;
    h->wheels += r->wheels;
    h->hits += r->hits;
    h->added += r->added;
    h->removed += r->removed;
    h->replaced += r->replaced;
}

static bool open_file(const struct dirs *d, int flags, int *fd, bool *there, struct err *e)
{
    AUTO_ARENA a = { 0 };
    const char *path = arena_printf(&a, "%s/metrics", d->state).p;

    if (!fd_open_if_there(AT_FDCWD, path, flags | O_NOFOLLOW, fd, there, e))
        return false;
    if (*there || !(flags & O_RDWR))
        return true;
    *there = true;
    return file_make_dirs(AT_FDCWD, d->state, 0700, e) &&
           fd_open(AT_FDCWD, path, flags | O_CREAT | O_NOFOLLOW, 0600, fd, e);
}

/* False for what was never written, is torn or of another format. */
static bool read_head(int fd, struct head *h)
{
    bool good = pread(fd, h, sizeof *h, 0) == (ssize_t)sizeof *h && memcmp(h->magic, MAGIC, sizeof h->magic) == 0 &&
                h->check == check_of(h);

    if (!good)
        *h = (struct head){ 0 };
    return good;
}

static off_t slot_at(uint64_t n)
{
    return (off_t)(sizeof(struct head) + n % METRICS_RING * sizeof(struct metrics_record));
}

bool metrics_append(const struct dirs *d, const struct metrics_record *r, struct err *e)
{
    AUTO_FD fd = -1;
    struct head h;
    bool there;

    if (!open_file(d, O_RDWR, &fd, &there, e) || !fd_lock(fd, true, "the metrics", e))
        return false;
    (void)!read_head(fd, &h); /* a bad one begins anew */
    off_t slot = slot_at(h.n);

    add(&h, r);
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.check = check_of(&h);
    if (pwrite(fd, r, sizeof *r, slot) != (ssize_t)sizeof *r || pwrite(fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
        return err_sys(e, "write the metrics");
    return true;
}

/* Opens and locks them to read; *any is false when there are none. */
static bool begin_reading(const struct dirs *d, int *fd, struct head *h, bool *any, struct err *e)
{
    if (!open_file(d, O_RDONLY, fd, any, e))
        return false;
    if (!*any)
        return true;
    if (!fd_lock(*fd, false, "the metrics", e))
        return false;
    *any = read_head(*fd, h) && h->n > 0;
    return true;
}

bool metrics_recent(const struct dirs *d, struct arena *a, struct metrics_record **out, size_t *n, struct err *e)
{
    AUTO_FD fd = -1;
    struct head h;
    bool any;

    *out = NULL;
    *n = 0;
    if (!begin_reading(d, &fd, &h, &any, e))
        return false;
    if (!any)
        return true;
    size_t have = (size_t)MIN(h.n, (uint64_t)METRICS_RING);
    struct metrics_record *p = ARENA_ARRAY(a, struct metrics_record, have);

    for (size_t i = 0; i < have; i++)
        if (pread(fd, &p[i], sizeof *p, slot_at(h.n - have + i)) != (ssize_t)sizeof *p)
            return err_sys(e, "read the metrics");
    *out = p;
    *n = have;
    return true;
}

/* ------------------------------------------------------------ OpenMetrics */

static void family(struct buf *out, const char *name, const char *type, const char *unit, const char *help)
{
    (void)buf_printf(out, "# TYPE blast_%s %s\n", name, type);
    if (*unit)
        (void)buf_printf(out, "# UNIT blast_%s %s\n", name, unit);
    (void)buf_printf(out, "# HELP blast_%s %s\n", name, help);
}

static void counter(struct buf *out, const char *name, const char *unit, const char *help, uint64_t v)
{
    family(out, name, "counter", unit, help);
    (void)buf_printf(out, "blast_%s_total %llu\n", name, (unsigned long long)v);
}

static void durations(const struct head *h, struct buf *out)
{
    static const char *const phase[PHASES] = { "prepare", "resolve", "fetch", "install" };
    uint64_t sum = 0;

    family(out, "sync_duration_seconds", "histogram", "seconds", "how long syncs took");
    for (size_t i = 0; i < COUNT(bucket_us); i++) {
        sum += h->buckets[i];
        (void)buf_printf(out, "blast_sync_duration_seconds_bucket{le=\"%.2f\"} %llu\n", (double)bucket_us[i] / 1e6,
                         (unsigned long long)sum);
    }
    (void)buf_printf(out, "blast_sync_duration_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)h->n);
    (void)buf_printf(out, "blast_sync_duration_seconds_count %llu\n", (unsigned long long)h->n);
    (void)buf_printf(out, "blast_sync_duration_seconds_sum %.6f\n", (double)h->total_us / 1e6);
    family(out, "sync_phase_seconds", "counter", "seconds", "time by phase");
    for (unsigned i = 0; i < PHASES; i++)
        (void)buf_printf(out, "blast_sync_phase_seconds_total{phase=\"%s\"} %.6f\n", phase[i], (double)h->us[i] / 1e6);
}

static void counts(const struct head *h, struct buf *out)
{
    static const char *const outcome[METRICS_OUTCOMES] = { "unchanged", "changed", "failed", "denied" };
    const struct {
        const char *word;
        uint64_t n;
    } change[] = { { "added", h->added }, { "removed", h->removed }, { "replaced", h->replaced } };

    family(out, "syncs", "counter", "", "syncs by outcome");
    for (unsigned i = 0; i < METRICS_OUTCOMES; i++)
        (void)buf_printf(out, "blast_syncs_total{outcome=\"%s\"} %llu\n", outcome[i],
                         (unsigned long long)h->outcomes[i]);
    family(out, "packages", "counter", "", "packages changed in environments");
    for (unsigned i = 0; i < COUNT(change); i++)
        (void)buf_printf(out, "blast_packages_total{change=\"%s\"} %llu\n", change[i].word,
                         (unsigned long long)change[i].n);
    counter(out, "index_pages", "", "index pages asked for", h->pages);
    counter(out, "metadata_files", "", "metadata files asked for", h->metadata);
    counter(out, "wheels_fetched", "", "wheels downloaded", h->wheels);
    counter(out, "store_hits", "", "wheels that were in the store already", h->hits);
    counter(out, "received_bytes", "bytes", "bytes received for syncs", h->bytes);
}

bool metrics_openmetrics(const struct dirs *d, struct buf *out, struct err *e)
{
    AUTO_FD fd = -1;
    struct head h;
    bool any;

    if (!begin_reading(d, &fd, &h, &any, e))
        return false;
    if (!any)
        return true;
    counts(&h, out);
    durations(&h, out);
    return !out->full || err_set(e, ERR_IO, "the metrics need more than %zu bytes", out->limit);
}
