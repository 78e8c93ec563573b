#include "sync/env_layer.h"

#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "install/boot.h"
#include "install/link.h"
#include "install/shims.h"
#include "jail/compile.h"
#include "lock/lock.h"
#include "net/url.h"
#include "pep/direct_url.h"
#include "pep/name.h"
#include "store/guard.h"
#include "store/store.h"
#include "sync/inputs.h"
#include "sync/origin.h"
#include "sync/pkg_layer.h"
#include "sync/recover.h"
#include "sync/workspace.h"

#define LOCK_TIMEOUT_MS 300000u

static struct env_python python_of(const struct py_facts *f)
{
    return (struct env_python){
        .executable = f->base_executable,
        .version = f->version_text,
        .implementation = f->implementation,
        .abi_suffix = f->free_threaded ? STR("t") : STR(""),
        .major = f->major,
        .minor = f->minor,
    };
}

bool env_layer_make(struct workspace *w, const char *path, bool clear, struct env *env, struct err *e)
{
    struct env_new spec = {
        .path = path,
        .state = w->dirs.state,
        .python = python_of(&w->python),
        .prompt = path == w->env_path ? workspace_name(w) : STR(""),
        .clear = clear,
    };

    return env_create(&spec, env, e);
}

static bool same_python(const struct env *env, const struct py_facts *f)
{
    return str_eq(env->python.executable, f->base_executable) && env->python.major == f->major &&
           env->python.minor == f->minor;
}

/* Reads back from pyvenv.cfg as it was written? */
static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == '\'' || name.p[i] == '"')
            return false;
    return str_trim(name).n == name.n;
}

/* [env] name stands in the environment, for prompts; under strict one with another name is made anew. */
static bool same_name(const struct workspace *w, const struct env *env)
{
    struct str name = w->config.env_name;

    return w->config.sync_env_layer != CONFIG_ENV_STRICT || name.n == 0 || !is_plain(name) ||
           env->layout != ENV_GENERATIONS || str_eq(env->prompt, name);
}

struct patience {
    const struct request *request;
    const struct env *env;
};

static void waiting(void *user)
{
    const struct patience *p = user;

    if (p->request->waiting)
        p->request->waiting(p->env->path);
}

/* Environments of projects get Blast's own start-up files. One that --env names belongs to somebody else, and keeps
 * them only when it has them. */
static void set_boot(const struct workspace *w, struct env *env)
{
    static const char *const hook[] = { "off", "suggest", "ask", "declared", "auto" };
    static const char *const pip[] = { "intercept", "real", "block" };

    env->boot = w->foreign_env ? boot_settings_of(env)
                               : boot_settings(&env->arena, hook[w->config.hooks_import_hook],
                                               pip[w->config.hooks_pip_mode]);
}

static bool take_lock(const struct workspace *w, struct env *env, struct err *e)
{
    struct patience p = { w->request, env };
    struct env_wait wait = { .waiting = waiting, .user = &p,
                             .timeout_ms = w->request->lock_wait_ms ? w->request->lock_wait_ms : LOCK_TIMEOUT_MS };

    set_boot(w, env);
    return env_lock(env, &wait, e);
}

/* Damage is dealt with as recovery_mode says, and what came of it looked at afresh. Closes env on failure. */
static bool mend(struct workspace *w, struct env *env, struct err *e)
{
    bool did;

    if (!recover_damage(env, w->a).n)
        return true;
    bool ok = take_lock(w, env, e) && recover_env(w, env, &did, e);

    env_close(env);
    return ok && env_open(w->env_path, w->dirs.state, env, e);
}

bool env_layer_open(struct workspace *w, struct env *env, bool *made, struct err *e)
{
    bool there = env_is_there(w->env_path);

    *made = false;
    if (!there && w->foreign_env) {
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' is not an environment: it has no pyvenv.cfg", w->env_path);
        return err_hint(e, "make it with: blast venv %s", w->env_path);
    }
    if (there) {
        if (!env_open(w->env_path, w->dirs.state, env, e) || !mend(w, env, e))
            return false;
        if (w->foreign_env && workspace_python_of(w, env, e) && take_lock(w, env, e))
            return true;
        if (w->foreign_env || !workspace_python(w, e)) {
            env_close(env);
            return false;
        }
        if (env->layout == ENV_GENERATIONS && env_trouble(env).n == 0 && same_python(env, &w->python) &&
            same_name(w, env)) {
            if (take_lock(w, env, e))
                return true;
            env_close(env);
            return false;
        }
        if (env->layout == ENV_PLAIN && env_trouble(env).n == 0 && same_python(env, &w->python)) {
            workspace_warn(w, "%s was made by another tool: it is changed in place and has no undo; remove it and "
                              "run blast start for one that has", w->env_path);
            if (take_lock(w, env, e))
                return true;
            env_close(env);
            return false;
        }
        env_close(env);
    }
    if (!workspace_python(w, e) || !env_layer_make(w, w->env_path, there, env, e))
        return false;
    *made = true;
    if (take_lock(w, env, e))
        return true;
    env_close(env);
    return false;
}

