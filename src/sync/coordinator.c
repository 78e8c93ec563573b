#include "sync/coordinator.h"

#include <fcntl.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "env/generation.h"
#include "env/history.h"
#include "install/boot.h"
#include "install/compile.h"
#include "store/guard.h"
#include "sync/env_layer.h"
#include "sync/inputs.h"
#include "sync/journal.h"
#include "sync/satisfied.h"
#include "sync/workspace.h"

#define HOT_TREES 3

/* What one sync holds while it runs. */
struct run {
    struct workspace *w;
    const struct sync_job *job;
    struct sync_outcome *out;
    struct inputs in;
    struct pkg_net net;
    struct pkg_job pkg; /* of the above */
    struct env env;
    bool env_open;
    struct env_packages have; /* what is installed; only looked at without a lock */
    struct store store;
    bool store_open;
    int guard;
    struct pkg_wheels wheels;
    struct generation_input input; /* what the environment will be made from */
};

static void run_close(struct run *r)
{
    pkg_wheels_release(&r->wheels);
    pkg_net_close(&r->net);
    fd_close(&r->guard);
    if (r->store_open)
        store_close(&r->store);
    if (r->env_open)
        env_close(&r->env);
}

/* ------------------------------------------------------------ nothing to do? */

static struct str_list chosen_groups(struct workspace *w, const struct inputs *in)
{
    size_t n = in->default_groups.n + w->request->group.n;
    struct str *all = ARENA_ARRAY(w->a, struct str, n);

    for (size_t i = 0; i < in->default_groups.n; i++)
        all[i] = in->default_groups.p[i];
    for (size_t i = 0; i < w->request->group.n; i++)
        all[in->default_groups.n + i] = w->request->group.p[i];
    return (struct str_list){ all, n };
}

/* A value that changes with the lock and with what is chosen of it. */
static void describe_input(struct run *r)
{
    const struct request *q = r->w->request;
    struct str text = r->out->lock.text;
    uint64_t sum = hash_fast(text.p, text.n);
    struct str_list groups = chosen_groups(r->w, &r->in);

    for (size_t i = 0; i < q->extra.n; i++)
        sum = sum * 31 + hash_fast(q->extra.p[i].p, q->extra.p[i].n);
    for (size_t i = 0; i < groups.n; i++)
        sum = sum * 37 + hash_fast(groups.p[i].p, groups.p[i].n);
    sum = sum * 41 + hash_fast(q->link_mode.p, q->link_mode.n);
    r->input = (struct generation_input){
        .path = STR(LOCKFILE),
        .sha256 = arena_printf(r->w->a, "%016llx", (unsigned long long)sum),
    };
}

/* The current generation was made from this very lock and nobody changed it since. */
static bool is_current(struct run *r)
{
    struct generation g;
    struct err ignored = { 0 };
    bool there;

    if (r->env.layout != ENV_GENERATIONS || r->env.current == 0 || !r->out->lock.fresh ||
        !generation_load(&r->env, r->env.current, r->w->a, &g, &there, &ignored) || !there)
        return false;
    for (size_t i = 0; i < g.n_inputs; i++)
        if (str_eq(g.inputs[i].path, r->input.path) && str_eq(g.inputs[i].sha256, r->input.sha256))
            return generation_is_hot(&r->env, &g) && boot_fits(&r->env);
    return false;
}

/* ------------------------------------------------------------ the steps */

static bool open_store(struct run *r, struct err *e)
{
    if (!store_open(r->w->dirs.store, &r->store, e))
        return err_as(e, ERR_CACHE, "open the store");
    r->store_open = true;
    return guard_take(&r->store, GUARD_SHARED, &r->guard, e);
}

