#include "cli/graph.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "pep/name.h"
#include "sync/inputs.h"
#include "sync/lockfile.h"
#include "sync/workspace.h"

uint32_t graph_find(const struct graph *g, struct str name)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (name_eq(g->lock->package[i].name, name))
            return i;
    return UINT32_MAX;
}

bool graph_unknown(const struct graph *g, struct arena *a, struct str name, struct err *e)
{
    struct str *all = ARENA_ARRAY(a, struct str, g->n);

    for (uint32_t i = 0; i < g->n; i++)
        all[i] = g->lock->package[i].name;
    struct str near = common_nearest(a, name, all, g->n);

    (void)err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not in the lock", STR_ARG(name));
    return near.p ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : err_hint(e, "blast tree shows what is");
}

struct graph_list graph_needs(const struct graph *g, uint32_t i)
{
    return g->needs[i];
}

struct graph_list graph_users(const struct graph *g, uint32_t i)
{
    return g->users[i];
}

struct numbers {
    VEC(uint32_t) v;
};

static void link_all(struct workspace *w, struct graph *g)
{
    struct numbers *users = ARENA_ARRAY(w->a, struct numbers, g->n);

    for (uint32_t i = 0; i < g->n; i++) {
        const struct lock_package *p = &g->lock->package[i];
        struct numbers needs = { 0 };

        for (size_t k = 0; k < p->n_dep; k++) {
            uint32_t to = graph_find(g, p->dep[k].name);

            if (to == UINT32_MAX)
                continue;
            VEC_PUSH_IN(w->a, &needs.v, to);
            VEC_PUSH_IN(w->a, &users[to].v, i);
        }
        g->needs[i] = (struct graph_list){ needs.v.p, needs.v.n };
    }
    for (uint32_t i = 0; i < g->n; i++)
        g->users[i] = (struct graph_list){ users[i].v.p, users[i].v.n };
}

static bool mark_direct(struct workspace *w, struct graph *g, struct err *e)
{
    struct inputs in;

    if (!workspace_python(w, e) || !inputs_gather(w, &in, e))
        return false;
    for (size_t i = 0; i < in.roots.n; i++) {
        const struct source_root *r = &in.roots.p[i];
        uint32_t at = r->constraint ? UINT32_MAX : graph_find(g, r->req.key);

        if (at != UINT32_MAX)
            g->direct[at] = arena_printf(w->a, STR_FMT " (" STR_FMT ")", STR_ARG(r->text), STR_ARG(r->origin));
    }
    return true;
}

bool graph_load(struct workspace *w, struct graph *out, struct err *e)
{
    struct lock *lock = ARENA_NEW(w->a, struct lock);
    struct str text;

    if (!fd_read_if_there(w->dir, LOCKFILE, LOCK_MAX, w->a, &text, e))
        return err_as(e, ERR_CONFIG, "read the lock");
    if (!text.p) {
        (void)err_set(e, ERR_RESOLUTION, "there is no " LOCKFILE " in '%s'", w->where.dir);
        return err_hint(e, "blast lock makes it");
    }
    if (!lock_parse(w->a, text, lock, e))
        return err_wrap(e, "read " LOCKFILE);
    *out = (struct graph){
        .lock = lock,
        .n = (uint32_t)lock->n_package,
        .needs = ARENA_ARRAY(w->a, struct graph_list, lock->n_package),
        .users = ARENA_ARRAY(w->a, struct graph_list, lock->n_package),
        .direct = ARENA_ARRAY(w->a, struct str, lock->n_package),
    };
    link_all(w, out);
    return mark_direct(w, out, e);
}
