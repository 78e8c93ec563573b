/* blast diff: two generations, or one and what lies on disk. */
#include "base/err.h"
#include "cli/changes.h"
#include "cli/common.h"
#include "cli/restore.h"
#include "cli/ui.h"
#include "env/history.h"
#include "sync/drift.h"
#include "sync/env_layer.h"

struct sides {
    struct env env;
    uint32_t from, to; /* to == 0: the files on disk */
    struct plan plan;
    struct stamp_changes drift; /* where the current generation is compared with the disk */
};

static bool load(struct cmd *c, struct env *env, struct str which, struct generation *out, struct err *e)
{
    uint32_t seq;
    bool there;

    if (!restore_find(c, env, which, &seq, e) || !generation_load(env, seq, c->a, out, &there, e))
        return false;
    if (there)
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "generation %u is not known any more", seq);
    return err_hint(e, "blast history lists the generations");
}

static bool compare(struct cmd *c, struct workspace *w, struct sides *s, struct err *e)
{
    size_t n = c->options.words.n;
    struct generation from, to;
    struct env_packages list;

    if (!load(c, &s->env, n ? c->options.words.p[0] : STR("@"), &from, e))
        return false;
    s->from = from.seq;
    if (n == 2) {
        if (!load(c, &s->env, c->options.words.p[1], &to, e))
            return false;
        s->to = to.seq;
    } else {
        if (!env_installed(&s->env, c->a, &list, e))
            return false;
        to = changes_installed(&list, c->a);
    }
    changes_of(&from, &to, c->a, &s->plan);
    return n == 2 || s->from != s->env.current || drift_look(w, &s->env, &s->drift, e);
}

/* Changes that no package's version tells: the same one installed again, files of no package. */
static void print_rest(struct workspace *w, const struct sides *s, unsigned *shown)
{
    for (size_t i = 0; i < s->drift.n; i++) {
        const struct stamp_change *d = &s->drift.p[i];
        struct stamp_changes one = { &s->drift.p[i], 1 };

        if (d->kind == STAMP_FILE_ADDED || d->kind == STAMP_FILE_REMOVED ||
            (d->kind == STAMP_CHANGED && str_eq(d->from, d->to))) {
            ui_out(STR_FMT "\n", STR_ARG(drift_text(w, &one)));
            ++*shown;
        }
    }
}

static void print(struct cmd *c, struct workspace *w, const struct sides *s)
{
    unsigned shown = s->plan.add + s->plan.remove + s->plan.replace;

    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.diff/1");
        json_write_member_u64(&r.w, "from", s->from);
        json_write_key(&r.w, STR("to"));
        if (s->to)
            json_write_u64(&r.w, s->to);
        else
            json_write_cstr(&r.w, "disk");
        changes_json(&r.w, &s->plan);
        json_write_member(&r.w, "drift", drift_text(w, &s->drift));
        json_result_end(&r);
        return;
    }
    changes_print(&s->plan, 0);
    print_rest(w, s, &shown);
    if (!shown)
        ui_note("%s", s->to ? arena_printf(c->a, "generations %u and %u hold the same packages", s->from, s->to).p
                            : arena_printf(c->a, "the files on disk are those of generation %u", s->from).p);
}

bool cmd_diff(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct sides s = { 0 };

    common_request(c, &r);
    if (c->options.words.n > 2) {
        (void)err_set(e, ERR_CONFIG, "blast diff takes at most two generations, not %zu", c->options.words.n);
        return err_hint(e, "blast diff --help");
    }
    if (!common_open(c, &r, &w, e) || !env_layer_read(&w, &s.env, e))
        return false;
    bool ok = compare(c, &w, &s, e);

    if (ok)
        print(c, &w, &s);
    env_close(&s.env);
    return ok;
}
