/* blast config: what is set, and by whom. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"

static void one_json(struct json_write *w, struct arena *a, const struct config_item *i)
{
    json_write_object_begin(w);
    json_write_member(w, "key", arena_printf(a, "%s.%s", i->section, i->name));
    json_write_member(w, "value", i->value);
    json_write_member(w, "origin", i->origin.text);
    json_write_member_cstr(w, "unit", i->unit);
    json_write_member_cstr(w, "variable", i->variable);
    json_write_member_cstr(w, "text", i->sentence);
    json_write_object_end(w);
}

static void list_json(struct cmd *c, const struct workspace *w)
{
    struct json_result r;
    struct config_item item;
    unsigned i = 0;

    json_result_begin(&r, "blast.config/1");
    json_write_key(&r.w, STR("settings"));
    json_write_array_begin(&r.w);
    while (config_each(&w->config, &i, c->a, &item))
        one_json(&r.w, c->a, &item);
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static void list_text(struct cmd *c, const struct workspace *w)
{
    static const char *const header[] = { "key", "value", "from" };
    struct config_item item;
    struct str *cell = ARENA_ARRAY(c->a, struct str, 3 * CONFIG_KEYS);
    size_t n = 0;
    unsigned i = 0;

    while (config_each(&w->config, &i, c->a, &item)) {
        cell[3 * n] = arena_printf(c->a, "%s.%s", item.section, item.name);
        cell[3 * n + 1] = item.value;
        cell[3 * n + 2] = item.origin.text;
        n++;
    }
    ui_table(header, cell, n, 3);
}

static bool get(struct cmd *c, const struct workspace *w, struct str dotted, struct err *e)
{
    enum config_key key;
    struct config_item item;
    unsigned i = 0;

    if (!config_find_key(dotted, &key, e))
        return false;
    while (config_each(&w->config, &i, c->a, &item)) {
        if (item.key != key)
            continue;
        if (ui.json) {
            struct json_result r;

            json_result_begin(&r, "blast.config/1");
            json_write_key(&r.w, STR("setting"));
            one_json(&r.w, c->a, &item);
            json_result_end(&r);
        } else {
            ui_out(STR_FMT "\n", STR_ARG(item.value));
            ui_detail("%s (from " STR_FMT ")", item.sentence, STR_ARG(item.origin.text));
        }
    }
    return true;
}

static void check_json(const struct workspace *w)
{
    struct json_result r;

    json_result_begin(&r, "blast.config/1");
    json_write_key(&r.w, STR("warnings"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < w->warnings.n; i++)
        json_write_str(&r.w, w->warnings.p[i]);
    json_write_array_end(&r.w);
    json_result_end(&r);
}

bool cmd_config(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    size_t n = c->options.words.n;
    struct str verb = n ? c->options.words.p[0] : STR("list");

    common_request(c, &r);
    if (!common_open(c, &r, &w, e))
        return false;
    common_warnings(&w);
    if (str_eq(verb, STR("list")) && n <= 1) {
        if (ui.json)
            list_json(c, &w);
        else
            list_text(c, &w);
        return true;
    }
    if (str_eq(verb, STR("get")) && n == 2)
        return get(c, &w, c->options.words.p[1], e);
    if (str_eq(verb, STR("check")) && n == 1) {
        if (ui.json)
            check_json(&w);
        ui_note("%s", w.warnings.n ? "the configuration can be read, with warnings" : "the configuration is right");
        c->exit_code = w.warnings.n ? 1 : 0;
        return true;
    }
    (void)err_set(e, ERR_CONFIG, "blast config knows list, get KEY and check, not '" STR_FMT "'", STR_ARG(verb));
    return err_hint(e, "blast config list");
}
