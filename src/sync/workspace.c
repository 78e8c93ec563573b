#include "sync/workspace.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "env/env.h"
#include "pep/spec.h"
#include "python/probe.h"
#include "sync/policy.h"
#include "sync/trust.h"

void watch_show(const struct watch *w, const char *phase, size_t done, size_t total, uint64_t bytes, uint64_t of_bytes)
{
    if (w && w->show)
        w->show(w->ctx, phase, done, total, bytes, of_bytes);
}

void workspace_warn(struct workspace *w, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    VEC_PUSH_IN(w->a, &w->warnings, arena_str(w->a, str_of(text)));
}

static bool absolute(struct arena *a, struct str path, const char **out, struct err *e)
{
    char *cwd;

    if (path.n && path.p[0] == '/') {
        *out = arena_cstr(a, path);
        return true;
    }
    cwd = getcwd(NULL, 0);
    if (!cwd)
        return err_sys(e, "find the working directory");
    *out = arena_printf(a, "%s/" STR_FMT, cwd, STR_ARG(path)).p;
    free(cwd);
    return true;
}

/* A path without "." parts and doubled slashes, so that two spellings name one environment. */
static const char *tidy(struct arena *a, const char *path)
{
    char *real = realpath(path, NULL);
    const char *out = path;

    if (real)
        out = arena_cstr(a, str_of(real));
    free(real);
    return out;
}

static void take_warnings(struct workspace *w)
{
    for (size_t i = 0; i < w->config.warnings.n; i++)
        VEC_PUSH_IN(w->a, &w->warnings, w->config.warnings.item[i]);
    for (size_t i = 0; i < w->project.warnings.n; i++)
        VEC_PUSH_IN(w->a, &w->warnings, w->project.warnings.p[i]);
}

bool workspace_open(const struct request *r, struct arena *a, struct workspace *out, struct err *e)
{
    const char *start = NULL, *env;

    *out = (struct workspace){ .a = a, .request = r, .dir = -1, .foreign_env = r->env.n > 0 };
    if (r->project.n && !absolute(a, r->project, &start, e))
        return false;
    if (!dirs_find(NULL, a, &out->dirs, e) || !find_project(start, out->dirs.home, a, &out->where, e))
        return false;
    if (r->project.n)
        out->where.dir = tidy(a, start); /* asked for by name: no climbing */
    if (!fd_open_dir(AT_FDCWD, out->where.dir, &out->dir, e) ||
        !config_load(out->dir, out->dirs.config, a, &out->config, e) || !project_load(out->dir, a, &out->project, e) ||
        !trust_apply(out, e)) {
        fd_close(&out->dir);
        return false;
    }
    dirs_use_cache(&out->dirs, out->config.cache_cache_dir, out->where.dir, a);
    if (out->foreign_env && !absolute(a, r->env, &env, e))
        return false;
    out->env_path = out->foreign_env ? tidy(a, env) : arena_printf(a, "%s/.venv", out->where.dir).p;
    take_warnings(out);
    return true;
}

void workspace_close(struct workspace *w)
{
    fd_close(&w->dir);
}

void workspace_auto(struct workspace *w)
{
    if (w->a) /* never opened otherwise */
        workspace_close(w);
}

struct py_search workspace_search(const struct workspace *w)
{
    return (struct py_search){ .cache = w->dirs.cache, .home = w->dirs.home };
}

struct str workspace_name(const struct workspace *w)
{
    if (w->config.env_name.n)
        return w->config.env_name;
    if (w->project.name.n)
        return w->project.name;
    struct str dir = str_of(w->where.dir);

    return str_sub(dir, str_rfind(dir, '/') + 1, dir.n);
}

/* A program that came with the project is not run because a file of the project names it; also not by way of links. */
static bool check_program(struct workspace *w, struct str text, struct err *e)
{
    if (str_find(text, '/') == text.n)
        return true;
    const char *dir = tidy(w->a, w->where.dir);
    struct str path = text.p[0] == '/' ? text : arena_printf(w->a, "%s/" STR_FMT, dir, STR_ARG(text));
    struct str real = str_of(tidy(w->a, arena_cstr(w->a, path)));

    if (!str_cut_prefix(&real, str_of(dir)) || !str_starts(real, STR("/")))
        return true;
    (void)err_set(e, ERR_CONFIG, ".python-version: '" STR_FMT "' is a program of the project and is not run for being "
                  "named there", STR_ARG(text));
    (void)err_hint(e, "--python " STR_FMT " takes it as the interpreter", STR_ARG(text));
    return err_exit(e, 5);
}

