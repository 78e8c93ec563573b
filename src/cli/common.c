#include "cli/common.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/err.h"
#include "cli/changes.h"
#include "cli/daemon_link.h"
#include "cli/inside.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "env/env.h"
#include "env/pin.h"
#include "pep/name.h"
#include "sync/failure.h"
#include "sync/recover.h"

static struct str_list list_of(const struct options *o, enum option_id id)
{
    return (struct str_list){ o->at[id].values.p, o->at[id].values.n };
}

static struct str value_of(const struct options *o, enum option_id id)
{
    struct str v = option_value(o, id);

    return v.p ? v : STR("");
}

static void waiting(const char *env)
{
    ui_note("waiting for another blast that changes %s", env);
}

#define WHY_MAX 512 /* bytes of BLAST_REASON that are kept */

/* Who acts, as the daemon, the pip shim and the import hook say when they start this program. Other words are not
 * taken: the history must not say what nobody knows. */
static struct str actor(void)
{
    static const char *const known[] = { "cli", "daemon", "pip", "import-hook" };
    struct str said = str_of(getenv("BLAST_ACTOR"));

    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq(said, str_of(known[i])))
            return said;
    return STR("cli");
}

static struct str why(void)
{
    struct str said = str_of(getenv("BLAST_REASON"));

    return said.p ? str_sub(said, 0, MIN(said.n, (size_t)WHY_MAX)) : STR("");
}

void common_request(struct cmd *c, struct request *out)
{
    const struct options *o = &c->options;

    c->failure = ARENA_NEW(c->a, struct failure);
    *out = (struct request){
        .failure = c->failure,
        .actor = actor(),
        .why = why(),
        .project = value_of(o, OPT_PROJECT),
        .env = value_of(o, OPT_ENV),
        .python = value_of(o, OPT_PYTHON),
        .index_url = value_of(o, OPT_INDEX_URL),
        .extra_index_url = list_of(o, OPT_EXTRA_INDEX_URL),
        .find_links = list_of(o, OPT_FIND_LINKS),
        .no_binary = list_of(o, OPT_NO_BINARY),
        .requirement = list_of(o, OPT_REQUIREMENT),
        .constraint = list_of(o, OPT_CONSTRAINT),
        .editable = list_of(o, OPT_EDITABLE),
        .extra = list_of(o, OPT_EXTRA),
        .group = list_of(o, OPT_GROUP),
        .prerelease = value_of(o, OPT_PRERELEASE),
        .resolution = value_of(o, OPT_RESOLUTION),
        .exclude_newer = value_of(o, OPT_EXCLUDE_NEWER),
        .link_mode = value_of(o, OPT_LINK_MODE),
        .waiting = waiting,
        .no_index = option_flag(o, OPT_NO_INDEX),
        .no_build = option_flag(o, OPT_NO_BUILD),
        .no_build_sandbox = option_flag(o, OPT_NO_BUILD_SANDBOX),
        .require_hashes = option_flag(o, OPT_REQUIRE_HASHES),
        .no_deps = option_flag(o, OPT_NO_DEPS),
        .offline = option_flag(o, OPT_OFFLINE),
        .refresh = option_flag(o, OPT_REFRESH),
        .upgrade = option_flag(o, OPT_UPGRADE),
        .frozen = option_flag(o, OPT_FROZEN),
        .dry_run = option_flag(o, OPT_DRY_RUN),
        .allow_startup = list_of(o, OPT_ALLOW_STARTUP),
        .ask = ui.tty && !ui.no_input && !ui.json ? ui_confirm : NULL,
    };
}

/* What Blast keeps of an environment is not shown in its sandbox. Some commands need only the project's files. */
static bool may_be_inside(const struct cmd *c, const struct workspace *w, struct err *e)
{
    static const char *const readers[] = { "config", "import", "list", "run", "tree" };

    if (!inside_is(w))
        return true;
    for (size_t i = 0; i < COUNT(readers); i++)
        if (strcmp(c->command->name, readers[i]) == 0)
            return true;
    (void)err_set(e, ERR_ENVIRONMENT, "blast %s does not work inside the sandbox of '%s'", c->command->name,
                  w->env_path);
    return err_hint(e, "in another terminal, or behind `exit`");
}

