/* blast status: the environment on one screen. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/activate_cmd.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "sync/env_layer.h"
#include "sync/inputs.h"
#include "sync/lockfile.h"

struct facts {
    bool there;
    struct env env;
    struct env_packages packages;
    struct generation generation;
    bool has_generation;
    struct str trouble;
    const char *state; /* one word: see state_text() */
    struct str not_enforced;
};

/* Does the lock fit the inputs, and the environment the lock? Resolves nothing. */
static const char *sync_state(struct workspace *w, struct facts *f)
{
    struct err e = { 0 };
    struct request r = *w->request;
    struct workspace look = *w;
    struct sync_outcome o;
    struct timings t = { 0 };
    struct sync_job job = { .command = STR("status"), .timings = &t, .check = true };

    if (!f->there)
        return "missing";
    if (f->trouble.n)
        return "broken";
    if (workspace_python(w, &e) && (w->python.major != f->env.python.major || w->python.minor != f->env.python.minor))
        return "drifted"; /* another interpreter is asked for */
    err_clear(&e);
    if (!w->project.found && !w->where.has_requirements)
        return "bare";
    if (f->has_generation && (f->generation.kind == GENERATION_UNDO || f->generation.kind == GENERATION_ROLLBACK))
        return "pinned";
    r.frozen = true;
    r.offline = true;
    look.request = &r;
    if (!sync_run(&look, &job, &o, &e))
        return e.kind == ERR_RESOLUTION ? "stale" : "drifted";
    return o.nothing_to_do || !o.would_change ? "synced" : "drifted";
}

static const char *state_text(const char *state)
{
    static const char *const text[][2] = {
        { "synced", "lock and environment are what the project asks for" },
        { "stale", "the lock does not fit the project; blast sync makes it anew" },
        { "drifted", "the environment is not what the project asks for; blast sync makes it so" },
        { "pinned", "an undo or rollback is in force; blast sync follows the project again" },
        { "missing", "there is no environment; blast start makes it" },
        { "broken", "blast doctor looks closer" },
        { "bare", "nothing says what should be installed; blast install NAME begins a project" },
    };

    for (size_t i = 0; i < COUNT(text); i++)
        if (strcmp(text[i][0], state) == 0)
            return text[i][1];
    return "";
}

static bool gather(struct cmd *c, struct workspace *w, struct facts *f, struct err *e)
{
    f->not_enforced = env_layer_unenforced(w);
    f->there = env_is_there(w->env_path);
    if (f->there) {
        if (!env_layer_read(w, &f->env, e) || !env_installed(&f->env, c->a, &f->packages, e))
            return false;
        f->trouble = env_trouble(&f->env);
        if (f->env.current &&
            !generation_load(&f->env, f->env.current, c->a, &f->generation, &f->has_generation, e))
            return false;
    }
    f->state = sync_state(w, f);
    return true;
}

static void line(const char *name, struct str value)
{
    ui_out("%s%-13s%s" STR_FMT "\n", ui_on(stdout, UI_BOLD), name, ui_on(stdout, UI_PLAIN), STR_ARG(value));
}

static void print_text(struct cmd *c, const struct workspace *w, const struct facts *f)
{
    struct arena *a = c->a;
    char when[CLOCK_TEXT];

    line("project", arena_printf(a, STR_FMT "  %s", STR_ARG(workspace_name(w)), w->where.dir));
    line("environment", f->there ? arena_printf(a, "%s%s", w->env_path, activate_is_active(w) ? "  (active)" : "")
                                 : STR("none; make it with blast start"));
    if (f->there) {
        line("python", arena_printf(a, STR_FMT "  " STR_FMT, STR_ARG(f->env.python.version),
                                    STR_ARG(f->env.python.executable)));
        line("packages", arena_printf(a, "%zu", f->packages.n));
    }
    if (f->has_generation) {
        clock_format(f->generation.created, when);
        line("generation", arena_printf(a, "%u  %s  " STR_FMT, f->generation.seq, when,
                                        STR_ARG(f->generation.reason.command)));
    } else if (f->there && f->env.layout == ENV_PLAIN) {
        line("generation", STR("none: made by another tool, changed in place, no undo"));
    }
    line("state", arena_printf(a, "%s  %s", f->state, state_text(f->state)));
    if (f->trouble.n)
        line("trouble", f->trouble);
    line("daemon", STR("none in this version: nothing watches the project"));
    line("sandbox", f->not_enforced.n
                        ? arena_printf(a, "not enforced yet: " STR_FMT, STR_ARG(f->not_enforced))
                        : STR("no blast.toml: nothing is asked for, nothing is enforced"));
}

static void print_json(const struct workspace *w, const struct facts *f)
{
    struct json_result r;

    json_result_begin(&r, "blast.status/1");
    json_write_member(&r.w, "project", workspace_name(w));
    json_write_member_cstr(&r.w, "directory", w->where.dir);
    json_write_member_cstr(&r.w, "environment", f->there ? w->env_path : NULL);
    json_write_member_bool(&r.w, "active", activate_is_active(w));
    json_write_member(&r.w, "python", f->there ? f->env.python.version : STR(""));
    json_write_member_u64(&r.w, "packages", f->packages.n);
    json_write_member_u64(&r.w, "generation", f->there ? f->env.current : 0);
    json_write_member_cstr(&r.w, "state", f->state);
    json_write_member(&r.w, "trouble", f->trouble);
    json_write_member(&r.w, "not_enforced", f->not_enforced);
    json_result_end(&r);
}

bool cmd_status(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct facts f = { .trouble = STR_INIT("") };

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !gather(c, &w, &f, e))
        return false;
    common_warnings(&w);
    if (ui.json)
        print_json(&w, &f);
    else if (option_flag(&c->options, OPT_SHORT))
        ui_out(STR_FMT " @%u %s\n", STR_ARG(workspace_name(&w)), f.there ? f.env.current : 0, f.state);
    else
        print_text(c, &w, &f);
    if (f.there)
        env_close(&f.env);
    return true;
}