/* What is asked for and by whom; text.n == 0 when nobody asks. */
static bool python_wish(struct workspace *w, struct str *text, struct str *origin, struct err *e)
{
    unsigned line;

    *text = w->request->python;
    *origin = STR("--python");
    if (text->n)
        return true;
    if (!find_python_version(w->dir, w->a, text, &line, e))
        return false;
    *origin = STR(".python-version");
    if (text->n)
        return check_program(w, *text, e);
    *text = w->config.env_python_version;
    *origin = w->config.origin[CONFIG_KEY_env_python_version].text;
    if (w->config.origin[CONFIG_KEY_env_python_version].layer == CONFIG_DEFAULT)
        *text = STR("");
    return true;
}

static bool python_bounds(struct workspace *w, struct spec *out, struct err *e)
{
    *out = (struct spec){ 0 };
    if (w->project.requires_python.n == 0 || w->foreign_env)
        return true;
    if (!spec_parse(w->project.requires_python, w->a, out, e))
        return err_as(e, ERR_CONFIG, "pyproject.toml:%u: requires-python", w->project.requires_python_line);
    return true;
}

/* The environment's own interpreter, if it is there. */
static bool environment_python(struct workspace *w, struct py_facts *out)
{
    struct err ignored = { 0 };
    struct env env;

    if (!env_is_there(w->env_path) || !env_open(w->env_path, NULL, &env, &ignored))
        return false;
    bool there = env.python.executable.n && probe_python(env.python.executable.p, w->dirs.cache, w->a, out, &ignored);

    env_close(&env);
    return there;
}

static bool is_asked_for(const struct py_request *request, const struct py_facts *own)
{
    if (request->kind == PY_PATH)
        return str_eq(request->path, own->executable) || str_eq(request->path, own->base_executable);
    if (request->kind == PY_ANY)
        return true;
    if (request->implementation.n && !str_eq(request->implementation, own->implementation))
        return false;
    return request->free_threaded == own->free_threaded &&
           spec_accepts_python(&request->versions, &own->version, false);
}

/* Does the environment stay with the interpreter it has? Nobody asks for another one, or [sync] env_layer says so. */
static bool keeps_python(struct workspace *w, const struct py_request *request, const struct spec *bounds)
{
    struct py_facts own;
    bool command = w->request->python.n || w->request->remake || w->foreign_env;

    if ((command && request->kind != PY_ANY) || !environment_python(w, &own))
        return false;
    bool fits = spec_accepts_python(bounds, &own.version, false), asked = is_asked_for(request, &own);
    enum policy_env policy = policy_env((enum config_env_layer)w->config.sync_env_layer, fits, command);

    if (policy == POLICY_ENV_REMAKE && !(asked && fits))
        return false;
    w->python = own;
    w->python_held = policy == POLICY_ENV_ASK;
    w->python_kept = w->python_held || !asked;
    return true;
}

bool workspace_python(struct workspace *w, struct err *e)
{
    struct str text, origin;
    struct py_request request = { 0 };
    struct spec bounds;
    struct py_search search = workspace_search(w);

    if (w->python_known)
        return true;
    if (!python_wish(w, &text, &origin, e) || !python_bounds(w, &bounds, e))
        return false;
    if (!python_request_parse(text, NULL, w->a, &request, e))
        return err_wrap(e, "find the interpreter that " STR_FMT " asks for", STR_ARG(origin));
    if (keeps_python(w, &request, &bounds)) {
        if (w->python_kept && !w->python_held)
            workspace_warn(w, STR_FMT " asks for Python " STR_FMT ", [sync] env_layer keeps " STR_FMT
                           "; --python makes the environment anew", STR_ARG(origin), STR_ARG(text),
                           STR_ARG(w->python.version_text));
        w->python_known = true;
        return true;
    }
    request.bounds = bounds.n ? &bounds : NULL;
    if (!python_find(&request, &search, w->a, &w->python, NULL, e) && text.n == 0 && bounds.n)
        return err_wrap(e, "pyproject.toml:%u: requires-python", w->project.requires_python_line);
    if (e->kind != ERR_NONE)
        return text.n ? err_wrap(e, "find the interpreter that " STR_FMT " asks for", STR_ARG(origin)) : false;
    w->python_known = true;
    return true;
}

bool workspace_python_of(struct workspace *w, const struct env *env, struct err *e)
{
    if (w->python_known)
        return true;
    if (env->python.executable.n == 0)
        return err_set(e, ERR_ENVIRONMENT, "the environment '%s' does not say which interpreter it is for", env->path);
    if (!probe_python(env->python.executable.p, w->dirs.cache, w->a, &w->python, e))
        return err_as(e, ERR_ENVIRONMENT, "use the environment '%s'", env->path);
    w->python_known = true;
    return true;
}
