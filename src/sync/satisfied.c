#include "sync/satisfied.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "env/env.h"
#include "lock/lock.h"
#include "pep/marker.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/req.h"
#include "sync/inputs.h"
#include "sync/workspace.h"

/* A package of the environment whose requirements are still to be looked at, for itself or because of an extra. */
struct step {
    uint32_t package;
    struct str extra; /* n == 0: for itself */
};

struct look {
    struct workspace *w;
    struct env *env;
    const struct env_packages *have;
    struct map by_name; /* normalised -> index */
    struct map seen;    /* "name" or "name[extra]" */
    VEC(struct step) queue;
};

static void enqueue(struct look *l, uint32_t package, struct str name, struct str extra)
{
    bool fresh;
    struct str key = extra.n ? arena_printf(l->w->a, STR_FMT "[" STR_FMT "]", STR_ARG(name), STR_ARG(extra)) : name;

    (void)map_get_or_add(&l->seen, key, 1, &fresh);
    if (fresh)
        VEC_PUSH_IN(l->w->a, &l->queue, (struct step){ package, extra });
}

static bool fits(struct look *l, const struct req *r)
{
    uint32_t i = map_find(&l->by_name, r->key);
    struct version v;

    if (i == MAP_NONE || r->url.n || l->have->p[i].oddities || l->have->p[i].direct_url.n ||
        !version_parse(l->have->p[i].version, l->w->a, &v) || !spec_contains(&r->spec, &v, SPEC_PRE_ALLOW))
        return false;
    enqueue(l, i, r->key, STR(""));
    for (size_t k = 0; k < r->n_extra; k++)
        enqueue(l, i, r->key, r->extra[k]);
    return true;
}

static bool requirements_fit(struct look *l, const struct step *s, const struct metadata *m)
{
    const struct marker_env *env = &l->w->python.marker;
    struct err ignored = { 0 };

    for (size_t i = 0; i < m->n_requires_dist; i++) {
        struct req r;

        if (!req_parse_lenient(l->w->a, m->requires_dist[i], &r, &ignored))
            return false;
        bool plain = marker_is_true(r.marker, env, NULL, 0);
        bool wanted = s->extra.n ? !plain && marker_is_true(r.marker, env, &s->extra, 1) : plain;

        if (wanted && !fits(l, &r))
            return false;
    }
    return true;
}

static bool step_fits(struct look *l, const struct step *s, int site)
{
    const struct env_package *p = &l->have->p[s->package];
    const char *path = arena_printf(l->w->a, STR_FMT "/METADATA", STR_ARG(p->dist_info)).p;
    struct err ignored = { 0 };
    struct metadata m;
    struct str text;

    return fd_read_file(site, path, METADATA_MAX, l->w->a, &text, &ignored) &&
           metadata_parse(l->w->a, text, &m, &ignored) && requirements_fit(l, s, &m);
}

static bool look(struct look *l, const struct inputs *in)
{
    AUTO_FD site = -1;
    struct err ignored = { 0 };

    for (uint32_t i = 0; i < l->have->n; i++)
        map_put(&l->by_name, name_normalize(l->w->a, l->have->p[i].name), i);
    for (size_t i = 0; i < in->roots.n; i++) {
        const struct source_root *r = &in->roots.p[i];
        bool holds = marker_is_true(r->req.marker, &l->w->python.marker, NULL, 0);

        if (holds && !r->constraint && !fits(l, &r->req))
            return false;
        if (holds && r->constraint && map_find(&l->by_name, r->req.key) != MAP_NONE && !fits(l, &r->req))
            return false;
    }
    if (l->w->request->no_deps)
        return true;
    if (!fd_open_dir(l->env->dir, l->env->site.p, &site, &ignored))
        return false;
    for (size_t i = 0; i < l->queue.n; i++) {
        struct step s = l->queue.p[i]; /* a copy: the queue grows */

        if (!step_fits(l, &s, site))
            return false;
    }
    return true;
}

bool satisfied(struct workspace *w, struct env *env, const struct env_packages *have, const struct inputs *in)
{
    struct look l = { .w = w, .env = env, .have = have };

    if (in->require_hashes || w->request->upgrade || w->request->refresh || w->request->upgrade_only.n)
        return false;
    bool ok = look(&l, in);

    map_clear(&l.by_name);
    map_clear(&l.seen);
    return ok;
}

/* The lock's package that a .dist-info directory is of; NULL when there is none or the version differs. */
static const struct lock_package *locked(struct workspace *w, const struct map *by_name,
                                         const struct lock_selection *sel, struct str dist_info)
{
    struct str stem = str_sub(dist_info, 0, dist_info.n - strlen(".dist-info"));
    size_t dash = str_rfind(stem, '-');
    struct version have, want;

    if (dash == stem.n)
        return NULL;
    uint32_t i = map_find(by_name, name_normalize(w->a, str_sub(stem, 0, dash)));
    struct str version = str_sub(stem, dash + 1, stem.n);

    if (i == MAP_NONE || sel->package[i]->archive || sel->package[i]->directory || sel->package[i]->vcs)
        return NULL;
    if (str_eq(version, sel->package[i]->version))
        return sel->package[i];
    return version_parse(version, w->a, &have) && version_parse(sel->package[i]->version, w->a, &want) &&
                   version_cmp(&have, &want) == 0
               ? sel->package[i]
               : NULL;
}

static bool entry_fits(struct workspace *w, int site, const struct map *by_name, const struct lock_selection *sel,
                       struct str name, size_t *found)
{
    if (str_ends(name, STR(".egg-info")) || str_ends(name, STR(".egg-link")))
        return false;
    if (!str_ends(name, STR(".dist-info")))
        return true;
    ++*found;
    return locked(w, by_name, sel, name) &&
           !file_exists(site, arena_printf(w->a, STR_FMT "/direct_url.json", STR_ARG(name)).p) &&
           file_exists(site, arena_printf(w->a, STR_FMT "/RECORD", STR_ARG(name)).p);
}

bool satisfied_exactly(struct workspace *w, struct env *env, const struct lock_selection *sel)
{
    AUTO_FD site = -1;
    AUTO_FILE_LIST list = { NULL };
    AUTO_MAP by_name = { 0 };
    const struct dirent *d;
    struct err e = { 0 };
    size_t found = 0;

    if (w->request->refresh || !fd_open_dir(env->dir, env->site.p, &site, &e) ||
        !file_list_open(site, ".", &list, &e))
        return false;
    for (size_t i = 0; i < sel->n; i++)
        map_put(&by_name, sel->package[i]->name, (uint32_t)i);
    while (file_list_next(&list, &d, &e))
        if (!entry_fits(w, site, &by_name, sel, str_of(d->d_name), &found))
            return false;
    return e.kind == ERR_NONE && found == sel->n;
}
