#include "python/candidates.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define NEWEST_MINOR 20u /* names python3.6 to python3.20 are looked for on PATH */
#define OLDEST_MINOR 6u
#define FIRST_THREADED 13u

struct seen {
    dev_t dev;
    ino_t ino;
};

struct gather {
    struct candidates *c;
    const struct py_search *search;
    const char *pyenv;
    bool front_only;
    VEC(struct seen) seen;
};

static bool is_seen(struct gather *g, const struct stat *st)
{
    for (size_t i = 0; i < g->seen.n; i++)
        if (g->seen.p[i].dev == st->st_dev && g->seen.p[i].ino == st->st_ino)
            return true;
    VEC_PUSH_IN(g->c->a, &g->seen, (struct seen){ st->st_dev, st->st_ino });
    return false;
}

static bool take_unsigned(struct str *s, unsigned *out)
{
    size_t n = 0;
    uint64_t value;

    while (n < s->n && char_is_digit(s->p[n]))
        n++;
    if (!str_to_u64(str_sub(*s, 0, n), &value) || value >= CANDIDATE_UNKNOWN)
        return false;
    *s = str_sub(*s, n, s->n);
    *out = (unsigned)value;
    return true;
}

/* The version in a name such as "python3.11", "3.12.1", "pypy3.10-7.3.15", "cpython-3.13.0+freethreaded-linux".
 * *major is CANDIDATE_UNKNOWN when there is none; the numbers behind a pypy's version are PyPy's own. */
static void read_name(struct str name, struct candidate *c, unsigned *major)
{
    struct str rest = name;

    *major = CANDIDATE_UNKNOWN;
    while (rest.n > 0 && !char_is_digit(rest.p[0]))
        rest = str_sub(rest, 1, rest.n);
    c->pypy = c->pypy || str_starts(name, STR("pypy"));
    if (!take_unsigned(&rest, major) || !str_cut_prefix(&rest, STR(".")) || !take_unsigned(&rest, &c->minor))
        return;
    if (!c->pypy && str_cut_prefix(&rest, STR(".")) && !take_unsigned(&rest, &c->micro))
        c->micro = CANDIDATE_UNKNOWN;
    c->free_threaded = str_starts(rest, STR("t")) || str_search(rest, STR("freethreaded")) < rest.n;
}

static void add_note(struct gather *g, struct str path, const char *why)
{
    VEC_PUSH_IN(g->c->a, &g->c->notes, (struct py_note){ path, arena_str(g->c->a, str_of(why)) });
}

/* What an environment's bin/python links to: environments are made from what lies outside of them. */
static struct str outside_env(struct gather *g, struct str path)
{
    struct str dir = str_sub(path, 0, str_rfind(path, '/'));
    char real[PATH_MAX];

    dir = str_sub(dir, 0, str_rfind(dir, '/'));
    if (access(arena_printf(g->c->a, STR_FMT "/pyvenv.cfg", STR_ARG(dir)).p, F_OK) < 0 || !realpath(path.p, real))
        return path;
    return arena_str(g->c->a, str_of(real));
}

/* A path that may be an interpreter; `name` tells about its version where the file's own name does not. */
static void add(struct gather *g, struct str path, struct str name, bool front)
{
    struct candidate c = { .path = path, .front = front, .minor = CANDIDATE_UNKNOWN, .micro = CANDIDATE_UNKNOWN };
    char real[PATH_MAX];
    struct stat st;
    unsigned major;

    if (stat(path.p, &st) < 0 || !S_ISREG(st.st_mode) || access(path.p, X_OK) < 0 || is_seen(g, &st))
        return;
    read_name(name, &c, &major);
    if (major == CANDIDATE_UNKNOWN || c.minor == CANDIDATE_UNKNOWN) {
        struct str target = str_of(realpath(path.p, real) ? real : path.p);

        read_name(str_sub(target, str_rfind(target, '/') + 1, target.n), &c, &major);
    }
    if (major != CANDIDATE_UNKNOWN && (major != 3 || (c.minor != CANDIDATE_UNKNOWN && c.minor < OLDEST_MINOR))) {
        char why[64];

        if (c.minor == CANDIDATE_UNKNOWN)
            (void)snprintf(why, sizeof why, "python %u is not supported", major);
        else
            (void)snprintf(why, sizeof why, "python %u.%u is not supported", major, c.minor);
        add_note(g, path, why);
        return;
    }
    c.path = outside_env(g, path);
    VEC_PUSH_IN(g->c->a, &g->c->list, c);
}

/* bin/python3 or bin/python of an installation's directory. */
static void add_installation(struct gather *g, struct str dir, struct str name, bool front)
{
    static const char *const programs[] = { "python3", "python", "pypy3" };

    for (size_t i = 0; i < COUNT(programs); i++) {
        struct str path = arena_printf(g->c->a, STR_FMT "/bin/%s", STR_ARG(dir), programs[i]);

        if (access(path.p, X_OK) == 0) {
            add(g, path, name, front);
            return;
        }
    }
    if (file_exists(AT_FDCWD, arena_printf(g->c->a, STR_FMT "/bin", STR_ARG(dir)).p))
        add_note(g, arena_str(g->c->a, dir), "has no bin/python");
}

