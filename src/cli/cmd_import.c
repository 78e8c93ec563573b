/* blast import: which package has a module. Asked by the import hook of an environment (src/install/boot) when an
 * import has failed for good; people may ask, too. Changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include "base/err.h"
#include "cli/common.h"
#include "cli/daemon_link.h"
#include "cli/graph.h"
#include "cli/ui.h"
#include "env/env.h"
#include "install/import_map.h"
#include "pep/name.h"
#include "store/store.h"
#include "sync/env_layer.h"

#define SHOWN_MAX 6 /* names of an ambiguous answer */

/* What the project knows of the package that is meant. */
struct verdict {
    struct str distribution; /* n == 0: several may be meant, or none */
    struct str installed;    /* version; n == 0: it is not */
    struct str list;         /* "group dev", "extra s3"; n == 0: the dependencies */
    bool declared, locked;
    bool certain;            /* the module is known to be in it */
    struct str command[4];
    size_t n_command;
    struct str text;
};

struct question {
    struct cmd *c;
    struct workspace *w;
    struct str module, from; /* from: "file:line" */
    struct import_answer answer;
    struct verdict v;
};

static bool read_words(struct question *q, struct err *e)
{
    const struct options *o = &q->c->options;

    for (size_t i = 0; i < o->words.n; i++) {
        struct str word = o->words.p[i];

        if (str_eq(word, STR("--json")))
            ui.json = true;
        else if (str_eq(word, STR("--from")) && i + 1 < o->words.n)
            q->from = o->words.p[++i];
        else if (q->module.n == 0 && !str_starts(word, STR("-")))
            q->module = word;
        else
            return err_set(e, ERR_CONFIG, "'" STR_FMT "' is not understood", STR_ARG(word));
    }
    if (q->module.n)
        return true;
    (void)err_set(e, ERR_CONFIG, "blast import takes the name of a module");
    return err_hint(e, "blast import yaml");
}

/* ------------------------------------------------------------ candidates */

static struct import_candidate *candidates(struct question *q, const struct graph *g, size_t *n)
{
    VEC(struct import_candidate) v = { 0 };

    for (uint32_t i = 0; i < g->n; i++) {
        const struct lock_package *p = &g->lock->package[i];

        for (size_t k = 0; k < p->n_wheel; k++)
            VEC_PUSH_IN(q->c->a, &v, (struct import_candidate){ p->name, lock_file_hash(&p->wheel[k], STR("sha256")) });
        if (p->archive)
            VEC_PUSH_IN(q->c->a, &v, (struct import_candidate){ p->name, lock_file_hash(p->archive, STR("sha256")) });
    }
    *n = v.n;
    return v.p;
}

static bool find(struct question *q, const struct graph *g, struct err *e)
{
    struct import_query query = { .module = q->module };
    struct store store;
    struct err ignored = { 0 };
    bool open = store_open(q->w->dirs.store, &store, &ignored);

    query.store = open ? &store : NULL;
    query.candidate = candidates(q, g, &query.n);
    bool ok = import_find(&query, q->c->a, &q->answer, e);

    if (open)
        store_close(&store);
    return ok;
}

/* ------------------------------------------------------------ what the project knows */

static bool lists(const struct project_list *l, struct str name, struct arena *a)
{
    for (size_t i = 0; i < l->reqs.n; i++)
        if (name_eq(project_requirement_name(l->reqs.p[i].text, a), name))
            return true;
    return false;
}

static void look_at_project(struct question *q, struct str name, struct verdict *v)
{
    const struct project *p = &q->w->project;
    struct arena *a = q->c->a;

    if (!p->found || lists(&p->dependencies, name, a)) {
        v->declared = p->found;
        return;
    }
    for (size_t i = 0; i < p->groups.n && !v->declared; i++) {
        if (lists(&p->groups.p[i], name, a)) {
            v->declared = true;
            v->list = arena_printf(a, "group " STR_FMT, STR_ARG(p->groups.p[i].normalized));
        }
    }
    for (size_t i = 0; i < p->extras.n && !v->declared; i++) {
        if (lists(&p->extras.p[i], name, a)) {
            v->declared = true;
            v->list = arena_printf(a, "extra " STR_FMT, STR_ARG(p->extras.p[i].normalized));
        }
    }
}

