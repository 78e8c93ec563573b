#include "sync/coordinator.h"

#include <fcntl.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/trace.h"
#include "env/generation.h"
#include "env/history.h"
#include "env/pin.h"
#include "install/boot.h"
#include "install/compile.h"
#include "pep/name.h"
#include "store/guard.h"
#include "sync/audit.h"
#include "sync/bound.h"
#include "sync/drift.h"
#include "sync/env_layer.h"
#include "sync/inputs.h"
#include "sync/journal.h"
#include "sync/metrics.h"
#include "sync/origin.h"
#include "sync/satisfied.h"
#include "sync/startup.h"
#include "sync/trust.h"
#include "sync/workspace.h"

#define HOT_TREES 3
#define EXIT_DENIED 5 /* hash, trust, start-up code, policy */

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
    struct err ignored = { 0 }; /* a lock that cannot be read is reported when it is used */
    struct str_list groups = chosen_groups(r->w, &r->in);

    for (size_t i = 0; i < q->extra.n; i++)
        sum = sum * 31 + hash_fast(q->extra.p[i].p, q->extra.p[i].n);
    for (size_t i = 0; i < groups.n; i++)
        sum = sum * 37 + hash_fast(groups.p[i].p, groups.p[i].n);
    sum = sum * 41 + hash_fast(q->link_mode.p, q->link_mode.n);
    if (str_search(text, STR("\ndirectory = ")) < text.n && lockfile_load(r->w, &r->out->lock, &ignored))
        sum = sum * 43 + origin_state(r->w, &r->out->lock.lock);
    r->input = (struct generation_input){
        .path = STR(LOCKFILE),
        .sha256 = arena_printf(r->w->a, "%016llx", (unsigned long long)sum),
    };
}

