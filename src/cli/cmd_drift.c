/* blast drift: what was changed in the environment by hand or by another tool, and what becomes of it. */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/ui.h"
#include "env/history.h"
#include "install/apply.h"
#include "pep/direct_url.h"
#include "store/guard.h"
#include "sync/audit.h"
#include "sync/drift.h"
#include "sync/env_layer.h"

#define HOT_TREES 3

struct drift {
    struct cmd *c;
    struct workspace *w;
    struct env env;
    struct generation base; /* what the environment was before */
    struct stamp_changes changes;
    bool saved; /* all of it is in a scratch generation, which is current */
};

static bool look(struct drift *d, struct err *e)
{
    struct stamp_changes unsaved;

    if (d->env.layout != ENV_GENERATIONS || d->env.current == 0) {
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' was not made by Blast: nothing says what it should hold", d->env.path);
        return err_hint(e, "blast list shows what it holds");
    }
    if (!drift_base(d->w, &d->env, &d->base, e) || !drift_look(d->w, &d->env, &unsaved, e) ||
        !stamp_compare(&d->env, &d->base, d->c->a, &d->changes, e))
        return false;
    d->saved = d->base.seq != d->env.current && unsaved.n == 0;
    return true;
}

static const char *word(enum stamp_kind kind)
{
    static const char *const words[] = { [STAMP_ADDED] = "added",
                                         [STAMP_REMOVED] = "removed",
                                         [STAMP_CHANGED] = "changed",
                                         [STAMP_FILE_ADDED] = "file-added",
                                         [STAMP_FILE_REMOVED] = "file-removed" };

    return words[kind];
}

