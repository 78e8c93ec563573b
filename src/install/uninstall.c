#include "install/uninstall.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "env/env.h"
#include "pep/record.h"

#define DEPTH_MAX 64

enum folder { FOLDER_REAL = 1, FOLDER_LINK, FOLDER_GONE, FOLDER_WHOLE };

struct lister {
    struct env *env;
    struct arena *arena;
    const struct map *shared;
    struct uninstall_list *out;
    struct map files;   /* what the package owns, normalised */
    struct map folders; /* enum folder */
    struct map listed;
};

/* "lib/python3.12/site-packages" + "../../../bin/x" = "bin/x"; false when it climbs out of the environment. */
static bool normalise(struct str site, struct str path, struct arena *a, struct str *out)
{
    struct str part[DEPTH_MAX];
    size_t n = 0, bytes = 0;

    if (path.n == 0 || path.p[0] == '/')
        return false;
    for (int round = 0; round < 2; round++) {
        for (struct str p, rest = round ? path : site; str_next(&rest, '/', &p);) {
            if (p.n == 0 || str_eq(p, STR(".")))
                continue;
            if (str_eq(p, STR(".."))) {
                if (n == 0)
                    return false;
                n--;
            } else if (n == DEPTH_MAX || memchr(p.p, '\0', p.n)) {
                return false;
            } else {
                part[n++] = p;
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        bytes += part[i].n + 1;
    if (n == 0 || bytes >= PATH_MAX)
        return false;
    char *text = arena_alloc(a, bytes);
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        memcpy(text + at, part[i].p, part[i].n);
        at += part[i].n;
        text[at++] = i + 1 < n ? '/' : '\0';
    }
    *out = (struct str){ text, at - 1 };
    return true;
}

static void list(struct lister *l, struct str path)
{
    bool added;

    (void)map_get_or_add(&l->listed, path, 1, &added);
    if (added)
        VEC_PUSH_IN(l->arena, &l->out->paths, path);
}

static struct str parent_of(struct str path)
{
    size_t slash = str_rfind(path, '/');

    return slash < path.n ? str_sub(path, 0, slash) : STR("");
}

static struct str cstr(struct lister *l, struct str path)
{
    return arena_str(l->arena, path);
}

/* Nothing in the folder but what the package owns and bytecode of it. */
static bool is_exclusive(struct lister *l, struct str folder, unsigned depth)
{
    AUTO_FILE_LIST entries = { NULL };
    struct err ignored = { 0 }; /* what cannot be read is not taken whole */
    const struct dirent *d;

    if (depth > DEPTH_MAX || !file_list_open(l->env->dir, folder.p, &entries, &ignored))
        return false;
    while (file_list_next(&entries, &d, &ignored)) {
        struct str path = arena_printf(l->arena, STR_FMT "/%s", STR_ARG(folder), d->d_name);

        if (strcmp(d->d_name, "__pycache__") == 0 && d->d_type == DT_DIR)
            continue;
        if (d->d_type == DT_DIR ? !is_exclusive(l, path, depth + 1)
                                : map_find(&l->files, path) == MAP_NONE ||
                                      (l->shared && map_find(l->shared, path) != MAP_NONE))
            return false;
    }
    return ignored.kind == ERR_NONE;
}

/* What stands at a folder, remembered. The outermost link or whole folder on the way is what matters. */
static enum folder folder_kind(struct lister *l, struct str folder, struct str *outermost)
{
    struct str above = parent_of(folder);
    struct stat st;

    if (above.n) {
        enum folder k = folder_kind(l, above, outermost);

        if (k != FOLDER_REAL)
            return k;
    }
    uint32_t known = map_find(&l->folders, folder);

    *outermost = folder;
    if (known != MAP_NONE)
        return (enum folder)known;
    struct str path = cstr(l, folder);
    enum folder kind = FOLDER_REAL;
    bool inside = folder.n > l->env->site.n && str_starts(folder, l->env->site);

    if (fstatat(l->env->dir, path.p, &st, AT_SYMLINK_NOFOLLOW) < 0)
        kind = FOLDER_GONE;
    else if (S_ISLNK(st.st_mode))
        kind = FOLDER_LINK;
    else if (inside && is_exclusive(l, path, 0))
        kind = FOLDER_WHOLE;
    map_put(&l->folders, path, kind);
    return kind;
}

/* lib/x/__pycache__/mod.*.pyc for lib/x/mod.py */
static void list_bytecode(struct lister *l, struct str path)
{
    struct str stem = path, folder = parent_of(path);
    struct err ignored = { 0 }; /* no __pycache__ is the common case */
    AUTO_FILE_LIST entries = { NULL };
    const struct dirent *d;

    if (!str_cut_suffix(&stem, STR(".py")))
        return;
    struct str leaf = arena_printf(l->arena, STR_FMT ".", STR_ARG(str_sub(stem, folder.n + (folder.n > 0), stem.n)));
    struct str cache = arena_printf(l->arena, STR_FMT "/__pycache__", STR_ARG(folder));

    if (!file_list_open(l->env->dir, cache.p, &entries, &ignored))
        return;
    while (file_list_next(&entries, &d, &ignored))
        if (str_starts(str_of(d->d_name), leaf))
            list(l, arena_printf(l->arena, STR_FMT "/%s", STR_ARG(cache), d->d_name));
    VEC_PUSH_IN(l->arena, &l->out->maybe_empty, cache);
}

static void list_file(struct lister *l, struct str path)
{
    struct str outermost = STR("");
    bool below_site;

    if (l->shared && map_find(l->shared, path) != MAP_NONE)
        return;
    switch (folder_kind(l, parent_of(path), &outermost)) {
    case FOLDER_GONE:
        return;
    case FOLDER_LINK:
        /* Never through a link: the link itself goes when it stands in site-packages. */
        below_site = outermost.n > l->env->site.n && str_starts(outermost, l->env->site);
        if (below_site)
            list(l, cstr(l, outermost));
        return;
    case FOLDER_WHOLE:
        list(l, cstr(l, outermost));
        return;
    case FOLDER_REAL:
        break;
    }
    if (!file_exists(l->env->dir, path.p))
        return;
    list(l, path);
    list_bytecode(l, path);
    for (struct str up = parent_of(path); up.n > l->env->site.n; up = parent_of(up)) {
        bool added;

        (void)map_get_or_add(&l->listed, arena_printf(l->arena, STR_FMT "/", STR_ARG(up)), 1, &added);
        if (!added)
            break;
        VEC_PUSH_IN(l->arena, &l->out->maybe_empty, cstr(l, up));
    }
}

static int longest_first(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    return (x->n < y->n) - (x->n > y->n);
}

static bool read_record(struct lister *l, struct str dist_info, struct record *r, struct err *e)
{
    struct str path = arena_printf(l->arena, STR_FMT "/" STR_FMT "/RECORD", STR_ARG(l->env->site), STR_ARG(dist_info));
    struct str text;

    if (!fd_read_if_there(l->env->dir, path.p, RECORD_MAX, l->arena, &text, e))
        return false;
    if (!text.p) {
        (void)err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' has no RECORD, so it is not known which files are its",
                      STR_ARG(dist_info));
        return err_hint(e, "remove it with the tool that installed it");
    }
    return record_parse(l->arena, text, r, e);
}

static bool list_all(struct lister *l, struct str dist_info, struct err *e)
{
    struct record r;

    if (!read_record(l, dist_info, &r, e))
        return false;
    VEC(struct str) paths = { 0 };

    for (size_t i = 0; i < r.n; i++) {
        struct str path;

        if (!normalise(l->env->site, r.row[i].path, l->arena, &path))
            return err_set(e, ERR_ENVIRONMENT,
                           "RECORD of '" STR_FMT "' names '" STR_FMT "', which is outside the environment",
                           STR_ARG(dist_info), STR_ARG(r.row[i].path));
        map_put(&l->files, path, 1);
        VEC_PUSH_IN(l->arena, &paths, path);
    }
    for (size_t i = 0; i < paths.n; i++)
        list_file(l, paths.p[i]);
    /* The directory itself, whatever a tool added to it. */
    struct str info = arena_printf(l->arena, STR_FMT "/" STR_FMT, STR_ARG(l->env->site), STR_ARG(dist_info));
    size_t kept = 0;

    for (size_t i = 0; i < l->out->paths.n; i++) {
        struct str rest = l->out->paths.p[i];

        if (!str_eq(rest, info) && !(str_cut_prefix(&rest, info) && str_starts(rest, STR("/"))))
            l->out->paths.p[kept++] = l->out->paths.p[i];
    }
    l->out->paths.n = kept;
    VEC_PUSH_IN(l->arena, &l->out->paths, info);
    if (l->out->maybe_empty.n)
        qsort(l->out->maybe_empty.p, l->out->maybe_empty.n, sizeof(struct str), longest_first);
    return true;
}

bool uninstall_list(struct env *env, struct str dist_info, const struct map *shared, struct arena *a,
                    struct uninstall_list *out, struct err *e)
{
    struct lister l = { .env = env, .arena = a, .shared = shared, .out = out };
    bool ok = list_all(&l, dist_info, e);

    map_clear(&l.files);
    map_clear(&l.folders);
    map_clear(&l.listed);
    return ok || err_wrap(e, "uninstall '" STR_FMT "'", STR_ARG(dist_info));
}

bool uninstall_owned(struct env *env, struct str dist_info, struct arena *a, struct map *out, struct err *e)
{
    struct lister l = { .env = env, .arena = a };
    struct str path = arena_printf(a, STR_FMT "/" STR_FMT "/RECORD", STR_ARG(env->site), STR_ARG(dist_info));
    struct record r;

    if (!file_exists(env->dir, path.p))
        return true;
    if (!read_record(&l, dist_info, &r, e))
        return false;
    for (size_t i = 0; i < r.n; i++)
        if (normalise(env->site, r.row[i].path, a, &path))
            map_put(out, path, 1);
    return true;
}
