#include "sync/background.h"

#include <errno.h>
#include <fcntl.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "env/env.h"
#include "env/pin.h"
#include "env/status_file.h"
#include "pep/req.h"
#include "sync/choices.h"
#include "sync/coordinator.h"
#include "sync/decision.h"
#include "sync/failure.h"
#include "sync/journal.h"
#include "sync/policy.h"
#include "sync/tracked.h"
#include "sync/trust.h"
#include "sync/workspace.h"

#define LOCK_WAIT_MS 2000u /* somebody at the keyboard has the environment: the daemon asks again later */
#define NOTICE_FILE "notice"
#define NOTICE_AGE (24 * 3600)
#define NOTICE_NAMES 200 /* bytes of "+a 1 ~b 2 -> 3" in a notice */

static const struct {
    const char *word;
    int exit;
} states[] = {
#define X(state, word, code) { word, code },
    BACKGROUND_STATES(X)
#undef X
};

const char *background_word(enum background_state state)
{
    return states[state].word;
}

static struct background outcome(enum background_state state, struct str message)
{
    return (struct background){ .state = state, .message = message, .exit = states[state].exit };
}

struct background background_failed(const struct err *e, struct workspace *w)
{
    int code = err_exit_code(e);
    const char *frame = "";
    unsigned n = 0;

    (void)err_frame(e, 0, &frame, &n);
    struct background out = outcome(code == 7   ? BACKGROUND_LOCKED
                                    : code == 5 ? BACKGROUND_DENIED
                                                : BACKGROUND_FAILED,
                                    arena_str(w->a, (struct str){ frame, n }));

    out.exit = code;
    out.passing = out.state == BACKGROUND_FAILED && (e->sys == ENOSPC || e->sys == EDQUOT);
    return out;
}

/* ------------------------------------------------------------ the status line of shells */

static enum status_word word_of(const struct background *b)
{
    switch (b->state) {
    case BACKGROUND_PENDING:
        return STATUS_DECIDE;
    case BACKGROUND_FAILED:
        return STATUS_FAILED;
    case BACKGROUND_SYNCED:
    case BACKGROUND_UNCHANGED:
    case BACKGROUND_PAUSED:
    case BACKGROUND_DENIED:
    case BACKGROUND_LOCKED:
        break;
    }
    return STATUS_OK;
}

/* A hint for prompts: what goes wrong here is nobody's failure. */
static void show(struct workspace *w, const struct background *b)
{
    struct err ignored = { 0 };
    struct env env;
    uint32_t seq;

    if (!env_is_there(w->env_path) || !env_open(w->env_path, w->dirs.state, &env, &ignored))
        return;
    if (env.layout == ENV_GENERATIONS) {
        struct status_file s = { .word = b ? word_of(b) : STATUS_SYNC };
        struct decision *all;
        size_t n = 0;

        if (pin_get(&env, &seq) && s.word != STATUS_SYNC)
            s.word = STATUS_PINNED;
        s.seq = env.current;
        s.notice = b && s.word == STATUS_FAILED ? b->message : STR("");
        if (b && decision_list(w, &all, &n, &ignored) && n && s.word != STATUS_FAILED) {
            s.word = s.word == STATUS_PINNED ? STATUS_PINNED : STATUS_DECIDE;
            s.notice = decision_notice(&all[n - 1], n - 1, w->a);
        }
        if (b && s.notice.n == 0)
            s.notice = background_notice(w);
        (void)!status_file_write(env.dir, &s, &ignored);
    }
    env_close(&env);
}

void background_status(struct workspace *w)
{
    struct background settled = outcome(BACKGROUND_UNCHANGED, STR(""));

    show(w, &settled);
}

/* ------------------------------------------------------------ may it be done at all? */

static bool is_pinned(struct workspace *w, uint32_t *seq)
{
    struct err ignored = { 0 };
    struct env env;

    if (!env_is_there(w->env_path) || !env_open(w->env_path, w->dirs.state, &env, &ignored))
        return false;
    bool pinned = pin_get(&env, seq);

    env_close(&env);
    return pinned;
}