/* The versions that pyenv would start: PYENV_VERSION, else what `pyenv global` wrote. */
static void add_pyenv_choice(struct gather *g)
{
    struct err ignored = { 0 }; /* no choice then */
    struct str text = str_of(getenv("PYENV_VERSION")), name;
    char sep = text.n > 0 ? ':' : '\n';

    if (text.n == 0) {
        struct str file = arena_printf(g->c->a, "%s/version", g->pyenv);

        if (!fd_read_if_there(AT_FDCWD, file.p, 4096, g->c->a, &text, &ignored))
            return;
    }
    while (text.p && str_next(&text, sep, &name)) {
        name = str_trim(name);
        if (name.n > 0 && str_find(name, '/') == name.n && !str_eq(name, STR("system")))
            add_installation(g, arena_printf(g->c->a, "%s/versions/" STR_FMT, g->pyenv, STR_ARG(name)), name, true);
    }
}

/* Version managers put scripts for every command into a directory of this name. Running one costs tens of
 * milliseconds and answers for whatever is selected at the moment, so the selection is read instead. */
static bool is_shims(struct str dir)
{
    while (dir.n > 1 && dir.p[dir.n - 1] == '/')
        dir.n--;
    return str_ends(dir, STR("/shims"));
}

static void add_numbered(struct gather *g, struct str dir, const char *word, unsigned minor, const char *flag)
{
    struct str path = arena_printf(g->c->a, STR_FMT "/%s3.%u%s", STR_ARG(dir), word, minor, flag);

    add(g, path, str_sub(path, dir.n + 1, path.n), false);
}

static void add_directory(struct gather *g, struct str dir)
{
    struct arena *a = g->c->a;

    add(g, arena_printf(a, STR_FMT "/python3", STR_ARG(dir)), STR("python3"), true);
    add(g, arena_printf(a, STR_FMT "/python", STR_ARG(dir)), STR("python"), true);
    if (g->front_only)
        return;

    struct str pypy = arena_printf(a, STR_FMT "/pypy3", STR_ARG(dir));
    bool has_pypy = access(pypy.p, X_OK) == 0; /* the numbered ones never come alone */

    for (unsigned minor = NEWEST_MINOR; minor >= OLDEST_MINOR; minor--) {
        add_numbered(g, dir, "python", minor, "");
        if (minor >= FIRST_THREADED)
            add_numbered(g, dir, "python", minor, "t");
        if (has_pypy)
            add_numbered(g, dir, "pypy", minor, "");
    }
    if (has_pypy)
        add(g, pypy, STR("pypy"), false);
}

static void add_path(struct gather *g)
{
    const char *path = g->search->path ? g->search->path : getenv("PATH");
    struct str dir, rest = str_of(path);

    while (rest.p && str_next(&rest, ':', &dir)) {
        if (dir.n == 0 || dir.p[0] != '/') /* a relative entry means another file in each directory */
            continue;
        if (is_shims(dir)) {
            if (g->pyenv)
                add_pyenv_choice(g);
            continue;
        }
        add_directory(g, dir);
    }
}

static int by_name(const void *a, const void *b)
{
    return str_order(a, b);
}

/* Each sub-directory is an installation, named by its version. */
static void add_installations(struct gather *g, const char *dir)
{
    struct err ignored = { 0 }; /* what cannot be listed has nothing to offer */
    AUTO_FILE_LIST list = { 0 };
    const struct dirent *entry;
    VEC(struct str) names = { 0 };

    if (!dir || !file_exists(AT_FDCWD, dir) || !file_list_open(AT_FDCWD, dir, &list, &ignored))
        return;
    while (file_list_next(&list, &entry, &ignored))
        if (entry->d_name[0] != '.')
            VEC_PUSH_IN(g->c->a, &names, arena_str(g->c->a, str_of(entry->d_name)));
    if (names.n > 0)
        qsort(names.p, names.n, sizeof *names.p, by_name);
    for (size_t i = 0; i < names.n; i++)
        add_installation(g, arena_printf(g->c->a, "%s/" STR_FMT, dir, STR_ARG(names.p[i])), names.p[i], false);
}

void candidates_gather(const struct py_search *search, bool front_only, struct candidates *c)
{
    struct gather g = { .c = c, .search = search, .pyenv = search->pyenv_root, .front_only = front_only };
    const char *home = search->home ? search->home : getenv("HOME");
    const char *venv = search->virtual_env ? search->virtual_env : getenv("VIRTUAL_ENV");

    if (!g.pyenv)
        g.pyenv = getenv("PYENV_ROOT");
    if ((!g.pyenv || !*g.pyenv) && home)
        g.pyenv = arena_printf(c->a, "%s/.pyenv", home).p;
    if (venv && *venv)
        add_installation(&g, str_of(venv), STR(""), true);
    add_path(&g);
    if (front_only)
        return;
    if (g.pyenv)
        add_installations(&g, arena_printf(c->a, "%s/versions", g.pyenv).p);
    add_installations(&g, search->managed);
}
