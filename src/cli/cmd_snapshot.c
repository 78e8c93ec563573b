/* blast snapshot: generations with a name, which are kept. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/history.h"
#include "sync/drift.h"
#include "sync/env_layer.h"

static void result_json(const char *action, struct str name, uint32_t seq, bool dry)
{
    struct json_result r;

    if (!ui.json)
        return;
    json_result_begin(&r, "blast.snapshot/1");
    json_write_member_cstr(&r.w, "action", action);
    json_write_member(&r.w, "name", name);
    json_write_member_u64(&r.w, "generation", seq);
    json_write_member_bool(&r.w, "dry_run", dry);
    json_result_end(&r);
}

static const struct history_tag *find(const struct history_tag *tags, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(tags[i].name, name))
            return &tags[i];
    return NULL;
}

/* The first of "snapshot-12", "snapshot-12.2", ... that is free. */
static struct str free_name(struct cmd *c, const struct history_tag *tags, size_t n, uint32_t seq)
{
    struct str name = arena_printf(c->a, "snapshot-%u", seq);

    for (unsigned i = 2; find(tags, n, name); i++)
        name = arena_printf(c->a, "snapshot-%u.%u", seq, i);
    return name;
}

/* Under the lock: a tag of what is current; of what lies there when it was changed by hand. */
static bool create(struct cmd *c, struct workspace *w, struct env *env, struct err *e)
{
    struct stamp_changes changes;
    struct history_tag *tags;
    bool dry = w->request->dry_run;
    uint32_t seq;
    size_t n;

    if (env->layout != ENV_GENERATIONS || env->current == 0)
        return err_set(e, ERR_ENVIRONMENT, "'%s' was not made by Blast and keeps no history", env->path);
    if (!drift_look(w, env, &changes, e) || !history_tags(env, c->a, &tags, &n, e))
        return false;
    struct str name = c->options.words.n > 1 ? c->options.words.p[1] : STR("");

    if (name.n && find(tags, n, name)) {
        (void)err_set(e, ERR_CONFIG, "there is a snapshot '" STR_FMT "' already, of generation %u", STR_ARG(name),
                      find(tags, n, name)->seq);
        return err_hint(e, "blast snapshot rm " STR_FMT " takes the name away", STR_ARG(name));
    }
    if (changes.n && !dry && !drift_scratch(w, env, &changes, STR("snapshot create"), &seq, e))
        return false;
    if (changes.n && !dry)
        ui_note("changes made by hand are generation %u now: " STR_FMT, seq, STR_ARG(drift_text(w, &changes)));
    seq = env->current;
    if (!name.n)
        name = free_name(c, tags, n, seq);
    struct str text = option_value(&c->options, OPT_MESSAGE);
    struct history_tag tag = { .name = name, .seq = seq, .text = text.p ? text : STR(""), .created = clock_now() };

    if (!dry && !history_tag_set(env, &tag, e))
        return false;
    result_json("create", name, seq, dry);
    ui_note("%s '" STR_FMT "' is generation %u", dry ? "would be made: snapshot" : "snapshot", STR_ARG(name), seq);
    return true;
}

static bool forget(struct cmd *c, struct workspace *w, struct env *env, struct err *e)
{
    struct str name = c->options.words.p[1];
    struct history_tag *tags;
    size_t n;

    if (!history_tags(env, c->a, &tags, &n, e))
        return false;
    const struct history_tag *tag = find(tags, n, name);

    if (!tag) {
        struct str *names = ARENA_ARRAY(c->a, struct str, n + 1);

        for (size_t i = 0; i < n; i++)
            names[i] = tags[i].name;
        struct str near = common_nearest(c->a, name, names, n);

        (void)err_set(e, ERR_CONFIG, "there is no snapshot '" STR_FMT "'", STR_ARG(name));
        return near.p ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near))
                      : err_hint(e, "blast snapshot list shows them");
    }
    if (!w->request->dry_run && !history_tag_set(env, &(struct history_tag){ .name = name }, e))
        return false;
    result_json("rm", name, tag->seq, w->request->dry_run);
    ui_note("%s '" STR_FMT "'; generation %u is kept like any other", w->request->dry_run ? "would forget" : "forgot",
            STR_ARG(name), tag->seq);
    return true;
}