static void look_at_environment(struct question *q, struct str name, struct verdict *v)
{
    struct err ignored = { 0 };
    struct env_packages list;
    struct env env;

    if (!env_is_there(q->w->env_path) || !env_open(q->w->env_path, NULL, &env, &ignored))
        return;
    if (env_installed(&env, q->c->a, &list, &ignored))
        for (size_t i = 0; i < list.n; i++)
            if (name_eq(list.p[i].name, name))
                v->installed = arena_str(q->c->a, list.p[i].version);
    env_close(&env);
}

/* Of several packages the one that the project has. */
static struct str choose(struct question *q, const struct graph *g)
{
    struct str chosen = STR("");

    for (size_t i = 0; i < q->answer.n; i++) {
        struct verdict v = { .list = STR("") };
        struct str name = q->answer.distribution[i];

        look_at_project(q, name, &v);
        if (!v.declared && graph_find(g, name) == UINT32_MAX)
            continue;
        if (chosen.n)
            return STR("");
        chosen = name;
    }
    return chosen.n || q->answer.n != 1 ? chosen : q->answer.distribution[0];
}

static void set_command(struct question *q, struct verdict *v)
{
    struct str word = v->list, name;

    if (v->installed.n || v->distribution.n == 0 || !v->certain)
        return;
    v->command[v->n_command++] = v->declared ? STR("sync") : STR("install");
    if (v->declared && v->list.n) {
        v->command[v->n_command++] = str_cut_prefix(&word, STR("group ")) ? STR("--group") : STR("--extra");
        (void)str_cut_prefix(&word, STR("extra "));
        v->command[v->n_command++] = word;
    } else if (!v->declared) {
        name = name_normalize(q->c->a, v->distribution);
        v->command[v->n_command++] = name;
    }
}

static void judge(struct question *q, const struct graph *g)
{
    struct verdict *v = &q->v;

    *v = (struct verdict){ .installed = STR(""), .list = STR(""), .text = STR("") };
    v->distribution = choose(q, g);
    v->certain = q->answer.how != IMPORT_GUESS && q->answer.how != IMPORT_PYTHON;
    if (v->distribution.n == 0)
        return;
    v->locked = graph_find(g, v->distribution) != UINT32_MAX;
    look_at_project(q, v->distribution, v);
    if (q->answer.how == IMPORT_GUESS && (v->locked || v->declared))
        v->certain = true; /* the project asked for it, whatever it holds */
    look_at_environment(q, v->distribution, v);
    set_command(q, v);
}

/* ------------------------------------------------------------ text */

static struct str command_text(struct question *q)
{
    struct str text = STR("blast");

    for (size_t i = 0; i < q->v.n_command; i++)
        text = arena_printf(q->c->a, STR_FMT " " STR_FMT, STR_ARG(text), STR_ARG(q->v.command[i]));
    return text;
}

static struct str several(struct question *q)
{
    struct arena *a = q->c->a;
    struct str text = STR("");

    for (size_t i = 0; i < q->answer.n && i < SHOWN_MAX; i++)
        text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), i ? ", " : "", STR_ARG(q->answer.distribution[i]));
    if (q->answer.n > SHOWN_MAX)
        text = arena_printf(a, STR_FMT " and %zu more", STR_ARG(text), q->answer.n - SHOWN_MAX);
    return arena_printf(a, "'" STR_FMT "' is provided by each of " STR_FMT ": blast install ONE of them",
                        STR_ARG(q->answer.module), STR_ARG(text));
}

/* "in your lock, group dev" */
static struct str known_as(struct question *q)
{
    const struct verdict *v = &q->v;
    const char *where = v->locked ? "in your lock" : v->declared ? "in pyproject.toml" : "not in your project";

    return v->list.n ? arena_printf(q->c->a, "%s, " STR_FMT, where, STR_ARG(v->list)) : str_of(where);
}

static struct str text_of(struct question *q)
{
    const struct verdict *v = &q->v;
    struct arena *a = q->c->a;
    struct str name = v->distribution;

