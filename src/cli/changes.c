#include "cli/changes.h"

#include "cli/ui.h"
#include "pep/name.h"

static struct plan_side side_of(const struct generation *g, struct arena *a)
{
    struct plan_package *p = ARENA_ARRAY(a, struct plan_package, g->n_packages + 1);

    for (size_t i = 0; i < g->n_packages; i++) {
        const struct generation_package *from = &g->packages[i];

        p[i] = (struct plan_package){ name_normalize(a, from->name), from->version, from->sha256, from->direct_url,
                                      from->direct };
    }
    return (struct plan_side){ p, g->n_packages };
}

void changes_of(const struct generation *before, const struct generation *after, struct arena *a, struct plan *out)
{
    static const struct generation nothing;
    struct plan_side have = side_of(before ? before : &nothing, a), want = side_of(after, a);

    plan_make(&have, &want, false, a, out);
}

struct generation changes_installed(const struct env_packages *list, struct arena *a)
{
    struct generation_package *p = ARENA_ARRAY(a, struct generation_package, list->n + 1);

    for (size_t i = 0; i < list->n; i++)
        p[i] = (struct generation_package){ .name = list->p[i].name, .version = list->p[i].version,
                                            .sha256 = STR(""), .direct_url = list->p[i].direct_url };
    return (struct generation){ .packages = p, .n_packages = list->n };
}

struct str changes_line(const struct plan *p, struct arena *a)
{
    struct str text = STR("");

    for (size_t i = 0; i < p->n; i++) {
        const struct plan_step *s = &p->steps[i];
        const char *blank = text.n ? " " : "";

        if (s->kind == PLAN_ADD)
            text = arena_printf(a, STR_FMT "%s+" STR_FMT " " STR_FMT, STR_ARG(text), blank, STR_ARG(s->want->name),
                                STR_ARG(s->want->version));
        else if (s->kind == PLAN_REMOVE)
            text = arena_printf(a, STR_FMT "%s-" STR_FMT " " STR_FMT, STR_ARG(text), blank, STR_ARG(s->have->name),
                                STR_ARG(s->have->version));
        else if (s->kind == PLAN_REPLACE)
            text = arena_printf(a, STR_FMT "%s~" STR_FMT " " STR_FMT " -> " STR_FMT, STR_ARG(text), blank,
                                STR_ARG(s->want->name), STR_ARG(s->have->version), STR_ARG(s->want->version));
    }
    return text;
}

void changes_print(const struct plan *p, unsigned indent)
{
    static const struct {
        enum ui_style style;
        char sign;
    } look[] = { [PLAN_ADD] = { UI_GREEN, '+' }, [PLAN_REMOVE] = { UI_RED, '-' }, [PLAN_REPLACE] = { UI_YELLOW, '~' } };

    for (size_t i = 0; i < p->n; i++) {
        const struct plan_step *s = &p->steps[i];

        if (s->kind == PLAN_KEEP)
            continue;
        ui_out("%*s%s%c%s " STR_FMT " ", (int)indent, "", ui_on(stdout, look[s->kind].style), look[s->kind].sign,
               ui_on(stdout, UI_PLAIN), STR_ARG(s->want ? s->want->name : s->have->name));
        if (s->kind == PLAN_REPLACE)
            ui_out(STR_FMT " -> ", STR_ARG(s->have->version));
        ui_out(STR_FMT "\n", STR_ARG(s->want ? s->want->version : s->have->version));
    }
}

void changes_json(struct json_write *w, const struct plan *p)
{
    static const char *const word[] = { [PLAN_ADD] = "add", [PLAN_REMOVE] = "remove", [PLAN_REPLACE] = "replace" };

    json_write_key(w, STR("changes"));
    json_write_array_begin(w);
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_step *s = &p->steps[i];

        if (s->kind == PLAN_KEEP)
            continue;
        json_write_object_begin(w);
        json_write_member_cstr(w, "action", word[s->kind]);
        json_write_member(w, "name", s->want ? s->want->name : s->have->name);
        if (s->have)
            json_write_member(w, "from", s->have->version);
        if (s->want)
            json_write_member(w, "to", s->want->version);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}
