/* blast history: the generations of the environment. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/changes.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/history.h"
#include "env/pin.h"
#include "sync/env_layer.h"

#define COLUMNS 7

struct list {
    struct env env;
    struct generation *g;
    struct plan *change; /* of each, against the generation that it followed */
    struct str *tags;    /* of each, apart by blanks */
    size_t n;
    bool pinned;
};

static const struct generation *find(const struct list *l, uint32_t seq)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->g[i].seq == seq)
            return &l->g[i];
    return NULL;
}

static bool load_all(struct list *l, struct arena *a, struct err *e)
{
    struct history_tag *tags;
    uint32_t *seq;
    size_t n, n_tags;

    if (!generation_list(&l->env, a, &seq, &n, e) || !history_tags(&l->env, a, &tags, &n_tags, e))
        return false;
    l->g = ARENA_ARRAY(a, struct generation, n + 1);
    l->change = ARENA_ARRAY(a, struct plan, n + 1);
    l->tags = ARENA_ARRAY(a, struct str, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct err bad = { 0 };
        bool there;

        if (!generation_load(&l->env, seq[i], a, &l->g[l->n], &there, &bad))
            ui_warn("the manifest of generation %u cannot be read", seq[i]);
        else
            l->n += there;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct generation *before = find(l, l->g[i].parent);

        changes_of(before || i == 0 ? before : &l->g[i - 1], &l->g[i], a, &l->change[i]);
        l->tags[i] = STR("");
        for (size_t k = 0; k < n_tags; k++)
            if (tags[k].seq == l->g[i].seq)
                l->tags[i] = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(l->tags[i]), l->tags[i].n ? " " : "",
                                          STR_ARG(tags[k].name));
    }
    uint32_t current;

    l->pinned = pin_get(&l->env, &current);
    return true;
}

static struct str difference(struct arena *a, const struct plan *p)
{
    return arena_printf(a, "+%u ~%u -%u", p->add, p->replace, p->remove);
}

static void write_words(struct json_write *w, struct str words)
{
    json_write_key(w, STR("tags"));
    json_write_array_begin(w);
    for (struct str one; str_next(&words, ' ', &one);)
        if (one.n)
            json_write_str(w, one);
    json_write_array_end(w);
}

static void print_json(struct arena *a, struct list *l)
{
    struct json_result r;

    json_result_begin(&r, "blast.history/1");
    json_write_member_u64(&r.w, "current", l->env.current);
    json_write_member_bool(&r.w, "pinned", l->pinned);
    json_write_key(&r.w, STR("generations"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < l->n; i++) {
        const struct generation *g = &l->g[i];
        char when[CLOCK_TEXT];

        clock_format(g->created, when);
        json_write_object_begin(&r.w);
        json_write_member_u64(&r.w, "generation", g->seq);
        json_write_member_cstr(&r.w, "kind", generation_kind_word(g->kind));
        json_write_member_cstr(&r.w, "created", when);
        json_write_member(&r.w, "command", g->reason.command);
        json_write_member(&r.w, "actor", g->reason.actor);
        json_write_member(&r.w, "reason", g->reason.why);
        json_write_member_u64(&r.w, "packages", g->n_packages);
        json_write_member(&r.w, "difference", difference(a, &l->change[i]));
        changes_json(&r.w, &l->change[i]);
        write_words(&r.w, l->tags[i]);
        json_write_member_bool(&r.w, "current", g->seq == l->env.current);
        json_write_member_cstr(&r.w, "tree", generation_is_hot(&l->env, g) ? "hot" : "cold");
        json_write_member_u64(&r.w, "parent", g->parent);
        if (g->restores)
            json_write_member_u64(&r.w, "restores", g->restores);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

/* "undo (content of 11)", "install flask [pip] failed its trial", and the tags. */
static struct str what(struct arena *a, const struct generation *g, struct str tags)
{
    struct str text = g->reason.command;

    if (g->restores)
        text = arena_printf(a, STR_FMT " (content of %u)", STR_ARG(text), g->restores);
    if (g->kind == GENERATION_SCRATCH)
        text = arena_printf(a, STR_FMT " (changes by hand)", STR_ARG(text));
    if (g->kind == GENERATION_FAILED)
        text = arena_printf(a, STR_FMT " (failed its trial)", STR_ARG(text));
    return tags.n ? arena_printf(a, STR_FMT " [" STR_FMT "]", STR_ARG(text), STR_ARG(tags)) : text;
}

static void fill_row(struct list *l, size_t i, struct arena *a, struct str *row)
{
    const struct generation *g = &l->g[i];
    char when[CLOCK_TEXT];

    clock_format(g->created, when);
    row[0] = arena_printf(a, "%s%3u", g->seq == l->env.current ? "*" : " ", g->seq);
    row[1] = arena_printf(a, "%.10s %.5s", when, when + 11);
    row[2] = g->reason.actor;
    row[3] = arena_printf(a, "%zu", g->n_packages);
    row[4] = difference(a, &l->change[i]);
    row[5] = generation_is_hot(&l->env, g) ? STR("hot") : STR("cold");
    row[6] = what(a, g, l->tags[i]);
    if (g->reason.why.n)
        row[6] = arena_printf(a, STR_FMT ": " STR_FMT, STR_ARG(row[6]), STR_ARG(g->reason.why));
}

static void print_table(struct arena *a, struct list *l)
{
    static const char *const header[COLUMNS] = { "", "when", "who", "packages", "change", "tree", "what" };
    struct str *cell = ARENA_ARRAY(a, struct str, l->n * COLUMNS + 1);

    for (size_t k = 0; k < l->n; k++) /* newest first */
        fill_row(l, l->n - 1 - k, a, cell + k * COLUMNS);
    ui_table(header, cell, l->n, COLUMNS);
}

static void print_changes(struct arena *a, struct list *l)
{
    for (size_t k = 0; k < l->n; k++) {
        size_t i = l->n - 1 - k;
        struct str row[COLUMNS];

        fill_row(l, i, a, row);
        ui_out("%s" STR_FMT "%s  " STR_FMT "  " STR_FMT "  " STR_FMT "\n", ui_on(stdout, UI_BOLD), STR_ARG(row[0]),
               ui_on(stdout, UI_PLAIN), STR_ARG(row[1]), STR_ARG(row[2]), STR_ARG(row[6]));
        changes_print(&l->change[i], 6);
    }
}

bool cmd_history(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct list l = { 0 };

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &l.env, e))
        return false;
    bool ok = load_all(&l, c->a, e);

    if (ok && ui.json)
        print_json(c->a, &l);
    else if (ok && l.env.layout == ENV_PLAIN)
        ui_note("%s is a plain environment: it has no history", l.env.path);
    else if (ok && option_flag(&c->options, OPT_DIFF))
        print_changes(c->a, &l);
    else if (ok)
        print_table(c->a, &l);
    if (ok && l.pinned)
        ui_note("generation %u is pinned: the project's files are not followed until blast resume or blast sync",
                l.env.current);
    env_close(&l.env);
    return ok;
}
