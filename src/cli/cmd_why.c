/* blast why: the ways from the user's requirements to a package, and what keeps it from being newer. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/graph.h"
#include "cli/newest.h"
#include "cli/ui.h"

#define PATHS_MAX 8
#define LENGTH_MAX 64

struct search {
    const struct graph *g;
    struct cmd *c;
    uint32_t way[LENGTH_MAX];
    struct str path[PATHS_MAX];
    size_t found, left_out;
    bool *on_way;
};

static struct str step_text(struct search *s, uint32_t node)
{
    const struct lock_package *p = &s->g->lock->package[node];

    return arena_printf(s->c->a, STR_FMT " " STR_FMT, STR_ARG(p->name), STR_ARG(p->version));
}

static void note_path(struct search *s, size_t n)
{
    struct str text = step_text(s, s->way[0]);

    if (s->found == PATHS_MAX) {
        s->left_out++;
        return;
    }
    for (size_t i = 1; i < n; i++)
        text = arena_printf(s->c->a, STR_FMT "  <-  " STR_FMT, STR_ARG(text), STR_ARG(step_text(s, s->way[i])));
    s->path[s->found++] =
        arena_printf(s->c->a, STR_FMT "  <-  " STR_FMT, STR_ARG(text), STR_ARG(s->g->direct[s->way[n - 1]]));
}

/* Shortest ways first would need a queue; the graph is small and the list is cut, so depth by depth is enough. */
static void climb(struct search *s, uint32_t node, size_t n, size_t limit)
{
    struct graph_list users = graph_users(s->g, node);

    s->way[n++] = node;
    if (s->g->direct[node].n && n == limit)
        note_path(s, n);
    if (n >= limit)
        return;
    s->on_way[node] = true;
    for (size_t i = 0; i < users.n && s->found < PATHS_MAX; i++)
        if (!s->on_way[users.p[i]])
            climb(s, users.p[i], n, limit);
    s->on_way[node] = false;
}

static void print_json(const struct search *s, const struct lock_package *p, const struct newest *n)
{
    struct json_result r;

    json_result_begin(&r, "blast.why/1");
    json_write_member(&r.w, "name", p->name);
    json_write_member(&r.w, "version", p->version);
    json_write_key(&r.w, STR("paths"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < s->found; i++)
        json_write_str(&r.w, s->path[i]);
    json_write_array_end(&r.w);
    json_write_member(&r.w, "newest", n->version);
    json_write_member(&r.w, "not_newer", n->why);
    json_result_end(&r);
}

bool cmd_why(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct graph g;
    struct search s = { .g = &g, .c = c };
    struct newest newest = { .version = STR_INIT(""), .why = STR_INIT("") };

    common_request(c, &r);
    if (c->options.words.n != 1) {
        (void)err_set(e, ERR_CONFIG, "blast why takes one package");
        return err_hint(e, "blast why NAME");
    }
    if (!common_open(c, &r, &w, e) || !graph_load(&w, &g, e))
        return false;
    uint32_t node = graph_find(&g, c->options.words.p[0]);

    if (node == UINT32_MAX)
        return graph_unknown(&g, c->a, c->options.words.p[0], e);
    s.on_way = ARENA_ARRAY(c->a, bool, g.n);
    for (size_t limit = 1; limit < LENGTH_MAX && limit <= g.n && s.found < PATHS_MAX; limit++)
        climb(&s, node, 0, limit);
    if (!newest_find(&w, &g.lock->package[node].name, 1, &newest, e))
        return false;
    newest_explain(&w, &g, node, &newest);
    common_warnings(&w);
    if (ui.json) {
        print_json(&s, &g.lock->package[node], &newest);
        return true;
    }
    for (size_t i = 0; i < s.found; i++)
        ui_out(STR_FMT "\n", STR_ARG(s.path[i]));
    if (s.found == 0)
        ui_out(STR_FMT " " STR_FMT ": nothing in the lock needs it\n", STR_ARG(g.lock->package[node].name),
               STR_ARG(g.lock->package[node].version));
    if (newest.why.n)
        ui_out("not " STR_FMT ": " STR_FMT "\n", STR_ARG(newest.version), STR_ARG(newest.why));
    return true;
}
