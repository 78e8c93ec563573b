/* blast bisect: the first generation in which a command fails. */
#include "base/err.h"
#include "base/fd.h"
#include "cli/changes.h"
#include "cli/common.h"
#include "cli/restore.h"
#include "cli/try.h"
#include "cli/ui.h"
#include "env/history.h"
#include "install/trial.h"
#include "store/guard.h"
#include "sync/env_layer.h"

#define SKIP 125 /* the command's word for "cannot be judged here", as in git bisect */

enum verdict { GOOD, BAD, UNKNOWN };

struct bisect {
    struct cmd *c;
    struct env env;
    struct store store;
    char **argv;
    uint32_t *line; /* positions, oldest first: line[0] is good, line[n - 1] bad */
    size_t n;
    unsigned runs;
    VEC(uint32_t) skipped;
};

static bool judge(struct bisect *b, uint32_t seq, enum verdict *out, struct err *e)
{
    struct generation g;
    struct trial trial;
    bool there;
    int status = 0;

    if (!generation_load(&b->env, seq, b->c->a, &g, &there, e))
        return false;
    if (!there)
        return err_set(e, ERR_ENVIRONMENT, "generation %u is not known any more", seq);
    if (!trial_open(&b->env, &b->store, &g, b->c->a, &trial, e))
        return false;
    bool ok = try_run(b->c, trial.view, b->argv, &status, e);

    trial_close(&trial);
    if (!ok)
        return false;
    b->runs++;
    if (status == 126 || status == 127)
        return err_set(e, ERR_ENVIRONMENT, "'%s' cannot be run in generation %u: exit %d", b->argv[0], seq, status);
    *out = status == 0 ? GOOD : status == SKIP ? UNKNOWN : BAD;
    ui_note("generation %u: %s (exit %d)", seq, *out == GOOD ? "good" : *out == BAD ? "bad" : "skipped", status);
    return true;
}

/* The changes between the two ends, one after the other; what was undone in between is left out. */
static bool find_line(struct bisect *b, struct err *e)
{
    struct str good = option_value(&b->c->options, OPT_GOOD), bad = option_value(&b->c->options, OPT_BAD);
    uint32_t from = 0, to;
    size_t first = 0;

    if (!restore_find(b->c, &b->env, bad.p ? bad : STR("@"), &to, e) ||
        (good.p && !restore_find(b->c, &b->env, good, &from, e)) ||
        !history_line(&b->env, to, b->c->a, &b->line, &b->n, e))
        return false;
    if (good.p) {
        uint32_t *line;
        size_t n;

        if (!history_line(&b->env, from, b->c->a, &line, &n, e))
            return false;
        while (first < b->n && b->line[first] != line[n - 1])
            first++;
        if (first == b->n) {
            (void)err_set(e, ERR_CONFIG, "generation %u is not before generation %u", from, to);
            return err_hint(e, "blast history lists them");
        }
    }
    b->line += first;
    b->n -= first;
    return b->n > 1 || err_set(e, ERR_ENVIRONMENT, "there is nothing between generation %u and itself", to);
}

static bool check_end(struct bisect *b, size_t at, enum verdict wanted, struct err *e)
{
    enum verdict v;

    if (!judge(b, b->line[at], &v, e))
        return false;
    if (v == wanted)
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "the command %s in generation %u, which was to be the %s one",
                  v == GOOD ? "works" : v == BAD ? "fails" : "cannot be judged", b->line[at],
                  wanted == GOOD ? "good" : "bad");
    return err_hint(e, "choose others with --good and --bad");
}

/* The nearest to the middle that was not skipped; 0 when none is left between the two. */
static size_t next_between(const struct bisect *b, const bool *skipped, size_t good, size_t bad)
{
    size_t middle = good + (bad - good) / 2;

    (void)b;
    for (size_t step = 0; step < bad - good; step++) {
        if (middle + step < bad && middle + step > good && !skipped[middle + step])
            return middle + step;
        if (middle > good + step && !skipped[middle - step])
            return middle - step;
    }
    return 0;
}

static bool search(struct bisect *b, size_t *first_bad, size_t *last_good, struct err *e)
{
    bool *skipped = ARENA_ARRAY(b->c->a, bool, b->n);
    size_t good = 0, bad = b->n - 1;

    if (!check_end(b, bad, BAD, e) || !check_end(b, good, GOOD, e))
        return false;
    for (size_t at; (at = next_between(b, skipped, good, bad)) != 0;) {
        enum verdict v;

        if (!judge(b, b->line[at], &v, e))
            return false;
        if (v == UNKNOWN) {
            skipped[at] = true;
            VEC_PUSH_IN(b->c->a, &b->skipped, b->line[at]);
        } else if (v == GOOD) {
            good = at;
        } else {
            bad = at;
        }
    }
    *first_bad = bad;
    *last_good = good;
    return true;
}

static void report_json(const struct bisect *b, uint32_t bad, uint32_t good, bool sure, const struct plan *p)
{
    struct json_result r;

    json_result_begin(&r, "blast.bisect/1");
    json_write_member_u64(&r.w, "first_bad", bad);
    json_write_member_u64(&r.w, "last_good", good);
    json_write_member_bool(&r.w, "sure", sure);
    json_write_member_u64(&r.w, "runs", b->runs);
    changes_json(&r.w, p);
    json_result_end(&r);
}

static bool report(struct bisect *b, size_t first_bad, size_t last_good, struct err *e)
{
    struct generation bad, good;
    struct plan p;
    bool there, sure = first_bad == last_good + 1;

    if (!generation_load(&b->env, b->line[first_bad], b->c->a, &bad, &there, e) || !there ||
        !generation_load(&b->env, b->line[last_good], b->c->a, &good, &there, e) || !there)
        return e->kind == ERR_NONE ? err_set(e, ERR_ENVIRONMENT, "a generation was forgotten meanwhile") : false;
    changes_of(&good, &bad, b->c->a, &p);
    if (ui.json) {
        report_json(b, bad.seq, good.seq, sure, &p);
        return true;
    }
    if (sure)
        ui_out("generation %u is the first bad one: " STR_FMT "\n", bad.seq, STR_ARG(bad.reason.command));
    else
        ui_out("the first bad one is between generation %u (good) and %u (bad); %zu could not be judged\n", good.seq,
               bad.seq, b->skipped.n);
    changes_print(&p, 2);
    return true;
}

static bool find(struct bisect *b, struct workspace *w, struct err *e)
{
    AUTO_FD guard = -1;
    size_t bad, good;

    if (!store_open(w->dirs.store, &b->store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = guard_take(&b->store, GUARD_SHARED, &guard, e) && find_line(b, e) && search(b, &bad, &good, e) &&
              report(b, bad, good, e);

    store_close(&b->store);
    return ok;
}

bool cmd_bisect(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct bisect b = { .c = c };
    size_t n = c->options.words.n;

    common_request(c, &r);
    if (n < 2 || !str_eq(c->options.words.p[0], STR("run"))) {
        (void)err_set(e, ERR_CONFIG, n && !str_eq(c->options.words.p[0], STR("run"))
                                         ? "blast bisect knows the word run" : "no command to run was given");
        return err_hint(e, "blast bisect run -- python app.py");
    }
    b.argv = ARENA_ARRAY(c->a, char *, n);
    for (size_t i = 1; i < n; i++)
        b.argv[i - 1] = arena_cstr(c->a, c->options.words.p[i]);
    if (!common_open(c, &r, &w, e) || !env_layer_read(&w, &b.env, e))
        return false;
    bool ok = find(&b, &w, e);

    env_close(&b.env);
    return ok;
}
