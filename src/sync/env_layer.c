#include "sync/env_layer.h"

#include <stdio.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/buf.h"
#include "install/link.h"
#include "lock/lock.h"
#include "net/url.h"
#include "pep/direct_url.h"
#include "store/store.h"
#include "sync/inputs.h"
#include "sync/pkg_layer.h"
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

static bool make(struct workspace *w, bool clear, struct env *env, struct err *e)
{
    struct env_new spec = {
        .path = w->env_path,
        .state = w->dirs.state,
        .python = python_of(&w->python),
        .prompt = workspace_name(w),
        .clear = clear,
    };

    return env_create(&spec, env, e);
}

static bool same_python(const struct env *env, const struct py_facts *f)
{
    return str_eq(env->python.executable, f->base_executable) && env->python.major == f->major &&
           env->python.minor == f->minor;
}

static void waiting(void *user)
{
    const struct env *env = user;

    (void)fprintf(stderr, "waiting for another blast that changes %s\n", env->path);
}

static bool take_lock(struct env *env, struct err *e)
{
    struct env_wait wait = { .waiting = waiting, .user = env, .timeout_ms = LOCK_TIMEOUT_MS };

    return env_lock(env, &wait, e);
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
        if (!env_open(w->env_path, w->dirs.state, env, e))
            return false;
        if (w->foreign_env)
            return workspace_python_of(w, env, e) && take_lock(env, e);
        if (!workspace_python(w, e)) {
            env_close(env);
            return false;
        }
        if (env->layout == ENV_GENERATIONS && env_trouble(env).n == 0 && same_python(env, &w->python)) {
            if (take_lock(env, e))
                return true;
            env_close(env);
            return false;
        }
        if (env->layout == ENV_PLAIN && env_trouble(env).n == 0 && same_python(env, &w->python)) {
            workspace_warn(w, "%s was made by another tool: it is changed in place and has no undo; remove it and "
                              "run blast start for one that has", w->env_path);
            if (take_lock(env, e))
                return true;
            env_close(env);
            return false;
        }
        env_close(env);
    }
    if (!workspace_python(w, e) || !make(w, there, env, e))
        return false;
    *made = true;
    if (take_lock(env, e))
        return true;
    env_close(env);
    return false;
}

bool env_layer_read(struct workspace *w, struct env *env, struct err *e)
{
    if (!env_is_there(w->env_path)) {
        (void)err_set(e, ERR_ENVIRONMENT, "there is no environment at '%s'", w->env_path);
        return err_hint(e, w->foreign_env ? "make it with: blast venv DIR" : "make it with: blast start");
    }
    return env_open(w->env_path, w->dirs.state, env, e);
}

/* ------------------------------------------------------------ applying */

static bool is_direct(const struct inputs *in, struct str name)
{
    for (size_t i = 0; i < in->roots.n; i++)
        if (!in->roots.p[i].constraint && str_eq(in->roots.p[i].req.key, name))
            return true;
    return false;
}

/* PEP 610: how an archive that was named by URL or path came. */
static bool direct_url(struct workspace *w, const struct pkg_wheel *p, struct str *out, struct err *e)
{
    AUTO_BUF b;
    const struct lock_file *f = p->package->archive;
    struct direct_url d = { 0 };

    *out = STR("");
    if (!f)
        return true;
    struct direct_hash *h = ARENA_NEW(w->a, struct direct_hash);

    *h = (struct direct_hash){ STR("sha256"), p->sha256 };
    d.kind = DIRECT_ARCHIVE;
    d.url = f->url.n ? f->url : url_from_path(w->a, f->path);
    d.hash = h;
    d.n_hash = 1;
    buf_init(&b, URL_MAX * 4);
    if (!direct_url_format(&d, &b))
        return err_set(e, ERR_PACKAGE, "the URL of '" STR_FMT "' is too long", STR_ARG(f->name));
    *out = arena_str(w->a, buf_done(&b));
    return true;
}

bool env_layer_apply(struct workspace *w, struct env *env, const struct store *store, const struct env_change *change,
                     struct apply_result *out, struct err *e)
{
    const struct pkg_wheels *wheels = change->wheels;
    struct apply_package *want = ARENA_ARRAY(w->a, struct apply_package, wheels->n);
    struct apply_spec spec = {
        .store = store,
        .wanted = want,
        .n = wheels->n,
        .mode = LINK_AUTO,
        .reason = { .command = change->command, .actor = STR("cli") },
        .durable = false, /* survives every crash; after a power cut the next start verifies and repairs */
        .inputs = change->input,
        .n_inputs = change->input ? 1 : 0,
        .keep_others = change->keep_others,
        .dry_run = w->request->dry_run,
    };

    if (w->request->link_mode.n && !link_mode_parse(w->request->link_mode, &spec.mode, e))
        return false;
    for (size_t i = 0; i < wheels->n; i++) {
        const struct pkg_wheel *p = &wheels->p[i];

        want[i] = (struct apply_package){
            .entry = &p->entry,
            .direct = is_direct(change->inputs, p->package->name),
            .source = p->file->url,
        };
        if (!direct_url(w, p, &want[i].direct_url, e))
            return false;
    }
    if (!apply_run(env, &spec, w->a, out, e))
        return false;
    for (size_t i = 0; i < out->link.warnings.n; i++)
        VEC_PUSH_IN(w->a, &w->warnings, out->link.warnings.p[i]);
    return true;
}

/* ------------------------------------------------------------ what is not enforced */

struct str env_layer_unenforced(const struct workspace *w)
{
    static const char *const level[] = { "process", "namespace", "container" };
    static const char *const network[] = { "isolated", "allowlist", "host", "none" };
    const struct config *c = &w->config;
    AUTO_BUF b;

    if (!c->found)
        return STR("");
    buf_init(&b, 4096);
    (void)buf_printf(&b, "isolation_level=%s", level[c->container_isolation_level]);
    if (c->sandbox_network_isolation)
        (void)buf_printf(&b, ", network_policy=%s", network[c->container_network_policy]);
    if (c->container_resource_limits || c->sandbox_resource_control)
        (void)buf_printf(&b, ", resource limits");
    if (c->sandbox_filesystem_isolation)
        (void)buf_printf(&b, ", filesystem rules");
    if (c->security_audit_logging)
        (void)buf_printf(&b, ", audit log");
    return arena_str(w->a, buf_done(&b));
}
