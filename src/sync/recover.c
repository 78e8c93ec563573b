#include "sync/recover.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "config/config.h"
#include "env/env.h"
#include "env/generation.h"
#include "env/history.h"
#include "install/apply.h"
#include "store/guard.h"
#include "store/store.h"
#include "sync/workspace.h"

static bool has_tree(struct env *env)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof path, ".gen/%u/lib", env->tree);
    return fstatat(env->dir, path, &st, 0) == 0;
}

struct str recover_damage(struct env *env, struct arena *a)
{
    struct generation g;
    struct err bad = { 0 };
    bool there;

    if (env->layout != ENV_GENERATIONS || env->state < 0)
        return STR("");
    if (env->current == 0)
        return STR("the link .current leads nowhere");
    if (!has_tree(env))
        return arena_printf(a, "the tree of generation %u is gone", env->current);
    if (!generation_load(env, env->current, a, &g, &there, &bad))
        return arena_printf(a, "the manifest of generation %u cannot be read", env->current);
    return there ? STR("") : arena_printf(a, "the manifest of generation %u is gone", env->current);
}

struct past {
    struct generation *p; /* newest first */
    size_t n;
};

static struct past load_past(struct env *env, struct arena *a)
{
    struct past out = { 0 };
    struct err ignored = { 0 };
    uint32_t *seq;
    size_t n;

    if (!generation_list(env, a, &seq, &n, &ignored))
        return out;
    out.p = ARENA_ARRAY(a, struct generation, n + 1);
    for (size_t i = n; i-- > 0;) {
        bool there;

        err_clear(&ignored);
        out.n += generation_load(env, seq[i], a, &out.p[out.n], &there, &ignored) && there &&
                 out.p[out.n].kind != GENERATION_FAILED && (env->current == 0 || seq[i] <= env->current);
    }
    return out;
}

void recover_point(struct env *env, struct arena *a)
{
    struct past past = load_past(env, a);

    if (past.n && env->current != past.p[0].seq) {
        env->current = past.p[0].seq;
        env->tree = past.p[0].tree;
    }
}

/* What is broken and where what is needed to mend it lies. */
struct mend {
    struct workspace *w;
    struct env *env;
    struct store store;
    struct past past;
    struct str damage;
};

static bool bring_back(struct mend *m, uint32_t seq, enum generation_kind how)
{
    struct apply_return back = { .store = &m->store, .seq = seq, .how = how,
                                 .reason = { .command = STR("recover"), .actor = m->w->request->actor,
                                             .why = m->damage } };
    struct apply_result result;
    struct err ignored = { 0 }; /* that one cannot be had: another one is tried, or the environment made anew */

    if (!apply_restore(m->env, &back, m->w->a, &result, &ignored))
        return false;
    workspace_warn(m->w, STR_FMT ": generation %u has the content of %u", STR_ARG(m->damage), m->env->current, seq);
    return true;
}

/* The newest that can be had again. The first one tried is what was current, so it stays the same place of the
 * history; an older one is a rollback. False when none can be: wheels are gone, or all are for another Python. */
static bool latest(struct mend *m)
{
    for (size_t i = 0; i < m->past.n; i++)
        if (bring_back(m, m->past.p[i].seq, i == 0 ? GENERATION_REPAIR : GENERATION_ROLLBACK))
            return true;
    workspace_warn(m->w, STR_FMT ", and no older state can be had again: the environment is made anew",
                   STR_ARG(m->damage));
    return false;
}

static bool act(struct mend *m, bool *did, struct err *e)
{
    AUTO_FD guard = -1;
    uint32_t before;
    struct err none = { 0 }; /* nothing before it: then the latest */

    if (!store_open(m->w->dirs.store, &m->store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = guard_take(&m->store, GUARD_SHARED, &guard, e);

    if (ok && m->w->config.env_layer_recovery_mode == CONFIG_RECOVERY_PREVIOUS &&
        history_undo_target(m->env, 1, &before, &none))
        *did = bring_back(m, before, GENERATION_ROLLBACK);
    if (ok && !*did)
        *did = latest(m);
    store_close(&m->store);
    return ok;
}

bool recover_env(struct workspace *w, struct env *env, bool *did, struct err *e)
{
    struct mend m = { .w = w, .env = env, .damage = recover_damage(env, w->a) };

    *did = false;
    if (!m.damage.n)
        return true;
    m.past = load_past(env, w->a);
    if (w->config.env_layer_recovery_mode == CONFIG_RECOVERY_MANUAL) {
        (void)err_set(e, ERR_ENVIRONMENT, STR_FMT ", and recovery_mode is manual", STR_ARG(m.damage));
        return m.past.n ? err_hint(e, "blast history lists what can be had, blast rollback %u is the newest",
                                   m.past.p[0].seq)
                        : err_hint(e, "nothing is known of it: delete '%s' and run blast start", env->path);
    }
    if (m.past.n == 0)
        return true;
    recover_point(env, w->a);
    return act(&m, did, e);
}
