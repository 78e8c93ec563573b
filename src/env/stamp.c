#include "env/stamp.h"

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
#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "env/env.h"
#include "env/generation.h"
#include "pep/name.h"
#include "pep/record.h"

#define STAMP_LIMIT (64u << 20)
#define STAMP_NAME 32

/* One top-level name. time and size are 0 but for a .dist-info with a RECORD. */
struct mark {
    struct str name;
    int64_t time; /* nanoseconds since 1970 */
    int64_t size;
};

struct marks {
    struct mark *p;
    size_t n, cap;
    struct map by_name;
};

static void marks_clear(struct marks *m)
{
    map_clear(&m->by_name);
}

#define AUTO_MARKS AUTO(marks_clear) struct marks

static void add(struct marks *m, struct arena *a, struct mark mark)
{
    bool added;
    uint32_t i = map_get_or_add(&m->by_name, mark.name, (uint32_t)m->n, &added);

    if (added)
        VEC_PUSH_IN(a, m, mark);
    else
        m->p[i] = mark;
}

static bool counts(struct str name)
{
    return name.p[0] != '.' && name.p[0] != '~' && !str_eq(name, STR("__pycache__"));
}

static struct mark mark_of(int site, const char *name, struct arena *a)
{
    struct mark m = { .name = arena_str(a, str_of(name)) };
    char path[PATH_MAX];
    struct stat st;