    if (q->answer.how == IMPORT_PYTHON)
        return arena_printf(a, "'" STR_FMT "' " STR_FMT, STR_ARG(q->module), STR_ARG(q->answer.note));
    if (name.n == 0)
        return several(q);
    if (v->installed.n)
        return arena_printf(a, "'" STR_FMT "' is provided by " STR_FMT " " STR_FMT ", which is installed now: start "
                               "the program again, or look with blast doctor", STR_ARG(q->answer.module), STR_ARG(name),
                            STR_ARG(v->installed));
    if (!v->certain)
        return arena_printf(a, "no package known here has '" STR_FMT "'; one called '" STR_FMT "' may be anything "
                               "(unverified): look at it before blast install " STR_FMT, STR_ARG(q->module),
                            STR_ARG(name), STR_ARG(name));
    return arena_printf(a, "'" STR_FMT "' is provided by " STR_FMT " (" STR_FMT "): " STR_FMT,
                        STR_ARG(q->answer.module), STR_ARG(name), STR_ARG(known_as(q)), STR_ARG(command_text(q)));
}

/* May the hook install it without asking? What the project asks for, or with `auto` what is known for sure. */
static bool may_install(const struct question *q)
{
    const struct verdict *v = &q->v;
    const char *ci = getenv("CI");
    int hook = q->w->config.hooks_import_hook;

    if (!v->n_command || !v->certain)
        return false;
    if (hook == CONFIG_HOOK_AUTO)
        return v->declared || v->locked || !ci || !*ci;
    return hook == CONFIG_HOOK_DECLARED && (v->declared || v->locked);
}

static void print_json(struct question *q)
{
    static const char *const hook[] = { "off", "suggest", "ask", "declared", "auto" };
    const struct verdict *v = &q->v;
    struct json_result r;

    json_result_begin(&r, "blast.import/1");
    json_write_member(&r.w, "module", q->module);
    json_write_member(&r.w, "found", q->answer.module);
    json_write_member_cstr(&r.w, "how", import_how_word(q->answer.how));
    json_write_member_bool(&r.w, "verified", v->certain);
    json_write_member(&r.w, "distribution", v->distribution);
    json_write_key(&r.w, STR("distributions"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < q->answer.n; i++)
        json_write_str(&r.w, q->answer.distribution[i]);
    json_write_array_end(&r.w);
    json_write_member_bool(&r.w, "declared", v->declared);
    json_write_member_bool(&r.w, "locked", v->locked);
    json_write_member(&r.w, "installed", v->installed);
    json_write_member_cstr(&r.w, "hook", hook[q->w->config.hooks_import_hook]);
    json_write_member_bool(&r.w, "install", may_install(q));
    json_write_key(&r.w, STR("command"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < v->n_command; i++)
        json_write_str(&r.w, v->command[i]);
    json_write_array_end(&r.w);
    json_write_member(&r.w, "text", q->w->config.hooks_import_hook == CONFIG_HOOK_OFF ? STR("") : v->text);
    json_result_end(&r);
}

/* The daemon may prepare the answer; nobody waits for it. */
static void tell_daemon(struct question *q)
{
    AUTO_WIRE wire = { .fd = -1 };
    AUTO_BUF b = { .limit = 16u << 10 };
    struct json_write j;
    struct err ignored = { 0 };
    size_t colon = str_rfind(q->from, ':');
    uint64_t line = 0;

    if (q->from.n == 0 || !daemon_link(q->c, q->w, WIRE_IF_RUNNING, &wire))
        return;
    if (colon < q->from.n && !str_to_u64(str_sub(q->from, colon + 1, q->from.n), &line))
        line = 0;
    json_write_init(&j, &b, false);
    json_write_object_begin(&j);
    json_write_member_cstr(&j, "path", q->w->where.dir);
    json_write_member(&j, "name", q->module);
    json_write_member(&j, "file", str_sub(q->from, 0, colon));
    json_write_member_u64(&j, "line", line);
    json_write_object_end(&j);
    if (json_write_end(&j))
        (void)!wire_send(&wire, "import.missing", buf_done(&b), 5, &ignored);
}

bool cmd_import(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct lock empty = { 0 };
    struct graph g = { 0 };
    struct err ignored = { 0 }; /* without a lock the rest is still known */
    struct question q = { .c = c, .w = &w, .module = STR_INIT(""), .from = STR_INIT("") };

    common_request(c, &r);
    if (!read_words(&q, e) || !common_open(c, &r, &w, e))
        return false;
    if (!graph_load(&w, &g, &ignored))
        g = (struct graph){ .lock = &empty };
    if (!find(&q, &g, e))
        return false;
    judge(&q, &g);
    q.v.text = text_of(&q);
    tell_daemon(&q);
    if (ui.json)
        print_json(&q);
    else
        ui_out(STR_FMT "\n", STR_ARG(q.v.text));
    return true;
}
