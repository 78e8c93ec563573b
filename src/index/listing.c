#include "index/listing.h"

#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "index/page.h"
#include "pep/name.h"
#include "pep/sdist_name.h"
#include "pep/wheel_name.h"

#define MAGIC "BLSTLI1\n"

/* One file while the record is made. */
struct row {
    struct version version;
    uint32_t link; /* index into the page's links; keeps the page's order among equals */
    struct listing_file file;
};

struct builder {
    struct arena a;
    struct buf text;  /* what listing_text points into, before it is moved behind the tables */
    struct map seen;  /* Requires-Python text -> index */
    VEC(struct row) rows;
    VEC(struct listing_text) pythons;
    uint32_t skipped;
};

static struct listing_text add_text(struct builder *b, struct str s)
{
    struct listing_text t = { (uint32_t)b->text.n, (uint32_t)s.n };

    return buf_str(&b->text, s) ? t : (struct listing_text){ 0 };
}

static uint32_t add_python(struct builder *b, struct str s)
{
    bool fresh;

    if (s.n == 0)
        return UINT32_MAX;
    uint32_t i = map_get_or_add(&b->seen, s, (uint32_t)b->pythons.n, &fresh);

    if (fresh)
        VEC_PUSH_IN(&b->a, &b->pythons, add_text(b, s));
    return i;
}

/* Reads what the file name says. False: not a distribution of this project. */
static bool read_name(struct builder *b, const struct page_link *l, struct str project, struct row *r)
{
    struct err ignored;
    struct wheel_name w;
    struct sdist_name s;
    struct str version;

    if (str_ends(l->name, STR(".whl"))) {
        if (!wheel_name_parse(l->name, &w, &ignored) || !name_eq(w.project, project))
            return false;
        version = w.version;
        r->file.flags = LISTING_WHEEL;
        r->file.build_at = w.build.n ? (uint16_t)(w.build.p - l->name.p) : 0;
        r->file.tags_at = (uint16_t)(w.python.p - l->name.p);
        r->file.abi_at = (uint16_t)(w.abi.p - l->name.p);
        r->file.platform_at = (uint16_t)(w.platform.p - l->name.p);
    } else {
        if (!sdist_name_parse_for(l->name, project, &s, &ignored))
            return false;
        version = s.version;
    }
    if (str_find(l->name, '/') < l->name.n || memchr(l->name.p, '\0', l->name.n))
        return false; /* a build tag may hold anything, and this becomes a file's name */
    return l->name.n < UINT16_MAX && version_parse(version, &b->a, &r->version);
}

static void add_link(struct builder *b, const struct page_link *l, struct str project, uint32_t i)
{
    struct row r = { .link = i };

    if (!read_name(b, l, project, &r)) {
        b->skipped++;
        return;
    }
    r.file.name = add_text(b, l->name);
    r.file.url = add_text(b, l->url);
    r.file.yanked = add_text(b, l->yanked_reason);
    r.file.other_hash = add_text(b, l->other_hash);
    r.file.python = add_python(b, l->requires_python);
    r.file.flags |= (l->yanked ? LISTING_YANKED : 0) | (l->has_sha256 ? LISTING_SHA256 : 0) |
                    (l->has_metadata ? LISTING_METADATA : 0) | (l->has_metadata_sha256 ? LISTING_METADATA_SHA256 : 0) |
                    (l->has_size ? LISTING_SIZE : 0) | (l->has_uploaded ? LISTING_TIME : 0);
    r.file.size = l->size;
    r.file.uploaded = l->uploaded;
    memcpy(r.file.sha256, l->sha256, sizeof r.file.sha256);
    memcpy(r.file.metadata_sha256, l->metadata_sha256, sizeof r.file.metadata_sha256);
    VEC_PUSH_IN(&b->a, &b->rows, r);
}

static int row_order(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    int c = version_cmp(&a->version, &b->version);

    return c ? c : a->link < b->link ? -1 : a->link > b->link;
}

static void write_versions(struct builder *b, struct buf *out, uint32_t *count)
{
    for (uint32_t i = 0; i < b->rows.n;) {
        const struct version *v = &b->rows.p[i].version;
        struct listing_version lv = { .key = v->key, .n_release = v->n_release, .exact = !v->full, .first = i };

        lv.text = add_text(b, v->text);
        while (i < b->rows.n && version_cmp(&b->rows.p[i].version, v) == 0)
            i++;
        lv.n = i - lv.first;
        (void)buf_add(out, &lv, sizeof lv); /* out->full is looked at once, at the end */
        ++*count;
    }
}