    if (!str_ends(m.name, STR(".dist-info")))
        return m;
    (void)snprintf(path, sizeof path, "%s/RECORD", name);
    if (fstatat(site, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        m.time = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
        m.size = (int64_t)st.st_size;
    }
    return m;
}

static bool look(int tree, struct str site, struct arena *a, struct marks *out, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    err_clear(e);
    if (!file_list_open(tree, arena_cstr(a, site), &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (counts(str_of(d->d_name)))
            add(out, a, mark_of(dirfd(list.handle), d->d_name, a));
    return e->kind == ERR_NONE;
}

static void stamp_name(uint32_t content, char out[STAMP_NAME])
{
    (void)snprintf(out, STAMP_NAME, ".stamp-%u", content);
}

bool stamp_write(int tree, struct str site, uint32_t content, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_MARKS m = { 0 };
    AUTO_BUF b = { 0 };
    char name[STAMP_NAME];
    struct json_write w;

    arena_init(&a);
    if (!look(tree, site, &a, &m, e))
        return false;
    buf_init(&b, STAMP_LIMIT);
    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    for (size_t i = 0; i < m.n; i++) {
        json_write_key(&w, m.p[i].name);
        json_write_array_begin(&w);
        json_write_i64(&w, m.p[i].time);
        json_write_i64(&w, m.p[i].size);
        json_write_array_end(&w);
    }
    json_write_object_end(&w);
    stamp_name(content, name);
    if (!json_write_end(&w))
        return err_set(e, ERR_ENVIRONMENT, "site-packages has %zu names, too many", m.n);
    return file_replace(tree, name, buf_done(&b), 0644, FILE_NO_SYNC, e);
}

/* *there is false for a tree without this stamp; a damaged one counts as that. */
static bool stamp_read(int tree, uint32_t content, struct arena *a, struct marks *out, bool *there)
{
    char name[STAMP_NAME];
    struct err ignored = { 0 };
    struct str text, key;
    struct json j;

    *there = false;
    stamp_name(content, name);
    if (!fd_read_if_there(tree, name, STAMP_LIMIT, a, &text, &ignored))
        return false;
    if (!text.p)
        return true;
    json_init(&j, text, a, &ignored);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            struct mark m = { .name = key };

            if (json_array_begin(&j)) {
                if (json_array_next(&j) && json_i64(&j, &m.time) && json_array_next(&j))
                    (void)json_i64(&j, &m.size);
                while (json_array_next(&j))
                    json_skip(&j);
            }
            add(out, a, m);
        }
    }
    *there = json_end(&j);
    return true;
}

static bool open_tree(struct env *env, uint32_t tree, int *out)
{
    char path[32];
    struct err ignored = { 0 };
    bool there;

    (void)snprintf(path, sizeof path, ".gen/%u", tree);
    return fd_open_if_there(env->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, out, &there, &ignored) && there;
}

/* ------------------------------------------------------------ is it what it was? */

static uint32_t content_of(const struct generation *g)
{
    return g->content ? g->content : g->tree;
}

static bool are_same(const struct marks *was, const struct marks *is)
{
    for (size_t i = 0; i < is->n; i++) {
        uint32_t k = map_find(&was->by_name, is->p[i].name);

        if (k == MAP_NONE || was->p[k].time != is->p[i].time || was->p[k].size != is->p[i].size)
            return false;
    }
    return was->n == is->n;
}

/* "demo_pkg-1.0.dist-info" into "demo-pkg". */
static bool package_of(struct str file, struct arena *a, struct str *name)
{
    if (!str_cut_suffix(&file, STR(".dist-info")))
        return false;
    *name = name_normalize(a, str_sub(file, 0, str_rfind(file, '-')));
    return true;
}

/* Without a stamp: the packages of the manifest, each once, and no other. */
static bool has_names(const struct generation *g, const struct marks *is, struct arena *a)
{
    AUTO_MAP wanted = { 0 };
    size_t seen = 0;
    struct str name;

    for (size_t i = 0; i < g->n_packages; i++)
        map_put(&wanted, name_normalize(a, g->packages[i].name), 1);
    for (size_t i = 0; i < is->n; i++) {
        if (!package_of(is->p[i].name, a, &name))
            continue;
        if (map_find(&wanted, name) != 1)
            return false;
        map_put(&wanted, name, 0);
        seen++;
    }
    return seen == g->n_packages;
}

bool stamp_is_kept(struct env *env, const struct generation *g)
{
    AUTO_ARENA a = { 0 };
    AUTO_MARKS was = { 0 };
    AUTO_MARKS is = { 0 };
    AUTO_FD tree = -1;
    struct err ignored = { 0 }; /* whatever is wrong with the tree, it is then not to be used */
    bool stamped;

    arena_init(&a);
    if (!open_tree(env, g->tree, &tree) || !stamp_read(tree, content_of(g), &a, &was, &stamped) ||
        !look(tree, env->site, &a, &is, &ignored))
        return false;
    return stamped ? are_same(&was, &is) : g->content == 0 && has_names(g, &is, &a);
}

/* ------------------------------------------------------------ what differs */

struct compare {
    struct arena *a;
    const struct generation *g;
    struct env_packages found;
    struct marks was, is;
    bool stamped;
    VEC(struct stamp_change) out;
};

static const struct generation_package *recorded(const struct compare *c, struct str name)
{
    for (size_t i = 0; i < c->g->n_packages; i++)
        if (name_eq(c->g->packages[i].name, name))
            return &c->g->packages[i];
    return NULL;
}

static bool was_rewritten(const struct compare *c, struct str dist_info)
{
    uint32_t was = map_find(&c->was.by_name, dist_info), is = map_find(&c->is.by_name, dist_info);

    if (!c->stamped || is == MAP_NONE)
        return false;
    return was == MAP_NONE || c->was.p[was].time != c->is.p[is].time || c->was.p[was].size != c->is.p[is].size;
}

static void compare_found(struct compare *c)
{
    for (size_t i = 0; i < c->found.n; i++) {
        const struct env_package *p = &c->found.p[i];
        const struct generation_package *old = recorded(c, p->name);

        if (old && str_eq(old->version, p->version) && !was_rewritten(c, p->dist_info))
            continue;
        VEC_PUSH_IN(c->a, &c->out, (struct stamp_change){ .kind = old ? STAMP_CHANGED : STAMP_ADDED, .name = p->name,
                                                          .from = old ? old->version : STR(""), .to = p->version,
                                                          .dist_info = p->dist_info, .installer = p->installer,
                                                          .direct_url = p->direct_url, .requested = p->requested,
                                                          .editable = p->editable });
    }
    for (size_t i = 0; i < c->g->n_packages; i++) {
        const struct generation_package *p = &c->g->packages[i];
        bool there = false;

        for (size_t k = 0; k < c->found.n && !there; k++)
            there = name_eq(c->found.p[k].name, p->name);
        if (!there)
            VEC_PUSH_IN(c->a, &c->out, (struct stamp_change){ .kind = STAMP_REMOVED, .name = p->name,
                                                              .from = p->version, .to = STR(""),
                                                              .requested = p->direct });
    }
}

static void add_file(struct compare *c, enum stamp_kind kind, struct str name)
{
    VEC_PUSH_IN(c->a, &c->out, (struct stamp_change){ .kind = kind, .name = name, .from = STR(""), .to = STR("") });
}

/* The top-level names of the files that a package's RECORD lists. */
static void add_owned(struct compare *c, int site, struct str dist_info, struct map *owned)
{
    struct str path = arena_printf(c->a, STR_FMT "/RECORD", STR_ARG(dist_info)), text;
    struct err ignored = { 0 }; /* without a RECORD its files are anybody's */
    struct record record;

    if (!fd_read_if_there(site, path.p, RECORD_MAX, c->a, &text, &ignored) || !text.p ||
        !record_parse(c->a, text, &record, &ignored))
        return;
    for (size_t i = 0; i < record.n; i++) {
        struct str row = record.row[i].path;

        map_put(owned, str_sub(row, 0, str_find(row, '/')), 1);
    }
}

/* Names that no package's metadata speaks of. Names that went are told only where no package changed: with one that
 * did they went with it. */
static void compare_names(struct compare *c, int site)
{
    AUTO_MAP owned = { 0 };
    size_t packages = c->out.n;

    if (!c->stamped)
        return;
    for (size_t i = 0; i < packages; i++)
        if (c->out.p[i].dist_info.n)
            add_owned(c, site, c->out.p[i].dist_info, &owned);
    for (size_t i = 0; i < c->is.n; i++) {
        struct str name = c->is.p[i].name;

        if (map_find(&c->was.by_name, name) == MAP_NONE && !str_ends(name, STR(".dist-info")) &&
            map_find(&owned, name) == MAP_NONE)
            add_file(c, STAMP_FILE_ADDED, name);
    }
    if (packages)
        return;
    for (size_t i = 0; i < c->was.n; i++)
        if (map_find(&c->is.by_name, c->was.p[i].name) == MAP_NONE)
            add_file(c, STAMP_FILE_REMOVED, c->was.p[i].name);
}

static bool compare(struct env *env, struct compare *c, struct err *e)
{
    AUTO_FD tree = -1, site = -1;

    if (!open_tree(env, env->tree, &tree))
        return err_set(e, ERR_ENVIRONMENT, "tree %u of '%s' is gone", env->tree, env->path);
    if (!stamp_read(tree, content_of(c->g), c->a, &c->was, &c->stamped) || !look(tree, env->site, c->a, &c->is, e) ||
        !env_installed(env, c->a, &c->found, e))
        return e->kind == ERR_NONE ? err_set(e, ERR_ENVIRONMENT, "read the stamp of generation %u", c->g->seq) : false;
    if (c->stamped && are_same(&c->was, &c->is))
        return true;
    compare_found(c);
    if (!fd_open_dir(tree, env->site.p, &site, e))
        return false;
    compare_names(c, site);
    return true;
}

bool stamp_compare(struct env *env, const struct generation *g, struct arena *a, struct stamp_changes *out,
                   struct err *e)
{
    struct compare c = { .a = a, .g = g };
    bool ok = compare(env, &c, e);

    marks_clear(&c.was);
    marks_clear(&c.is);
    if (!ok)
        return err_as(e, ERR_ENVIRONMENT, "compare '%s' with its manifest", env->path);
    *out = (struct stamp_changes){ c.out.p, c.out.n };
    return true;
}