static bool open_env(struct run *r, struct err *e)
{
    bool did;

    if (r->w->request->dry_run || r->job->check) {
        if (!env_is_there(r->w->env_path))
            return true;
        r->env_open = env_open(r->w->env_path, r->w->dirs.state, &r->env, e);
        return r->env_open && (!r->w->foreign_env || workspace_python_of(r->w, &r->env, e));
    }
    r->env_open = env_layer_open(r->w, &r->env, &r->out->made, e);
    if (!r->env_open)
        return false;
    if (r->w->foreign_env)
        return true;
    if (!journal_recover(r->w, r->env.current, &did, e))
        return false;
    /* the lists may have been put back; an edit under way has read them already and wins */
    return !did || r->job->pyproject_new.n || project_load(r->w->dir, r->w->a, &r->w->project, e);
}

static bool make_lock(struct run *r, struct err *e)
{
    struct sync_outcome *o = r->out;

    if (!r->job->no_lock)
        return lockfile_make(&r->pkg, NULL, &o->lock, e);
    struct pkg_pin *pin = ARENA_ARRAY(r->w->a, struct pkg_pin, r->have.n);

    for (size_t i = 0; i < r->have.n; i++)
        pin[i] = (struct pkg_pin){ r->have.p[i].name, r->have.p[i].version };
    o->lock = (struct lockfile){ .loaded = true };
    return pkg_resolve(&r->pkg, pin, r->w->request->upgrade ? 0 : r->have.n, &o->lock.lock, e);
}

/* An install into an environment without lock: is all that was named there already? */
static bool look_at_installed(struct run *r, struct err *e)
{
    if (!r->job->no_lock || !r->job->keep_others || !r->env_open)
        return true;
    if (!env_installed(&r->env, r->w->a, &r->have, e))
        return false;
    r->out->nothing_to_do = satisfied(r->w, &r->env, &r->have, &r->in);
    r->out->seq = r->env.current;
    return true;
}

static bool select_packages(struct run *r, struct lock_selection *sel, struct err *e)
{
    struct workspace *w = r->w;
    struct str_list groups = chosen_groups(w, &r->in);
    struct lock_scope scope = {
        .env = &w->python.marker,
        .extras = w->request->extra.p,
        .n_extras = r->in.from_project ? w->request->extra.n : 0,
        .groups = groups.p,
        .n_groups = r->in.from_project ? groups.n : 0,
    };

    return lockfile_load(w, &r->out->lock, e) && lock_select(w->a, &r->out->lock.lock, &scope, sel, e);
}

static bool write_files(struct run *r, const struct journal_file *file, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!file_replace(r->w->dir, file[i].name, file[i].new, 0666, FILE_NO_SYNC, e))
            return err_as(e, ERR_ENVIRONMENT, "write %s", file[i].name);
    return true;
}

static bool apply(struct run *r, struct err *e)
{
    struct env_change change = {
        .wheels = &r->wheels,
        .inputs = &r->in,
        .input = r->job->no_lock ? NULL : &r->input,
        .command = r->job->command,
        .keep_others = r->job->keep_others,
    };

    return env_layer_apply(r->w, &r->env, &r->store, &change, &r->out->apply, e);
}

/* The user's files and the environment, together or not at all. */
static bool commit(struct run *r, struct err *e)
{
    struct journal_file file[2];
    size_t n = 0;
    struct err ignored = { 0 };

    if (r->job->pyproject_new.n)
        file[n++] = (struct journal_file){ "pyproject.toml", r->job->pyproject_old, r->job->pyproject_new };
    if (!r->job->no_lock && r->out->lock.changed)
        file[n++] = (struct journal_file){ LOCKFILE, r->out->lock.old_text, r->out->lock.text };
    if (n == 0)
        return apply(r, e);
    if (!journal_begin(r->w, file, n, r->env.current, e))
        return false;
    if (!write_files(r, file, n, e) || !apply(r, e)) {
        if (journal_undo(r->w, file, n, &ignored))
            (void)!journal_end(r->w, &ignored); /* the first error is the one to report */
        return false;
    }
    return journal_end(r->w, e);
}

