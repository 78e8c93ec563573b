#include "env/registry.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "env/env.h"
#include "env/generation.h"
#include "env/state.h"

#define OWNER_LIMIT (64u << 10)
#define MANIFEST_LIMIT (64u << 20)
#define VANISHED_SECONDS (14 * 24 * 3600)

struct owner {
    struct str path;
    uint64_t device;
};

static bool read_owner(int dir, struct arena *a, struct owner *out, struct err *e)
{
    struct owner o = { { NULL, 0 }, 0 };
    struct str text, key;
    struct json j;

    if (!fd_read_file(dir, "env.json", OWNER_LIMIT, a, &text, e))
        return false;
    json_init(&j, text, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("path")))
                (void)json_string(&j, &o.path);
            else if (str_eq(key, STR("device")))
                (void)json_u64(&j, &o.device);
        }
    }
    if (!json_end(&j))
        return false;
    if (!o.path.n)
        return err_set(e, ERR_ENVIRONMENT, "the record names no environment");
    o.path = arena_str(a, o.path);
    *out = o;
    return true;
}

/* Calls `each` with every environment's state directory. */
struct visit {
    bool (*each)(struct visit *v, int dir, struct str state, struct err *e);
    struct arena *arena;
    void *user;
};

static bool visit_all(const char *state, struct visit *v, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD envs = -1;
    const struct dirent *d;
    bool there;
    struct str path = arena_printf(v->arena, "%s/envs", state);

    err_clear(e);
    if (!fd_open_if_there(AT_FDCWD, path.p, O_RDONLY | O_DIRECTORY, &envs, &there, e))
        return false;
    if (!there)
        return true;
    if (!file_list_open(envs, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        AUTO_FD dir = -1;

        if (d->d_name[0] == '.')
            continue;
        struct str own = arena_printf(v->arena, STR_FMT "/%s", STR_ARG(path), d->d_name);

        if (!fd_open_dir(envs, d->d_name, &dir, e) || !v->each(v, dir, own, e))
            return err_as(e, ERR_ENVIRONMENT, "read the history in '" STR_FMT "'", STR_ARG(own));
    }
    return e->kind == ERR_NONE;
}

struct found {
    struct registry_env *p;
    size_t n, cap;
};

static bool list_one(struct visit *v, int dir, struct str state, struct err *e)
{
    struct found *out = v->user;
    struct owner o;

    if (!read_owner(dir, v->arena, &o, e))
        return false;
    VEC_PUSH_IN(v->arena, out, (struct registry_env){ o.path, state, env_is_there(o.path.p) });
    return true;
}

bool registry_list(const char *state, struct arena *a, struct registry_env **out, size_t *n, struct err *e)
{
    struct found found = { 0 };
    struct visit v = { list_one, a, &found };

    if (!visit_all(state, &v, e))
        return false;
    *out = found.p;
    *n = found.n;
    return true;
}

/* Deleted long ago, and not merely out of reach: the nearest directory that is there lies on the same device. */
static bool is_over(const struct owner *o, int dir, struct arena *a)
{
    char *path = arena_cstr(a, o->path);
    struct timespec now;
    struct stat st;

    if (env_is_there(path))
        return false;
    for (char *slash; stat(path, &st) < 0; *slash = '\0') {
        slash = strrchr(path, '/');
        if (!slash || slash == path)
            return false;
    }
    if (o->device && (uint64_t)st.st_dev != o->device)
        return false;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* file times are by this clock, never by BLAST_NOW */
    return fstat(dir, &st) == 0 && now.tv_sec - st.st_mtime > VANISHED_SECONDS;
}

static bool live_of_one(struct visit *v, int dir, struct str state, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    struct map *live = v->user;
    const struct dirent *d;
    struct owner o;

    (void)state;
    if (!read_owner(dir, v->arena, &o, e))
        return false;
    if (is_over(&o, dir, v->arena))
        return true;
    if (!file_list_open(dir, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct generation g;
        struct str text;

        if (!state_manifest_seq(d->d_name))
            continue;
        if (!fd_read_file(dir, d->d_name, MANIFEST_LIMIT, v->arena, &text, e) ||
            !generation_parse(text, v->arena, &g, e))
            return err_wrap(e, "read %s", d->d_name);
        for (size_t i = 0; i < g.n_packages; i++)
            if (g.packages[i].sha256.n)
                map_put(live, arena_str(v->arena, g.packages[i].sha256), 1);
    }
    return e->kind == ERR_NONE;
}

static bool over_of_one(struct visit *v, int dir, struct str state, struct err *e)
{
    struct found *out = v->user;
    struct owner o;

    if (!read_owner(dir, v->arena, &o, e))
        return false;
    if (is_over(&o, dir, v->arena))
        VEC_PUSH_IN(v->arena, out, (struct registry_env){ o.path, state, false });
    return true;
}

bool registry_over(const char *state, struct arena *a, struct registry_env **out, size_t *n, struct err *e)
{
    struct found found = { 0 };
    struct visit v = { over_of_one, a, &found };

    if (!visit_all(state, &v, e))
        return false;
    *out = found.p;
    *n = found.n;
    return true;
}

bool registry_live(const char *state, struct arena *a, struct map *live, struct err *e)
{
    struct visit v = { live_of_one, a, live };

    return visit_all(state, &v, e);
}