/* A run in passing takes nothing away that was installed by hand, as long as the lock stays what it is. */
static bool leaves_hand(struct run *r)
{
    struct stamp_changes changes;
    struct err ignored = { 0 }; /* a tree that cannot be compared is made anew */

    if (!r->job->leave_hand || !drift_look(r->w, &r->env, &changes, &ignored) || changes.n == 0)
        return false;
    workspace_warn(r->w, "changed by hand: " STR_FMT "; blast drift says what can be done",
                   STR_ARG(drift_text(r->w, &changes)));
    return true;
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
            return boot_fits(&r->env) && (generation_is_hot(&r->env, &g) || leaves_hand(r));
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

static bool upgrades(const struct request *q, struct str name)
{
    for (size_t i = 0; i < q->upgrade_only.n; i++)
        if (name_eq(q->upgrade_only.p[i], name))
            return true;
    return false;
}

static bool make_lock(struct run *r, struct err *e)
{
    struct sync_outcome *o = r->out;

    if (r->job->bounded && !bound_versions(r->w, &r->in, e))
        return false;
    if (!r->job->no_lock)
        return lockfile_make(&r->pkg, NULL, &o->lock, e);
    struct pkg_pin *pin = ARENA_ARRAY(r->w->a, struct pkg_pin, r->have.n);

    size_t n = 0;

    for (size_t i = 0; i < r->have.n && !r->w->request->upgrade; i++)
        if (!upgrades(r->w->request, r->have.p[i].name))
            pin[n++] = (struct pkg_pin){ r->have.p[i].name, r->have.p[i].version };
    o->lock = (struct lockfile){ .loaded = true };
    return pkg_resolve(&r->pkg, pin, n, &o->lock.lock, e);
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

bool sync_select(struct workspace *w, const struct inputs *in, struct lockfile *l, struct lock_selection *out,
                 struct err *e)
{
    struct str_list groups = chosen_groups(w, in);
    struct lock_scope scope = {
        .env = &w->python.marker,
        .extras = w->request->extra.p,
        .n_extras = in->from_project ? w->request->extra.n : 0,
        .groups = groups.p,
        .n_groups = in->from_project ? groups.n : 0,
    };

    return lockfile_load(w, l, e) && lock_select(w->a, &l->lock, &scope, out, e);
}

/* ------------------------------------------------------------ what somebody has to decide */

static bool in_generation(const struct generation *g, struct str name)
{
    for (size_t i = 0; i < g->n_packages; i++)
        if (name_eq(g->packages[i].name, name))
            return true;
    return false;
}

static bool in_selection(const struct lock_selection *sel, struct str name)
{
    for (size_t i = 0; i < sel->n; i++)
        if (name_eq(sel->package[i]->name, name))
            return true;
    return false;
}

/* What is installed and neither in the generation's manifest nor wanted came past Blast. */
static bool find_hand(struct run *r, const struct lock_selection *sel, struct err *e)
{
    struct generation g;
    struct env_package *hand;
    bool there;

    if (!generation_load(&r->env, r->env.current, r->w->a, &g, &there, e))
        return false;
    if (!there || (g.kind != GENERATION_SCRATCH && generation_is_hot(&r->env, &g)))
        return true;
    while (there && g.kind == GENERATION_SCRATCH) /* it holds what was done by hand already */
        if (!generation_load(&r->env, g.parent, r->w->a, &g, &there, e))
            return false;
    if (!there)
        return true;
    hand = ARENA_ARRAY(r->w->a, struct env_package, r->have.n);
    for (size_t i = 0; i < r->have.n; i++)
        if (!in_generation(&g, r->have.p[i].name) && !in_selection(sel, r->have.p[i].name))
            hand[r->out->n_hand++] = r->have.p[i];
    r->out->hand = hand;
    return true;
}

static bool hold(struct run *r, const struct lock_selection *sel, struct err *e)
{
    struct sync_outcome *o = r->out;
    bool generations = r->env_open && r->env.layout == ENV_GENERATIONS && r->env.current;

    if (r->job->price_only || (r->job->hold_lock && o->lock.changed))
        o->held = SYNC_HELD_LOCK;
    if (!o->held && !r->job->hold_hand)
        return true;
    if (r->env_open && !r->have.p && !env_installed(&r->env, r->w->a, &r->have, e))
        return false;
    if (!o->held && r->job->hold_hand && generations) {
        if (!find_hand(r, sel, e))
            return false;
        if (o->n_hand)
            o->held = SYNC_HELD_HAND;
    }
    return !o->held || price_selection(r->w, &r->in, &r->have, sel, &o->price, e);
}

/* ------------------------------------------------------------ the change */

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
        .trial = r->job->trial,
        .trial_ctx = r->job->trial_ctx,
        .aside = r->job->aside,
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
    for (size_t i = 0; i < n; i++)
        if (!journal_unmoved(r->w, file[i].name, file[i].old, e))
            return false;
    if (!r->job->pyproject_new.n && !journal_unmoved(r->w, "pyproject.toml", r->w->project.text, e))
        return false; /* the lock that was made is not for the file that is there now */
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

static void record(struct run *r)
{
    struct workspace *w = r->w;
    const struct sync_outcome *o = r->out;

    if (o->made)
        audit_record(w, AUDIT_CREATED, 0, audit_data(w->a, "python", arena_cstr(w->a, w->python.version_text),
                                                     "interpreter", w->python.base_executable.p, (char *)NULL));
    if (o->apply.changed)
        audit_record(w, AUDIT_GENERATION, o->seq,
                     audit_change_data(w->a, r->job->command, w->request->why, &o->apply.plan));
}

/* What was changed by hand and is now replaced becomes a generation first, so that undo finds it again. */
static bool save_hand(struct run *r, struct err *e)
{
    struct stamp_changes changes;
    uint32_t seq;

    if (r->env.layout != ENV_GENERATIONS || r->env.current == 0 || r->out->made)
        return true;
    if (!drift_look(r->w, &r->env, &changes, e))
        return false;
    if (changes.n == 0)
        return true;
    if (!drift_scratch(r->w, &r->env, &changes, STR("snapshot"), &seq, e))
        return false;
    if (!r->job->hand_known)
        workspace_warn(r->w, "left behind, as the project does not ask for it: " STR_FMT "; it is generation %u now",
                       STR_ARG(drift_text(r->w, &changes)), seq);
    return true;
}

static bool finish(struct run *r, struct err *e)
{
    uint64_t begun = clock_us();
    bool dry = r->w->request->dry_run || r->job->check;
    struct err ignored = { 0 };

    if (dry)
        return would_change(r, e);
    if (!startup_gate(r->w, &r->env, &r->store, &r->wheels, e) || !save_hand(r, e) || !commit(r, e))
        return false;
    if (r->env.layout == ENV_GENERATIONS && r->out->apply.changed)
        (void)!history_prune(&r->env, (unsigned)r->w->config.env_layer_max_snapshots, HOT_TREES, &ignored);
    compile(r);
    r->out->seq = r->out->apply.seq;
    record(r);
    r->job->timings->us[PHASE_INSTALL] += clock_us() - begun;
    trace_add(TRACE_PHASE, STR("install"), begun, 0);
    return true;
}

static bool python_held(struct workspace *w, struct err *e)
{
    (void)err_set(e, ERR_ENVIRONMENT, "pyproject.toml:%u: requires-python does not take Python " STR_FMT
                  " of the environment, which [sync] env_layer = manual keeps", w->project.requires_python_line,
                  STR_ARG(w->python.version_text));
    return err_hint(e, "blast sync --python VERSION makes the environment anew");
}

/* An environment that is going to be replaced stays until it is known that the new one can be filled. */
static bool look_ahead(struct run *r, struct err *e)
{
    struct sync_job look = *r->job;
    struct sync_outcome o;
    bool dry = r->w->request->dry_run || r->job->check;

    if (dry || r->w->foreign_env || r->job->no_lock || !env_layer_replaces(r->w))
        return true;
    look.check = look.price_only = true;
    return sync_run(r->w, &look, &o, e);
}

static bool run_all(struct run *r, struct err *e)
{
    struct workspace *w = r->w;
    struct lock_selection sel;
    uint64_t begun = clock_us();

    if (!w->foreign_env && !workspace_python(w, e))
        return false;
    if (w->python_held) {
        r->out->held = SYNC_HELD_PYTHON;
        return r->job->decide || python_held(w, e);
    }
    if (!look_ahead(r, e) || !open_env(r, e) || !workspace_python(w, e) || !inputs_gather(w, &r->in, e))
        return false;
    if (!look_at_installed(r, e))
        return false;
    r->job->timings->us[PHASE_PREPARE] += clock_us() - begun;
    trace_add(TRACE_PHASE, STR("prepare"), begun, 0);
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
    if (!sync_select(w, &r->in, &r->out->lock, &sel, e) || !hold(r, &sel, e))
        return false;
    if (r->out->held)
        return true;
    if (r->env_open && r->env.layout == ENV_PLAIN && !r->job->keep_others && !r->out->lock.changed &&
        !r->job->pyproject_new.n && satisfied_exactly(w, &r->env, &sel)) {
        r->out->nothing_to_do = true;
        return true;
    }
    return open_store(r, e) && pkg_fetch(&r->pkg, &sel, &r->store, &r->wheels, e) && finish(r, e);
}

/* The environment follows the project's files again, also when an undo had led to what they ask for. */
static bool follow(struct run *r, struct err *e)
{
    bool dry = r->w->request->dry_run || r->job->check;

    if (dry || r->out->held || !r->env_open || r->env.layout != ENV_GENERATIONS || r->w->foreign_env)
        return true;
    return pin_clear(&r->env, e);
}

/* Refusals go into the log; a user who acts here has said that the project may be installed. */
static void record_end(struct workspace *w, const struct sync_job *job, bool ok, const struct err *e)
{
    struct err ignored = { 0 };

    if (!ok && err_exit_code(e) == EXIT_DENIED)
        audit_record(w, AUDIT_DENIED, 0,
                     audit_data(w->a, "command", arena_cstr(w->a, job->command), "error", e->text, (char *)NULL));
    if (ok && !job->check && !w->request->dry_run && str_eq(w->request->actor, STR("cli")) && !trust_note(w, &ignored))
        workspace_warn(w, "not recorded that this project is trusted: %.*s", (int)MIN(ignored.n, 400u), ignored.text);
}

static void measure(struct workspace *w, const struct sync_job *job, const struct sync_outcome *o, uint64_t begun,
                    const struct err *failure)
{
    const struct timings *t = job->timings;
    const struct plan *p = &o->apply.plan;
    struct err ignored = { 0 }; /* figures are a convenience */
    struct metrics_record m = {
        .when = clock_now(),
        .total_us = clock_us() - begun,
        .bytes = t->bytes,
        .pages = t->pages,
        .metadata = t->metadata,
        .wheels = t->wheels,
        .hits = t->hits,
        .added = o->apply.changed ? p->add : 0,
        .removed = o->apply.changed ? p->remove : 0,
        .replaced = o->apply.changed ? p->replace : 0,
        .outcome = o->apply.changed ? METRICS_CHANGED : METRICS_UNCHANGED,
    };

    for (unsigned i = 0; i < PHASES; i++)
        m.us[i] = t->us[i];
    if (failure)
        m.outcome = err_exit_code(failure) == EXIT_DENIED ? METRICS_DENIED : METRICS_FAILED;
    if (!job->check && !w->request->dry_run)
        (void)!metrics_append(&w->dirs, &m, &ignored);
}

bool sync_run(struct workspace *w, const struct sync_job *job, struct sync_outcome *out, struct err *e)
{
    struct run r = { .w = w, .job = job, .out = out, .guard = -1 };
    uint64_t begun = clock_us();

    *out = (struct sync_outcome){ .env_path = w->env_path };
    pkg_net_init(&r.net, w);
    r.pkg = (struct pkg_job){
        .w = w, .in = &r.in, .net = &r.net, .watch = job->watch, .timings = job->timings, .offered = job->lock_new
    };
    bool ok = run_all(&r, e) && follow(&r, e);

    run_close(&r);
    record_end(w, job, ok, e);
    measure(w, job, out, begun, ok ? NULL : e);
    return ok;
}

/* What a crash left of the user's files is put right before they are read, as sync_run() does. */
static bool settle_journal(struct workspace *w, struct err *e)
{
    struct env env;
    bool made, did = false;

    if (w->foreign_env || !journal_is_there(w))
        return true;
    if (!env_is_there(w->env_path))
        return journal_recover(w, 0, &did, e) && (!did || project_load(w->dir, w->a, &w->project, e));
    if (!env_layer_open(w, &env, &made, e)) /* locked: a change under way has a journal too */
        return false;
    bool ok = journal_recover(w, env.current, &did, e);

    env_close(&env);
    return ok && (!did || project_load(w->dir, w->a, &w->project, e));
}

bool sync_lock(struct workspace *w, const struct sync_lock_job *job, struct lockfile *out, struct err *e)
{
    struct inputs in;
    AUTO_PKG_NET net;
    struct pkg_job pkg = { .w = w, .in = &in, .net = &net, .watch = job->watch, .timings = job->timings };

    pkg_net_init(&net, w);
    if (!job->check && !w->request->dry_run && !settle_journal(w, e))
        return false;
    if (!workspace_python(w, e) || !inputs_gather(w, &in, e) || !lockfile_make(&pkg, job->path, out, e))
        return false;
    return job->check || w->request->dry_run || lockfile_write(out, e);
}
