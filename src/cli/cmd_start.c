/* blast start: makes the environment right, whatever the project has, and activates it. */
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "cli/activate_cmd.h"
#include "cli/common.h"
#include "cli/settle.h"
#include "cli/directive.h"
#include "cli/ui.h"
#include "env/env.h"
#include "sync/env_layer.h"
#include "sync/trust.h"

static bool write_config(struct cmd *c, struct workspace *w, const struct request *r, struct err *e)
{
    struct config_start s = { .name = workspace_name(w) };

    if (w->config.found || r->dry_run)
        return true;
    if (!workspace_python(w, e))
        return false;
    s.python_version = arena_printf(c->a, "%u.%u", w->python.major, w->python.minor);
    if (!config_write_default(w->dir, &s, e))
        return false;
    ui_note("wrote %s/blast.toml: what this environment may do; safe defaults", w->where.dir);
    return config_load(w->dir, w->dirs.config, c->a, &w->config, e);
}

static void print_json(const struct workspace *w, const struct sync_outcome *o, struct str activation)
{
    struct json_result r;
    struct str not_enforced = env_layer_unenforced(w);

    json_result_begin(&r, "blast.start/1");
    json_write_member_cstr(&r.w, "environment", o->env_path);
    json_write_member(&r.w, "python", w->python.version_text);
    json_write_member_u64(&r.w, "generation", o->seq);
    json_write_member_bool(&r.w, "created", o->made);
    json_write_member_bool(&r.w, "changed", o->apply.changed);
    json_write_member(&r.w, "enforced", env_layer_enforced(w));
    json_write_member(&r.w, "not_enforced", not_enforced);
    if (activation.n)
        json_write_member(&r.w, "activate", activation);
    json_result_end(&r);
}

static void print_text(struct cmd *c, const struct workspace *w, const struct sync_outcome *o, uint64_t begun)
{
    const struct plan *p = &o->apply.plan;
    struct str not_enforced = env_layer_unenforced(w);
    size_t packages = p->keep + p->add + p->replace;
    uint64_t ms = ui_elapsed_us(begun) / 1000;

    ui_note("%sPython " STR_FMT "%s  %s%s%s  %llu ms", ui_on(stderr, UI_BOLD),
            STR_ARG(w->python.version_text), ui_on(stderr, UI_PLAIN),
            o->nothing_to_do ? "everything in place"
                             : arena_printf(c->a, "%zu package%s", packages, packages == 1 ? "" : "s").p,
            o->lock.changed ? ", lock written" : o->lock.old_text.p ? ", lock up to date" : "",
            o->seq ? arena_printf(c->a, "  generation %u", o->seq).p : "",
            (unsigned long long)ms);
    if (not_enforced.n && o->made) /* said once; blast status says it at any time */
        ui_note("%ssandbox%s: " STR_FMT " are inside; outside: " STR_FMT, ui_on(stderr, UI_BOLD),
                ui_on(stderr, UI_PLAIN), STR_ARG(env_layer_enforced(w)), STR_ARG(not_enforced));
}

static bool activate(struct cmd *c, struct workspace *w, struct err *e)
{
    if (option_flag(&c->options, OPT_NO_ACTIVATE))
        return true;
    if (option_flag(&c->options, OPT_INSIDE))
        return activate_inside(c, w, e);
    bool active = activate_is_active(w);

    if (directive_is_heard() && !option_flag(&c->options, OPT_SUBSHELL)) {
        if (active)
            ui_detail("the environment is active in this shell already");
        return activate_here(c, w, e); /* what the shell changed since is put right */
    }
    if (active) {
        ui_note("the environment is active in this shell already");
        return true;
    }
    if (option_flag(&c->options, OPT_SUBSHELL) || (ui.tty && !ui.no_input && !ui.json))
        return activate_subshell(c, w, e);
    ui_note("activate it with: source %s/bin/activate", w->env_path);
    return true;
}

/* --if-trusted, for a shell that came into the folder: nothing is made or changed, and nothing of a project is believed
 * that the user never used by hand. */
static bool enter_only(struct cmd *c, struct workspace *w, struct err *e)
{
    struct trust t;

    if (!env_is_there(w->env_path))
        return true;
    if (!trust_state(w, &t, e))
        return false;
    if (t.level == TRUST_NONE) {
        ui_note("%s is not entered: nothing was started there by hand yet (blast start does)", w->where.dir);
        c->exit_code = 5;
        return true;
    }
    return activate(c, w, e);
}

static bool follow(struct cmd *c, struct workspace *w, struct sync_job *job, struct sync_outcome *o, struct err *e)
{
    if (!settle_leaves(w))
        return settle_sync(c, w, true, job, o, e);
    *o = (struct sync_outcome){ .env_path = w->env_path, .nothing_to_do = true };
    ui_note("[sync] pkg_layer is manual: packages stay as they are until blast sync");
    return workspace_python(w, e);
}

bool cmd_start(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct str shell = option_value(&c->options, OPT_PRINT), activation = STR("");
    struct sync_job job = { .command = STR("start"), .watch = &common_watch, .timings = &t };

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !common_check_lists(c, &w, e))
        return false;
    if (option_flag(&c->options, OPT_IF_TRUSTED))
        return enter_only(c, &w, e);
    if (!write_config(c, &w, &r, e))
        return false;
    if ((shell.p && !activate_has_text(shell, e)) || !follow(c, &w, &job, &o, e) ||
        (!r.dry_run && !activate_settle(&w, e)) || (shell.p && !activate_text(c, &w, shell, &activation, e)))
        return false;
    common_warnings(&w);
    if (ui.json)
        print_json(&w, &o, activation);
    else if (activation.n)
        ui_out(STR_FMT "\n", STR_ARG(activation));
    print_text(c, &w, &o, begun);
    common_figures(c, &t, ui_elapsed_us(begun));
    return r.dry_run || shell.p || activate(c, &w, e);
}
