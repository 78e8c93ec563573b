#include "install/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "codec/mail.h"
#include "env/env.h"
#include "install/wheel.h"
#include "pep/entry_points.h"
#include "pep/record.h"
#include "store/store.h"

#define METADATA_MAX (16u << 20)

struct part {
    struct str from; /* relative to site-packages */
    struct str path; /* in the entry */
    enum store_place place;
    bool executable;
    uint64_t size, fast;
    unsigned char sha256[HASH_SHA256];
};

struct ingest {
    struct env *env;
    struct arena *a;
    int site;
    struct str dist_info;
    struct str name, version;
    struct entry_points points;
    VEC(struct part) parts;
    unsigned flags;
};

static bool is_program_of(const struct ingest *g, struct str name)
{
    for (size_t i = 0; i < g->points.n; i++)
        if (str_eq(g->points.p[i].name, name))
            return true;
    return false;
}

static bool is_compiled(struct str path)
{
    return str_search(path, STR("__pycache__/")) < path.n || str_ends(path, STR(".pyc"));
}

static bool has_up(struct str path)
{
    for (struct str part; str_next(&path, '/', &part);)
        if (str_eq(part, STR("..")) || str_eq(part, STR(".")) || part.n == 0)
            return true;
    return false;
}

/* *fits is false for a path that leads elsewhere than site-packages and bin. */
static void take_row(struct ingest *g, struct str path, bool *fits)
{
    struct str leaf = path;
    struct part p = { .from = arena_str(g->a, path), .path = path };
    bool ours = str_cut_prefix(&leaf, g->dist_info) && str_cut_prefix(&leaf, STR("/"));

    if (is_compiled(path) || (ours && wheel_is_own(leaf)))
        return;
    leaf = path;
    if (str_cut_prefix(&leaf, STR("../../../bin/"))) {
        if (is_program_of(g, leaf))
            return; /* made again from its entry point */
        p.path = arena_printf(g->a, ".blast/scripts/" STR_FMT, STR_ARG(leaf));
        p.place = STORE_SCRIPT;
    } else if (path.p[0] == '/' || has_up(path)) {
        *fits = false;
        return;
    }
    if (has_up(leaf))
        *fits = false;
    if (str_ends(path, STR(".pth")) && str_find(path, '/') == path.n)
        g->flags |= STORE_HAS_PTH;
    VEC_PUSH_IN(g->a, &g->parts, p);
}

/* Maps the file and notes what it is; *there is false when it is gone. */
static bool read_part(struct ingest *g, struct part *p, struct str *map, bool *there, struct err *e)
{
    AUTO_FD fd = -1;
    struct stat st;

    *map = STR("");
    if (!fd_open_if_there(g->site, p->from.p, O_RDONLY | O_NONBLOCK, &fd, there, e))
        return false;
    if (*there && fstat(fd, &st) < 0)
        return err_sys(e, "stat %s", p->from.p);
    *there = *there && S_ISREG(st.st_mode);
    if (!*there)
        return true;
    p->executable = st.st_mode & 0100;
    return fd_map(fd, p->from.p, map, e);
}

static bool measure(struct ingest *g, bool *there, struct err *e)
{
    for (size_t i = 0; i < g->parts.n; i++) {
        struct part *p = &g->parts.p[i];
        struct str map;

        if (!read_part(g, p, &map, there, e))
            return false;
        if (!*there)
            return true;
        p->size = map.n;
        p->fast = hash_fast(map.p, map.n);
        bool ok = hash_sha256(map.p, map.n, p->sha256, e);

        if (map.n)
            fd_unmap(&map);
        if (!ok)
            return false;
    }
    return true;
}

static int part_order(const void *a, const void *b)
{
    const struct part *x = a, *y = b;

    return str_cmp(x->path, y->path);
}

static bool name_entry(struct ingest *g, char hex[HASH_HEX256 + 1], struct err *e)
{
    unsigned char sum[HASH_SHA256];
    char digest[HASH_HEX256 + 1];
    AUTO_BUF b;

    buf_init(&b, (size_t)2 * RECORD_MAX);
    (void)buf_printf(&b, "installed\n" STR_FMT "\n", STR_ARG(g->dist_info));
    for (size_t i = 0; i < g->parts.n; i++) {
        hash_hex(g->parts.p[i].sha256, HASH_SHA256, digest);
        (void)buf_printf(&b, "%s %d " STR_FMT "\n", digest, g->parts.p[i].executable, STR_ARG(g->parts.p[i].path));
    }
    if (b.full)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has too many files", STR_ARG(g->dist_info));
    if (!hash_sha256(b.p, b.n, sum, e))
        return false;
    hash_hex(sum, HASH_SHA256, hex);
    return true;
}

static bool write_part(struct ingest *g, const struct store_stage *stage, struct part *p, struct err *e)
{
    struct str path = arena_str(g->a, p->path), map;
    size_t slash = str_rfind(path, '/');
    AUTO_FD fd = -1;
    bool there;

    if (slash < path.n && !file_make_dirs(stage->dir, arena_cstr(g->a, str_sub(path, 0, slash)), 0755, e))
        return false;
    if (!read_part(g, p, &map, &there, e))
        return false;
    if (!there || map.n != p->size || hash_fast(map.p, map.n) != p->fast)
        return err_set(e, ERR_PACKAGE, "'%s' changed while it was read", p->from.p);
    bool ok = fd_open(stage->dir, path.p, O_WRONLY | O_CREAT | O_EXCL, p->executable ? 0555 : 0444, &fd, e) &&
              fd_write_all(fd, map.p, map.n, path.p, e);

    if (map.n)
        fd_unmap(&map);
    return ok;
}