static void compile(struct run *r)
{
    struct err ignored = { 0 };

    /* bytecode is a convenience: without it the first import compiles */
    (void)!compile_start(&r->store, r->w->python.base_executable.p, r->wheels.fresh.p, r->wheels.fresh.n, &ignored);
}

static bool would_change(struct run *r, struct err *e)
{
    struct sync_outcome *o = r->out;

    if (!r->env_open) {
        o->would_change = true;
        return true;
    }
    struct env_change change = { .wheels = &r->wheels, .inputs = &r->in, .command = r->job->command,
                                 .keep_others = r->job->keep_others, .dry_run = true };

    if (!env_layer_apply(r->w, &r->env, &r->store, &change, &o->apply, e))
        return false;
    o->would_change = o->lock.changed || o->apply.changed || o->apply.plan.add || o->apply.plan.remove ||
                      o->apply.plan.replace;
    return true;
}

static bool finish(struct run *r, struct err *e)
{
    uint64_t begun = clock_us();
    bool dry = r->w->request->dry_run || r->job->check;
    struct err ignored = { 0 };

    if (dry)
        return would_change(r, e);
    if (!commit(r, e))
        return false;
    if (r->env.layout == ENV_GENERATIONS && r->out->apply.changed)
        (void)!history_prune(&r->env, (unsigned)r->w->config.env_layer_max_snapshots, HOT_TREES, &ignored);
    compile(r);
    r->out->seq = r->out->apply.seq;
    r->job->timings->us[PHASE_INSTALL] += clock_us() - begun;
    return true;
}

static bool run_all(struct run *r, struct err *e)
{
    struct workspace *w = r->w;
    struct lock_selection sel;
    uint64_t begun = clock_us();

    if (!open_env(r, e) || !workspace_python(w, e) || !inputs_gather(w, &r->in, e))
        return false;
    if (!look_at_installed(r, e))
        return false;
    r->job->timings->us[PHASE_PREPARE] += clock_us() - begun;
    if (r->out->nothing_to_do)
        return true;
    if (!make_lock(r, e))
        return false;
    if (!r->job->no_lock)
        describe_input(r);
    if (!r->job->no_lock && r->env_open && !r->out->made && !r->job->pyproject_new.n && is_current(r)) {
        r->out->nothing_to_do = true;
        r->out->seq = r->env.current;
        return true;
    }
    if (!select_packages(r, &sel, e))
        return false;
    if (r->env_open && r->env.layout == ENV_PLAIN && !r->job->keep_others && !r->out->lock.changed &&
        !r->job->pyproject_new.n && satisfied_exactly(w, &r->env, &sel)) {
        r->out->nothing_to_do = true;
        return true;
    }
    return open_store(r, e) && pkg_fetch(&r->pkg, &sel, &r->store, &r->wheels, e) && finish(r, e);
}

bool sync_run(struct workspace *w, const struct sync_job *job, struct sync_outcome *out, struct err *e)
{
    struct run r = { .w = w, .job = job, .out = out, .guard = -1 };

    *out = (struct sync_outcome){ .env_path = w->env_path };
    pkg_net_init(&r.net, w);
    r.pkg = (struct pkg_job){ w, &r.in, &r.net, job->watch, job->timings };
    bool ok = run_all(&r, e);

    run_close(&r);
    return ok;
}

bool sync_lock(struct workspace *w, const struct sync_lock_job *job, struct lockfile *out, struct err *e)
{
    struct inputs in;
    AUTO_PKG_NET net;
    struct pkg_job pkg = { w, &in, &net, job->watch, job->timings };

    pkg_net_init(&net, w);
    if (!workspace_python(w, e) || !inputs_gather(w, &in, e) || !lockfile_make(&pkg, job->path, out, e))
        return false;
    return job->check || w->request->dry_run || lockfile_write(out, e);
}