bool common_open(struct cmd *c, const struct request *r, struct workspace *out, struct err *e)
{
    if (!workspace_open(r, c->a, out, e))
        return false;
    if (!may_be_inside(c, out, e)) {
        workspace_close(out);
        return false;
    }
    if ((c->command->where & (W_CHANGE | W_RUN)) && !r->dry_run)
        daemon_foreground(c, out); /* background work on the environment makes way for the user's command */
    return true;
}

static void show(void *ctx, const char *phase, size_t done, size_t total, uint64_t bytes, uint64_t of_bytes)
{
    struct progress p = { .phase = phase, .done = done, .total = total, .bytes = bytes, .of_bytes = of_bytes };

    (void)ctx;
    progress_show(&p);
}

const struct watch common_watch = { show, NULL };

void common_warnings(const struct workspace *w)
{
    for (size_t i = 0; i < w->warnings.n; i++)
        ui_warn(STR_FMT, STR_ARG(w->warnings.p[i]));
}

bool common_pinned(struct workspace *w, uint32_t *seq)
{
    struct err ignored = { 0 };
    struct env env;

    if (!env_is_there(w->env_path) || !env_open(w->env_path, w->dirs.state, &env, &ignored))
        return false;
    bool pinned = pin_get(&env, seq) && !recover_damage(&env, w->a).n;

    env_close(&env);
    return pinned;
}

struct str common_nearest(struct arena *a, struct str name, const struct str *list, size_t n)
{
    struct str key = name_normalize(a, name), best = { NULL, 0 };
    unsigned limit = key.n > 4 ? 2 : 1, best_distance = limit + 1;

    for (size_t i = 0; i < n; i++) {
        unsigned d = str_distance(key, name_normalize(a, list[i]), limit);

        if (d < best_distance) {
            best = list[i];
            best_distance = d;
        }
    }
    return best;
}

static bool has(const struct str_list *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (name_eq(list->p[i], name))
            return true;
    return false;
}

static bool check_names(struct cmd *c, enum option_id id, const struct str_list *known, struct err *e)
{
    struct str_list given = list_of(&c->options, id);
    struct str all = STR("");

    for (size_t i = 0; i < known->n; i++)
        all = arena_printf(c->a, STR_FMT "%s" STR_FMT, STR_ARG(all), i ? ", " : "", STR_ARG(known->p[i]));
    for (size_t i = 0; i < given.n; i++) {
        if (has(known, given.p[i]))
            continue;
        (void)err_set(e, ERR_CONFIG, "the project has no %s '" STR_FMT "'", id == OPT_EXTRA ? "extra" : "group",
                      STR_ARG(given.p[i]));
        struct str near = common_nearest(c->a, given.p[i], known->p, known->n);

        if (near.p)
            return err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near));
        if (known->n)
            return err_hint(e, "it has " STR_FMT, STR_ARG(all));
        return err_hint(e, "%s in pyproject.toml", id == OPT_EXTRA ? "they stand under [project.optional-dependencies]"
                                                                   : "they stand under [dependency-groups]");
    }
    return true;
}

bool common_check_lists(struct cmd *c, const struct workspace *w, struct err *e)
{
    const struct project *p = &w->project;
    struct str *extra = ARENA_ARRAY(c->a, struct str, p->extras.n), *group = ARENA_ARRAY(c->a, struct str, p->groups.n);

    for (size_t i = 0; i < p->extras.n; i++)
        extra[i] = p->extras.p[i].name;
    for (size_t i = 0; i < p->groups.n; i++)
        group[i] = p->groups.p[i].name;
    return check_names(c, OPT_EXTRA, &(struct str_list){ extra, p->extras.n }, e) &&
           check_names(c, OPT_GROUP, &(struct str_list){ group, p->groups.n }, e);
}

bool common_no_words(const struct cmd *c, struct err *e)
{
    if (c->options.words.n == 0)
        return true;
    (void)err_set(e, ERR_CONFIG, "'" STR_FMT "' is not understood: %s takes no such word",
                  STR_ARG(c->options.words.p[0]), c->command->name);
    return err_hint(e, "blast %s --help", c->command->name);
}

/* ------------------------------------------------------------ JSON */

void json_result_begin(struct json_result *r, const char *schema)
{
    buf_init(&r->buf, RESULT_MAX);
    json_write_init(&r->w, &r->buf, true);
    if (!schema)
        return;
    json_write_object_begin(&r->w);
    json_write_member_cstr(&r->w, "schema", schema);
}

void json_result_end(struct json_result *r)
{
    if (r->w.depth)
        json_write_object_end(&r->w);
    if (json_write_end(&r->w))
        ui_out(STR_FMT, STR_ARG(buf_done(&r->buf)));
    buf_clear(&r->buf);
}

