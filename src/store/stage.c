#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "store/meta.h"
#include "store/store.h"

#define META_LIMIT (1u << 30)

bool store_stage_open(const struct store *s, const char *hex, struct store_stage *out, struct err *e)
{
    static _Atomic unsigned counter;
    AUTO_FD dir = -1;
    struct store_stage st = { .dir = -1 };

    if (strlen(hex) != HASH_HEX256)
        return err_set(e, ERR_CACHE, "'%s' is no sha256", hex);
    memcpy(st.hex, hex, sizeof st.hex);
    (void)snprintf(st.name, sizeof st.name, "tmp/%.16s.%ld.%u", hex, (long)getpid(), counter++);
    if (mkdirat(s->dir, st.name, 0755) < 0) {
        /* Left behind by a process of our number that was killed. */
        if (errno != EEXIST || !file_remove_tree(s->dir, st.name, e) || mkdirat(s->dir, st.name, 0755) < 0)
            return err_sys(e, "make directory %s in the store", st.name);
    }
    if (!fd_open_dir(s->dir, st.name, &dir, e))
        return false;
    if (mkdirat(dir, STORE_RESERVED, 0755) < 0)
        return err_sys(e, "make directory %s in the store", st.name);
    st.dir = dir;
    dir = -1;
    *out = st;
    return true;
}

void store_stage_drop(const struct store *s, struct store_stage *stage)
{
    struct err ignored = { 0 }; /* what stays is swept by gc */

    fd_close(&stage->dir);
    if (stage->name[0])
        (void)!file_remove_tree(s->dir, stage->name, &ignored);
    stage->name[0] = '\0';
}

static int file_order(const void *a, const void *b)
{
    const struct store_draft_file *x = a, *y = b;

    return str_cmp(x->path, y->path);
}

static bool is_identifier(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_alpha(s.p[i]) && s.p[i] != '_' && !((unsigned char)s.p[i] & 0x80) &&
            !(i > 0 && char_is_digit(s.p[i])))
            return false;
    return s.n > 0;
}

/* files[first..first+n) lie in the folder `name`. */
static enum store_top_kind kind_of_folder(const struct store_draft *d, struct str name, size_t first, size_t n)
{
    if (str_eq(name, d->dist_info))
        return STORE_TOP_DIST_INFO;
    if (!is_identifier(name))
        return STORE_TOP_PACKAGE;
    for (size_t i = first; i < first + n; i++) {
        struct str path = d->files[i].path;

        if (str_starts(str_sub(path, name.n + 1, path.n), STR("__init__.")))
            return STORE_TOP_PACKAGE;
    }
    return STORE_TOP_NAMESPACE;
}

struct writer {
    struct buf *buf;
    VEC(struct meta_top) tops;
    uint64_t bytes;
};

static struct meta_text add_text(struct buf *b, struct str s)
{
    struct meta_text t = { (uint32_t)b->n, (uint32_t)s.n };

    (void)buf_str(b, s); /* `full` is looked at once, at the end */
    return t;
}

static void pad(struct buf *b)
{
    while (b->n % 8 && !b->full)
        (void)buf_char(b, '\0');
}

static void add_tops(struct writer *w, const struct store_draft *d)
{
    for (size_t i = 0, n; i < d->n_files; i += n) {
        struct str path = d->files[i].path;
        size_t slash = str_find(path, '/');
        struct str name = str_sub(path, 0, slash);
        enum store_top_kind kind = STORE_TOP_MODULE;

        n = 1;
        if (slash < path.n) {
            struct str folder = str_sub(path, 0, slash + 1);

            while (i + n < d->n_files && str_starts(d->files[i + n].path, folder))
                n++;
            kind = kind_of_folder(d, name, i, n);
        }
        if (str_eq(name, STR(STORE_RESERVED)))
            continue;
        VEC_PUSH(&w->tops, (struct meta_top){ add_text(w->buf, name), kind, (uint32_t)i, (uint32_t)n });
    }
}

static uint32_t add_files(struct writer *w, const struct store_draft *d, struct meta_text *paths)
{
    pad(w->buf);
    uint32_t at = (uint32_t)w->buf->n;

    for (size_t i = 0; i < d->n_files; i++) {
        const struct store_draft_file *f = &d->files[i];
        struct meta_file row = { .size = f->size, .fast = f->fast, .path = paths[i], .place = (uint8_t)f->place,
                                 .executable = f->executable };

        memcpy(row.sha256, f->sha256, sizeof row.sha256);
        w->bytes += f->size;
        (void)buf_add(w->buf, &row, sizeof row);
    }
    return at;
}

static uint32_t add_points(struct writer *w, const struct store_draft *d)
{
    VEC(struct meta_point) rows = { 0 };

    for (size_t i = 0; i < d->n_points; i++)
        VEC_PUSH(&rows, (struct meta_point){ add_text(w->buf, d->points[i].name),
                                             add_text(w->buf, d->points[i].object), d->points[i].gui });
    pad(w->buf);
    uint32_t at = (uint32_t)w->buf->n;

    (void)buf_add(w->buf, rows.p, rows.n * sizeof *rows.p);
    VEC_CLEAR(&rows);
    return at;
}