static void print_json(const struct drift *d, const char *action, uint32_t generation)
{
    struct json_result r;

    json_result_begin(&r, "blast.drift/1");
    json_write_member_cstr(&r.w, "action", action);
    json_write_member_u64(&r.w, "generation", generation);
    json_write_member_u64(&r.w, "base", d->base.seq);
    json_write_member_bool(&r.w, "scratch", d->saved);
    json_write_member_bool(&r.w, "dry_run", d->w->request->dry_run);
    json_write_key(&r.w, STR("changes"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < d->changes.n; i++) {
        const struct stamp_change *s = &d->changes.p[i];

        json_write_object_begin(&r.w);
        json_write_member_cstr(&r.w, "kind", word(s->kind));
        json_write_member(&r.w, "name", s->name);
        json_write_member(&r.w, "from", s->from);
        json_write_member(&r.w, "to", s->to);
        json_write_member(&r.w, "installer", s->installer);
        json_write_member_bool(&r.w, "requested", s->requested);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static void print(const struct drift *d)
{
    if (ui.json) {
        print_json(d, "show", d->env.current);
        return;
    }
    for (size_t i = 0; i < d->changes.n; i++) {
        struct stamp_changes one = { &d->changes.p[i], 1 };
        struct str by = d->changes.p[i].installer;

        ui_out(STR_FMT "%s" STR_FMT "\n", STR_ARG(drift_text(d->w, &one)), by.n ? "  by " : "", STR_ARG(by));
    }
    if (d->changes.n == 0)
        ui_note("nothing was changed by hand since generation %u", d->base.seq);
    else if (d->saved)
        ui_note("generation %u holds these changes until the lock changes; blast drift keep makes them the project's, "
                "blast drift drop takes them back", d->env.current);
    else
        ui_note("blast drift keep makes them the project's, blast drift scratch keeps them until the lock changes, "
                "blast drift drop takes them back");
}

/* ------------------------------------------------------------ keep */

/* "rich == 14.1.0", or where it came from when that was no index. */
static struct str requirement(struct drift *d, const struct stamp_change *s)
{
    struct direct_url url;
    struct err ignored = { 0 };

    if (s->direct_url.n && direct_url_parse(d->c->a, s->direct_url, &url, &ignored) && url.kind == DIRECT_ARCHIVE)
        return arena_printf(d->c->a, STR_FMT " @ " STR_FMT, STR_ARG(s->name), STR_ARG(url.url));
    return arena_printf(d->c->a, STR_FMT "==" STR_FMT, STR_ARG(s->name), STR_ARG(s->to));
}

static bool is_asked_for(const struct drift *d, const struct stamp_change *s)
{
    for (size_t i = 0; i < d->changes.n; i++)
        if (d->changes.p[i].kind == STAMP_ADDED && d->changes.p[i].requested)
            return s->kind == STAMP_CHANGED || s->requested;
    return true; /* a tool that does not say what it was asked for */
}

static void choose(struct drift *d, struct cmd *add, struct cmd *take)
{
    for (size_t i = 0; i < d->changes.n; i++) {
        const struct stamp_change *s = &d->changes.p[i];

        if (s->editable)
            ui_warn("'" STR_FMT "' is editable: blast install -e adds it to the project", STR_ARG(s->name));
        else if ((s->kind == STAMP_ADDED || s->kind == STAMP_CHANGED) && is_asked_for(d, s))
            VEC_PUSH_IN(d->c->a, &add->options.words, requirement(d, s));
        else if (s->kind == STAMP_REMOVED && s->requested)
            VEC_PUSH_IN(d->c->a, &take->options.words, s->name);
        else if (s->kind == STAMP_REMOVED)
            ui_warn("'" STR_FMT "' is needed by another package and comes back", STR_ARG(s->name));
        else if (s->kind == STAMP_FILE_ADDED)
            ui_warn("'" STR_FMT "' belongs to no package and cannot be asked for", STR_ARG(s->name));
    }
}

/* A normal edit of the project, as install and remove make it. */
static bool keep(struct drift *d, struct request *r, struct err *e)
{
    uint64_t begun = clock_us();
    struct cmd add = *d->c, take = *d->c;
    struct timings t = { 0 };
    struct sync_outcome o = { .env_path = d->w->env_path };
    struct sync_job job = { .command = STR("drift keep"), .hand_known = true, .watch = &common_watch, .timings = &t };

    add.options.words.n = add.options.words.cap = 0;
    add.options.words.p = NULL;
    take.options.words = add.options.words;
    choose(d, &add, &take);
    if (add.options.words.n == 0 && take.options.words.n == 0) {
        (void)err_set(e, ERR_ENVIRONMENT, "none of the changes can become the project's");
        return err_hint(e, "blast drift scratch keeps them until the lock changes");
    }
    struct sync_job again = job;

    if (take.options.words.n && !edit_remove(&take, d->w, r, &job, &o, e))
        return false;
    if (add.options.words.n && !edit_install(&add, d->w, r, &again, &o, e))
        return false;
    common_outcome(d->c, d->w, &o, &t, begun);
    return true;
}

/* ------------------------------------------------------------ scratch, drop */

static bool scratch(struct drift *d, struct err *e)
{
    uint32_t seq = d->env.current;

    if (!d->saved && !d->w->request->dry_run) {
        struct stamp_changes unsaved;

        if (!drift_look(d->w, &d->env, &unsaved, e) ||
            !drift_scratch(d->w, &d->env, &unsaved, STR("drift scratch"), &seq, e))
            return false;
        audit_record(d->w, AUDIT_DRIFT, seq,
                     audit_data(d->w->a, "changes", drift_text(d->w, &unsaved).p, (char *)NULL));
    }
    if (ui.json)
        print_json(d, "scratch", seq);
    ui_note("%s generation %u until the lock changes: " STR_FMT,
            d->w->request->dry_run ? "would be kept after" : "kept as", seq, STR_ARG(drift_text(d->w, &d->changes)));
    return true;
}

/* The content before, made again from the store. Nothing of the changed tree is used. */
static bool drop(struct drift *d, struct err *e)
{
    struct store store;
    AUTO_FD guard = -1;
    struct apply_result result;
    struct err ignored = { 0 };
    struct apply_return back = { .store = &store, .seq = d->base.seq, .how = GENERATION_REPAIR,
                                 .dry_run = d->w->request->dry_run,
                                 .reason = { .command = STR("drift drop"), .actor = d->w->request->actor,
                                             .why = drift_text(d->w, &d->changes) } };

    if (!store_open(d->w->dirs.store, &store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = guard_take(&store, GUARD_SHARED, &guard, e) && apply_restore(&d->env, &back, d->c->a, &result, e);

    store_close(&store);
    if (!ok)
        return false;
    if (!back.dry_run) {
        audit_record(d->w, AUDIT_RESTORE, result.seq,
                     audit_change_data(d->c->a, back.reason.command, back.reason.why, &result.plan));
        (void)!history_prune(&d->env, (unsigned)d->w->config.env_layer_max_snapshots, HOT_TREES, &ignored);
    }
    if (ui.json)
        print_json(d, "drop", result.seq);
    ui_note("%s: " STR_FMT, back.dry_run ? "would be dropped" : "dropped", STR_ARG(back.reason.why));
    return true;
}

static bool act(struct drift *d, struct str verb, struct request *r, struct err *e)
{
    if (!verb.n || d->changes.n == 0) {
        print(d);
        return true;
    }
    if (str_eq(verb, STR("scratch")))
        return scratch(d, e);
    if (str_eq(verb, STR("drop")))
        return drop(d, e);
    env_close(&d->env); /* the edit locks it itself */
    return keep(d, r, e);
}

static bool check_verb(struct cmd *c, struct str verb, struct err *e)
{
    static const struct str known[] = { STR_INIT("keep"), STR_INIT("scratch"), STR_INIT("drop") };

    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq(verb, known[i]) && c->options.words.n == 1)
            return true;
    if (c->options.words.n > 1)
        return err_set(e, ERR_CONFIG, "blast drift takes one word, not %zu", c->options.words.n);
    (void)err_set(e, ERR_CONFIG, "blast drift knows keep, scratch and drop, not '" STR_FMT "'", STR_ARG(verb));
    struct str near = common_nearest(c->a, verb, known, COUNT(known));

    return near.p ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : err_hint(e, "blast drift --help");
}

bool cmd_drift(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct drift d = { .c = c, .w = &w };
    struct str verb = c->options.words.n ? c->options.words.p[0] : STR("");

    common_request(c, &r);
    if ((verb.n && !check_verb(c, verb, e)) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &d.env, e))
        return false;
    bool ok = (!verb.n || env_lock(&d.env, NULL, e)) && look(&d, e) && act(&d, verb, &r, e);

    env_close(&d.env);
    return ok;
}
