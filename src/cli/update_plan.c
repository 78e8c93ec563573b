#include "cli/update_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/graph.h"
#include "cli/newest.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "codec/json_write.h"
#include "pep/req.h"
#include "pep/version.h"
#include "sync/policy.h"
#include "sync/workspace.h"

#define COLUMNS 6
#define USERS_NAMED 3

static bool same(struct arena *a, struct str x, struct str y)
{
    struct version v, u;

    return str_eq(x, y) || (version_parse(x, a, &v) && version_parse(y, a, &u) && version_cmp(&v, &u) == 0);
}

static bool is_newer(struct arena *a, struct str x, struct str than)
{
    struct version v, u;

    return version_parse(x, a, &v) && version_parse(than, a, &u) && version_cmp(&v, &u) > 0;
}

static struct str age_of(struct arena *a, const struct lock_package *p)
{
    int64_t when, age;

    if (p->n_wheel == 0 || !clock_parse(p->wheel[0].upload_time, &when))
        return STR("");
    age = MAX(clock_now() - when, (int64_t)0);
    if (age < 2 * 86400)
        return arena_printf(a, "%" PRId64 " h", age / 3600);
    return arena_printf(a, "%" PRId64 " d", age / 86400);
}

/* "flask<3 (pyproject.toml:7)" excludes the version? */
static bool requirement_excludes(struct arena *a, struct str direct, const struct version *v)
{
    struct str text = str_sub(direct, 0, str_search(direct, STR(" (")));
    struct err ignored = { 0 };
    struct req q;

    return direct.n && req_parse(a, text, &q, &ignored) && !spec_contains(&q.spec, v, SPEC_PRE_ALLOW);
}

static struct str held_by(struct workspace *w, const struct graph *g, uint32_t node, const struct update_row *r)
{
    enum config_versions policy = (enum config_versions)w->config.pkg_layer_version_policy;
    struct graph_list users = graph_users(g, node);
    struct version from, to;
    struct str text = STR("");

    if (!version_parse(r->current, w->a, &from) || !version_parse(r->latest, w->a, &to))
        return text;
    if (!policy_allows(policy, &from, &to))
        return arena_printf(w->a, "version_policy = %s", policy_word(policy));
    if (requirement_excludes(w->a, g->direct[node], &to))
        return g->direct[node];
    for (size_t i = 0; i < users.n && i < USERS_NAMED; i++)
        text = arena_printf(w->a, STR_FMT "%s" STR_FMT, STR_ARG(text), i ? ", " : "",
                            STR_ARG(g->lock->package[users.p[i]].name));
    return text;
}

static struct update_row row_of(struct workspace *w, const struct graph *g, uint32_t node, const struct lock *new,
                                struct str latest)
{
    const struct lock_package *old = &g->lock->package[node], *to = lock_find(new, old->name);
    struct update_row r = { .name = old->name, .current = old->version, .latest = latest };

    r.wanted = to ? to->version : STR("");
    r.moves = !to || !same(w->a, r.current, r.wanted);
    if (to && r.moves)
        r.age = age_of(w->a, to);
    if (to && is_newer(w->a, latest, r.wanted))
        r.held_by = held_by(w, g, node, &r);
    return r;
}

static bool old_rows(struct cmd *c, struct workspace *w, const struct graph *g, const struct lock *new,
                     struct update_plan *out, struct err *e)
{
    struct str *name = ARENA_ARRAY(c->a, struct str, g->n);
    struct newest *newest = ARENA_ARRAY(c->a, struct newest, g->n);
    struct request r = *w->request;
    struct workspace known = *w;

    for (uint32_t i = 0; i < g->n; i++)
        name[i] = g->lock->package[i].name;
    r.refresh = false; /* the pages came just now */
    known.request = &r;
    if (!newest_find(&known, name, g->n, newest, e))
        return false;
    for (uint32_t i = 0; i < g->n; i++) {
        struct update_row row = row_of(w, g, i, new, newest[i].version);

        if (row.moves || is_newer(c->a, row.latest, row.wanted))
            out->p[out->n++] = row;
        out->moving += row.moves;
    }
    return true;
}

bool update_plan_make(struct cmd *c, struct workspace *w, const struct lock *new, struct update_plan *out,
                      struct err *e)
{
    struct err no_lock = { 0 };
    struct graph g = { 0 };
    bool old = graph_load(w, &g, &no_lock);

