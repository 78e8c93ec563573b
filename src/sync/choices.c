#include "sync/choices.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/toml_edit.h"
#include "config/project.h"
#include "env/env.h"
#include "lock/lock.h"
#include "pep/name.h"
#include "pep/req.h"
#include "pep/version.h"
#include "sync/coordinator.h"
#include "sync/decision.h"
#include "sync/failure.h"
#include "sync/workspace.h"

#define PROJECT_FILE "pyproject.toml"

/* What a try may differ in from the command at hand. */
struct attempt {
    struct str pyproject; /* n == 0: as the workspace has it */
    struct str python;
    bool upgrade;
};

/* A look at where it would lead. False when it leads nowhere. */
static bool look(struct workspace *w, const struct attempt *t, struct sync_outcome *o)
{
    struct request r = *w->request;
    struct workspace there = *w;
    struct timings timings = { 0 };
    struct err ignored = { 0 };
    struct sync_job job = { .command = STR("resolve"), .timings = &timings, .check = true, .price_only = true };

    r.failure = NULL;
    r.refresh = r.frozen = false;
    r.upgrade = t->upgrade;
    r.upgrade_only = (struct str_list){ 0 };
    there.request = &r;
    if (t->python.n) {
        r.python = t->python;
        there.python_known = there.python_held = there.python_kept = false;
    }
    if (t->pyproject.n && !project_parse(t->pyproject, PROJECT_FILE, w->a, &there.project, &ignored))
        return false;
    return sync_run(&there, &job, o, &ignored) && (o->held == SYNC_HELD_LOCK || o->nothing_to_do);
}

static struct decision_choice *add(struct workspace *w, struct decision *d, struct str label,
                                   const struct sync_outcome *o)
{
    if (!d->choice)
        d->choice = ARENA_ARRAY(w->a, struct decision_choice, DECISION_CHOICES);
    if (d->n == DECISION_CHOICES)
        return NULL;
    struct decision_choice *c = &d->choice[d->n++];

    *c = (struct decision_choice){ .label = label, .price = o->price };
    if (o->lock.changed)
        c->lock = o->lock.text;
    return c;
}

/* The lock on disk, for "keep" or "update" in a label. */
static struct lock old_lock(struct workspace *w)
{
    struct err ignored = { 0 };
    struct lock lock = { 0 };
    struct str text;

    if (!fd_read_if_there(w->dir, LOCKFILE, LOCK_MAX, w->a, &text, &ignored) || !text.p ||
        !lock_parse(w->a, text, &lock, &ignored))
        return (struct lock){ 0 };
    return lock;
}

/* ------------------------------------------------------------ a conflict */

/* The requirement rewritten in one list; *done is false when it does not stand there. */
static bool edit_list(struct workspace *w, const struct project_list *l, const struct repair *r, struct str *text,
                      bool *done)
{
    struct toml_edit ed = { .a = w->a, .text = *text, .name = PROJECT_FILE };
    struct project_target to = { .where = l->where, .name = l->name };
    struct err ignored = { 0 };
    struct str replaced = STR("");
    unsigned removed = 0;
    bool stands = false, ok;

    for (size_t i = 0; i < l->reqs.n; i++)
        stands = stands || (str_eq(l->reqs.p[i].text, r->requirement) &&
                            str_eq(arena_printf(w->a, PROJECT_FILE ":%u", l->reqs.p[i].line), r->origin));
    if (!stands)
        return true;
    if (r->replacement.n)
        ok = project_add_requirement(&ed, to, r->replacement, &replaced, &ignored);
    else
        ok = project_remove_requirement(&ed, to, r->package, &removed, &ignored);
    if (!ok || (replaced.n == 0 && removed == 0))
        return ok; /* it came by an include from another group, which is in the lists as well */
    *text = ed.text;
    *done = true;
    return true;
}

