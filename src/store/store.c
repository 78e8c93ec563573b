#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/meta.h"

#define SAMPLE_SIZES 3
#define SAMPLE_BYTES (64u << 10) /* the largest file whose content is sampled */
#define WALK_DEPTH 100

static char *absolute_path(const char *path, struct err *e)
{
    char *real = realpath(path, NULL);

    if (!real)
        (void)err_sys(e, "resolve %s", path);
    return real;
}

bool store_open(const char *path, struct store *out, struct err *e)
{
    AUTO_FD dir = -1;
    AUTO_FD trees = -1;

    if (!file_make_dirs(AT_FDCWD, path, 0755, e) || !fd_open_dir(AT_FDCWD, path, &dir, e) ||
        !file_make_dirs(dir, "trees-v1", 0755, e) || !file_make_dirs(dir, "tmp", 0755, e) ||
        !fd_open_dir(dir, "trees-v1", &trees, e))
        return err_as(e, ERR_CACHE, "open the store '%s'", path);
    char *real = absolute_path(path, e);

    if (!real)
        return err_as(e, ERR_CACHE, "open the store '%s'", path);
    *out = (struct store){ dir, trees, real };
    dir = trees = -1;
    return true;
}

void store_close(struct store *s)
{
    fd_close(&s->dir);
    fd_close(&s->trees);
    free(s->path);
    s->path = NULL;
}

void store_tree_path(const char *hex, char out[STORE_TREE_PATH])
{
    (void)snprintf(out, STORE_TREE_PATH, "trees-v1/%.2s/%.64s", hex, hex);
}

static const struct meta_head *head_of(const struct store_entry *entry)
{
    return (const struct meta_head *)(const void *)entry->map.p;
}

static struct str text_of(struct str map, struct meta_text t)
{
    return t.at <= map.n && t.n <= map.n - t.at ? str_sub(map, t.at, (size_t)t.at + t.n) : STR("");
}

static bool fits(struct str map, uint32_t at, uint32_t n, size_t size)
{
    return at % 8 == 0 && at <= map.n && n <= (map.n - at) / size;
}

/* Whole, ours, of this entry; after this every offset of a table is inside. */
static bool record_is_good(struct str map, const char *hex)
{
    const struct meta_head *h = (const void *)map.p;
    size_t covered = offsetof(struct meta_head, total);

    return map.n >= sizeof *h && memcmp(h->magic, META_MAGIC, sizeof h->magic) == 0 && h->total == map.n &&
           memcmp(h->hex, hex, HASH_HEX256) == 0 && h->check == hash_fast(map.p + covered, map.n - covered) &&
           fits(map, h->files_at, h->files, sizeof(struct meta_file)) &&
           fits(map, h->tops_at, h->tops, sizeof(struct meta_top)) &&
           fits(map, h->points_at, h->points, sizeof(struct meta_point));
}

static bool hex_is_good(const char *hex, struct err *e)
{
    unsigned char raw[HASH_SHA256];

    return hash_from_hex(str_of(hex), raw, sizeof raw) ? true : err_set(e, ERR_CACHE, "'%s' is no sha256", hex);
}

bool store_find(const struct store *s, const char *hex, struct store_entry *out, bool *there, struct err *e)
{
    char path[STORE_TREE_PATH + sizeof META_PATH + 1];
    AUTO_FD fd = -1;
    struct str map;

    *there = false;
    if (!hex_is_good(hex, e))
        return false;
    store_tree_path(hex, path);
    size_t n = strlen(path);

    (void)snprintf(path + n, sizeof path - n, "/%s", META_PATH);
    if (!fd_open_if_there(s->dir, path, O_RDONLY | O_NOFOLLOW, &fd, there, e))
        return err_as(e, ERR_CACHE, "look into the store");
    if (!*there)
        return true;
    *there = false;
    if (!fd_map(fd, path, &map, e))
        return err_as(e, ERR_CACHE, "look into the store");
    if (!record_is_good(map, hex)) {
        if (map.n)
            fd_unmap(&map);
        return true;
    }
    const struct meta_head *h = (const void *)map.p;

    *out = (struct store_entry){
        .map = map,
        .name = text_of(map, h->name),
        .version = text_of(map, h->version),
        .dist_info = text_of(map, h->dist_info),
        .flags = h->flags,
        .files = h->files,
        .tops = h->tops,
        .points = h->points,
        .bytes = h->bytes,
    };
    memcpy(out->hex, hex, HASH_HEX256 + 1);
    *there = true;
    return true;
}