static void list_json(struct env *env, const struct history_tag *tags, const struct generation *g, size_t n)
{
    struct json_result r;

    json_result_begin(&r, "blast.snapshot/1");
    json_write_key(&r.w, STR("snapshots"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < n; i++) {
        char when[CLOCK_TEXT];

        clock_format(tags[i].created ? tags[i].created : g[i].created, when);
        json_write_object_begin(&r.w);
        json_write_member(&r.w, "name", tags[i].name);
        json_write_member_u64(&r.w, "generation", tags[i].seq);
        json_write_member_cstr(&r.w, "created", when);
        json_write_member(&r.w, "text", tags[i].text);
        json_write_member_u64(&r.w, "packages", g[i].n_packages);
        json_write_member_bool(&r.w, "current", tags[i].seq == env->current);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static bool list(struct cmd *c, struct env *env, struct err *e)
{
    static const char *const header[] = { "name", "generation", "when", "packages", "what" };
    struct history_tag *tags;
    size_t n;

    if (!history_tags(env, c->a, &tags, &n, e))
        return false;
    struct generation *g = ARENA_ARRAY(c->a, struct generation, n + 1);
    struct str *cell = ARENA_ARRAY(c->a, struct str, n * COUNT(header) + 1);

    for (size_t i = 0; i < n; i++) {
        struct str *row = cell + i * COUNT(header);
        char when[CLOCK_TEXT];
        bool there;

        if (!generation_load(env, tags[i].seq, c->a, &g[i], &there, e))
            return false;
        clock_format(tags[i].created ? tags[i].created : g[i].created, when);
        row[0] = tags[i].name;
        row[1] = arena_printf(c->a, "%u%s", tags[i].seq, tags[i].seq == env->current ? " (current)" : "");
        row[2] = arena_printf(c->a, "%.10s %.5s", when, when + 11);
        row[3] = there ? arena_printf(c->a, "%zu", g[i].n_packages) : STR("gone");
        row[4] = tags[i].text;
    }
    if (ui.json)
        list_json(env, tags, g, n);
    else if (n)
        ui_table(header, cell, n, COUNT(header));
    else
        ui_note("no snapshots; blast snapshot create NAME makes one");
    return true;
}

static bool check_words(struct cmd *c, struct str verb, struct err *e)
{
    static const struct {
        const char *verb;
        size_t least, most;
    } known[] = { { "create", 1, 2 }, { "list", 1, 1 }, { "rm", 2, 2 } };
    struct str names[COUNT(known)];

    for (size_t i = 0; i < COUNT(known); i++) {
        names[i] = str_of(known[i].verb);
        if (!str_eq(verb, names[i]))
            continue;
        if (c->options.words.n >= known[i].least && c->options.words.n <= known[i].most)
            return true;
        (void)err_set(e, ERR_CONFIG, "blast snapshot %s does not take %zu names", known[i].verb,
                      c->options.words.n - 1);
        return err_hint(e, "blast snapshot --help");
    }
    (void)err_set(e, ERR_CONFIG, "blast snapshot knows create, list and rm, not '" STR_FMT "'", STR_ARG(verb));
    struct str near = common_nearest(c->a, verb, names, COUNT(known));

    return near.p ? err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near)) : err_hint(e, "blast snapshot --help");
}

bool cmd_snapshot(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env env;
    struct str verb = c->options.words.n ? c->options.words.p[0] : STR("list");

    common_request(c, &r);
    if ((c->options.words.n && !check_words(c, verb, e)) || !common_open(c, &r, &w, e) ||
        !env_layer_read(&w, &env, e))
        return false;
    bool ok;

    if (str_eq(verb, STR("list")))
        ok = list(c, &env, e);
    else if (str_eq(verb, STR("rm")))
        ok = env_lock(&env, NULL, e) && forget(c, &w, &env, e);
    else
        ok = env_lock(&env, NULL, e) && create(c, &w, &env, e);
    env_close(&env);
    return ok;
}