bool env_layer_replaces(struct workspace *w)
{
    struct err ignored = { 0 };
    struct env env;

    if (w->foreign_env || !env_is_there(w->env_path) || !env_open(w->env_path, NULL, &env, &ignored))
        return false;
    bool stays = env_trouble(&env).n == 0 && same_python(&env, &w->python) && same_name(w, &env);

    env_close(&env);
    return !stays;
}

bool env_layer_read(struct workspace *w, struct env *env, struct err *e)
{
    if (!env_is_there(w->env_path)) {
        (void)err_set(e, ERR_ENVIRONMENT, "there is no environment at '%s'", w->env_path);
        return err_hint(e, w->foreign_env ? "make it with: blast venv DIR" : "make it with: blast start");
    }
    if (!env_open(w->env_path, w->dirs.state, env, e))
        return false;
    set_boot(w, env);
    return true;
}

/* ------------------------------------------------------------ applying */

static bool is_direct(const struct inputs *in, struct str name)
{
    for (size_t i = 0; i < in->roots.n; i++)
        if (!in->roots.p[i].constraint && str_eq(in->roots.p[i].req.key, name))
            return true;
    return false;
}

/* PEP 610: how what was named by URL or path came. */
static bool direct_url(struct workspace *w, const struct pkg_wheel *p, struct str *out, struct err *e)
{
    AUTO_BUF b = { .limit = URL_MAX * 4 };
    const struct lock_file *f = p->package->archive;
    struct direct_url d = { 0 };

    *out = STR("");
    if (origin_has_package(p->package)) {
        origin_direct_url(w, p->package, &d);
    } else if (f) {
        struct direct_hash *h = ARENA_NEW(w->a, struct direct_hash);

        *h = (struct direct_hash){ STR("sha256"), p->sha256 };
        d = (struct direct_url){ .kind = DIRECT_ARCHIVE, .hash = h, .n_hash = 1 };
        d.url = f->url.n ? f->url : url_from_path(w->a, f->path);
    } else {
        return true;
    }
    if (!direct_url_format(&d, &b))
        return err_set(e, ERR_PACKAGE, "the URL of '" STR_FMT "' is too long", STR_ARG(p->package->name));
    *out = arena_str(w->a, buf_done(&b));
    return true;
}

/* What is to be in the environment: what was asked for, and what the current generation has besides. */
struct content {
    struct apply_package *p;
    size_t n;
    struct store_entry *others; /* opened here */
    size_t n_others;
};

static bool named(const struct content *c, struct str name)
{
    for (size_t i = 0; i < c->n; i++)
        if (name_eq(c->p[i].entry->name, name))
            return true;
    return false;
}

static void content_release(struct content *c)
{
    for (size_t i = 0; i < c->n_others; i++)
        store_release(&c->others[i]);
}

/* The packages of the manifest, but those that are there already or leave now. */
static bool add_current(struct workspace *w, struct env *env, const struct store *store, struct str_list leave,
                        struct content *c, struct err *e)
{
    struct generation g;
    bool there;

    if (env->layout != ENV_GENERATIONS || env->current == 0)
        return true;
    if (!generation_load(env, env->current, w->a, &g, &there, e) || !there)
        return there || err_set(e, ERR_ENVIRONMENT, "the manifest of generation %u is missing", env->current);
    struct apply_package *all = ARENA_ARRAY(w->a, struct apply_package, c->n + g.n_packages);

    for (size_t i = 0; i < c->n; i++)
        all[i] = c->p[i];
    c->p = all;
    c->others = ARENA_ARRAY(w->a, struct store_entry, g.n_packages);
    for (size_t i = 0; i < g.n_packages; i++) {
        const struct generation_package *p = &g.packages[i];
        struct store_entry *entry = &c->others[c->n_others];
        bool gone = named(c, p->name);

        for (size_t k = 0; k < leave.n; k++)
            gone = gone || name_eq(leave.p[k], p->name);
        if (gone)
            continue;
        if (!store_find(store, arena_cstr(w->a, p->sha256), entry, &there, e))
            return false;
        if (!there) {
            (void)err_set(e, ERR_CACHE, "the store has lost " STR_FMT " " STR_FMT, STR_ARG(p->name),
                          STR_ARG(p->version));
            return err_hint(e, "install it again by name");
        }
        c->n_others++;
        c->p[c->n++] = (struct apply_package){
            .entry = entry,
            .direct = p->direct,
            .source = p->source,
            .direct_url = p->direct_url,
        };
    }
    return true;
}

static const struct plan_package *keep_package(struct arena *a, const struct plan_package *p)
{
    struct plan_package *copy;

    if (!p)
        return NULL;
    copy = ARENA_NEW(a, struct plan_package);
    *copy = *p;
    copy->name = arena_str(a, p->name);
    copy->version = arena_str(a, p->version);
    copy->sha256 = arena_str(a, p->sha256);
    copy->direct_url = arena_str(a, p->direct_url);
    return copy;
}

