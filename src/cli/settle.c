#include "cli/settle.h"

#include <fcntl.h>
#include <stdio.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "config/project.h"
#include "env/env.h"
#include "sync/background.h"
#include "sync/choices.h"
#include "sync/decision.h"
#include "sync/failure.h"

#define PROJECT_FILE "pyproject.toml"
#define DETAILS_MAX ((size_t)4 << 20)

/* ------------------------------------------------------------ showing and asking */

void settle_list(struct cmd *c, const struct decision *d)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct decision_choice *one = &d->choice[i];

        ui_note("  %zu) " STR_FMT " (" STR_FMT ")%s" STR_FMT, i + 1, STR_ARG(one->label),
                STR_ARG(price_text(&one->price, c->a)), one->where.n ? "  edits " : "", STR_ARG(one->where));
    }
}

/* The lines that differ, without those at the head and the end that are the same. */
static void show_diff(struct str old, struct str new)
{
    struct str line, rest = old;
    size_t head = 0, tail = 0, most = MIN(old.n, new.n);

    for (size_t i = 0; i < most && old.p[i] == new.p[i]; i++)
        if (old.p[i] == '\n')
            head = i + 1;
    for (size_t i = 0; i < most - head && old.p[old.n - 1 - i] == new.p[new.n - 1 - i]; i++)
        if (old.p[old.n - 1 - i] == '\n')
            tail = i;
    rest = str_sub(old, head, old.n - tail);
    while (str_next_line(&rest, &line))
        if (line.n)
            ui_note("     %s-" STR_FMT "%s", ui_on(stderr, UI_RED), STR_ARG(line), ui_on(stderr, UI_PLAIN));
    rest = str_sub(new, head, new.n - tail);
    while (str_next_line(&rest, &line))
        if (line.n)
            ui_note("     %s+" STR_FMT "%s", ui_on(stderr, UI_GREEN), STR_ARG(line), ui_on(stderr, UI_PLAIN));
}

static void show_diffs(struct workspace *w, const struct decision *d)
{
    struct str old = STR("");
    struct err ignored = { 0 };

    if (!fd_read_if_there(w->dir, PROJECT_FILE, PROJECT_FILE_MAX, w->a, &old, &ignored) || !old.p)
        old = STR("");
    for (size_t i = 0; i < d->n; i++) {
        const struct decision_choice *one = &d->choice[i];

        ui_note("  %zu) " STR_FMT, i + 1, STR_ARG(one->label));
        if (one->pyproject.p)
            show_diff(old, one->pyproject);
        ui_note("     packages: " STR_FMT, STR_ARG(one->price.changes.n ? one->price.changes : STR("none change")));
    }
}

bool settle_ask(struct cmd *c, struct workspace *w, const struct decision *d, size_t *choice)
{
    char answer[32];
    uint64_t n;

    ui_note("%sto decide%s: " STR_FMT, ui_on(stderr, UI_YELLOW), ui_on(stderr, UI_PLAIN), STR_ARG(d->text));
    settle_list(c, d);
    ui_note("  d) diff  w) why  l) later");
    for (;;) {
        if (!ui_ask(answer, sizeof answer, d->n > 1 ? "[1-%zu d w l] " : "[%zu d w l] ", d->n))
            return false;
        struct str a = str_trim(str_of(answer));

        if (str_eq(a, STR("l")) || str_eq(a, STR("later")))
            return false;
        if (str_eq(a, STR("d")))
            show_diffs(w, d);
        else if (str_eq(a, STR("w")))
            ui_note(STR_FMT, STR_ARG(d->why.n ? d->why : d->text));
        else if (str_to_u64(a, &n) && n >= 1 && n <= d->n) {
            *choice = (size_t)n - 1;
            return true;
        }
    }
}

/* ------------------------------------------------------------ taking a choice */

bool settle_take(const struct settle *s, const struct decision *d, size_t choice, struct err *e)
{
    struct workspace *w = s->w;
    const struct decision_choice *one = &d->choice[choice];
    struct request r = *w->request;
    const struct request *before = w->request;
    struct sync_job take = {
        .command = s->job->command,
        .lock_new = one->lock.p ? one->lock : STR(""),
        .watch = s->job->watch,
        .timings = s->job->timings,
    };

    r.remake = one->remake;
    r.refresh = r.upgrade = r.frozen = false;
    r.upgrade_only = (struct str_list){ 0 };
    if (!fd_read_if_there(w->dir, PROJECT_FILE, PROJECT_FILE_MAX, w->a, &take.pyproject_old, e))
        return false;
    if (one->pyproject.p && !(take.pyproject_old.p && str_eq(take.pyproject_old, one->pyproject)))
        take.pyproject_new = one->pyproject;
    if (one->pyproject.p && !project_parse(one->pyproject, PROJECT_FILE, w->a, &w->project, e))
        return false;
    if (one->remake)
        w->python_known = w->python_held = w->python_kept = false;
    w->request = &r;
    bool ok = sync_run(w, &take, s->out, e);

    w->request = before;
    return ok;
}

/* ------------------------------------------------------------ what the settings say */

/* For --json: the facts of a conflict, and what can be chosen. */
static void add_details(struct cmd *c, const struct failure *f, const struct decision *d)
{
    AUTO_BUF b;
    struct json_write w;

    buf_init(&b, DETAILS_MAX);
    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    if (f && f->set)
        failure_write(f, &w);
    if (d) {
        json_write_key(&w, STR("decision"));
        decision_write(d, &w);
    }
    json_write_object_end(&w);
    if (json_write_end(&w))
        c->details = arena_str(c->a, buf_done(&b));
}