void store_release(struct store_entry *entry)
{
    if (entry->map.n)
        fd_unmap(&entry->map);
    *entry = (struct store_entry){ 0 };
}

static const void *row_of(const struct store_entry *entry, uint32_t at, uint32_t i, uint32_t n, size_t size)
{
    if (i >= n)
        BUG("row %u of %u in a store record", i, n);
    return entry->map.p + at + i * size;
}

struct store_file store_file_get(const struct store_entry *entry, uint32_t i)
{
    const struct meta_file *f = row_of(entry, head_of(entry)->files_at, i, entry->files, sizeof *f);

    return (struct store_file){ text_of(entry->map, f->path), f->size, f->sha256, f->fast, (enum store_place)f->place,
                                f->executable != 0 };
}

struct store_top store_top_get(const struct store_entry *entry, uint32_t i)
{
    const struct meta_top *t = row_of(entry, head_of(entry)->tops_at, i, entry->tops, sizeof *t);
    uint32_t first = MIN(t->first, entry->files);

    return (struct store_top){ text_of(entry->map, t->name), (enum store_top_kind)t->kind, first,
                               MIN(t->n, entry->files - first) };
}

struct store_point store_point_get(const struct store_entry *entry, uint32_t i)
{
    const struct meta_point *p = row_of(entry, head_of(entry)->points_at, i, entry->points, sizeof *p);

    return (struct store_point){ text_of(entry->map, p->name), text_of(entry->map, p->object), p->gui != 0 };
}

