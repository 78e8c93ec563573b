#include "sync/drift.h"

#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "env/env.h"
#include "env/generation.h"
#include "env/history.h"
#include "install/ingest.h"
#include "install/shims.h"
#include "pep/name.h"
#include "store/guard.h"
#include "store/store.h"
#include "sync/workspace.h"

#define TEXT_MAX 2048
#define HOT_TREES 3

static bool load_current(struct workspace *w, struct env *env, struct generation *g, bool *there, struct err *e)
{
    *there = false;
    return env->layout != ENV_GENERATIONS || env->current == 0 ||
           generation_load(env, env->current, w->a, g, there, e);
}

bool drift_look(struct workspace *w, struct env *env, struct stamp_changes *out, struct err *e)
{
    struct generation g;
    bool there;

    *out = (struct stamp_changes){ 0 };
    return load_current(w, env, &g, &there, e) && (!there || stamp_compare(env, &g, w->a, out, e));
}

bool drift_base(struct workspace *w, struct env *env, struct generation *out, struct err *e)
{
    bool there;

    if (!load_current(w, env, out, &there, e))
        return false;
    if (!there)
        return err_set(e, ERR_ENVIRONMENT, "'%s' has no generation that could have been changed", env->path);
    while (out->kind == GENERATION_SCRATCH && out->parent) {
        uint32_t child = out->seq;

        if (!generation_load(env, out->parent, w->a, out, &there, e))
            return false;
        if (!there)
            return err_set(e, ERR_ENVIRONMENT, "what was before generation %u is not known any more", child);
    }
    return true;
}

static void add_text(struct buf *b, const struct stamp_change *c)
{
    const char *blank = b->n ? " " : "";

    switch (c->kind) {
    case STAMP_ADDED:
        (void)buf_printf(b, "%s+" STR_FMT " " STR_FMT, blank, STR_ARG(c->name), STR_ARG(c->to));
        break;
    case STAMP_REMOVED:
        (void)buf_printf(b, "%s-" STR_FMT " " STR_FMT, blank, STR_ARG(c->name), STR_ARG(c->from));
        break;
    case STAMP_CHANGED:
        (void)buf_printf(b, "%s~" STR_FMT " " STR_FMT " -> " STR_FMT, blank, STR_ARG(c->name), STR_ARG(c->from),
                         STR_ARG(c->to));
        break;
    case STAMP_FILE_ADDED:
    case STAMP_FILE_REMOVED:
        (void)buf_printf(b, "%s%c'" STR_FMT "'", blank, c->kind == STAMP_FILE_ADDED ? '+' : '-', STR_ARG(c->name));
        break;
    }
}

struct str drift_text(struct workspace *w, const struct stamp_changes *changes)
{
    AUTO_BUF b;

    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < changes->n && b.n < TEXT_MAX / 2; i++)
        add_text(&b, &changes->p[i]);
    if (changes->n && b.n >= TEXT_MAX / 2)
        (void)buf_str(&b, STR(" ..."));
    return arena_str(w->a, buf_done(&b));
}

/* ------------------------------------------------------------ a scratch generation */

static bool stays(const struct stamp_changes *changes, struct str name)
{
    for (size_t i = 0; i < changes->n; i++)
        if ((changes->p[i].kind == STAMP_REMOVED || changes->p[i].kind == STAMP_CHANGED) &&
            name_eq(changes->p[i].name, name))
            return false;
    return true;
}

static bool take_over(struct workspace *w, struct env *env, const struct store *store, const struct stamp_change *c,
                      struct generation *g, struct err *e)
{
    struct generation_package *p = &g->packages[g->n_packages];
    struct str hex;

    if (!ingest_package(env, store, c->dist_info, w->a, &hex, e))
        return false;
    *p = (struct generation_package){ .name = c->name, .version = c->to, .source = c->installer,
                                      .sha256 = hex,
                                      .direct_url = c->direct_url, .direct = c->requested, .editable = c->editable };
    g->n_packages++;
    g->only_here = g->only_here || !hex.n;
    return true;
}

/* Who made the changes, as far as the packages say. */
static struct str actor_of(const struct stamp_changes *changes)
{
    for (size_t i = 0; i < changes->n; i++)
        if (changes->p[i].kind != STAMP_REMOVED && changes->p[i].installer.n)
            return changes->p[i].installer;
    return STR("unknown");
}

static int package_order(const void *a, const void *b)
{
    const struct generation_package *x = a, *y = b;

    return name_cmp(x->name, y->name);
}

