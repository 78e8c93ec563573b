/* blast venv: an empty environment at a path. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/env.h"
#include "sync/env_layer.h"

bool cmd_venv(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env env;

    common_request(c, &r);
    if (c->options.words.n > 1)
        return err_set(e, ERR_CONFIG, "blast venv takes one folder, not %zu", c->options.words.n);
    if (!common_open(c, &r, &w, e) || !workspace_python(&w, e))
        return false;
    struct str path = c->options.words.n ? c->options.words.p[0] : STR(".venv");

    if (!env_layer_make(&w, arena_cstr(c->a, path), option_flag(&c->options, OPT_FORCE), &env, e))
        return false;
    common_warnings(&w);
    if (ui.json) {
        struct json_result j;

        json_result_begin(&j, "blast.venv/1");
        json_write_member_cstr(&j.w, "environment", env.path);
        json_write_member(&j.w, "python", w.python.version_text);
        json_result_end(&j);
    }
    ui_note("made %s for Python " STR_FMT, env.path, STR_ARG(w.python.version_text));
    ui_note("activate it with: source " STR_FMT "/bin/activate", STR_ARG(path));
    env_close(&env);
    return true;
}
