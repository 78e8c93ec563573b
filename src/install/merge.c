#include "install/merge.h"

#include <stdlib.h>
#include "base/err.h"
#include "install/place.h"
#include "store/store.h"

struct merge {
    struct place *place;
    struct merge_file *files;
    const unsigned char *mode_of;
};

static int file_order(const void *a, const void *b)
{
    const struct merge_file *x = a, *y = b;
    int c = str_cmp(x->path, y->path);

    return c ? c : (x->package > y->package) - (x->package < y->package);
}

static bool can_be_imported(struct str name)
{
    return str_find(name, '.') == name.n && str_find(name, '-') == name.n;
}

/* Other wheels share namespaces near the top ("google/cloud"), so a folder without __init__.py is filled by links; but
 * one far below with many files ("ansible_collections/community/general") is one wheel's in practice, and each file
 * would cost a link. */
static bool is_far_below(struct str path, size_t files)
{
    size_t levels = 1;

    for (size_t i = 0; i < path.n; i++)
        levels += path.p[i] == '/';
    return levels >= 3 && files >= 64;
}

/* [lo, hi) lie in one folder whose path has `depth` bytes: it can be linked whole when one wheel fills it, that wheel
 * is linked by folder, and nobody else is to add to it: it has __init__.py, cannot be imported or lies far below. */
static bool is_whole(const struct merge *m, size_t lo, size_t hi, size_t depth)
{
    struct str path = str_sub(m->files[lo].path, 0, depth);
    struct str name = str_sub(path, str_rfind(path, '/') < path.n ? str_rfind(path, '/') + 1 : 0, path.n);
    bool init = !can_be_imported(name) || is_far_below(path, hi - lo);

    if (m->mode_of[m->files[lo].package] != LINK_TREE)
        return false;
    for (size_t i = lo; i < hi; i++) {
        struct str rest = str_sub(m->files[i].path, depth + 1, m->files[i].path.n);

        if (m->files[i].package != m->files[lo].package)
            return false;
        init = init || str_starts(rest, STR("__init__."));
    }
    return init;
}

static bool put(struct merge *m, size_t i, size_t n, const unsigned char *sha256, bool executable, struct err *e)
{
    const struct merge_file *f = &m->files[i];
    const struct link_spec *spec = m->place->spec;
    char tree[STORE_TREE_PATH];

    store_tree_path(spec->packages[f->package].entry->hex, tree);
    struct place_item item = {
        .from = arena_printf(m->place->arena, "%s/" STR_FMT, tree, (int)n, f->path.p),
        .to = arena_printf(m->place->arena, STR_FMT "/" STR_FMT, STR_ARG(spec->site), (int)n, f->path.p),
        .package = f->package,
        .sha256 = sha256,
        .mode = sha256 && m->mode_of[f->package] == LINK_TREE ? m->place->file_mode
                                                             : (enum link_mode)m->mode_of[f->package],
        .executable = executable,
    };

    return place_put(m->place, &item, e);
}

static bool merge_range(struct merge *m, size_t lo, size_t hi, size_t depth, struct err *e)
{
    for (size_t i = lo, n; i < hi; i += n) {
        struct str path = m->files[i].path;
        size_t end = depth + str_find(str_sub(path, depth, path.n), '/');

        n = 1;
        if (end == path.n) {
            struct store_file f = store_file_get(m->place->spec->packages[m->files[i].package].entry,
                                                 m->files[i].index);

            if (!put(m, i, end, f.sha256, f.executable, e))
                return false;
            continue;
        }
        struct str folder = str_sub(path, 0, end + 1);

        while (i + n < hi && str_starts(m->files[i + n].path, folder))
            n++;
        if (is_whole(m, i, i + n, end) ? !put(m, i, end, NULL, false, e) : !merge_range(m, i, i + n, end + 1, e))
            return false;
    }
    return true;
}

bool merge_files(struct place *p, struct merge_file *files, size_t n, const unsigned char *mode_of, struct err *e)
{
    struct merge m = { p, files, mode_of };

    if (n)
        qsort(files, n, sizeof *files, file_order);
    return merge_range(&m, 0, n, 0, e);
}
