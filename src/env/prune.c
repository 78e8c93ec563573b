/* How much of the past is kept; see history_prune() in history.h. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "env/generation.h"
#include "env/history.h"
#include "env/inuse.h"
#include "env/state.h"

#define DEFAULT_SNAPSHOTS 10
#define DEFAULT_HOT 3

struct prune {
    struct env *env;
    struct arena a;
    struct map needed; /* numbers of manifests */
    struct map trees;  /* numbers of directories */
    unsigned keep, hot;
};

static bool load(struct prune *p, uint32_t seq, struct generation *out, bool *there, struct err *e)
{
    return generation_load(p->env, seq, &p->a, out, there, e);
}

/* The current one and what it refers to, its past as far as asked, tagged ones. */
static bool mark_needed(struct prune *p, struct err *e)
{
    struct history_tag *tags;
    struct generation g;
    bool there;
    size_t n;

    if (!history_tags(p->env, &p->a, &tags, &n, e) || !load(p, p->env->current, &g, &there, e))
        return false;
    if (!there)
        return err_set(e, ERR_ENVIRONMENT, "the manifest of generation %u is missing", p->env->current);
    for (size_t i = 0; i < n; i++)
        map_put_u64(&p->needed, tags[i].seq, 1);
    map_put_u64(&p->needed, g.seq, 1);
    for (size_t i = 0; i < g.n_redo; i++)
        map_put_u64(&p->needed, g.redo[i], 1);
    uint32_t at = g.position;

    for (unsigned i = 0; i <= p->keep && at; i++) {
        map_put_u64(&p->needed, at, 1);
        if (!load(p, at, &g, &there, e))
            return false;
        if (!there || g.parent == 0)
            return true;
        map_put_u64(&p->needed, g.parent, 1);
        if (!load(p, g.parent, &g, &there, e))
            return false;
        at = there ? g.position : 0;
    }
    return true;
}

static bool is_used(struct prune *p, uint32_t tree)
{
    char path[STATE_NAME];
    AUTO_FD fd = -1;

    (void)snprintf(path, sizeof path, ".gen/%u", tree);
    return !inuse_take(p->env, path, &fd);
}

/* A process still runs on it: what its tree links to must stay in the store, and that is said by the manifest. */
static bool must_stay(struct prune *p, uint32_t seq)
{
    struct generation g;
    struct err ignored = { 0 };
    bool there;

    if (map_find_u64(&p->needed, seq) != MAP_NONE)
        return true;
    return load(p, seq, &g, &there, &ignored) && there && is_used(p, g.tree);
}

/* Newest first. What was done last stays also where an undo and another change led away from it. The last failed trial
 * stays to be looked at, and what the store could not make again. */
static void choose(struct prune *p, const uint32_t *seqs, size_t n)
{
    char name[STATE_NAME];
    size_t kept = 1, seen = 0;
    bool failed = false;

    map_put_u64(&p->trees, p->env->current, 1);
    map_put_u64(&p->trees, p->env->tree, 1);
    for (size_t i = n; i-- > 0;) {
        struct generation g = { 0 };
        struct err ignored = { 0 };
        bool there = false, added = false;
        bool known = load(p, seqs[i], &g, &there, &ignored) && there;

        if (known && g.kind == GENERATION_FAILED && !failed) {
            failed = true;
            map_put_u64(&p->trees, g.tree, 1);
            continue;
        }
        bool recent = known && g.kind != GENERATION_FAILED && seen++ <= p->keep;

        if (!recent && !must_stay(p, seqs[i])) {
            state_manifest_name(seqs[i], name);
            (void)unlinkat(p->env->state, name, 0); /* tried again next time */
            continue;
        }
        if (!known || (kept >= p->hot && !g.only_here))
            continue;
        (void)map_get_or_add_u64(&p->trees, g.tree, 1, &added);
        kept += added;
    }
}

/* Taken first, so that no process can begin on what is being removed. */
static bool remove_unused(struct env *env, int gen, const char *name, struct err *e)
{
    char path[300];
    AUTO_FD taken = -1;

    (void)snprintf(path, sizeof path, ".gen/%.255s", name);
    return !inuse_take(env, path, &taken) || file_remove_tree(gen, name, e);
}

static bool remove_trees(struct prune *p, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD gen = -1;
    const struct dirent *d;

    if (!fd_open_dir(p->env->dir, ".gen", &gen, e) || !file_list_open(gen, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct str name = str_of(d->d_name);
        uint64_t v;
        bool old = str_to_u64(name, &v) && map_find_u64(&p->trees, v) == MAP_NONE;

        if ((old || str_starts(name, STR(GENERATION_TRIAL))) && !remove_unused(p->env, gen, d->d_name, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

bool history_prune(struct env *env, unsigned max_snapshots, unsigned hot, struct err *e)
{
    struct prune p = { .env = env, .keep = max_snapshots ? max_snapshots : DEFAULT_SNAPSHOTS,
                       .hot = hot ? hot : DEFAULT_HOT };
    uint32_t *seqs;
    size_t n;

    err_clear(e);
    if (env->layout != ENV_GENERATIONS || env->state < 0 || env->current == 0)
        return true;
    arena_init(&p.a);
    bool ok = mark_needed(&p, e) && generation_list(env, &p.a, &seqs, &n, e);

    if (ok) {
        choose(&p, seqs, n);
        ok = remove_trees(&p, e);
    }
    map_clear(&p.needed);
    map_clear(&p.trees);
    arena_clear(&p.a);
    return ok ? true : err_as(e, ERR_ENVIRONMENT, "tidy the history of '%s'", env->path);
}
