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
#include "sync/env_layer.h"

static bool target_of(struct env *env, enum generation_kind kind, struct str which, uint32_t *seq, struct err *e)
{
    if (kind == GENERATION_UNDO)
        return history_undo_target(env, 1, seq, e);
    if (kind == GENERATION_REDO)
        return history_redo_target(env, 1, seq, e);
    return history_find(env, which, seq, e);
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
    enum generation_kind kind;
    struct str which; /* for a rollback */
    uint32_t target;
    struct apply_result result;
};

static bool restore(struct way_back *b, struct workspace *w, struct err *e)
{
    struct store store;
    AUTO_FD guard = -1;
    struct apply_return back = { .store = &store, .how = b->kind,
                                 .reason = { .command = reason(b->c), .actor = w->request->actor,
                                             .why = w->request->why } };

    if (!target_of(b->env, b->kind, b->which, &b->target, e))
        return false;
    if (w->request->dry_run)
        return true;
    if (!store_open(w->dirs.store, &store, e))
        return err_as(e, ERR_CACHE, "open the store");
    back.seq = b->target;
    bool ok = guard_take(&store, GUARD_SHARED, &guard, e) && apply_restore(b->env, &back, b->c->a, &b->result, e);

    store_close(&store);
    return ok;
}

bool restore_generation(struct cmd *c, enum generation_kind kind, struct str which, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct sync_outcome o = { 0 };
    struct timings t = { 0 };
    struct env env;
    struct way_back b = { .c = c, .env = &env, .kind = kind, .which = which };

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
    ui_note("%s generation %u", r.dry_run ? "would go back to" : "content of", b.target);
    if (ui.json || !r.dry_run)
        common_outcome(c, &w, &o, &t, begun);
    if (!r.dry_run && kind != GENERATION_REDO && (w.project.found || w.where.has_requirements))
        ui_note("%sthe project's files are as they were; blast sync follows them again%s", ui_on(stderr, UI_DIM),
                ui_on(stderr, UI_PLAIN));
    return true;
}