static bool edit_project(struct workspace *w, struct str base, const struct repair *r, struct str *out)
{
    struct project p;
    struct err ignored = { 0 };
    bool done = false;

    *out = base;
    if (!base.n || !project_parse(base, PROJECT_FILE, w->a, &p, &ignored) ||
        !edit_list(w, &p.dependencies, r, out, &done))
        return false;
    for (size_t i = 0; i < p.extras.n && !done; i++)
        if (!edit_list(w, &p.extras.p[i], r, out, &done))
            return false;
    for (size_t i = 0; i < p.groups.n && !done; i++)
        if (!edit_list(w, &p.groups.p[i], r, out, &done))
            return false;
    return done;
}

static struct str conflict_label(struct workspace *w, const struct lock *old, const struct repair *r)
{
    const struct lock_package *before = lock_find(old, r->package);

    if (r->kind == REPAIR_DROP)
        return arena_printf(w->a, "leave out " STR_FMT, STR_ARG(r->package));
    if (r->kind == REPAIR_EXTRA)
        return arena_printf(w->a, "drop the extras of " STR_FMT, STR_ARG(r->requirement));
    if (before && str_eq(before->version, r->version))
        return arena_printf(w->a, "keep " STR_FMT " " STR_FMT, STR_ARG(r->package), STR_ARG(r->version));
    if (before)
        return arena_printf(w->a, "move " STR_FMT " " STR_FMT " -> " STR_FMT, STR_ARG(r->package),
                            STR_ARG(before->version), STR_ARG(r->version));
    return arena_printf(w->a, "take " STR_FMT " " STR_FMT, STR_ARG(r->package), STR_ARG(r->version));
}

/* A requirement that the old lock meets was there before the change that led to the conflict. */
static bool is_older(struct workspace *w, const struct lock *old, const struct repair *r)
{
    const struct lock_package *p = lock_find(old, r->package);
    struct err ignored = { 0 };
    struct version v;
    struct req q;

    return p && req_parse(w->a, r->requirement, &q, &ignored) && version_parse(p->version, w->a, &v) &&
           spec_contains(&q.spec, &v, SPEC_PRE_ALLOW);
}

/* "flask>=3 (pyproject.toml:5) and werkzeug<2 (pyproject.toml:6) exclude each other": what the user wrote, not the
 * steps between. Is it one requirement alone, then the packages behind it cannot be had. */
static struct str conflict_text(struct workspace *w, const struct explain *x)
{
    struct str text = STR("");
    size_t n = 0;

    for (size_t i = 0; i < x->n && n < 3; i++) {
        const struct explain_fact *f = &x->fact[i];

        if (f->cause != EXPLAIN_REQUIREMENT || !f->on.n)
            continue;
        text = arena_printf(w->a, STR_FMT "%s" STR_FMT "%s" STR_FMT "%s", STR_ARG(text), n++ ? " and " : "",
                            STR_ARG(f->on), f->origin.n ? " (" : "", STR_ARG(f->origin), f->origin.n ? ")" : "");
    }
    if (n == 0)
        return x->n ? arena_str(w->a, x->fact[0].text) : x->headline;
    return arena_printf(w->a, STR_FMT " %s", STR_ARG(text), n > 1 ? "exclude each other" : "cannot be met");
}

void choices_conflict(struct workspace *w, struct str base, const struct failure *f, const struct err *e,
                      struct decision *out)
{
    struct lock old = old_lock(w);
    bool taken = false;

    *out = (struct decision){ .kind = DECISION_CONFLICT, .why = arena_str(w->a, str_of(e->text)) };
    out->text = conflict_text(w, &f->explain);
    for (size_t i = 0; i < f->repairs.n; i++) {
        const struct repair *r = &f->repairs.p[i];
        struct sync_outcome o;
        struct str text;

        if (!edit_project(w, base, r, &text) || !look(w, &(struct attempt){ .pyproject = text }, &o))
            continue;
        struct decision_choice *c = add(w, out, conflict_label(w, &old, r), &o);

        if (!c)
            return;
        c->where = r->origin;
        c->pyproject = text;
        c->later = !taken && is_older(w, &old, r);
        taken = taken || c->later;
    }
}

/* ------------------------------------------------------------ the others */