static bool write_record(struct builder *b, const struct listing_source *s, struct str status, struct buf *out,
                         struct err *e)
{
    size_t start = out->n;
    struct listing_head h = {
        .magic = MAGIC,
        .n_files = (uint32_t)b->rows.n,
        .n_pythons = (uint32_t)b->pythons.n,
        .skipped = b->skipped,
        .checked = s->checked,
        .until = s->until,
        .by_ttl = s->by_ttl,
        .absent = s->absent,
        .etag = add_text(b, s->etag),
        .last_modified = add_text(b, s->last_modified),
        .url = add_text(b, s->url),
        .status = add_text(b, status),
    };

    if (b->rows.n)
        qsort(b->rows.p, b->rows.n, sizeof *b->rows.p, row_order);
    (void)buf_add(out, &h, sizeof h);
    write_versions(b, out, &h.n_versions);
    for (size_t i = 0; i < b->rows.n; i++)
        (void)buf_add(out, &b->rows.p[i].file, sizeof b->rows.p[i].file);
    (void)buf_add(out, b->pythons.p, b->pythons.n * sizeof *b->pythons.p);
    (void)buf_str(out, buf_done(&b->text));
    if (out->full || b->text.full)
        return err_set(e, ERR_PACKAGE, "the page of '" STR_FMT "' is larger than %zu bytes", STR_ARG(s->project),
                       out->limit);
    memcpy(out->p + start, &h, sizeof h);
    return true;
}

bool listing_from_links(const struct page *page, const struct listing_source *s, struct buf *out, struct err *e)
{
    struct builder b = { 0 };

    buf_init(&b.text, LISTING_PAGE_MAX);
    for (uint32_t i = 0; i < page->n; i++)
        add_link(&b, &page->link[i], s->project, i);
    bool ok = write_record(&b, s, page->status, out, e);

    buf_clear(&b.text);
    map_clear(&b.seen);
    arena_clear(&b.a);
    return ok;
}

bool listing_build(struct str body, const struct listing_source *s, struct buf *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct page page = { 0 };

    if ((!s->absent && !page_parse(body, s->content_type, s->url, &a, &page, e)) ||
        !listing_from_links(&page, s, out, e))
        return err_wrap(e, "read the index page of '" STR_FMT "'", STR_ARG(s->project));
    return true;
}

bool listing_open(struct str record, struct listing *out)
{
    const struct listing_head *h = (const void *)record.p;

    if (record.n < sizeof *h || memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
        return false;
    uint64_t need = sizeof *h + (uint64_t)h->n_versions * sizeof(struct listing_version) +
                    (uint64_t)h->n_files * sizeof(struct listing_file) +
                    (uint64_t)h->n_pythons * sizeof(struct listing_text);

    if (need > record.n)
        return false;
    const struct listing_version *v = (const void *)(h + 1);
    const struct listing_file *f = (const void *)(v + h->n_versions);
    const struct listing_text *p = (const void *)(f + h->n_files);

    *out = (struct listing){ .record = record, .head = h, .version = v, .file = f, .python = p };
    return true;
}

struct str listing_text(const struct listing *l, struct listing_text t)
{
    const char *text = (const char *)(l->python + l->head->n_pythons);
    size_t size = (size_t)(l->record.p + l->record.n - text);

    if (t.at > size || t.n > size - t.at)
        return STR("");
    return (struct str){ text + t.at, t.n };
}

bool listing_version(const struct listing *l, uint32_t i, struct arena *a, struct version *out)
{
    const struct listing_version *v = &l->version[i];
    struct str text = listing_text(l, v->text);

    if (v->first > l->head->n_files || v->n > l->head->n_files - v->first || v->n == 0)
        return false;
    if (!v->exact)
        return version_parse(text, a, out);
    if (v->n_release == 0 || v->n_release > VERSION_INLINE || text.n == 0)
        return false; /* an exact version never looks like that, and others size their arrays by it */
    *out = (struct version){ .key = v->key, .text = text, .n_release = v->n_release };
    return true;
}

void listing_tags(const struct listing *l, const struct listing_file *f, struct str *build, struct str *python,
                  struct str *abi, struct str *platform)
{
    struct str name = listing_text(l, f->name);

    *build = *python = *abi = *platform = STR("");
    if (name.n < 4 || f->tags_at < 1 || f->abi_at <= f->tags_at || f->platform_at <= f->abi_at ||
        f->platform_at > name.n - 4 || (f->build_at && f->build_at >= f->tags_at))
        return;
    if (f->build_at)
        *build = str_sub(name, f->build_at, f->tags_at - 1u);
    *python = str_sub(name, f->tags_at, f->abi_at - 1u);
    *abi = str_sub(name, f->abi_at, f->platform_at - 1u);
    *platform = str_sub(name, f->platform_at, name.n - 4);
}