static bool build_record(const struct store_draft *d, const char *hex, struct buf *b, struct err *e)
{
    struct writer w = { .buf = b };
    struct meta_head head = { .flags = d->flags, .files = (uint32_t)d->n_files, .points = (uint32_t)d->n_points };
    VEC(struct meta_text) paths = { 0 };

    memcpy(head.magic, META_MAGIC, sizeof head.magic);
    memcpy(head.hex, hex, sizeof head.hex);
    (void)buf_add(b, &head, sizeof head);
    head.name = add_text(b, d->name);
    head.version = add_text(b, d->version);
    head.dist_info = add_text(b, d->dist_info);
    for (size_t i = 0; i < d->n_files; i++)
        VEC_PUSH(&paths, add_text(b, d->files[i].path));
    add_tops(&w, d);
    head.points_at = add_points(&w, d);
    head.files_at = add_files(&w, d, paths.p);
    pad(b);
    head.tops_at = (uint32_t)b->n;
    head.tops = (uint32_t)w.tops.n;
    (void)buf_add(b, w.tops.p, w.tops.n * sizeof *w.tops.p);
    VEC_CLEAR(&w.tops);
    VEC_CLEAR(&paths);
    if (b->full)
        return err_set(e, ERR_PACKAGE, "a wheel with %zu files is too large for the store", d->n_files);
    head.total = b->n;
    head.bytes = w.bytes;
    memcpy(b->p, &head, sizeof head);
    size_t covered = offsetof(struct meta_head, total);

    head.check = hash_fast(b->p + covered, b->n - covered);
    memcpy(b->p, &head, sizeof head);
    return true;
}

static bool write_file(int dir, const char *path, struct str text, struct err *e)
{
    AUTO_FD fd = -1;

    return fd_open(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0444, &fd, e) && fd_write_all(fd, text.p, text.n, path, e);
}

static bool write_records(int dir, const struct store_draft *d, const char *hex, struct err *e)
{
    AUTO_BUF b;

    buf_init(&b, META_LIMIT);
    return build_record(d, hex, &b, e) && write_file(dir, META_PATH, buf_done(&b), e) &&
           write_file(dir, STORE_RECORD, d->record, e);
}

/* Folders of the tree lose their write bits, so that a tool which follows a link out of an environment is refused.
 * root ignores modes, so for root it would only cost. The tree's own folder stays writable until it was renamed:
 * the kernel must change its "..". */
static bool protect_folders(int dir, const struct store_draft *d, struct err *e)
{
    char path[PATH_MAX] = "", last[PATH_MAX] = "";

    if (geteuid() == 0)
        return true;
    for (size_t i = 0; i < d->n_files; i++) {
        struct str p = d->files[i].path;
        size_t same = 0; /* bytes of folders shared with the file before, which are done */

        if (p.n >= sizeof path)
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is too long", STR_ARG(p));
        memcpy(path, p.p, p.n);
        path[p.n] = '\0';
        while (path[same] && path[same] == last[same])
            same++;
        for (size_t at = same; at < p.n; at++) {
            if (path[at] != '/')
                continue;
            path[at] = '\0';
            if (fchmodat(dir, path, 0555, 0) < 0)
                return err_sys(e, "protect %s", path);
            path[at] = '/';
        }
        memcpy(last, path, p.n + 1);
    }
    return true;
}

static bool publish(const struct store *s, struct store_stage *stage, struct err *e)
{
    char path[STORE_TREE_PATH], fan[16];

    store_tree_path(stage->hex, path);
    (void)snprintf(fan, sizeof fan, "trees-v1/%.2s", stage->hex);
    if (mkdirat(s->dir, fan, 0755) < 0 && errno != EEXIST)
        return err_sys(e, "make directory %s in the store", fan);
    if (renameat(s->dir, stage->name, s->dir, path) < 0) {
        struct store_entry other;
        bool there;

        if (errno != EEXIST && errno != ENOTEMPTY)
            return err_sys(e, "rename %s to %s", stage->name, path);
        if (!store_find(s, stage->hex, &other, &there, e))
            return false;
        if (there) { /* somebody was faster: the same content */
            store_release(&other);
            store_stage_drop(s, stage);
            return true;
        }
        if (!store_drop(s, stage->hex, e))
            return false;
        if (renameat(s->dir, stage->name, s->dir, path) < 0)
            return err_sys(e, "rename %s to %s", stage->name, path);
    }
    stage->name[0] = '\0';
    if (geteuid() != 0)
        (void)fchmod(stage->dir, 0555); /* protection only; the content is right either way */
    fd_close(&stage->dir);
    return true;
}

bool store_stage_commit(const struct store *s, struct store_stage *stage, struct store_draft *draft, struct err *e)
{
    bool ok = true;

    if (draft->n_files)
        qsort(draft->files, draft->n_files, sizeof *draft->files, file_order);
    for (size_t i = 1; i < draft->n_files && ok; i++)
        if (str_eq(draft->files[i - 1].path, draft->files[i].path))
            ok = err_set(e, ERR_PACKAGE, "two files of '" STR_FMT "' become '" STR_FMT "'", STR_ARG(draft->name),
                         STR_ARG(draft->files[i].path));
    ok = ok && write_records(stage->dir, draft, stage->hex, e) && protect_folders(stage->dir, draft, e) &&
         publish(s, stage, e);
    if (!ok)
        store_stage_drop(s, stage);
    return ok;
}