void choices_relock(struct workspace *w, const struct sync_outcome *held, struct decision *out)
{
    struct sync_outcome newest;

    *out = (struct decision){ .kind = DECISION_RELOCK };
    out->text = held->lock.old_text.p ? STR("pylock.toml does not fit the project any more, and git keeps it")
                                      : STR("there is no lock yet");
    struct decision_choice *c = add(w, out, STR("make the lock anew, keeping what fits"), held);

    c->where = STR(LOCKFILE);
    c->later = true;
    if (!held->lock.old_text.p || !look(w, &(struct attempt){ .upgrade = true }, &newest) ||
        str_eq(newest.lock.text, held->lock.text))
        return;
    c = add(w, out, STR("make the lock anew with the newest versions"), &newest);
    c->where = STR(LOCKFILE);
}

void choices_update(struct workspace *w, const struct sync_outcome *held, struct decision *out)
{
    uint32_t n = held->price.add + held->price.change + held->price.remove;

    *out = (struct decision){ .kind = DECISION_UPDATE };
    out->text = arena_printf(w->a, "%u package%s can be updated: " STR_FMT, n, n == 1 ? "" : "s",
                             STR_ARG(held->price.changes));
    struct decision_choice *c = add(w, out, STR("take the updates"), held);

    c->where = STR(LOCKFILE);
    c->later = true;
}

static struct str hand_names(struct workspace *w, const struct sync_outcome *held)
{
    struct str text = STR("");

    for (size_t i = 0; i < held->n_hand; i++)
        text = arena_printf(w->a, STR_FMT "%s" STR_FMT " " STR_FMT, STR_ARG(text), i ? ", " : "",
                            STR_ARG(held->hand[i].name), STR_ARG(held->hand[i].version));
    return text;
}

/* pyproject.toml with them as requirements; n == 0 when that cannot be. */
static struct str with_hand(struct workspace *w, const struct sync_outcome *held)
{
    struct toml_edit ed = { .a = w->a, .name = PROJECT_FILE };
    struct project_target to = { .where = PROJECT_DEPENDENCIES };
    struct err ignored = { 0 };

    if (!fd_read_if_there(w->dir, PROJECT_FILE, PROJECT_FILE_MAX, w->a, &ed.text, &ignored) || !ed.text.p)
        return STR("");
    for (size_t i = 0; i < held->n_hand; i++) {
        const struct env_package *p = &held->hand[i];
        struct str version = str_sub(p->version, 0, str_find(p->version, '+'));
        struct str req = arena_printf(w->a, STR_FMT ">=" STR_FMT, STR_ARG(p->name), STR_ARG(version));

        if (p->editable || p->direct_url.n || !project_add_requirement(&ed, to, req, NULL, &ignored))
            return STR("");
    }
    return ed.text;
}

void choices_hand(struct workspace *w, const struct sync_outcome *held, struct decision *out)
{
    struct str names = hand_names(w, held), text = with_hand(w, held);
    struct sync_outcome o;

    *out = (struct decision){ .kind = DECISION_HAND };
    out->text = arena_printf(w->a, STR_FMT " %s installed by hand and would be removed", STR_ARG(names),
                             held->n_hand == 1 ? "was" : "were");
    if (text.n && look(w, &(struct attempt){ .pyproject = text }, &o)) {
        struct decision_choice *c = add(w, out, arena_printf(w->a, "keep: add " STR_FMT " to the project",
                                                             STR_ARG(names)), &o);

        c->where = STR(PROJECT_FILE);
        c->pyproject = text;
        c->later = true;
    }
    (void)add(w, out, arena_printf(w->a, "remove " STR_FMT, STR_ARG(names)), held);
}

void choices_python(struct workspace *w, struct decision *out)
{
    struct str wanted = w->project.requires_python;
    struct sync_outcome o;

    *out = (struct decision){ .kind = DECISION_PYTHON };
    out->text = arena_printf(w->a, "requires-python " STR_FMT " does not take Python " STR_FMT " of the environment",
                             STR_ARG(wanted), STR_ARG(w->python.version_text));
    if (!look(w, &(struct attempt){ .python = wanted }, &o))
        return;
    struct decision_choice *c = add(w, out, arena_printf(w->a, "make the environment anew for Python " STR_FMT,
                                                         STR_ARG(wanted)), &o);

    c->remake = c->later = true;
}
