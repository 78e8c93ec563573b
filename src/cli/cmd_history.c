/* blast history: the generations of the environment. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/history.h"
#include "sync/env_layer.h"

static const char *const kind_word[] = {
    [GENERATION_CHANGE] = "change", [GENERATION_UNDO] = "undo", [GENERATION_REDO] = "redo",
    [GENERATION_ROLLBACK] = "rollback",
};

static const struct generation_package *find(const struct generation *g, struct str name)
{
    for (size_t i = 0; i < g->n_packages; i++)
        if (str_eq(g->packages[i].name, name))
            return &g->packages[i];
    return NULL;
}

/* "+4 ~1 -2" against the generation before. */
static struct str difference(struct arena *a, const struct generation *before, const struct generation *g)
{
    unsigned add = 0, change = 0, gone = 0;

    for (size_t i = 0; i < g->n_packages; i++) {
        const struct generation_package *old = find(before, g->packages[i].name);

        add += !old;
        change += old && !str_eq(old->version, g->packages[i].version);
    }
    for (size_t i = 0; i < before->n_packages; i++)
        gone += !find(g, before->packages[i].name);
    return arena_printf(a, "+%u ~%u -%u", add, change, gone);
}

struct list {
    struct generation *g;
    size_t n;
};

static bool load_all(struct env *env, struct arena *a, struct list *out, struct err *e)
{
    uint32_t *seq;
    size_t n;
    bool there;

    if (!generation_list(env, a, &seq, &n, e))
        return false;
    out->g = ARENA_ARRAY(a, struct generation, n);
    for (size_t i = 0; i < n; i++) {
        if (!generation_load(env, seq[i], a, &out->g[out->n], &there, e))
            return false;
        out->n += there;
    }
    return true;
}

static void print_json(struct arena *a, const struct env *env, const struct list *l)
{
    struct json_result r;
    struct generation none = { 0 };

    json_result_begin(&r, "blast.history/1");
    json_write_member_u64(&r.w, "current", env->current);
    json_write_key(&r.w, STR("generations"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < l->n; i++) {
        const struct generation *g = &l->g[i];
        char when[CLOCK_TEXT];

        clock_format(g->created, when);
        json_write_object_begin(&r.w);
        json_write_member_u64(&r.w, "generation", g->seq);
        json_write_member_cstr(&r.w, "kind", kind_word[g->kind]);
        json_write_member_cstr(&r.w, "created", when);
        json_write_member(&r.w, "command", g->reason.command);
        json_write_member(&r.w, "actor", g->reason.actor);
        json_write_member_u64(&r.w, "packages", g->n_packages);
        json_write_member(&r.w, "difference", difference(a, i ? &l->g[i - 1] : &none, g));
        if (g->restores)
            json_write_member_u64(&r.w, "restores", g->restores);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static void print_table(struct arena *a, const struct env *env, const struct list *l)
{
    static const char *const header[] = { "", "when", "command", "packages", "change" };
    struct str *cell = ARENA_ARRAY(a, struct str, l->n * 5);
    struct generation none = { 0 };

    for (size_t k = 0; k < l->n; k++) {
        size_t i = l->n - 1 - k; /* newest first */
        const struct generation *g = &l->g[i];
        struct str *row = cell + k * 5;
        char when[CLOCK_TEXT];

        clock_format(g->created, when);
        row[0] = arena_printf(a, "%s%3u", g->seq == env->current ? "*" : " ", g->seq);
        row[1] = arena_printf(a, "%.10s %.5s", when, when + 11);
        row[2] = g->restores ? arena_printf(a, STR_FMT " (content of %u)", STR_ARG(g->reason.command), g->restores)
                             : g->reason.command;
        row[3] = arena_printf(a, "%zu", g->n_packages);
        row[4] = difference(a, i ? &l->g[i - 1] : &none, g);
    }
    ui_table(header, cell, l->n, 5);
}

bool cmd_history(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env env;
    struct list l = { 0 };

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    bool ok = load_all(&env, c->a, &l, e);

    if (ok && ui.json)
        print_json(c->a, &env, &l);
    else if (ok && env.layout == ENV_PLAIN)
        ui_note("%s is a plain environment: it has no history", env.path);
    else if (ok)
        print_table(c->a, &env, &l);
    env_close(&env);
    return ok;
}