/* True: go on. Else *out says why not. */
static bool may_run(struct workspace *w, struct background *out)
{
    struct str why = policy_background(&w->config);
    struct err e = { 0 };
    struct trust trust;
    uint32_t seq;

    if (!w->project.found && !w->where.has_requirements) {
        *out = outcome(BACKGROUND_UNCHANGED, STR("nothing says what should be installed"));
        return false;
    }
    if (!trust_state(w, &trust, &e)) {
        *out = background_failed(&e, w);
        return false;
    }
    if (trust.level == TRUST_NONE) {
        *out = outcome(BACKGROUND_DENIED, STR("not trusted: nobody ran blast start or blast sync here"));
        return false;
    }
    if (why.n) {
        *out = outcome(BACKGROUND_PAUSED, why);
        return false;
    }
    if (is_pinned(w, &seq)) {
        *out = outcome(BACKGROUND_PAUSED, arena_printf(w->a, "generation %u stays, as an undo or rollback left it; "
                                                             "blast resume ends that", seq));
        return false;
    }
    return true;
}

/* ------------------------------------------------------------ decisions */

/* A decision is in force for the files that are there when it is parked: those must be the ones it was made from. */
static struct background park(struct workspace *w, struct decision *d, const struct sync_outcome *o)
{
    struct err e = { 0 };

    if (!journal_unmoved(w, "pyproject.toml", w->project.text, &e) ||
        (o && o->lock.path.n && !journal_unmoved(w, LOCKFILE, o->lock.old_text, &e)) || !decision_park(w, d, &e))
        return background_failed(&e, w);
    struct background out = outcome(BACKGROUND_PENDING, d->text);

    out.decision = d->id;
    if (d->n)
        out.changes = d->choice[0].price.changes;
    return out;
}

/* conflict_resolution = keep and fail park nothing: the one leaves all as it is, the other says so. */
static struct background settle(struct workspace *w, struct decision *d, const struct sync_outcome *o)
{
    enum config_conflict how = (enum config_conflict)w->config.sync_conflict_resolution;

    if (how == CONFIG_CONFLICT_KEEP)
        return outcome(BACKGROUND_UNCHANGED, d->text);
    if (how == CONFIG_CONFLICT_FAIL)
        return outcome(BACKGROUND_FAILED, d->text);
    return park(w, d, o);
}

/* Nothing held this run, so nothing of what held an earlier one is left to decide. */
static void clear_decisions(struct workspace *w)
{
    struct decision *all;
    struct err ignored = { 0 }; /* the next run does it */
    size_t n;

    if (!decision_list(w, &all, &n, &ignored))
        return;
    for (size_t i = 0; i < n; i++)
        if (all[i].kind != DECISION_UPDATE)
            (void)!decision_drop(w, all[i].id, &ignored);
}

static struct background settle_held(struct workspace *w, const struct sync_outcome *o, bool update)
{
    struct decision d = { 0 };

    switch (o->held) {
    case SYNC_HELD_HAND:
        choices_hand(w, o, &d);
        break;
    case SYNC_HELD_PYTHON:
        choices_python(w, &d);
        break;
    case SYNC_HELD_LOCK:
    case SYNC_NOT_HELD:
        if (update)
            choices_update(w, o, &d);
        else
            choices_relock(w, o, &d);
        break;
    }
    return settle(w, &d, o);
}

/* A conflict has no choice that could be taken unasked: each edits pyproject.toml. */
static struct background settle_failure(struct workspace *w, const struct err *e)
{
    struct failure *f = w->request->failure;
    struct decision d;
    struct str base;
    struct err ignored = { 0 };

    if (e->kind != ERR_RESOLUTION || !f || !f->set ||
        !fd_read_if_there(w->dir, "pyproject.toml", PROJECT_FILE_MAX, w->a, &base, &ignored))
        return background_failed(e, w);
    choices_conflict(w, base, f, e, &d);
    return d.n ? settle(w, &d, NULL) : background_failed(e, w);
}

/* ------------------------------------------------------------ the verbs */

struct announced {
    struct workspace *w;
    bool told;
};

static struct background of_outcome(struct workspace *w, const struct sync_outcome *o)
{
    struct background out = outcome(o->apply.changed ? BACKGROUND_SYNCED : BACKGROUND_UNCHANGED, STR(""));
    const struct plan *p = &o->apply.plan;

    out.generation = o->seq;
    out.changes = STR("");
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_step *s = &p->steps[i];
        const char *gap = out.changes.n ? " " : "";