static bool record_of(struct ingest *g, struct buf *out)
{
    struct wheel w = { .dist_info = g->dist_info, .n = g->parts.n };
    struct zip_entry *size = ARENA_ARRAY(g->a, struct zip_entry, g->parts.n + 1);

    w.members = ARENA_ARRAY(g->a, struct wheel_member, g->parts.n + 1);
    for (size_t i = 0; i < g->parts.n; i++) {
        size[i].size = g->parts.p[i].size;
        w.members[i] = (struct wheel_member){ .entry = &size[i], .path = g->parts.p[i].path,
                                              .place = g->parts.p[i].place };
        memcpy(w.members[i].sha256, g->parts.p[i].sha256, HASH_SHA256);
    }
    return wheel_record(&w, g->a, out);
}

static bool commit(struct ingest *g, const struct store *store, struct store_stage *stage, struct err *e)
{
    struct store_point *points = ARENA_ARRAY(g->a, struct store_point, g->points.n + 1);
    struct store_draft d = { .name = g->name, .version = g->version, .dist_info = g->dist_info,
                             .flags = g->flags | STORE_WRITES_SELF, /* nobody has looked into its libraries */
                             .points = points, .n_points = g->points.n, .n_files = g->parts.n };
    AUTO_BUF record;

    d.files = ARENA_ARRAY(g->a, struct store_draft_file, g->parts.n + 1);
    for (size_t i = 0; i < g->parts.n; i++) {
        const struct part *p = &g->parts.p[i];

        d.files[i] = (struct store_draft_file){ .path = p->path, .size = p->size, .fast = p->fast, .place = p->place,
                                                .executable = p->executable };
        memcpy(d.files[i].sha256, p->sha256, HASH_SHA256);
    }
    for (size_t i = 0; i < g->points.n; i++) {
        const struct entry_point *p = &g->points.p[i];

        points[i] = (struct store_point){ p->name,
                                          arena_printf(g->a, STR_FMT ":" STR_FMT, STR_ARG(p->module), STR_ARG(p->attr)),
                                          p->gui };
    }
    buf_init(&record, RECORD_MAX);
    if (!record_of(g, &record)) {
        store_stage_drop(store, stage);
        return err_set(e, ERR_PACKAGE, "RECORD becomes too large");
    }
    d.record = buf_done(&record);
    return store_stage_commit(store, stage, &d, e);
}

static bool store_parts(struct ingest *g, const struct store *store, const char *hex, struct err *e)
{
    struct store_entry entry;
    struct store_stage stage;
    bool there;

    if (!store_find(store, hex, &entry, &there, e))
        return false;
    if (there) {
        store_release(&entry);
        return true;
    }
    if (!store_stage_open(store, hex, &stage, e))
        return false;
    for (size_t i = 0; i < g->parts.n; i++) {
        if (!write_part(g, &stage, &g->parts.p[i], e)) {
            store_stage_drop(store, &stage);
            return false;
        }
    }
    return commit(g, store, &stage, e);
}

static bool read_info(struct ingest *g, const char *leaf, size_t limit, struct str *out, struct err *e)
{
    return fd_read_if_there(g->site, arena_printf(g->a, STR_FMT "/%s", STR_ARG(g->dist_info), leaf).p, limit, g->a, out,
                            e);
}

/* *fits is false for what cannot be taken over. */
static bool gather(struct ingest *g, bool *fits, struct err *e)
{
    struct str text, metadata, points;
    struct record record;
    struct err bad = { 0 };

    *fits = false;
    if (!read_info(g, "RECORD", RECORD_MAX, &text, e) || !read_info(g, "METADATA", METADATA_MAX, &metadata, e) ||
        !read_info(g, "entry_points.txt", ENTRY_POINTS_MAX, &points, e))
        return false;
    if (!text.p || !metadata.p || !record_parse(g->a, text, &record, &bad) ||
        (points.p && !entry_points_parse(g->a, points, &g->points, &bad)))
        return true;
    for (struct str name, value; mail_next(&metadata, &name, &value) && !(g->name.n && g->version.n);) {
        if (str_eq_nocase(name, STR("Name")))
            g->name = value;
        else if (str_eq_nocase(name, STR("Version")))
            g->version = value;
    }
    *fits = g->name.n && g->version.n;
    for (size_t i = 0; i < record.n && *fits; i++)
        take_row(g, record.row[i].path, fits);
    return true;
}

bool ingest_package(struct env *env, const struct store *store, struct str dist_info, struct arena *a, struct str *hex,
                    struct err *e)
{
    struct ingest g = { .env = env, .a = a, .dist_info = dist_info };
    AUTO_FD site = -1;
    bool there = true, fits;
    char digest[HASH_HEX256 + 1];

    *hex = STR("");
    if (!fd_open_dir(env->dir, env->site.p, &site, e))
        return false;
    g.site = site;
    if (!gather(&g, &fits, e) || (fits && !measure(&g, &there, e)))
        return err_wrap(e, "take over '" STR_FMT "'", STR_ARG(dist_info));
    if (!fits || !there || !g.parts.n)
        return true;
    qsort(g.parts.p, g.parts.n, sizeof *g.parts.p, part_order);
    if (!name_entry(&g, digest, e) || !store_parts(&g, store, digest, e))
        return err_wrap(e, "take over '" STR_FMT "'", STR_ARG(dist_info));
    *hex = arena_str(a, str_of(digest));
    return true;
}
