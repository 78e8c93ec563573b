#include "cli/restore.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/ui.h"
#include "env/history.h"
#include "install/apply.h"
#include "store/guard.h"
#include "sync/audit.h"
#include "sync/drift.h"
#include "sync/env_layer.h"
#include "sync/recover.h"

#define HOT_TREES 3
#define STEPS_MAX 1000000

bool restore_steps(struct cmd *c, unsigned *out, struct err *e)
{
    uint64_t v = 1;

    if (c->options.words.n > 1 ||
        (c->options.words.n && (!str_to_u64(c->options.words.p[0], &v) || v == 0 || v > STEPS_MAX))) {
        (void)err_set(e, ERR_CONFIG, "blast %s takes a number of steps, not '" STR_FMT "'", c->command->name,
                      STR_ARG(c->options.words.p[c->options.words.n - 1]));
        return err_hint(e, "blast rollback goes to a generation by its number, tag or age");
    }
    *out = (unsigned)v;
    return true;
}

bool restore_find(struct cmd *c, struct env *env, struct str which, uint32_t *out, struct err *e)
{
    struct history_tag *tags;
    struct err ignored = { 0 };
    size_t n;

    if (history_find(env, which, out, e))
        return true;
    if (*e->hint || !history_tags(env, c->a, &tags, &n, &ignored))
        return false;
    struct str *names = ARENA_ARRAY(c->a, struct str, n + 1);

    for (size_t i = 0; i < n; i++)
        names[i] = tags[i].name;
    struct str near = common_nearest(c->a, which, names, n);

    return near.p ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near))
                  : err_hint(e, "blast history lists the generations");
}

/* "undo", or "undo: TEXT" with --message. */
static struct str reason(const struct cmd *c)
{
    struct str line = edit_command_line(c), text = option_value(&c->options, OPT_MESSAGE);

    return text.n ? arena_printf(c->a, STR_FMT ": " STR_FMT, STR_ARG(line), STR_ARG(text)) : line;
}

struct way_back {
    struct cmd *c;
    struct env *env;
    const struct restore *what;
    uint32_t target;
    struct apply_result result;
};

/* Changes by hand are the last change: one step of undo takes them back. */
static bool target_of(struct way_back *b, bool saved_later, struct err *e)
{
    unsigned steps = b->what->steps;

    if (b->what->kind == GENERATION_UNDO)
        return history_undo_target(b->env, saved_later ? steps - 1 : steps, &b->target, e);
    if (b->what->kind == GENERATION_REDO)
        return history_redo_target(b->env, steps, &b->target, e);
    return restore_find(b->c, b->env, b->what->which, &b->target, e);
}

static bool restore(struct way_back *b, struct workspace *w, struct err *e)
{
    struct stamp_changes changes = { 0 };
    struct store store;
    AUTO_FD guard = -1;
    uint32_t scratch;
    bool dry = w->request->dry_run;
    struct apply_return back = { .store = &store, .how = b->what->kind, .dry_run = dry,
                                 .reason = { .command = reason(b->c), .actor = w->request->actor,
                                             .why = w->request->why } };
    struct err ignored = { 0 };

    if (recover_damage(b->env, b->c->a).n)
        recover_point(b->env, b->c->a);
    else if (!drift_look(w, b->env, &changes, e))
        return false;
    if (!target_of(b, changes.n > 0, e) ||
        (changes.n && !dry && !drift_scratch(w, b->env, &changes, STR("snapshot"), &scratch, e)))
        return false;
    if (changes.n && !dry)
        ui_note("changes made by hand are generation %u now: " STR_FMT, scratch, STR_ARG(drift_text(w, &changes)));
    if (!store_open(w->dirs.store, &store, e))
        return err_as(e, ERR_CACHE, "open the store");
    back.seq = b->target;
    if (dry && changes.n)
        back.how = GENERATION_ROLLBACK; /* the steps are counted from a generation that is not made now */
    bool ok = guard_take(&store, GUARD_SHARED, &guard, e) && apply_restore(b->env, &back, b->c->a, &b->result, e);

    store_close(&store);
    if (ok && !dry)
        (void)!history_prune(b->env, (unsigned)w->config.env_layer_max_snapshots, HOT_TREES, &ignored);
    return ok;
}

bool restore_generation(struct cmd *c, const struct restore *what, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct sync_outcome o = { 0 };
    struct timings t = { 0 };
    struct env env;
    struct way_back b = { .c = c, .env = &env, .what = what };

    common_request(c, &r);
    if (!common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    bool ok = env_lock(&env, NULL, e) && restore(&b, &w, e);

    env_close(&env);
    if (!ok)
        return false;
    o.apply = b.result;
    o.env_path = w.env_path;
    o.seq = o.apply.seq;
    o.would_change = r.dry_run;
    if (!r.dry_run)
        audit_record(&w, AUDIT_RESTORE, o.seq, audit_change_data(c->a, reason(c), r.why, &o.apply.plan));
    ui_note("%s generation %u", r.dry_run ? "would go back to" : "content of", b.target);
    common_outcome(c, &w, &o, &t, begun);
    if (!r.dry_run && what->kind != GENERATION_REDO && (w.project.found || w.where.has_requirements))
        ui_note("%sthe project's files are as they were; blast resume or blast sync follows them again%s",
                ui_on(stderr, UI_DIM), ui_on(stderr, UI_PLAIN));
    return true;
}