        if (s->kind == PLAN_ADD)
            out.changes = arena_printf(w->a, STR_FMT "%s+" STR_FMT " " STR_FMT, STR_ARG(out.changes), gap,
                                       STR_ARG(s->want->name), STR_ARG(s->want->version));
        else if (s->kind == PLAN_REMOVE)
            out.changes = arena_printf(w->a, STR_FMT "%s-" STR_FMT " " STR_FMT, STR_ARG(out.changes), gap,
                                       STR_ARG(s->have->name), STR_ARG(s->have->version));
        else if (s->kind == PLAN_REPLACE)
            out.changes = arena_printf(w->a, STR_FMT "%s~" STR_FMT " " STR_FMT " -> " STR_FMT, STR_ARG(out.changes),
                                       gap, STR_ARG(s->want->name), STR_ARG(s->have->version),
                                       STR_ARG(s->want->version));
    }
    return out;
}

/* As the daemon makes it of the files themselves (daemon/closure.h). */
static uint64_t digest(struct str text)
{
    uint64_t h = text.p ? hash_fast(text.p, text.n) : 0;

    return text.p && !h ? 1 : h;
}

/* Prompts hear of a run once it has something to do: most find all in place within milliseconds. */
static void announce(void *ctx, const char *phase, size_t done, size_t total, uint64_t bytes, uint64_t of_bytes)
{
    struct announced *a = ctx;

    (void)phase, (void)done, (void)total, (void)bytes, (void)of_bytes;
    if (!a->told)
        show(a->w, NULL);
    a->told = true;
}

/* Says what it read, so that who asked can tell whether the files are others by now. */
static struct background run(struct workspace *w, const struct sync_job *as, bool update)
{
    struct announced announced = { .w = w };
    struct watch watch = { .show = announce, .ctx = &announced };
    struct sync_job job = *as;
    struct sync_outcome o;
    struct err e = { 0 };
    struct background out;

    job.watch = job.check ? NULL : &watch;
    bool ok = sync_run(w, &job, &o, &e);

    if (!ok)
        out = settle_failure(w, &e);
    else if (o.held)
        out = settle_held(w, &o, update);
    else
        out = of_outcome(w, &o);
    if (ok && !o.held)
        clear_decisions(w);
    out.read = o.lock.path.n > 0;
    out.pyproject = digest(w->project.text);
    out.lock = digest(ok && !o.held ? o.lock.text : o.lock.old_text);
    return out;
}

static struct background sync_verb(struct workspace *w, bool force, struct timings *t)
{
    struct sync_job job = {
        .command = STR("background sync"),
        .timings = t,
        .hold_hand = !force,
        .decide = true,
        .hold_lock = w->config.sync_pkg_layer == CONFIG_PKG_LOCKED || tracked_is(w->where.dir, LOCKFILE),
    };

    return run(w, &job, false);
}

/* The names that the project itself asks for. */
static struct str_list direct_names(struct workspace *w)
{
    const struct project *p = &w->project;
    VEC(struct str) names = { 0 };
    struct err ignored = { 0 };
    struct req q;

    for (size_t i = 0; i < 1 + p->extras.n + p->groups.n; i++) {
        const struct project_list *l = i == 0              ? &p->dependencies
                                       : i <= p->extras.n ? &p->extras.p[i - 1]
                                                          : &p->groups.p[i - 1 - p->extras.n];

        for (size_t k = 0; k < l->reqs.n; k++)
            if (req_parse(w->a, l->reqs.p[k].text, &q, &ignored))
                VEC_PUSH_IN(w->a, &names, q.name);
    }
    return (struct str_list){ names.p, names.n };
}

/* [updates] update_dependencies: everything moves, or only what is named. */
static void ask_for_newer(struct workspace *w, struct request *r)
{
    r->upgrade = w->config.updates_update_dependencies || !w->project.found;
    if (!r->upgrade)
        r->upgrade_only = direct_names(w);
}

static struct background update_verb(struct workspace *w, struct timings *t)
{
    struct request r = *w->request;
    struct workspace newer = *w;
    struct sync_job job = {
        .command = STR("background update"),
        .timings = t,
        .bounded = true,
        .decide = true,
        .hold_hand = !w->config.updates_force_updates,
        .hold_lock = w->config.sync_pkg_layer == CONFIG_PKG_LOCKED || tracked_is(w->where.dir, LOCKFILE),
    };

