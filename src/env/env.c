#include "env/env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/generation.h"
#include "env/inplace.h"
#include "env/layout.h"
#include "env/state.h"

#define CONFIG "pyvenv.cfg"
#define CONFIG_LIMIT (256u << 10)
#define LOCK ".lock"
#define WAIT_NOTICE_MS 300

void env_close(struct env *env)
{
    env_unlock(env);
    fd_close(&env->dir);
    fd_close(&env->state);
    arena_clear(&env->arena);
    *env = (struct env){ .dir = -1, .state = -1, .lock = -1 };
}

bool env_is_there(const char *path)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s/" CONFIG, path);

    return n > 0 && (size_t)n < sizeof name && access(name, F_OK) == 0;
}

const char *env_path(struct env *env, const char *below)
{
    return arena_printf(&env->arena, "%s/%s", env->path, below).p;
}

static bool has_dots(struct str path)
{
    for (struct str part; str_next(&path, '/', &part);)
        if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return true;
    return false;
}

/* As the user reaches it, so that links on the way may be moved; only "." and ".." must go. */
static bool absolute(const char *path, struct arena *a, char **out, struct err *e)
{
    struct str s = str_of(path);
    char cwd[PATH_MAX];

    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    if (has_dots(s)) {
        char *real = realpath(path, NULL);

        if (!real)
            return err_sys(e, "resolve %s", path);
        *out = arena_cstr(a, str_of(real));
        free(real);
        return true;
    }
    if (s.n && s.p[0] == '/') {
        *out = arena_cstr(a, s);
        return true;
    }
    if (!getcwd(cwd, sizeof cwd))
        return err_sys(e, "ask for the working directory");
    struct str joined = arena_printf(a, "%s/" STR_FMT, cwd, STR_ARG(s));

    *out = arena_cstr(a, joined);
    return true;
}

static bool open_state(struct env *env, const char *state, struct err *e)
{
    if (!state)
        return true;
    char *real = realpath(env->path, NULL);

    if (!real)
        return err_sys(e, "resolve %s", env->path);
    bool ok = state_open(state, real, &env->state, e);

    free(real);
    return ok;
}

/* "3.12.1" into 3 and 12. */
static void split_version(struct str text, unsigned *major, unsigned *minor)
{
    struct str part[3];
    uint64_t v[2] = { 0, 0 };
    size_t n = str_split(text, '.', part, 3);

    for (size_t i = 0; i < 2 && i < n; i++)
        if (!str_to_u64(part[i], &v[i]))
            v[i] = 0;
    *major = (unsigned)v[0];
    *minor = (unsigned)v[1];
}

/* The version in pyvenv.cfg names the directory; where it does not (a free-threaded build, a hand-made file) the
 * first one in lib/ that looks like it is taken. */
