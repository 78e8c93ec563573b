/* blast resolve: takes a parked decision. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/settle.h"
#include "cli/ui.h"
#include "sync/background.h"
#include "sync/decision.h"
#include "sync/failure.h"

struct decisions {
    struct decision *p;
    size_t n;
};

static void print_json(const struct decisions *all)
{
    struct json_result r;

    json_result_begin(&r, "blast.resolve/1");
    json_write_key(&r.w, STR("decisions"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < all->n; i++)
        decision_write(&all->p[i], &r.w);
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static void print_text(struct cmd *c, const struct decisions *all)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct decision *d = &all->p[i];

        ui_out("%u  %s  " STR_FMT "\n", d->id, decision_word(d->kind), STR_ARG(d->text));
        for (size_t k = 0; k < d->n; k++)
            ui_out("   %zu) " STR_FMT " (" STR_FMT ")%s" STR_FMT "\n", k + 1, STR_ARG(d->choice[k].label),
                   STR_ARG(price_text(&d->choice[k].price, c->a)), d->choice[k].where.n ? "  edits " : "",
                   STR_ARG(d->choice[k].where));
    }
}

/* The decision that the word names; without a word the only one, or in a terminal the first. */
static bool find(struct cmd *c, const struct decisions *all, const struct decision **out, struct err *e)
{
    uint64_t id;

    if (c->options.words.n > 1)
        return err_set(e, ERR_CONFIG, "blast resolve takes one number of a decision");
    if (c->options.words.n == 0) {
        if (all->n > 1 && option_value(&c->options, OPT_CHOOSE).p)
            return err_set(e, ERR_CONFIG, "%zu decisions wait: blast resolve NUMBER --choose N", all->n);
        *out = &all->p[0];
        return true;
    }
    if (!str_to_u64(c->options.words.p[0], &id))
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' is no number of a decision", STR_ARG(c->options.words.p[0]));
    for (size_t i = 0; i < all->n; i++) {
        if (all->p[i].id != id)
            continue;
        *out = &all->p[i];
        return true;
    }
    (void)err_set(e, ERR_CONFIG, "there is no decision " STR_FMT, STR_ARG(c->options.words.p[0]));
    return err_hint(e, "blast resolve --list shows those that wait");
}

static bool choose(struct cmd *c, struct workspace *w, const struct decision *d, size_t *choice, bool *later,
                   struct err *e)
{
    struct str given = option_value(&c->options, OPT_CHOOSE);
    uint64_t n = 0;

    *later = false;
    if (!given.p) {
        *later = !settle_ask(c, w, d, choice);
        return true;
    }
    if (!str_to_u64(given, &n) || n < 1 || n > d->n)
        return err_set(e, ERR_CONFIG, "--choose is a number from 1 to %zu, not '" STR_FMT "'", d->n, STR_ARG(given));
    *choice = (size_t)n - 1;
    return true;
}

static bool take(struct cmd *c, struct workspace *w, const struct decision *d, struct err *e)
{
    uint64_t begun = clock_us();
    struct timings t = { 0 };
    struct sync_outcome o;
    size_t choice = 0;
    bool later;

    if (d->n == 0) {
        (void)err_set(e, ERR_RESOLUTION, "nothing that was tried helps: " STR_FMT, STR_ARG(d->text));
        return err_hint(e, "edit the project's files; the decision goes away by that");
    }
    if (!choose(c, w, d, &choice, &later, e))
        return false;
    if (later) {
        c->exit_code = EXIT_DECISION;
        return true;
    }
    struct sync_job job = {
        .command = arena_printf(c->a, "resolve: " STR_FMT, STR_ARG(d->choice[choice].label)),
        .watch = &common_watch,
        .timings = &t,
    };

    if (!settle_take(&(struct settle){ c, w, &job, &o }, d, choice, e))
        return false;
    if (!w->request->dry_run && !decision_drop(w, d->id, e))
        return false;
    background_status(w);
    common_outcome(c, w, &o, &t, begun);
    return true;
}

bool cmd_resolve(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct decisions all = { 0 };
    const struct decision *d = NULL;
    bool list = option_flag(&c->options, OPT_LIST), chosen = option_value(&c->options, OPT_CHOOSE).p != NULL;

    common_request(c, &r);
    if (!common_open(c, &r, &w, e) || !decision_list(&w, &all.p, &all.n, e))
        return false;
    if (list || all.n == 0) {
        if (ui.json)
            print_json(&all);
        else if (all.n)
            print_text(c, &all);
        else
            ui_note("there is nothing to decide");
        return all.n || !chosen || err_set(e, ERR_CONFIG, "there is nothing to decide");
    }
    if (!find(c, &all, &d, e))
        return false;
    if (!chosen && (!ui.tty || ui.no_input || ui.json)) {
        print_json(&all);
        ui_note("%zu decision%s: blast resolve %u --choose N", all.n, all.n == 1 ? " waits" : "s wait", d->id);
        c->exit_code = EXIT_DECISION;
        return true;
    }
    return take(c, &w, d, e);
}
