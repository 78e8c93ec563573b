/* blast outdated: installed packages that the index has a newer version of. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/newest.h"
#include "cli/ui.h"
#include "env/env.h"
#include "pep/version.h"
#include "sync/env_layer.h"

struct rows {
    struct str *cell; /* name, installed, newest */
    size_t n;
};

static bool is_newer(struct arena *a, struct str newest, struct str installed)
{
    struct version x, y;

    return version_parse(newest, a, &x) && version_parse(installed, a, &y) && version_cmp(&x, &y) > 0;
}

static bool compare(struct cmd *c, struct workspace *w, struct env *env, struct rows *out, struct err *e)
{
    struct env_packages list;

    if (!workspace_python_of(w, env, e) || !env_installed(env, c->a, &list, e))
        return false;
    struct str *name = ARENA_ARRAY(c->a, struct str, list.n);
    struct newest *newest = ARENA_ARRAY(c->a, struct newest, list.n);

    for (size_t i = 0; i < list.n; i++)
        name[i] = list.p[i].name;
    if (!newest_find(w, name, list.n, newest, e))
        return false;
    out->cell = ARENA_ARRAY(c->a, struct str, 3 * list.n);
    for (size_t i = 0; i < list.n; i++) {
        if (!is_newer(c->a, newest[i].version, list.p[i].version))
            continue;
        struct str *row = out->cell + 3 * out->n++;

        row[0] = name[i];
        row[1] = list.p[i].version;
        row[2] = newest[i].version;
    }
    return true;
}

static void print_json(const struct rows *rows)
{
    struct json_result r;

    json_result_begin(&r, NULL);
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < rows->n; i++) {
        json_write_object_begin(&r.w);
        json_write_member(&r.w, "name", rows->cell[3 * i]);
        json_write_member(&r.w, "version", rows->cell[3 * i + 1]);
        json_write_member(&r.w, "latest", rows->cell[3 * i + 2]);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

bool cmd_outdated(struct cmd *c, struct err *e)
{
    static const char *const header[] = { "package", "installed", "newest" };
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct rows rows = { 0 };
    struct env env;

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    bool ok = compare(c, &w, &env, &rows, e);

    env_close(&env);
    if (!ok)
        return false;
    common_warnings(&w);
    if (ui.json)
        print_json(&rows);
    else if (rows.n)
        ui_table(header, rows.cell, rows.n, 3);
    else
        ui_note("every package is the newest the index has");
    return true;
}