static void find_site(struct env *env)
{
    AUTO_FILE_LIST list = { NULL };
    struct err ignored = { 0 }; /* an environment without lib/ has no packages */
    const struct dirent *d;

    env->site = layout_site(&env->python, &env->arena);
    if (file_exists(env->dir, env->site.p) || !file_list_open(env->dir, "lib/.", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        struct str name = str_of(d->d_name);
        struct str site = arena_printf(&env->arena, "lib/%s/site-packages", d->d_name);

        if (!(str_cut_prefix(&name, STR("python")) || str_cut_prefix(&name, STR("pypy"))) ||
            !file_exists(env->dir, site.p))
            continue;
        env->site = site;
        if (str_cut_suffix(&name, STR("t")))
            env->python.abi_suffix = STR("t");
        if (env->python.major == 0)
            split_version(name, &env->python.major, &env->python.minor);
        return;
    }
}

static bool read_config(struct env *env, bool *ours, struct err *e)
{
    struct layout_config c;
    struct str text;

    if (!fd_read_if_there(env->dir, CONFIG, CONFIG_LIMIT, &env->arena, &text, e))
        return err_as(e, ERR_ENVIRONMENT, "open the environment '%s'", env->path);
    if (!text.p) {
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' is no environment: it holds no " CONFIG, env->path);
        return err_hint(e, "make one with 'blast venv'");
    }
    layout_config_parse(text, &c);
    env->python = (struct env_python){ .executable = arena_str(&env->arena, c.executable), /* probed: a C string */
                                       .version = c.version,
                                       .implementation = c.implementation };
    if (env->python.implementation.n)
        env->python.implementation = str_eq_nocase(c.implementation, STR("pypy")) ? STR("pypy") : STR("cpython");
    split_version(c.version, &env->python.major, &env->python.minor);
    if (!c.executable.n && c.home.n)
        env->python.executable = arena_printf(&env->arena, STR_FMT "/python%u.%u", STR_ARG(c.home), env->python.major,
                                              env->python.minor);
    env->prompt = c.prompt;
    *ours = c.blast.n > 0;
    return true;
}

static void look(struct env *env)
{
    if (env->layout == ENV_GENERATIONS)
        state_read_current(env->dir, &env->current, &env->tree);
    env->python_there = faccessat(env->dir, "bin/python", X_OK, 0) == 0;
}

static bool recover(struct env *env, bool *did, struct err *e)
{
    *did = false;
    return env->layout == ENV_PLAIN ? inplace_recover(env, did, e) : generation_recover(env, did, e);
}

static bool is_interrupted(const struct env *env)
{
    return env->layout == ENV_PLAIN ? inplace_is_pending(env)
                                    : env->state >= 0 && file_exists(env->state, STATE_JOURNAL);
}

static bool take_lock_now(struct env *env, bool *got, struct err *e)
{
    if (env->lock < 0 && !fd_open(env->dir, LOCK, O_RDWR | O_CREAT, 0666, &env->lock, e))
        return false;
    if (!fd_try_lock(env->lock, true, got, LOCK, e)) {
        fd_close(&env->lock);
        return false;
    }
    return true;
}

/* Repairs unless somebody is changing the environment right now, in which case nothing is interrupted. A reader who
 * may not write leaves the repair to somebody else: the old or the new state is there either way. */
static bool repair(struct env *env, struct err *e)
{
    bool got = false;

    if (!is_interrupted(env))
        return true;
    if (!take_lock_now(env, &got, e)) {
        if (e->sys != EACCES && e->sys != EROFS && e->sys != EPERM)
            return false;
        err_clear(e);
        return true;
    }
    bool ok = !got || recover(env, &env->repaired, e);

    env_unlock(env);
    return ok;
}

static bool open_into(const char *path, const char *state, struct env *env, struct err *e)
{
    bool ours;

    if (!absolute(path, &env->arena, &env->path, e) || !fd_open_dir(AT_FDCWD, env->path, &env->dir, e))
        return err_as(e, ERR_ENVIRONMENT, "open the environment '%s'", path);
    if (!read_config(env, &ours, e))
        return false;
    env->layout = ours && file_exists(env->dir, ".gen") ? ENV_GENERATIONS : ENV_PLAIN;
    if (!open_state(env, state, e) || !repair(env, e))
        return err_as(e, ERR_ENVIRONMENT, "open the environment '%s'", path);
    find_site(env);
    look(env);
    return true;
}

bool env_open(const char *path, const char *state, struct env *out, struct err *e)
{
    struct env env = { .dir = -1, .state = -1, .lock = -1 };

    arena_init(&env.arena);
    if (!open_into(path, state, &env, e)) {
        env_close(&env);
        return false;
    }
    *out = env;
    return true;
}

static void pause_ms(unsigned ms)
{
    struct timespec t = { .tv_nsec = (long)ms * 1000000 };

    (void)nanosleep(&t, NULL); /* a signal only makes it shorter */
}

static bool wait_for_lock(struct env *env, const struct env_wait *wait, struct err *e)
{
    uint64_t start = clock_ms();
    bool told = false, got;

    for (unsigned step = 2;; step = MIN(step * 2, 50)) {
        if (!take_lock_now(env, &got, e))
            return false;
        if (got)
            return true;
        uint64_t waited = clock_ms() - start;

        if (wait && wait->timeout_ms && waited >= wait->timeout_ms) {
            fd_close(&env->lock);
            (void)err_set(e, ERR_ENVIRONMENT, "'%s' is being changed by another process, waited %u ms", env->path,
                          wait->timeout_ms);
            return err_exit(e, 7);
        }
        if (wait && wait->waiting && !told && waited >= WAIT_NOTICE_MS) {
            wait->waiting(wait->user);
            told = true;
        }
        pause_ms(step);
    }
}

bool env_lock(struct env *env, const struct env_wait *wait, struct err *e)
{
    bool did;

    if (env->lock >= 0)
        BUG("the environment is locked already");
    if (!wait_for_lock(env, wait, e))
        return err_as(e, ERR_ENVIRONMENT, "lock the environment '%s'", env->path);
    if (!recover(env, &did, e)) {
        env_unlock(env);
        return false;
    }
    env->repaired = env->repaired || did;
    look(env);
    return true;
}

void env_unlock(struct env *env)
{
    fd_close(&env->lock);
}

struct str env_trouble(struct env *env)
{
    struct stat st;

    if (!env->python_there)
        return arena_printf(&env->arena, "its interpreter '" STR_FMT "' is gone", STR_ARG(env->python.executable));
    if (env->layout == ENV_GENERATIONS && env->current == 0)
        return STR("its link .current leads nowhere");
    if (fstatat(env->dir, env->site.p, &st, 0) < 0)
        return arena_printf(&env->arena, "it has no '" STR_FMT "'", STR_ARG(env->site));
    return STR("");
}
