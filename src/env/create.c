#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"
#include "env/generation.h"
#include "env/layout.h"
#include "env/state.h"
#include "env/status_file.h"

/* What an interrupted env_create() leaves: pyvenv.cfg comes last, so these alone are no environment. */
static bool is_remain(const char *name)
{
    static const char *const ours[] = { ".gen", ".current",   ".current.tmp", ".lock",
                                        "bin",  ".gitignore", "lib",          "lib64", STATUS_FILE,
                                        ".shim", "shims" };

    for (size_t i = 0; i < COUNT(ours); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return str_starts(str_of(name), STR("." STATUS_FILE ".")); /* being replaced when the process was killed */
}

static bool is_free(int dir, const char *path, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    bool made_by_us = file_exists(dir, ".gen") || file_exists(dir, ".lock");

    if (file_exists(dir, "pyvenv.cfg")) {
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' is an environment already", path);
        return err_hint(e, "use it, or give --force to replace it");
    }
    err_clear(e);
    if (!file_list_open(dir, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        if (made_by_us && is_remain(d->d_name))
            continue;
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' is not empty and no environment: it holds '%s'", path, d->d_name);
        return err_hint(e, "choose another place, or remove it first");
    }
    return e->kind == ERR_NONE;
}

static bool open_place(const struct env_new *spec, struct env *env, struct err *e)
{
    if (!file_make_dirs(AT_FDCWD, spec->path, 0777, e) || !fd_open_dir(AT_FDCWD, spec->path, &env->dir, e))
        return err_as(e, ERR_ENVIRONMENT, "make the environment '%s'", spec->path);
    char *real = realpath(spec->path, NULL);

    if (!real)
        return err_sys(e, "resolve %s", spec->path);
    env->path = arena_cstr(&env->arena, str_of(real));
    free(real);
    if (!is_free(env->dir, spec->path, e))
        return false;
    env->layout = spec->plain ? ENV_PLAIN : ENV_GENERATIONS;
    return (spec->plain && !spec->state) || state_open(spec->state, env->path, &env->state, e);
}

static void copy_texts(const struct env_new *spec, struct env *env)
{
    struct str leaf = str_of(env->path);

    if (spec->prompt.n == 0 && str_rfind(leaf, '/') < leaf.n) { /* the project's name, for .venv says nothing */
        struct str parent = str_sub(leaf, 0, str_rfind(leaf, '/'));
        size_t slash = str_rfind(parent, '/');

        leaf = str_sub(leaf, parent.n + 1, leaf.n);
        if (leaf.n && leaf.p[0] == '.' && slash < parent.n)
            leaf = str_sub(parent, slash + 1, parent.n);
    }
    env->prompt = arena_str(&env->arena, spec->prompt.n ? spec->prompt : leaf);
    env->python = spec->python;
    env->python.executable = arena_str(&env->arena, spec->python.executable);
    env->python.version = arena_str(&env->arena, spec->python.version);
    env->python.implementation = str_eq_nocase(spec->python.implementation, STR("pypy")) ? STR("pypy") : STR("cpython");
    env->python.abi_suffix = spec->python.abi_suffix.n ? STR("t") : STR("");
    env->site = layout_site(&env->python, &env->arena);
}

static bool fill(const struct env_new *spec, struct env *env, struct err *e)
{
    struct env_new named = *spec;
    struct generation g = { .reason = { STR("venv"), STR("cli") }, .mode = STR("") };
    struct generation_stage stage;
    bool did;

    named.prompt = env->prompt;
    if (!spec->plain) {
        /* Whatever an interrupted attempt left is swept up first. */
        if (!generation_recover(env, &did, e) || !generation_begin(env, &stage, e) ||
            !generation_commit(env, &stage, &g, false, e))
            return false;
    } else if (!layout_fill(env->dir, env->path, &env->python, env->prompt, e)) {
        return false;
    }
    return layout_root(env->dir, &named, e);
}

static bool create_into(const struct env_new *spec, struct env *env, struct err *e)
{
    bool got;

    if (!open_place(spec, env, e))
        return false;
    copy_texts(spec, env);
    if (!fd_open(env->dir, ".lock", O_RDWR | O_CREAT, 0666, &env->lock, e) ||
        !fd_try_lock(env->lock, true, &got, ".lock", e))
        return false;
    if (!got) {
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' is being made by another process", spec->path);
        return err_exit(e, 7);
    }
    if (!fill(spec, env, e))
        return err_as(e, ERR_ENVIRONMENT, "make the environment '%s'", spec->path);
    env_unlock(env);
    env->python_there = faccessat(env->dir, "bin/python", X_OK, 0) == 0;
    return true;
}

/* The old one is kept beside until the new one is there. */
static bool move_aside(const char *path, char out[PATH_MAX], struct err *e)
{
    struct str s = str_of(path);

    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    int n = snprintf(out, PATH_MAX, "%.*s.old.%ld", (int)s.n, s.p, (long)getpid());

    if (n < 0 || n >= PATH_MAX)
        return err_set(e, ERR_ENVIRONMENT, "the path of the environment is too long");
    if (rename(path, out) < 0)
        return err_sys(e, "move '%s' aside", path);
    return true;
}

bool env_create(const struct env_new *spec, struct env *out, struct err *e)
{
    struct env env = { .dir = -1, .state = -1, .lock = -1 };
    char aside[PATH_MAX] = "";

    if (spec->clear && env_is_there(spec->path) && !move_aside(spec->path, aside, e))
        return false;
    arena_init(&env.arena);
    if (!create_into(spec, &env, e)) {
        struct err ignored = { 0 }; /* the first one is the one to report */

        env_close(&env);
        if (aside[0] && file_remove_tree(AT_FDCWD, spec->path, &ignored))
            (void)!rename(aside, spec->path);
        return false;
    }
    if (aside[0] && !file_remove_tree(AT_FDCWD, aside, e)) {
        env_close(&env);
        return err_as(e, ERR_ENVIRONMENT, "remove the replaced environment");
    }
    *out = env;
    return true;
}
