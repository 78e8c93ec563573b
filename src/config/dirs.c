#include "config/dirs.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

#define MACHINE_CHARS 8

const char *dirs_variable(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (const char *const *v = env ? env : (const char *const *)environ; v && *v; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return (*v)[n + 1] ? *v + n + 1 : NULL;
    return NULL;
}

static const char *without_slash(struct arena *a, struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    return arena_cstr(a, path);
}

static const char *join(struct arena *a, const char *dir, const char *name)
{
    return arena_printf(a, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name).p;
}

static bool absolute(const char *path, struct arena *a, const char **out, struct err *e)
{
    char cwd[4096];

    if (path[0] == '/') {
        *out = without_slash(a, str_of(path));
        return true;
    }
    if (!getcwd(cwd, sizeof cwd))
        return err_sys(e, "find the working directory");
    *out = without_slash(a, str_of(join(a, cwd, path)));
    return true;
}

static const char *find_home(const char *const *env, struct arena *a)
{
    const char *home = dirs_variable(env, "HOME");
    struct passwd pw, *found = NULL;
    char *room;

    if (home && home[0] == '/')
        return without_slash(a, str_of(home));
    room = arena_alloc(a, 16384);
    if (getpwuid_r(getuid(), &pw, room, 16384, &found) == 0 && found && pw.pw_dir && pw.pw_dir[0] == '/')
        return without_slash(a, str_of(pw.pw_dir));
    return NULL;
}

/* Of /etc/machine-id (machine-id(5)); machines without one share a name, which is right for a container's own home. */
static const char *machine(struct arena *a)
{
    struct str id;
    struct err ignored = { 0 };

    if (!fd_read_if_there(AT_FDCWD, "/etc/machine-id", 256, a, &id, &ignored) || id.n < MACHINE_CHARS)
        return "local";
    for (size_t i = 0; i < MACHINE_CHARS; i++)
        if (!char_is_digit(id.p[i]) && !char_is_alpha(id.p[i]))
            return "local";
    return arena_cstr(a, str_sub(id, 0, MACHINE_CHARS));
}

struct place {
    const char *variable, *below_home_of_blast; /* BLAST_CACHE_DIR, "cache" */
    const char *xdg, *below_home;               /* XDG_CACHE_HOME, ".cache" */
    const char *name;                           /* "blast/store" */
};

static bool find_place(const char *const *env, const struct place *p, const char *home, struct arena *a,
                       const char **out, struct err *e)
{
    const char *own = dirs_variable(env, p->variable), *blast = dirs_variable(env, "BLAST_HOME");
    const char *xdg = dirs_variable(env, p->xdg);

    if (own)
        return absolute(own, a, out, e);
    if (blast)
        return absolute(join(a, without_slash(a, str_of(blast)), p->below_home_of_blast), a, out, e);
    if (xdg && xdg[0] == '/') {
        *out = join(a, without_slash(a, str_of(xdg)), p->name);
        return true;
    }
    if (!home) {
        (void)err_set(e, ERR_CONFIG, "no home directory is known: HOME is not set and uid %u has no passwd entry",
                      (unsigned)getuid());
        return err_hint(e, "set BLAST_HOME to a directory");
    }
    *out = join(a, home, join(a, p->below_home, p->name));
    return true;
}

bool dirs_find(const char *const *env, struct arena *a, struct dirs *out, struct err *e)
{
    const char *home = find_home(env, a);
    const struct place cache = { "BLAST_CACHE_DIR", "cache", "XDG_CACHE_HOME", ".cache", "blast" };
    const struct place store = { "BLAST_STORE_DIR", "store", "XDG_DATA_HOME", ".local/share", "blast/store" };
    const struct place state = { "BLAST_STATE_DIR", "state", "XDG_STATE_HOME", ".local/state",
                                 join(a, "blast", machine(a)) };
    const struct place config = { "BLAST_CONFIG_DIR", "config", "XDG_CONFIG_HOME", ".config", "blast" };
    struct dirs d = {
        .home = home ? home : "/",
        .cache_by_variable = dirs_variable(env, "BLAST_CACHE_DIR") || dirs_variable(env, "BLAST_HOME"),
    };

    if (!find_place(env, &cache, home, a, &d.cache, e) || !find_place(env, &store, home, a, &d.store, e) ||
        !find_place(env, &state, home, a, &d.state, e) || !find_place(env, &config, home, a, &d.config, e))
        return false;
    *out = d;
    return true;
}

void dirs_use_cache(struct dirs *d, struct str cache_dir, const char *project_dir, struct arena *a)
{
    if (cache_dir.n == 0 || d->cache_by_variable)
        return;
    if (cache_dir.p[0] == '/')
        d->cache = without_slash(a, cache_dir);
    else if (cache_dir.n >= 2 && cache_dir.p[0] == '~' && cache_dir.p[1] == '/')
        d->cache = without_slash(a, str_of(join(a, d->home, arena_cstr(a, str_sub(cache_dir, 2, cache_dir.n)))));
    else
        d->cache = without_slash(a, str_of(join(a, project_dir, arena_cstr(a, cache_dir))));
}
