/* blast python: the interpreters of this machine. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "python/discover.h"

static void one_json(struct json_write *w, const struct py_facts *f)
{
    json_write_object_begin(w);
    json_write_member(w, "version", f->version_text);
    json_write_member(w, "implementation", f->implementation);
    json_write_member(w, "path", f->executable);
    json_write_member(w, "machine", f->machine);
    json_write_member_bool(w, "free_threaded", f->free_threaded);
    json_write_object_end(w);
}

static bool list(struct cmd *c, struct workspace *w, struct err *e)
{
    static const char *const header[] = { "python", "version", "path" };
    struct py_search search = workspace_search(w);
    struct py_found found;

    if (!python_list(&search, c->a, &found, e))
        return false;
    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.python/1");
        json_write_key(&r.w, STR("interpreters"));
        json_write_array_begin(&r.w);
        for (size_t i = 0; i < found.n; i++)
            one_json(&r.w, &found.facts[i]);
        json_write_array_end(&r.w);
        json_result_end(&r);
        return true;
    }
    struct str *cell = ARENA_ARRAY(c->a, struct str, found.n * 3);

    for (size_t i = 0; i < found.n; i++) {
        cell[3 * i] = found.facts[i].implementation;
        cell[3 * i + 1] = found.facts[i].version_text;
        cell[3 * i + 2] = found.facts[i].executable;
    }
    ui_table(header, cell, found.n, 3);
    for (size_t i = 0; i < found.n_notes; i++)
        ui_note("%sskipped%s " STR_FMT ": " STR_FMT, ui_on(stderr, UI_DIM), ui_on(stderr, UI_PLAIN),
                STR_ARG(found.note[i].path), STR_ARG(found.note[i].why));
    return true;
}

static bool find(struct cmd *c, struct workspace *w, struct request *r, struct err *e)
{
    if (c->options.words.n == 2)
        r->python = c->options.words.p[1];
    if (!workspace_python(w, e))
        return false;
    if (ui.json) {
        struct json_result j;

        json_result_begin(&j, "blast.python/1");
        json_write_key(&j.w, STR("interpreter"));
        one_json(&j.w, &w->python);
        json_result_end(&j);
    } else {
        ui_out(STR_FMT "\n", STR_ARG(w->python.executable));
    }
    return true;
}

bool cmd_python(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct str verb = c->options.words.n ? c->options.words.p[0] : STR("list");

    common_request(c, &r);
    if (!common_open(c, &r, &w, e))
        return false;
    if (str_eq(verb, STR("list")) && c->options.words.n <= 1)
        return list(c, &w, e);
    if (str_eq(verb, STR("find")) && c->options.words.n <= 2)
        return find(c, &w, &r, e);
    (void)err_set(e, ERR_CONFIG, "blast python knows list and find, not '" STR_FMT "'", STR_ARG(verb));
    return err_hint(e, "Blast installs no interpreters: pyenv or the distribution does");
}
