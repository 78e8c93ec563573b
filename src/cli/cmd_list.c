/* blast list: what is installed. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/env.h"
#include "sync/env_layer.h"

static void print_json(struct env *env, const struct env_packages *list)
{
    struct json_result r;
    const char *site = env_path(env, env->site.p);

    json_result_begin(&r, NULL);
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < list->n; i++) {
        const struct env_package *p = &list->p[i];

        json_write_object_begin(&r.w);
        json_write_member(&r.w, "name", p->name);
        json_write_member(&r.w, "version", p->version);
        json_write_member_bool(&r.w, "direct", p->requested);
        json_write_member(&r.w, "location", p->location.n ? p->location : str_of(site));
        json_write_member_bool(&r.w, "editable", p->editable);
        json_write_member(&r.w, "installer", p->installer);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static struct str remark(const struct env_package *p)
{
    if (p->editable)
        return p->location;
    if (p->oddities & ENV_TWICE)
        return STR("installed twice");
    if (p->oddities & (ENV_NO_METADATA | ENV_NO_RECORD))
        return STR("damaged");
    return p->requested ? STR("direct") : STR("");
}

static void print_table(struct arena *a, const struct env_packages *list)
{
    static const char *const header[] = { "package", "version", "" };
    struct str *cell = ARENA_ARRAY(a, struct str, list->n * 3);

    for (size_t i = 0; i < list->n; i++) {
        cell[3 * i] = list->p[i].name;
        cell[3 * i + 1] = list->p[i].version;
        cell[3 * i + 2] = remark(&list->p[i]);
    }
    if (list->n)
        ui_table(header, cell, list->n, 3);
    else
        ui_note("no packages are installed");
}

bool cmd_list(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env_packages list;
    struct env env;

    if (option_flag(&c->options, OPT_OUTDATED))
        return cmd_outdated(c, e);
    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    bool ok = env_installed(&env, c->a, &list, e);

    if (ok && ui.json)
        print_json(&env, &list);
    else if (ok)
        print_table(c->a, &list);
    env_close(&env);
    return ok;
}