uint32_t store_file_from(const struct store_entry *entry, struct str path)
{
    uint32_t lo = 0, hi = entry->files;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (str_cmp(store_file_get(entry, mid).path, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t store_file_find(const struct store_entry *entry, struct str path)
{
    uint32_t at = store_file_from(entry, path);

    return at < entry->files && str_eq(store_file_get(entry, at).path, path) ? at : UINT32_MAX;
}

static bool open_tree(const struct store *s, const struct store_entry *entry, int *out, struct err *e)
{
    char path[STORE_TREE_PATH];

    store_tree_path(entry->hex, path);
    return fd_open(s->dir, path, O_PATH | O_DIRECTORY, 0, out, e);
}

static bool path_cstr(struct str path, char out[PATH_MAX], struct err *e)
{
    if (path.n >= PATH_MAX)
        return err_set(e, ERR_CACHE, "a path in the store has %zu bytes", path.n);
    memcpy(out, path.p, path.n);
    out[path.n] = '\0';
    return true;
}

static bool damaged(const struct store_entry *entry, struct str path, const char *what, struct err *e)
{
    (void)err_set(e, ERR_CACHE, "'" STR_FMT "' of '" STR_FMT " " STR_FMT "' in the store %s", STR_ARG(path),
                  STR_ARG(entry->name), STR_ARG(entry->version), what);
    return err_hint(e, "run 'blast cache verify': what is damaged is fetched again");
}

static bool check_size(int tree, const struct store_entry *entry, const struct store_file *f, struct err *e)
{
    char path[PATH_MAX];
    struct stat st;

    if (!path_cstr(f->path, path, e))
        return false;
    if (fstatat(tree, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return damaged(entry, f->path, "is missing", e);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->size)
        return damaged(entry, f->path, "has another size than was stored", e);
    return true;
}

static bool check_content(int tree, const struct store_entry *entry, const struct store_file *f, bool fast,
                          struct err *e)
{
    unsigned char sha[HASH_SHA256];
    char path[PATH_MAX];
    AUTO_FD fd = -1;
    struct str map;

    if (!path_cstr(f->path, path, e) || !fd_open(tree, path, O_RDONLY | O_NOFOLLOW, 0, &fd, e))
        return false;
    if (!fast) {
        if (!hash_sha256_file(fd, path, sha, e))
            return false;
        return memcmp(sha, f->sha256, sizeof sha) == 0 ? true : damaged(entry, f->path, "was changed", e);
    }
    if (!fd_map(fd, path, &map, e))
        return false;
    bool same = hash_fast(map.p, map.n) == f->fast;

    if (map.n)
        fd_unmap(&map);
    return same ? true : damaged(entry, f->path, "was changed", e);
}

bool store_sample(const struct store *s, const struct store_entry *entry, struct err *e)
{
    AUTO_FD tree = -1;
    bool content = false;

    if (entry->files == 0)
        return true;
    if (!open_tree(s, entry, &tree, e))
        return err_as(e, ERR_CACHE, "check '" STR_FMT "' in the store", STR_ARG(entry->name));
    uint32_t n = MIN(entry->files, SAMPLE_SIZES);
    uint32_t step = entry->files / n;
    uint32_t at = (uint32_t)(clock_us() % entry->files);

    for (uint32_t i = 0; i < n; i++, at = (at + step) % entry->files) {
        struct store_file f = store_file_get(entry, at);

        if (!check_size(tree, entry, &f, e))
            return false;
        if (!content && f.size && f.size <= SAMPLE_BYTES) {
            content = true;
            if (!check_content(tree, entry, &f, true, e))
                return false;
        }
    }
    return true;
}

/* Nothing but the recorded files, the record and bytecode. `path` is the directory relative to the tree. */
static bool check_nothing_else(int dir, const struct store_entry *entry, struct str path, unsigned depth, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    char below[PATH_MAX];

    if (depth > WALK_DEPTH)
        return damaged(entry, path, "is nested too deep", e);
    err_clear(e);
    if (!file_list_open(dir, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        int n = snprintf(below, sizeof below, "%.*s%s%s", (int)path.n, path.n ? path.p : "", path.n ? "/" : "",
                         d->d_name);
        struct str name = { below, (size_t)MAX(n, 0) };

        if (n < 0 || (size_t)n >= sizeof below)
            return damaged(entry, path, "holds a name that is too long", e);
        if (strcmp(d->d_name, "__pycache__") == 0 || str_eq(name, STR(META_PATH)) || str_eq(name, STR(STORE_RECORD)))
            continue;
        if (d->d_type == DT_DIR) {
            AUTO_FD sub = -1;

            if (!fd_open(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &sub, e) ||
                !check_nothing_else(sub, entry, name, depth + 1, e))
                return false;
        } else if (store_file_find(entry, name) == UINT32_MAX) {
            return damaged(entry, name, "does not belong there", e);
        }
    }
    return e->kind == ERR_NONE;
}

bool store_verify(const struct store *s, const struct store_entry *entry, struct err *e)
{
    char path[STORE_TREE_PATH];
    AUTO_FD tree = -1;

    store_tree_path(entry->hex, path);
    if (!fd_open_dir(s->dir, path, &tree, e))
        return err_as(e, ERR_CACHE, "verify '" STR_FMT "' in the store", STR_ARG(entry->name));
    for (uint32_t i = 0; i < entry->files; i++) {
        struct store_file f = store_file_get(entry, i);

        if (!check_size(tree, entry, &f, e) || !check_content(tree, entry, &f, false, e))
            return err_as(e, ERR_CACHE, "verify '" STR_FMT "' in the store", STR_ARG(entry->name));
    }
    if (!check_nothing_else(tree, entry, STR(""), 0, e))
        return err_as(e, ERR_CACHE, "verify '" STR_FMT "' in the store", STR_ARG(entry->name));
    return true;
}

bool store_drop(const struct store *s, const char *hex, struct err *e)
{
    char path[STORE_TREE_PATH], aside[96];
    static _Atomic unsigned counter;

    if (!hex_is_good(hex, e))
        return false;
    store_tree_path(hex, path);
    (void)snprintf(aside, sizeof aside, "tmp/drop.%.16s.%ld.%u", hex, (long)getpid(), counter++);
    (void)!fchmodat(s->dir, path, 0755, 0); /* a directory that moves must be writable; rename tells if it matters */
    if (renameat(s->dir, path, s->dir, aside) < 0)
        return errno == ENOENT ? true : err_sys(e, "move %s out of the store", path);
    return file_remove_tree(s->dir, aside, e);
}