    ask_for_newer(w, &r);
    newer.request = &r;
    return run(&newer, &job, true);
}

/* At most one line a day; a check that finds nothing takes the last one back. */
static void keep_notice(struct workspace *w, struct str text)
{
    struct err ignored = { 0 };
    struct env env;

    if (!env_is_there(w->env_path) || !env_open(w->env_path, w->dirs.state, &env, &ignored))
        return;
    if (text.n)
        (void)!file_replace(env.state, NOTICE_FILE,
                            arena_printf(w->a, "%lld " STR_FMT "\n", (long long)clock_now(), STR_ARG(text)), 0600,
                            FILE_NO_SYNC, &ignored);
    else
        (void)!file_remove_tree(env.state, NOTICE_FILE, &ignored);
    env_close(&env);
}

struct str background_notice(struct workspace *w)
{
    struct err ignored = { 0 };
    struct env env;
    struct str text = { NULL, 0 }, when;
    uint64_t seconds;

    if (!env_is_there(w->env_path) || !env_open(w->env_path, w->dirs.state, &env, &ignored))
        return STR("");
    if (!fd_read_if_there(env.state, NOTICE_FILE, 4096, w->a, &text, &ignored) || !text.p)
        text = STR("");
    env_close(&env);
    if (!str_next(&text, ' ', &when) || !str_to_u64(when, &seconds) || (int64_t)seconds + NOTICE_AGE < clock_now())
        return STR("");
    return str_trim(text);
}

static struct background check_verb(struct workspace *w, struct timings *t)
{
    struct request r = *w->request;
    struct workspace newer = *w;
    struct sync_outcome o;
    struct err e = { 0 };
    struct sync_job job = { .command = STR("background check"), .timings = t, .bounded = true, .check = true,
                            .price_only = true, .decide = true };

    ask_for_newer(w, &r);
    newer.request = &r;
    if (!sync_run(&newer, &job, &o, &e))
        return background_failed(&e, w);
    const struct price *p = &o.price;
    uint32_t n = p->add + p->change + p->remove;

    if (o.held != SYNC_HELD_LOCK || n == 0) {
        keep_notice(w, STR(""));
        return outcome(BACKGROUND_UNCHANGED, STR("nothing newer is there"));
    }
    struct str names = p->changes.n <= NOTICE_NAMES ? arena_printf(w->a, ": " STR_FMT, STR_ARG(p->changes)) : STR("");
    struct background out = outcome(BACKGROUND_UNCHANGED, arena_printf(w->a, "%u package%s can be updated" STR_FMT
                                                                             " -> blast update",
                                                                       n, n == 1 ? "" : "s", STR_ARG(names)));

    out.changes = p->changes;
    if (background_notice(w).n == 0)
        keep_notice(w, out.message);
    return out;
}

static struct background run_verb(struct workspace *w, enum background_verb verb, struct timings *t)
{
    struct background out = { 0 };

    if (verb == BACKGROUND_CHECK)
        return check_verb(w, t);
    bool force = verb == BACKGROUND_UPDATE && w->config.updates_auto_update && w->config.updates_force_updates;

    out = sync_verb(w, force, t);
    if (verb != BACKGROUND_UPDATE || (out.state != BACKGROUND_SYNCED && out.state != BACKGROUND_UNCHANGED))
        return out;
    if (!w->config.updates_auto_update)
        return check_verb(w, t);
    struct background newer = update_verb(w, t);

    return newer.state == BACKGROUND_UNCHANGED ? out : newer;
}

void background_run(struct workspace *w, enum background_verb verb, struct timings *t, struct background *out)
{
    struct request r = *w->request;
    struct err ignored = { 0 };
    struct failure failure = { 0 };
    struct env env;

    r.lock_wait_ms = LOCK_WAIT_MS;
    r.waiting = NULL;
    r.failure = &failure;
    w->request = &r;
    if (may_run(w, out))
        *out = run_verb(w, verb, t);
    if (out->generation == 0 && env_is_there(w->env_path) && env_open(w->env_path, NULL, &env, &ignored)) {
        out->generation = env.current;
        env_close(&env);
    }
    if (out->state != BACKGROUND_DENIED)
        show(w, out);
}