/* The plan outlives the store entries that its texts are views of. */
static void keep_plan(struct arena *a, struct plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        p->steps[i].have = keep_package(a, p->steps[i].have);
        p->steps[i].want = keep_package(a, p->steps[i].want);
    }
}

/* What pip was told in a project is no change of the project: it stands beside the lock that the environment was made
 * from, as a change by hand does, and goes when that lock changes. */
static bool set_beside(struct workspace *w, struct env *env, struct apply_spec *spec, struct err *e)
{
    struct generation g = { 0 };
    bool there = false;

    if (!w->foreign_env || !str_eq(w->request->actor, STR("pip")) || env->boot.n == 0 || env->current == 0)
        return true;
    if (!generation_load(env, env->current, w->a, &g, &there, e))
        return false;
    spec->inputs = g.inputs;
    spec->n_inputs = g.n_inputs;
    spec->kind = GENERATION_SCRATCH;
    return true;
}

static bool run_apply(struct workspace *w, struct env *env, struct apply_spec *spec, const struct content *c,
                      struct apply_result *out, struct err *e)
{
    if (w->request->link_mode.n && !link_mode_parse(w->request->link_mode, &spec->mode, e))
        return false;
    if (!set_beside(w, env, spec, e))
        return false;
    spec->wanted = c->p;
    spec->n = c->n;
    spec->dry_run = w->request->dry_run || spec->dry_run;
    if (!apply_run(env, spec, w->a, out, e))
        return false;
    keep_plan(w->a, &out->plan);
    for (size_t i = 0; i < out->link.warnings.n; i++)
        VEC_PUSH_IN(w->a, &w->warnings, out->link.warnings.p[i]);
    return true;
}

bool env_layer_apply(struct workspace *w, struct env *env, const struct store *store, const struct env_change *change,
                     struct apply_result *out, struct err *e)
{
    const struct pkg_wheels *wheels = change->wheels;
    struct content c = { .p = ARENA_ARRAY(w->a, struct apply_package, wheels->n) };
    struct apply_spec spec = {
        .store = store,
        .mode = LINK_AUTO,
        .reason = { .command = change->command, .actor = w->request->actor, .why = w->request->why },
        .durable = false, /* survives every crash; after a power cut the next start verifies and repairs */
        .inputs = change->input,
        .n_inputs = change->input ? 1 : 0,
        .keep_others = change->keep_others,
        .dry_run = change->dry_run,
        .trial = change->trial,
        .trial_ctx = change->trial_ctx,
        .aside = change->aside,
    };

    for (size_t i = 0; i < wheels->n; i++) {
        const struct pkg_wheel *p = &wheels->p[i];
        struct apply_package *to = &c.p[c.n++];

        *to = (struct apply_package){
            .entry = &p->entry,
            .direct = is_direct(change->inputs, p->package->name),
            .source = p->file->url,
        };
        if (!direct_url(w, p, &to->direct_url, e))
            return false;
    }
    bool ok = (!change->keep_others || add_current(w, env, store, (struct str_list){ 0 }, &c, e)) &&
              run_apply(w, env, &spec, &c, out, e);

    content_release(&c);
    return ok;
}

bool env_layer_remove(struct workspace *w, struct env *env, struct str_list names, struct str command,
                      struct apply_result *out, struct err *e)
{
    struct content c = { 0 };
    struct store store;
    AUTO_FD guard = -1;
    struct apply_spec spec = {
        .store = &store,
        .mode = LINK_AUTO,
        .reason = { .command = command, .actor = w->request->actor, .why = w->request->why },
        .remove = names.p,
        .n_remove = names.n,
        .keep_others = env->layout == ENV_PLAIN,
    };

    if (!store_open(w->dirs.store, &store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = guard_take(&store, GUARD_SHARED, &guard, e) && add_current(w, env, &store, names, &c, e) &&
              run_apply(w, env, &spec, &c, out, e);

    content_release(&c);
    store_close(&store);
    return ok;
}

/* ------------------------------------------------------------ what is not enforced */

/* One that another tool made, and that Blast keeps in place, has none (install/shims.h). */
static bool has_shims(const struct workspace *w)
{
    const char *shims = arena_printf(w->a, "%s/" SHIMS_FOLDER, w->env_path).p;

    return !env_is_there(w->env_path) || access(shims, F_OK) == 0;
}

struct str env_layer_enforced(const struct workspace *w)
{
    if (!jail_is_wanted(&w->config))
        return STR("");
    return has_shims(w) ? STR("the environment's programs and builds") : STR("blast run and builds");
}

struct str env_layer_unenforced(const struct workspace *w)
{
    if (!jail_is_wanted(&w->config))
        return STR("");
    return has_shims(w) ? STR("other programs (git, an editor)") : STR("what you type in an activated shell");
}
