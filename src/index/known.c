#include "index/known.h"

#include <stdio.h>
#include "base/arena.h"
#include "base/fd.h"
#include "base/hash.h"
#include "pep/metadata.h"
#include "store/cache.h"

#define RECORD_MAX ((size_t)1 << 30)
#define FRESH 0x80000000u /* the offset is into `fresh` */
#define TEXTS_MAX 100000u

/* An entry: head, then for each text its length (4 bytes) and its bytes, padded to 8. */
struct entry {
    uint64_t key;
    uint64_t check; /* hash_fast of what follows it */
    uint32_t size;  /* of head, texts and padding */
    uint32_t n_requires, n_extra;
    uint32_t passing; /* not for the disk: 0 there */
};

uint64_t known_key(struct str file_name, const unsigned char sha256[32])
{
    uint64_t front;

    memcpy(&front, sha256, sizeof front);
    return hash_fast(file_name.p, file_name.n) ^ front;
}

static uint64_t checksum(const struct entry *en)
{
    const char *from = (const char *)&en->size;

    return hash_fast(from, en->size - (size_t)(from - (const char *)en));
}

/* The whole entry at an offset, or NULL where the record ends being one. */
static const struct entry *entry_at(struct str record, size_t at)
{
    if (at > record.n || record.n - at < sizeof(struct entry))
        return NULL;
    const struct entry *en = (const void *)(record.p + at);

    return en->size >= sizeof *en && en->size % 8 == 0 && en->size <= record.n - at ? en : NULL;
}

void known_open(const struct cache *c, struct str project, struct known *out)
{
    char name[128];

    *out = (struct known){ .fd = -1 };
    buf_init(&out->fresh, RECORD_MAX);
    cache_name(project, "", name);
    if (!cache_map(c, name, &out->record, &out->fd)) {
        out->record = STR("");
        return;
    }
    for (size_t at = 0; at < FRESH;) {
        const struct entry *en = entry_at(out->record, at);

        if (!en || en->check != checksum(en))
            break;
        map_put_u64(&out->index, en->key, (uint32_t)at);
        at += en->size;
        out->whole = at;
    }
}

/* What was learned to be kept, behind `front`. */
static void gather_kept(const struct known *k, struct str front, struct buf *out)
{
    (void)buf_str(out, front); /* one that does not fit is not written, see known_close() */
    for (size_t at = 0; at < k->fresh.n;) {
        const struct entry *en = (const void *)(k->fresh.p + at);

        if (!en->passing)
            (void)buf_add(out, en, en->size);
        at += en->size;
    }
}

void known_close(struct known *k, const struct cache *c, struct str project)
{
    bool torn = k->whole < k->record.n;
    AUTO_BUF b;
    char name[128];

    buf_init(&b, RECORD_MAX);
    gather_kept(k, torn ? str_sub(k->record, 0, k->whole) : STR(""), &b);
    cache_name(project, "", name);
    /* behind a torn entry nothing would be found again. A cache: what cannot be written is asked for next time */
    if (b.n && !b.full && torn)
        (void)cache_put(c, name, buf_done(&b));
    else if (b.n && !b.full)
        (void)cache_append(c, name, buf_done(&b));
    buf_clear(&k->fresh);
    map_clear(&k->index);
    fd_unmap(&k->record);
    fd_close(&k->fd);
}

bool known_has(const struct known *k, uint64_t key)
{
    return map_find_u64(&k->index, key) != MAP_NONE;
}

/* Takes the next text of the entry; "" past its end. */
static struct str next_text(const char **at, const char *end)
{
    uint32_t n;

    if (end - *at < (ptrdiff_t)sizeof n)
        return STR("");
    memcpy(&n, *at, sizeof n);
    *at += sizeof n;
    if (n > (size_t)(end - *at))
        n = (uint32_t)(end - *at);
    struct str s = { *at, n };

    *at += n;
    return s;
}

static const struct str *texts(const char **at, const char *end, size_t n, struct arena *a)
{
    struct str *list = ARENA_ARRAY(a, struct str, n);

    for (size_t i = 0; i < n; i++)
        list[i] = next_text(at, end);
    return list;
}

bool known_find(const struct known *k, uint64_t key, struct arena *a, struct known_meta *out)
{
    uint32_t at = map_find_u64(&k->index, key);

    if (at == MAP_NONE)
        return false;
    struct str record = at & FRESH ? (struct str){ k->fresh.p, k->fresh.n } : k->record;
    const struct entry *en = entry_at(record, at & ~FRESH);

    if (!en || en->n_requires > TEXTS_MAX || en->n_extra > TEXTS_MAX)
        return false;
    const char *p = (const char *)(en + 1), *end = (const char *)en + en->size;

    out->requires_python = next_text(&p, end);
    out->n_requires = en->n_requires;
    out->n_extra = en->n_extra;
    out->requires = texts(&p, end, en->n_requires, a);
    out->extra = texts(&p, end, en->n_extra, a);
    return true;
}

static void add_text(struct buf *b, struct str s)
{
    uint32_t n = (uint32_t)s.n;

    (void)buf_add(b, &n, sizeof n); /* known_add() looks at `full` */
    (void)buf_str(b, s);
}

bool known_add(struct known *k, uint64_t key, const struct metadata *m, bool keep)
{
    size_t start = k->fresh.n;
    struct entry en = {
        .key = key,
        .n_requires = (uint32_t)m->n_requires_dist,
        .n_extra = (uint32_t)m->n_provides_extra,
        .passing = !keep,
    };

    if (m->n_requires_dist > TEXTS_MAX || m->n_provides_extra > TEXTS_MAX || start >= FRESH)
        return false;
    (void)buf_add(&k->fresh, &en, sizeof en);
    add_text(&k->fresh, m->requires_python);
    for (size_t i = 0; i < m->n_requires_dist; i++)
        add_text(&k->fresh, m->requires_dist[i]);
    for (size_t i = 0; i < m->n_provides_extra; i++)
        add_text(&k->fresh, m->provides_extra[i]);
    while (k->fresh.n % 8 && !k->fresh.full)
        (void)buf_char(&k->fresh, '\0');
    if (k->fresh.full) {
        k->fresh.n = start;
        k->fresh.full = false;
        return false;
    }
    struct entry *put = (void *)(k->fresh.p + start);

    put->size = (uint32_t)(k->fresh.n - start);
    put->check = checksum(put);
    map_put_u64(&k->index, key, (uint32_t)start | FRESH);
    return true;
}
