/* blast update: newer versions within the bounds and [pkg_layer] version_policy, shown as a plan first; with --bump the
 * bounds move too. */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/graph.h"
#include "cli/settle.h"
#include "cli/try.h"
#include "cli/ui.h"
#include "cli/update_plan.h"
#include "config/project.h"
#include "lock/lock.h"

/* A name that is in no lock would be passed over in silence. Without a lock there is nothing to compare with. */
static bool check_words(struct cmd *c, struct workspace *w, struct err *e)
{
    struct err ignored = { 0 };
    struct graph g;

    if (c->options.words.n == 0 || !graph_load(w, &g, &ignored))
        return true;
    for (size_t i = 0; i < c->options.words.n; i++)
        if (graph_find(&g, c->options.words.p[i]) == UINT32_MAX)
            return graph_unknown(&g, c->a, c->options.words.p[i], e);
    return true;
}

struct update {
    struct cmd *c;
    struct workspace *w;
    struct request *r;
    struct sync_job *job;
    struct update_plan plan;
    struct sync_outcome look; /* what the plan was made from */
};

/* The lock that the update would write, without writing it. */
static bool look(struct update *u, struct err *e)
{
    struct sync_job job = *u->job;
    struct str base = { NULL, 0 };

    job.check = job.price_only = true;
    job.trial = NULL;
    if (sync_run(u->w, &job, &u->look, e))
        return update_plan_make(u->c, u->w, &u->look.lock.lock, &u->plan, e);
    if (e->kind != ERR_RESOLUTION || u->r->dry_run)
        return false;
    job = *u->job;
    return fd_read_if_there(u->w->dir, "pyproject.toml", PROJECT_FILE_MAX, u->c->a, &base, e) && base.p &&
           settle_conflict(u->c, u->w, base, &job, &u->look, e);
}

static bool nothing_chosen(struct err *e)
{
    return err_set(e, ERR_CONFIG, "nothing was chosen, nothing was changed");
}

static bool ask(struct update *u, struct err *e)
{
    struct str *names;
    size_t n;

    if (!ui.tty || ui.no_input || ui.json) {
        (void)err_set(e, ERR_CONFIG, "--interactive needs a terminal");
        return err_hint(e, "blast update --dry-run shows the plan; names choose: blast update NAME...");
    }
    if (!update_plan_ask(u->c, &u->plan, &names, &n))
        return nothing_chosen(e);
    u->r->upgrade = false;
    u->r->upgrade_only = (struct str_list){ names, n };
    u->job->lock_new = STR("");
    return true;
}

static void print_dry(struct update *u)
{
    struct json_result r;

    common_warnings(u->w);
    if (ui.json) {
        json_result_begin(&r, "blast.update/1");
        json_write_member_cstr(&r.w, "environment", u->w->env_path);
        json_write_member_bool(&r.w, "changed", u->plan.moving > 0);
        json_write_member(&r.w, "changes", u->look.price.changes);
        update_plan_write(&u->plan, &r.w);
        json_result_end(&r);
        return;
    }
    update_plan_print(u->c, &u->plan);
    if (u->plan.moving)
        ui_note("would be: " STR_FMT, STR_ARG(price_text(&u->look.price, u->c->a)));
    else
        ui_note("nothing would change");
}

static bool update(struct update *u, struct sync_outcome *o, bool *done, struct err *e)
{
    const struct options *opt = &u->c->options;

    *done = false;
    if (!look(u, e))
        return false;
    u->r->refresh = false; /* the pages came just now */
    u->job->lock_new = u->look.lock.text;
    if (u->look.held != SYNC_HELD_LOCK) { /* a choice was taken on the way */
        *o = u->look;
        return true;
    }
    if (u->r->dry_run) {
        print_dry(u);
        *done = true;
        return true;
    }
    if (u->plan.n && !ui.json && !option_flag(opt, OPT_INTERACTIVE))
        update_plan_print(u->c, &u->plan);
    if (option_flag(opt, OPT_INTERACTIVE) && u->plan.moving && !ask(u, e))
        return false;
    return settle_sync(u->c, u->w, false, u->job, o, e);
}

bool cmd_update(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .command = edit_command_line(c), .watch = &common_watch, .timings = &t, .bounded = true };
    struct update u = { .c = c, .w = &w, .r = &r, .job = &job };
    bool done = false;

    struct try_job trial = { .c = c, .command = option_value(&c->options, OPT_TRY) };

    if (trial.command.p) {
        job.trial = try_tree;
        job.trial_ctx = &trial;
        job.aside = &trial.aside;
    }
    common_request(c, &r);
    r.refresh = !r.offline;
    r.upgrade = c->options.words.n == 0;
    r.upgrade_only = (struct str_list){ c->options.words.p, c->options.words.n };
    if (!common_open(c, &r, &w, e) || !check_words(c, &w, e) || !common_check_lists(c, &w, e))
        return false;
    bool ok = option_flag(&c->options, OPT_BUMP) ? edit_bump(c, &w, &r, &job, &o, e) : update(&u, &o, &done, e);

    if (!ok)
        try_explain(&trial, w.env_path, e);
    if (!ok || done)
        return ok;
    common_outcome(c, &w, &o, &t, begun);
    return true;
}