    *out = (struct update_plan){ .p = ARENA_ARRAY(c->a, struct update_row, g.n + new->n_package) };
    if (old && !old_rows(c, w, &g, new, out, e))
        return false;
    for (size_t i = 0; i < new->n_package; i++) {
        const struct lock_package *p = &new->package[i];

        if (old && lock_find(g.lock, p->name))
            continue;
        out->p[out->n++] = (struct update_row){ .name = p->name, .wanted = p->version, .age = age_of(c->a, p),
                                                .moves = true };
        out->moving++;
    }
    return true;
}

static struct str or_dash(struct str s)
{
    return s.n ? s : STR("-");
}

void update_plan_print(struct cmd *c, const struct update_plan *plan)
{
    static const char *const header[COLUMNS] = { "package", "current", "wanted", "latest", "age", "held by" };
    struct str *cell = ARENA_ARRAY(c->a, struct str, COLUMNS * plan->n);

    for (size_t i = 0; i < plan->n; i++) {
        const struct update_row *r = &plan->p[i];
        struct str *row = cell + COLUMNS * i;

        row[0] = r->name;
        row[1] = or_dash(r->current);
        row[2] = or_dash(r->wanted);
        row[3] = or_dash(r->latest);
        row[4] = or_dash(r->age);
        row[5] = r->held_by;
    }
    if (plan->n)
        ui_table(header, cell, plan->n, COLUMNS);
}

static void member(struct json_write *w, const char *name, struct str value)
{
    json_write_key(w, str_of(name));
    if (value.n)
        json_write_str(w, value);
    else
        json_write_null(w);
}

void update_plan_write(const struct update_plan *plan, struct json_write *w)
{
    json_write_key(w, STR("plan"));
    json_write_array_begin(w);
    for (size_t i = 0; i < plan->n; i++) {
        const struct update_row *r = &plan->p[i];

        json_write_object_begin(w);
        json_write_member(w, "name", r->name);
        member(w, "current", r->current);
        member(w, "wanted", r->wanted);
        member(w, "latest", r->latest);
        member(w, "age", r->age);
        member(w, "held_by", r->held_by);
        json_write_member_bool(w, "moves", r->moves);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* "1 3-5 7" or "a"; false when it makes no sense. */
static bool read_numbers(struct str text, bool *chosen, size_t n)
{
    struct str word;

    if (str_eq(text, STR("a")))
        for (size_t i = 0; i < n; i++)
            chosen[i] = true;
    if (str_eq(text, STR("a")))
        return true;
    while (str_next(&text, ' ', &word)) {
        size_t dash = str_find(word, '-');
        uint64_t from, to;

        if (word.n == 0)
            continue;
        if (!str_to_u64(str_sub(word, 0, dash), &from) ||
            !str_to_u64(dash < word.n ? str_sub(word, dash + 1, word.n) : word, &to) || from < 1 || to > n || from > to)
            return false;
        for (uint64_t i = from; i <= to; i++)
            chosen[i - 1] = true;
    }
    return true;
}

bool update_plan_ask(struct cmd *c, const struct update_plan *plan, struct str **names, size_t *n)
{
    const struct update_row **row = ARENA_ARRAY(c->a, const struct update_row *, plan->n);
    bool *chosen = ARENA_ARRAY(c->a, bool, plan->n);
    char answer[512];
    size_t rows = 0;

    for (size_t i = 0; i < plan->n; i++) {
        const struct update_row *r = &plan->p[i];

        if (!r->moves || !r->current.n || !r->wanted.n)
            continue; /* what comes or goes follows from the others */
        row[rows++] = r;
        ui_note("  %zu) " STR_FMT " " STR_FMT " -> " STR_FMT "%s" STR_FMT "%s" STR_FMT, rows, STR_ARG(r->name),
                STR_ARG(r->current), STR_ARG(r->wanted), r->age.n ? "  " : "", STR_ARG(r->age),
                r->held_by.n ? "  held by " : "", STR_ARG(r->held_by));
    }
    do {
        if (!ui_ask(answer, sizeof answer, "[1-%zu such as 1 3-4, a all, empty none] ", rows))
            return false;
    } while (!read_numbers(str_trim(str_of(answer)), chosen, rows));
    *names = ARENA_ARRAY(c->a, struct str, rows);
    *n = 0;
    for (size_t i = 0; i < rows; i++)
        if (chosen[i])
            (*names)[(*n)++] = row[i]->name;
    return *n > 0;
}
