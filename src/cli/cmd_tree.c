/* blast tree: what depends on what, from the lock. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/graph.h"
#include "cli/ui.h"
#include "pep/name.h"

#define DEPTH_MAX 64

struct printer {
    struct cmd *c;
    const struct graph *g;
    bool invert;
    uint64_t depth;
    bool *open;  /* packages on the way here: cycles end there */
    bool *shown; /* printed with all below it */
};

static void branch(struct printer *p, uint32_t node, const char *lead, bool last, unsigned depth);

static void below(struct printer *p, uint32_t node, const char *lead, unsigned depth)
{
    struct graph_list next = p->invert ? graph_users(p->g, node) : graph_needs(p->g, node);

    for (size_t i = 0; i < next.n; i++)
        branch(p, next.p[i], lead, i + 1 == next.n, depth + 1);
}

static void branch(struct printer *p, uint32_t node, const char *lead, bool last, unsigned depth)
{
    const struct lock_package *k = &p->g->lock->package[node];
    const char *mark = depth == 0 ? "" : ui.utf8 ? (last ? "└── " : "├── ") : (last ? "`-- " : "|-- ");
    struct graph_list next = p->invert ? graph_users(p->g, node) : graph_needs(p->g, node);
    bool again = next.n && (p->open[node] || p->shown[node]);

    ui_out("%s%s" STR_FMT " %s" STR_FMT "%s%s\n", lead, mark, STR_ARG(k->name), ui_on(stdout, UI_DIM),
           STR_ARG(k->version), again ? " (see above)" : "", ui_on(stdout, UI_PLAIN));
    if (again || depth >= p->depth)
        return;
    p->open[node] = p->shown[node] = true;
    const char *bar = last ? "    " : ui.utf8 ? "│   " : "|   ";
    const char *deeper = depth == 0 ? "" : arena_printf(p->c->a, "%s%s", lead, bar).p;

    below(p, node, deeper, depth);
    p->open[node] = false;
}

static void print_json(const struct graph *g)
{
    struct json_result r;

    json_result_begin(&r, "blast.tree/1");
    json_write_key(&r.w, STR("packages"));
    json_write_array_begin(&r.w);
    for (uint32_t i = 0; i < g->n; i++) {
        struct graph_list next = graph_needs(g, i);

        json_write_object_begin(&r.w);
        json_write_member(&r.w, "name", g->lock->package[i].name);
        json_write_member(&r.w, "version", g->lock->package[i].version);
        json_write_member_bool(&r.w, "direct", g->direct[i].n > 0);
        json_write_key(&r.w, STR("dependencies"));
        json_write_array_begin(&r.w);
        for (size_t k = 0; k < next.n; k++)
            json_write_str(&r.w, g->lock->package[next.p[k]].name);
        json_write_array_end(&r.w);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

bool cmd_tree(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct graph g;
    struct printer p = { .c = c, .g = &g, .invert = option_flag(&c->options, OPT_INVERT), .depth = DEPTH_MAX };
    struct str depth = option_value(&c->options, OPT_DEPTH);

    common_request(c, &r);
    if (depth.p && (!str_to_u64(depth, &p.depth) || p.depth > DEPTH_MAX))
        return err_set(e, ERR_CONFIG, "--depth is a number up to %d, not '" STR_FMT "'", DEPTH_MAX, STR_ARG(depth));
    if (!common_open(c, &r, &w, e) || !graph_load(&w, &g, e))
        return false;
    if (ui.json) {
        print_json(&g);
        return true;
    }
    p.open = ARENA_ARRAY(c->a, bool, g.n);
    p.shown = ARENA_ARRAY(c->a, bool, g.n);
    for (size_t i = 0; i < c->options.words.n; i++) {
        uint32_t node = graph_find(&g, c->options.words.p[i]);

        if (node == UINT32_MAX)
            return graph_unknown(&g, c->a, c->options.words.p[i], e);
        branch(&p, node, "", true, 0);
    }
    for (uint32_t i = 0; c->options.words.n == 0 && i < g.n; i++)
        if (p.invert ? graph_needs(&g, i).n == 0 : g.direct[i].n > 0)
            branch(&p, i, "", true, 0);
    return true;
}