/* ------------------------------------------------------------ the outcome of a sync */

static const char *seconds(uint64_t us, char out[32])
{
    if (us < 1000000)
        (void)snprintf(out, 32, "%.0f ms", (double)us / 1e3);
    else
        (void)snprintf(out, 32, "%.2f s", (double)us / 1e6);
    return out;
}

void common_figures(const struct cmd *c, const struct timings *t, uint64_t total_us)
{
    static const char *const name[PHASES] = { "prepare", "resolve", "fetch", "install" };
    bool times = option_flag(&c->options, OPT_TIMINGS);
    char text[32];

    for (unsigned i = 0; times && i < PHASES; i++)
        ui_note("  %-9s %s", name[i], seconds(t->us[i], text));
    if (times)
        ui_note("  %-9s %s", "total", seconds(total_us, text));
    if (times || ui.verbose)
        ui_note("  %-9s pages %u, metadata %u, wheels %u; %.1f MB received", "requests", t->pages, t->metadata,
                t->wheels, (double)t->bytes / 1e6);
}

static void step_line(const struct plan_step *s)
{
    const char *off = ui_on(stderr, UI_PLAIN), *dim = ui_on(stderr, UI_DIM);

    switch (s->kind) {
    case PLAN_ADD:
        ui_note(" %s+%s " STR_FMT " %s" STR_FMT "%s", ui_on(stderr, UI_GREEN), off, STR_ARG(s->want->name), dim,
                STR_ARG(s->want->version), off);
        break;
    case PLAN_REMOVE:
        ui_note(" %s-%s " STR_FMT " %s" STR_FMT "%s", ui_on(stderr, UI_RED), off, STR_ARG(s->have->name), dim,
                STR_ARG(s->have->version), off);
        break;
    case PLAN_REPLACE:
        ui_note(" %s~%s " STR_FMT " %s" STR_FMT " -> " STR_FMT "%s", ui_on(stderr, UI_YELLOW), off,
                STR_ARG(s->want->name), dim, STR_ARG(s->have->version), STR_ARG(s->want->version), off);
        break;
    case PLAN_KEEP:
        break;
    }
}

static void outcome_json(const struct cmd *c, const struct sync_outcome *o)
{
    struct json_result r;
    char schema[64];

    (void)snprintf(schema, sizeof schema, "blast.%s/1", c->command->name);
    json_result_begin(&r, schema);
    json_write_member_cstr(&r.w, "environment", o->env_path);
    json_write_member_u64(&r.w, "generation", o->seq);
    json_write_member_bool(&r.w, "created", o->made);
    json_write_member_bool(&r.w, "changed", o->apply.changed || o->would_change);
    json_write_member_bool(&r.w, "lock_changed", o->lock.changed);
    changes_json(&r.w, &o->apply.plan);
    json_result_end(&r);
}

struct str common_counts(struct arena *a, const struct plan *p)
{
    const struct {
        unsigned n;
        const char *word;
    } part[] = { { p->add, "added" }, { p->remove, "removed" }, { p->replace, "changed" } };
    struct str text = STR("");

    for (size_t i = 0; i < COUNT(part); i++)
        if (part[i].n)
            text = arena_printf(a, STR_FMT "%s%u %s", STR_ARG(text), text.n ? ", " : "", part[i].n, part[i].word);
    return text;
}

void common_outcome(struct cmd *c, const struct workspace *w, const struct sync_outcome *o, const struct timings *t,
                    uint64_t begun_us)
{
    const struct plan *p = &o->apply.plan;
    uint64_t us = ui_elapsed_us(begun_us);
    char text[32];
    bool dry = w->request->dry_run || o->would_change;

    common_warnings(w);
    if (ui.json)
        outcome_json(c, o);
    for (size_t i = 0; i < p->n; i++)
        step_line(&p->steps[i]);
    if (p->add + p->remove + p->replace)
        ui_note("%s" STR_FMT "%s in %s", dry ? "would be: " : "", STR_ARG(common_counts(c->a, p)),
                o->seq ? arena_printf(c->a, ", generation %u,", o->seq).p : "", seconds(us, text));
    else if (dry)
        ui_note("nothing would change");
    else
        ui_note("%sup to date%s in %s", ui_on(stderr, UI_DIM), ui_on(stderr, UI_PLAIN), seconds(us, text));
    common_figures(c, t, us);
}