static bool describe(struct workspace *w, struct env *env, const struct store *store,
                     const struct stamp_changes *changes, struct generation *g, struct err *e)
{
    struct generation now = { 0 };
    bool there;

    if (!load_current(w, env, &now, &there, e) || !there)
        return there || err_set(e, ERR_ENVIRONMENT, "the manifest of generation %u is missing", env->current);
    g->kind = GENERATION_SCRATCH;
    g->mode = now.mode;
    g->inputs = now.inputs; /* the lock it stands beside: it stays until that changes */
    g->n_inputs = now.n_inputs;
    g->only_here = now.only_here;
    g->redo = now.redo; /* what was undone can still be redone */
    g->n_redo = now.n_redo;
    g->packages = ARENA_ARRAY(w->a, struct generation_package, now.n_packages + changes->n + 1);
    for (size_t i = 0; i < now.n_packages; i++)
        if (stays(changes, now.packages[i].name))
            g->packages[g->n_packages++] = now.packages[i];
    for (size_t i = 0; i < changes->n; i++) {
        const struct stamp_change *c = &changes->p[i];

        if (c->kind == STAMP_ADDED || c->kind == STAMP_CHANGED) {
            if (!take_over(w, env, store, c, g, e))
                return false;
        } else if (c->kind != STAMP_REMOVED) {
            g->only_here = true;
        }
    }
    if (g->n_packages)
        qsort(g->packages, g->n_packages, sizeof *g->packages, package_order);
    return true;
}

bool drift_scratch(struct workspace *w, struct env *env, const struct stamp_changes *changes, struct str command,
                   uint32_t *seq, struct err *e)
{
    struct generation g = { .reason = { .command = command, .actor = actor_of(changes),
                                        .why = drift_text(w, changes) } };
    struct store store;
    AUTO_FD guard = -1;
    struct err ignored = { 0 };

    if (!store_open(w->dirs.store, &store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = guard_take(&store, GUARD_SHARED, &guard, e) && describe(w, env, &store, changes, &g, e) &&
              shims_complete(env, env->tree, e) && generation_reuse(env, env->tree, &g, false, e);

    store_close(&store);
    if (!ok)
        return err_as(e, e->kind == ERR_IO ? ERR_ENVIRONMENT : e->kind, "keep the changes made in '%s'", env->path);
    *seq = env->current;
    (void)!history_prune(env, (unsigned)w->config.env_layer_max_snapshots, HOT_TREES, &ignored); /* next time */
    return true;
}

/* ------------------------------------------------------------ by itself */

/* When the newest scratch generation was made; 0: there is none. */
static bool last_snapshot(struct workspace *w, struct env *env, int64_t *out, struct err *e)
{
    uint32_t *seq;
    size_t n;

    *out = 0;
    if (!generation_list(env, w->a, &seq, &n, e))
        return false;
    for (size_t i = n; i-- > 0 && !*out;) {
        struct generation g;
        struct err ignored = { 0 };
        bool there;

        if (generation_load(env, seq[i], w->a, &g, &there, &ignored) && there && g.kind == GENERATION_SCRATCH)
            *out = g.created;
    }
    return true;
}

static bool snapshot_locked(struct workspace *w, struct env *env, struct drift_snapshot *out, struct err *e)
{
    int64_t last, interval = w->config.env_layer_snapshot_interval;
    struct stamp_changes changes;

    if (!drift_look(w, env, &changes, e))
        return false;
    out->changes = drift_text(w, &changes);
    out->generation = env->current;
    if (changes.n == 0)
        return true;
    out->state = DRIFT_OFF;
    if (interval == 0)
        return true;
    if (!last_snapshot(w, env, &last, e))
        return false;
    out->due = last ? last + interval : 0;
    out->state = DRIFT_TOO_SOON;
    if (out->due > clock_now())
        return true;
    out->state = DRIFT_TAKEN;
    return drift_scratch(w, env, &changes, STR("snapshot"), &out->generation, e);
}

static bool is_changed(struct workspace *w, struct env *env)
{
    struct generation g;
    struct err ignored = { 0 };
    bool there;

    return load_current(w, env, &g, &there, &ignored) && there && !generation_is_hot(env, &g);
}

bool drift_snapshot(struct workspace *w, struct drift_snapshot *out, struct err *e)
{
    struct env_wait at_once = { .timeout_ms = 1 };
    struct drift_snapshot s = { .state = DRIFT_NONE, .changes = STR("") };
    struct env env;

    *out = s;
    if (!env_is_there(w->env_path))
        return true;
    if (!env_open(w->env_path, w->dirs.state, &env, e))
        return false;
    s.generation = env.current;
    bool ok = true;

    if (is_changed(w, &env)) {
        ok = env_lock(&env, &at_once, e);
        if (!ok && e->exit_code == 7) {
            err_clear(e);
            s.state = DRIFT_BUSY;
            ok = true;
        } else if (ok) {
            ok = snapshot_locked(w, &env, &s, e);
        }
    }
    env_close(&env);
    if (ok)
        *out = s;
    return ok;
}