void settle_facts(struct cmd *c)
{
    if (c->details.n == 0 && c->failure && c->failure->set)
        add_details(c, c->failure, NULL);
}

/* It waits for `blast resolve`. Where there is no environment yet there is nothing to keep it in. */
static bool park(const struct settle *s, struct decision *d, struct err *e)
{
    struct workspace *w = s->w;
    struct err ignored = { 0 };
    bool kept = env_is_there(w->env_path) && decision_park(w, d, &ignored);

    add_details(s->c, w->request->failure, d);
    settle_list(s->c, d);
    if (e->kind == ERR_NONE)
        (void)err_set(e, ERR_RESOLUTION, "nothing was changed: " STR_FMT, STR_ARG(d->text));
    (void)err_hint(e, kept ? "blast resolve lists the choices and takes one (--choose N)"
                           : "the choices are those above; edit the line that you choose");
    background_status(w);
    return err_exit(e, EXIT_DECISION);
}

static bool take_newest(const struct settle *s, const struct decision *d, struct err *e)
{
    for (size_t i = 0; i < d->n; i++) {
        if (!d->choice[i].later)
            continue;
        ui_note("conflict_resolution = newest: " STR_FMT, STR_ARG(d->choice[i].label));
        err_clear(e);
        return settle_take(s, d, i, e);
    }
    return e->kind == ERR_NONE ? err_set(e, ERR_RESOLUTION, "nothing was changed: " STR_FMT, STR_ARG(d->text)) : false;
}

/* `edit`: the command asks for a change of its own, so leaving all as it is would be a failure. */
static bool decide(const struct settle *s, struct decision *d, bool edit, struct err *e)
{
    struct workspace *w = s->w;
    size_t choice;

    switch ((enum config_conflict)w->config.sync_conflict_resolution) {
    case CONFIG_CONFLICT_NEWEST:
        return take_newest(s, d, e);
    case CONFIG_CONFLICT_KEEP:
        if (edit)
            break;
        ui_warn("conflict_resolution = keep: nothing was changed; " STR_FMT, STR_ARG(d->text));
        err_clear(e);
        *s->out = (struct sync_outcome){ .env_path = w->env_path, .nothing_to_do = true };
        return true;
    case CONFIG_CONFLICT_INTERACTIVE:
        if (d->n == 0)
            break;
        if (!ui.tty || ui.no_input || ui.json || !settle_ask(s->c, w, d, &choice))
            return park(s, d, e);
        err_clear(e);
        return settle_take(s, d, choice, e);
    case CONFIG_CONFLICT_FAIL:
        break;
    }
    return e->kind == ERR_NONE ? err_set(e, ERR_RESOLUTION, "nothing was changed: " STR_FMT, STR_ARG(d->text)) : false;
}

static bool conflict(const struct settle *s, struct str base, bool edit, struct err *e)
{
    struct workspace *w = s->w;
    struct failure *f = w->request->failure;
    struct decision d = { 0 };

    if (e->kind != ERR_RESOLUTION || !f || !f->set || w->request->dry_run || s->job->check || w->foreign_env)
        return false;
    if (w->config.sync_conflict_resolution != CONFIG_CONFLICT_FAIL)
        choices_conflict(w, base, f, e, &d);
    d.text = d.text.n ? d.text : STR("the requirements exclude each other");
    return decide(s, &d, edit, e);
}

bool settle_conflict(struct cmd *c, struct workspace *w, struct str base, struct sync_job *job,
                     struct sync_outcome *out, struct err *e)
{
    return conflict(&(struct settle){ c, w, job, out }, base, true, e);
}

static bool settle_held(const struct settle *s, struct err *e)
{
    struct decision d = { 0 };

    if (s->out->held == SYNC_HELD_HAND)
        choices_hand(s->w, s->out, &d);
    else if (s->out->held == SYNC_HELD_PYTHON)
        choices_python(s->w, &d);
    else
        choices_relock(s->w, s->out, &d);
    return decide(s, &d, false, e);
}

bool settle_leaves(const struct workspace *w)
{
    return w->config.sync_pkg_layer == CONFIG_PKG_MANUAL && !w->foreign_env && env_is_there(w->env_path);
}

/* Only what can be answered stops a command that follows the project: elsewhere packages installed by hand are kept as
 * a generation of their own, which undo finds (sync/drift.h). */
static bool asks_about_hand(const struct workspace *w)
{
    return w->config.sync_conflict_resolution != CONFIG_CONFLICT_INTERACTIVE ||
           (ui.tty && !ui.no_input && !ui.json);
}

bool settle_sync(struct cmd *c, struct workspace *w, bool follows, struct sync_job *job, struct sync_outcome *out,
                 struct err *e)
{
    struct settle s = { c, w, job, out };
    bool looks = w->request->dry_run || job->check || w->foreign_env || job->no_lock;
    struct str base = { NULL, 0 };
    struct err ignored = { 0 };

    if (follows && !looks) {
        job->decide = true;
        job->hold_hand = asks_about_hand(w);
        job->hold_lock = w->config.sync_pkg_layer == CONFIG_PKG_LOCKED && !w->request->frozen;
    }
    if (sync_run(w, job, out, e))
        return !out->held || settle_held(&s, e);
    if (job->pyproject_new.n)
        base = job->pyproject_new;
    else if (!fd_read_if_there(w->dir, PROJECT_FILE, PROJECT_FILE_MAX, w->a, &base, &ignored) || !base.p)
        base = STR("");
    return conflict(&s, base, !follows, e);
}
