/* blast eject: the environment becomes a plain one that any tool may manage. */
#include <fcntl.h>
#include "base/err.h"
#include "base/file.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/env.h"
#include "env/registry.h"
#include "install/eject.h"
#include "sync/audit.h"
#include "sync/env_layer.h"

static void print_json(const struct workspace *w, const struct eject_result *out, bool changed)
{
    struct json_result r;

    json_result_begin(&r, "blast.eject/1");
    json_write_member_cstr(&r.w, "environment", w->env_path);
    json_write_member_bool(&r.w, "changed", changed);
    json_write_member_u64(&r.w, "files", out->files);
    json_write_member_u64(&r.w, "bytes", out->bytes);
    json_result_end(&r);
}

static bool ask(struct cmd *c, const struct env *env, const struct eject_result *out, struct err *e)
{
    struct str question = arena_printf(c->a, "make %s a plain environment (%u files, %.1f MB; its history goes)?",
                                       env->path, out->files, (double)out->bytes / 1e6);

    if (option_flag(&c->options, OPT_YES) || ui_confirm(question.p))
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "making %s a plain environment was not confirmed", env->path);
    return err_hint(e, "blast eject --yes does it without asking");
}

/* The manifests name wheels of the store, which then may go when nobody else needs them. */
static bool forget(struct cmd *c, const struct workspace *w, const char *path, struct err *e)
{
    struct registry_env *list;
    size_t n;

    if (!registry_list(w->dirs.state, c->a, &list, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].path, str_of(path)) && !file_remove_tree(AT_FDCWD, arena_cstr(c->a, list[i].state), e))
            return err_wrap(e, "remove the history of '%s'", path);
    return true;
}

static bool eject(struct cmd *c, struct workspace *w, struct env *env, struct err *e)
{
    struct eject_result out = { 0 };

    if (env->layout == ENV_PLAIN) {
        if (!w->request->dry_run && (!env_lock(env, NULL, e) || !eject_sweep(env, e) || !forget(c, w, env->path, e)))
            return false; /* an interrupted run may have left the old tree or the history */
        if (ui.json)
            print_json(w, &out, false);
        ui_note("%s is a plain environment already", env->path);
        return true;
    }
    if (!env_lock(env, NULL, e) || !eject_measure(env, w->dirs.store, &out, e))
        return false;
    if (w->request->dry_run) {
        if (ui.json)
            print_json(w, &out, false);
        ui_note("would copy %u files, %.1f MB, into %s and remove its history", out.files, (double)out.bytes / 1e6,
                env->path);
        return true;
    }
    if (!ask(c, env, &out, e) || !eject_run(env, w->dirs.store, &out, e) || !forget(c, w, env->path, e))
        return false;
    audit_record(w, AUDIT_EJECTED, 0, STR(""));
    if (ui.json)
        print_json(w, &out, true);
    ui_note("%s is a plain environment now: %u files, %.1f MB; python -m venv would make the same", env->path,
            out.files, (double)out.bytes / 1e6);
    ui_note("any tool may change it; blast start goes on with it, in place and without undo");
    return true;
}

bool cmd_eject(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env env;

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    bool ok = eject(c, &w, &env, e);

    env_close(&env);
    return ok;
}
