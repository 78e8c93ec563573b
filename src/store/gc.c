#include "store/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "store/guard.h"
#include "store/store.h"

#define STALE_SECONDS 3600

struct found {
    char hex[HASH_HEX256 + 1];
    uint64_t bytes;
    int64_t made;
};

struct collection {
    VEC(struct found) dead;
    uint64_t total; /* bytes of all entries */
    uint32_t kept;
};

static bool look_at(const struct store *s, int fan, const char *hex, const struct map *live, struct collection *c,
                    struct err *e)
{
    struct found f = { .bytes = 0 };
    struct store_entry entry;
    struct stat st;
    bool there;

    if (strlen(hex) != HASH_HEX256)
        return true; /* not ours */
    if (!store_find(s, hex, &entry, &there, e))
        return false;
    if (there) {
        f.bytes = entry.bytes;
        store_release(&entry);
    }
    c->total += f.bytes;
    if (map_find(live, str_of(hex)) != MAP_NONE) {
        c->kept++;
        return true;
    }
    f.made = fstatat(fan, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtime : 0;
    memcpy(f.hex, hex, sizeof f.hex);
    VEC_PUSH(&c->dead, f);
    return true;
}

static bool look_at_fan(const struct store *s, const char *fan, const struct map *live, struct collection *c,
                        struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!file_list_open(s->trees, fan, &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!look_at(s, dirfd(list.handle), d->d_name, live, c, e))
            return false;
    return e->kind == ERR_NONE;
}

static int by_age(const void *x, const void *y)
{
    const struct found *a = x, *b = y;

    return a->made != b->made ? (a->made > b->made) - (a->made < b->made) : strcmp(a->hex, b->hex);
}

/* The oldest first, until no more than `limit` bytes are left. */
static bool remove_dead(const struct store *s, struct collection *c, const struct gc_spec *spec, struct gc_result *r,
                        struct err *e)
{
    if (c->dead.n)
        qsort(c->dead.p, c->dead.n, sizeof *c->dead.p, by_age);
    r->kept = c->kept;
    for (size_t i = 0; i < c->dead.n; i++) {
        if (spec->limit && c->total <= spec->limit) {
            r->kept += (uint32_t)(c->dead.n - i);
            return true;
        }
        if (!spec->dry_run && !store_drop(s, c->dead.p[i].hex, e))
            return false;
        c->total -= c->dead.p[i].bytes;
        r->bytes += c->dead.p[i].bytes;
        r->removed++;
    }
    return true;
}

static bool collect(const struct store *s, const struct gc_spec *spec, struct collection *c, struct gc_result *r,
                    struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!file_list_open(s->trees, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!look_at_fan(s, d->d_name, spec->live, c, e))
            return false;
    return e->kind == ERR_NONE && remove_dead(s, c, spec, r, e);
}

/* We hold the store alone, so whatever lies there belongs to nobody; the hour is for other hosts on a shared disk. */
static bool sweep_remains(const struct store *s, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD tmp = -1;
    const struct dirent *d;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* file times are by this clock, never by BLAST_NOW */
    if (!fd_open_dir(s->dir, "tmp", &tmp, e) || !file_list_open(tmp, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct stat st;

        if (fstatat(tmp, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && now.tv_sec - st.st_mtime > STALE_SECONDS &&
            !file_remove_tree(tmp, d->d_name, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

bool gc_run(const struct store *s, const struct gc_spec *spec, struct gc_result *out, struct err *e)
{
    struct collection c = { 0 };
    struct gc_result r = { 0 };
    AUTO_FD lock = -1;

    err_clear(e);
    if (!guard_try(s, GUARD_ALONE, &lock, e))
        return false;
    if (lock < 0) {
        (void)err_set(e, ERR_CACHE, "the store '%s' is in use", s->path);
        (void)err_hint(e, "wait until the running installation is done");
        return err_exit(e, 7);
    }
    bool ok = collect(s, spec, &c, &r, e) && (spec->dry_run || sweep_remains(s, e));

    VEC_CLEAR(&c.dead);
    if (!ok)
        return err_as(e, ERR_CACHE, "clean the store '%s'", s->path);
    *out = r;
    return true;
}
