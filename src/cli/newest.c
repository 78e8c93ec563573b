#include "cli/newest.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/graph.h"
#include "index/source.h"
#include "index/feed.h"
#include "pep/name.h"
#include "sync/inputs.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

/* The catalog of one look-up. */
struct look {
    struct inputs in;
    struct index_target target;
    struct catalog catalog;
    struct source source;
    struct feed *feed;
    struct pkg_net net;
};

static void look_close(struct look *l)
{
    feed_free(l->feed);
    source_close(&l->source);
    catalog_close(&l->catalog);
    pkg_net_close(&l->net);
}

static bool list_all(struct look *l, const uint32_t *project, size_t n, struct err *e)
{
    for (;;) {
        bool all = true;

        for (size_t i = 0; i < n; i++)
            all = catalog_list(&l->catalog, project[i]) && all;
        if (all)
            return true;
        if (!l->feed) {
            if (!l->in.index.offline && !pkg_net_open(&l->net, &l->in, e))
                return false;
            l->feed = feed_new(&l->catalog, &l->source, l->net.http);
        }
        if (!feed_wait(l->feed, NULL, e))
            return false;
    }
}

/* The highest stable version with a file that can be used; what is yanked or for another Python is passed over. */
static struct str newest_of(struct workspace *w, struct catalog *c, uint32_t project)
{
    const struct catalog_project *p = c->projects.p[project];

    for (uint32_t rank = p->n; rank-- > 0;) {
        uint8_t state = catalog_candidate(c, project, rank)->state;

        if (!version_is_pre(&p->version[rank]) &&
            (state == CANDIDATE_WHEEL || state == CANDIDATE_SDIST || state == CANDIDATE_SDIST_ONLY))
            return version_format(&p->version[rank], w->a);
    }
    return STR("");
}

bool newest_find(struct workspace *w, const struct str *name, size_t n, struct newest *out, struct err *e)
{
    struct look l = { 0 };
    uint32_t *project = ARENA_ARRAY(w->a, uint32_t, n);

    if (!workspace_python(w, e) || !inputs_gather(w, &l.in, e))
        return false;
    pkg_net_init(&l.net, w);
    l.target = (struct index_target){
        .tags = facts_tags(&w->python, w->a), .env = &w->python.marker, .python = w->python.version
    };
    if (!catalog_open(&l.in.index, &l.target, &l.catalog, e))
        return false;
    bool ok = source_open(&l.source, &l.catalog, NULL, 0, true, e);

    for (size_t i = 0; i < n; i++)
        project[i] = catalog_project(&l.catalog, name_normalize(w->a, name[i]));
    ok = ok && list_all(&l, project, n, e);
    for (size_t i = 0; ok && i < n; i++)
        out[i].version = newest_of(w, &l.catalog, project[i]);
    look_close(&l);
    return ok;
}

void newest_explain(struct workspace *w, const struct graph *g, uint32_t node, struct newest *out)
{
    const struct lock_package *p = &g->lock->package[node];
    struct version have, want;

    if (out->version.n == 0 || !version_parse(p->version, w->a, &have) || !version_parse(out->version, w->a, &want) ||
        version_cmp(&have, &want) >= 0)
        return;
    struct str users = STR("");
    struct graph_list list = graph_users(g, node);

    for (size_t i = 0; i < list.n && i < 5; i++)
        users = arena_printf(w->a, STR_FMT "%s" STR_FMT, STR_ARG(users), i ? ", " : "",
                             STR_ARG(g->lock->package[list.p[i]].name));
    if (g->direct[node].n && list.n)
        out->why = arena_printf(w->a, "the lock keeps " STR_FMT "; bounds are set by " STR_FMT " and by " STR_FMT,
                                STR_ARG(p->version), STR_ARG(g->direct[node]), STR_ARG(users));
    else
        out->why = arena_printf(w->a, "the lock keeps " STR_FMT "; bounds are set by " STR_FMT, STR_ARG(p->version),
                                STR_ARG(g->direct[node].n ? g->direct[node] : users));
    out->why = arena_printf(w->a, STR_FMT "; blast update " STR_FMT " moves it as far as they allow", STR_ARG(out->why),
                            STR_ARG(p->name));
}
