#include "sync/origin_state.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/toml_edit.h"
#include "lock/lock.h"
#include "pep/name.h"
#include "sync/lockfile.h"
#include "sync/origin.h"
#include "sync/workspace.h"

#define ENTRIES_MAX 200000 /* of a tree that are looked at */
#define DEPTH_MAX 64

static const char *const said_in[] = { "pyproject.toml", "setup.py", "setup.cfg" };

bool origin_path_stays(struct str path)
{
    struct str part, rest = path;

    if (path.n == 0 || path.p[0] == '/')
        return false;
    while (str_next(&rest, '/', &part))
        if (str_eq(part, STR("..")))
            return false;
    return true;
}

static const char *project_path(struct workspace *w)
{
    char *real = realpath(w->where.dir, NULL);
    const char *out = real ? arena_str(w->a, str_of(real)).p : w->where.dir;

    free(real);
    return out;
}

bool origin_is_project(const struct workspace *w, const char *tree)
{
    struct stat x, y;

    return fstat(w->dir, &x) == 0 && stat(tree, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

struct str origin_path_in_lock(struct workspace *w, const char *tree)
{
    struct str project = str_of(project_path(w)), to = str_of(tree), rest = to;

    if (w->foreign_env)
        return to;
    if (str_eq(project, to))
        return STR(".");
    if (str_cut_prefix(&rest, project) && str_cut_prefix(&rest, STR("/")))
        return rest;
    struct str parent = str_sub(project, 0, str_rfind(project, '/') + 1);

    rest = to;
    return parent.n > 1 && str_cut_prefix(&rest, parent) && rest.n ? arena_printf(w->a, "../" STR_FMT, STR_ARG(rest))
                                                                   : to;
}

struct str origin_path_from_lock(struct workspace *w, struct str path)
{
    char *real;

    if (path.n && path.p[0] == '/')
        return path;
    const char *joined = arena_printf(w->a, "%s/" STR_FMT, w->where.dir, STR_ARG(path)).p;

    real = realpath(joined, NULL);
    struct str out = real ? arena_str(w->a, str_of(real)) : str_of(joined);

    free(real);
    return out;
}

struct str origin_locked_commit(struct workspace *w, struct str url, struct str revision)
{
    const struct request *r = w->request;
    struct err ignored = { 0 };
    struct str text;
    struct lock l;

    if (r->upgrade || w->foreign_env || !fd_read_if_there(w->dir, LOCKFILE, LOCK_MAX, w->a, &text, &ignored) ||
        !text.p || !lock_parse(w->a, text, &l, &ignored))
        return STR("");
    for (size_t i = 0; i < l.n_package; i++) {
        const struct lock_package *p = &l.package[i];
        bool upgraded = false;

        for (size_t k = 0; k < r->upgrade_only.n; k++)
            upgraded = upgraded || name_eq(r->upgrade_only.p[k], p->name);
        if (!upgraded && p->vcs && str_eq(p->vcs->url, url) && str_eq(p->vcs->requested_revision, revision))
            return p->vcs->commit_id;
    }
    return STR("");
}

/* ------------------------------------------------------------ states */

static uint64_t mix(uint64_t sum, const void *p, size_t n)
{
    return (sum ^ hash_fast(p, n)) * 0x9e3779b97f4a7c15u + 1;
}

/* pyproject.toml of the project itself without what Blast edits in it: an edit of its dependencies, which are installed
 * for themselves, is no reason to build it again. */
static struct str without_lists(struct workspace *w, struct str text)
{
    static const char *const path[] = { "project.dependencies", "project.optional-dependencies", "dependency-groups",
                                        "tool.blast" };
    struct toml_edit ed = { .a = w->a, .text = text };
    struct err ignored = { 0 };

    for (size_t i = 0; i < COUNT(path); i++)
        (void)!toml_remove(&ed, str_of(path[i]), NULL, &ignored); /* a text that cannot be read counts whole */
    return ed.text;
}

static uint64_t mix_lines(uint64_t sum, struct str text)
{
    struct str line;

    while (str_next_line(&text, &line))
        if (str_trim(line).n)
            sum = mix(sum, line.p, line.n);
    return sum;
}

static uint64_t sum_of_said(struct workspace *w, const char *tree, bool own)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNT(said_in); i++) {
        struct err ignored = { 0 };
        struct str text;

        sum = mix(sum, said_in[i], strlen(said_in[i]));
        if (!fd_read_if_there(AT_FDCWD, arena_printf(w->a, "%s/%s", tree, said_in[i]).p, PROJECT_FILE_MAX, w->a,
                              &text, &ignored) || !text.p)
            continue;
        sum = own && i == 0 ? mix_lines(sum, without_lists(w, text)) : mix(sum, text.p, text.n);
    }
    return sum;
}

static bool left_out(const char *name)
{
    static const char *const out[] = { ".git", ".hg", "__pycache__", ".mypy_cache", ".nox", ".pytest_cache",
                                       ".ruff_cache", ".tox", "node_modules" };

    for (size_t i = 0; i < COUNT(out); i++)
        if (strcmp(name, out[i]) == 0)
            return true;
    return str_ends(str_of(name), STR(".egg-info"));
}

struct walk {
    uint64_t sum; /* of all entries, in any order */
    size_t n;
};

static void walk_tree(struct walk *k, int parent, const char *name, uint64_t path, unsigned depth)
{
    AUTO_FD dir = -1;
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct err ignored = { 0 }; /* what cannot be read cannot be built from either */
    struct stat st;

    if (depth > DEPTH_MAX || !fd_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &dir, &ignored) ||
        file_exists(dir, "pyvenv.cfg") || !file_list_open(dir, ".", &list, &ignored))
        return;
    while (k->n < ENTRIES_MAX && file_list_next(&list, &d, &ignored)) {
        uint64_t here = mix(path, d->d_name, strlen(d->d_name));

        if (left_out(d->d_name) || fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        k->n++;
        if (S_ISDIR(st.st_mode)) {
            walk_tree(k, dir, d->d_name, here, depth + 1);
            continue;
        }
        uint64_t entry[] = { here, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
                             st.st_mode };

        k->sum += mix(0, entry, sizeof entry);
    }
}

static uint64_t sum_of_tree(const char *tree)
{
    struct walk k = { 0 };

    walk_tree(&k, AT_FDCWD, tree, 0, 0);
    return mix(k.sum, &k.n, sizeof k.n);
}

struct str origin_key(struct workspace *w, const char *tree, bool editable, bool own)
{
    uint64_t sum = editable ? sum_of_said(w, tree, own) : sum_of_tree(tree);

    return arena_printf(w->a, "%s %s %016llx", editable ? "editable" : "tree", tree, (unsigned long long)sum);
}

struct str origin_archive_key(struct workspace *w, struct str sha256, struct str subdirectory)
{
    return subdirectory.n ? arena_printf(w->a, STR_FMT "/" STR_FMT, STR_ARG(sha256), STR_ARG(subdirectory)) : sha256;
}

struct str origin_inputs(struct workspace *w, const char *tree, bool own)
{
    return arena_printf(w->a, "%016llx", (unsigned long long)sum_of_said(w, tree, own));
}

uint64_t origin_state(struct workspace *w, const struct lock *l)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < l->n_package; i++) {
        const struct lock_directory *d = l->package[i].directory;

        if (!d)
            continue;
        const char *tree = arena_cstr(w->a, origin_path_from_lock(w, d->path));
        struct str key = origin_key(w, tree, d->editable, origin_is_project(w, tree));

        sum = mix(sum, key.p, key.n);
    }
    return sum;
}
