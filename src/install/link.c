#include "install/link.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/trace.h"
#include "install/info.h"
#include "install/merge.h"
#include "install/place.h"
#include "install/scripts.h"
#include "install/shims.h"
#include "pep/entry_points.h"
#include "store/store.h"

static const char *const words[] = { "auto", "tree", "hardlink", "reflink", "copy" };

enum link_mode link_default_mode(void)
{
    return geteuid() == 0 ? LINK_HARDLINK : LINK_TREE;
}

const char *link_mode_word(enum link_mode mode)
{
    return words[mode];
}

bool link_mode_parse(struct str word, enum link_mode *out, struct err *e)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq(word, str_of(words[i]))) {
            *out = (enum link_mode)i;
            return true;
        }
    }
    (void)err_set(e, ERR_CONFIG, "'" STR_FMT "' is no link mode", STR_ARG(word));
    return err_hint(e, "one of auto, tree, hardlink, reflink, copy");
}

struct linker {
    struct place place;
    const struct link_spec *spec;
    bool near;              /* store and prefix: one file system and one owner, so hard links work */
    enum link_mode file_mode; /* for single files in tree mode */
    unsigned char *mode_of; /* of each package */
    struct map tops;        /* top-level name -> the only package that has it, or SHARED */
};

#define SHARED (MAP_NONE - 1)

static bool probe(struct linker *l, struct link_result *out, struct err *e)
{
    struct stat store, prefix;

    if (fstat(l->spec->store->dir, &store) < 0 || fstat(l->spec->prefix, &prefix) < 0)
        return err_sys(e, "stat the store and the environment");
    /* Hard links to files of another owner are refused where fs.protected_hardlinks is set. */
    l->near = store.st_dev == prefix.st_dev && (store.st_uid == geteuid() || geteuid() == 0);
    l->file_mode = l->near ? LINK_HARDLINK : LINK_TREE;
    out->mode = l->spec->mode == LINK_AUTO ? link_default_mode() : l->spec->mode;
    if (out->mode != LINK_HARDLINK || l->near)
        return true;
    if (l->spec->mode == LINK_AUTO) {
        out->mode = LINK_COPY;
        out->note = STR("files are copied, because the store lies on another file system than the environment");
        return true;
    }
    (void)err_set(e, ERR_ENVIRONMENT, "hard links do not work between the store and the environment: they lie on "
                                      "different file systems");
    return err_hint(e, "use --link-mode tree or copy, or put the store on that file system with BLAST_STORE_DIR");
}

static void choose_modes(struct linker *l, const struct link_result *r)
{
    const unsigned not_by_folder = STORE_RPATH_LEAVES | STORE_WRITES_SELF;

    for (size_t i = 0; i < l->spec->n; i++) {
        enum link_mode mode = r->mode;

        if (mode == LINK_TREE && l->spec->packages[i].entry->flags & not_by_folder)
            mode = l->near ? LINK_HARDLINK : LINK_COPY;
        l->mode_of[i] = (unsigned char)mode;
    }
}

static void count_tops(struct linker *l)
{
    for (uint32_t i = 0; i < l->spec->n; i++) {
        const struct store_entry *entry = l->spec->packages[i].entry;

        for (uint32_t t = 0; t < entry->tops; t++) {
            bool added;
            struct str name = store_top_get(entry, t).name;

            if (map_get_or_add(&l->tops, name, i, &added) != i && !added)
                map_put(&l->tops, name, SHARED);
        }
    }
}

static struct str below(struct linker *l, const char *tree, struct str path)
{
    return arena_printf(l->place.arena, "%s/" STR_FMT, tree, STR_ARG(path));
}

static struct str in_site(struct linker *l, struct str path)
{
    return arena_printf(l->place.arena, STR_FMT "/" STR_FMT, STR_ARG(l->spec->site), STR_ARG(path));
}

static bool put_file(struct linker *l, uint32_t package, uint32_t index, struct str to, struct err *e)
{
    const struct store_entry *entry = l->spec->packages[package].entry;
    struct store_file f = store_file_get(entry, index);
    enum link_mode mode = (enum link_mode)l->mode_of[package];
    char tree[STORE_TREE_PATH];

    store_tree_path(entry->hex, tree);
    struct place_item item = { below(l, tree, f.path), to, package, f.sha256, mode == LINK_TREE ? l->file_mode : mode,
                               f.executable };

    return place_put(&l->place, &item, e);
}

/* Tops that belong to one wheel; the others are collected for merging. */
struct collected {
    struct merge_file *p;
    size_t n, cap;
};

static void collect(struct linker *l, uint32_t package, const struct store_top *t, struct collected *out)
{
    for (uint32_t i = t->first; i < t->first + t->n; i++)
        VEC_PUSH_IN(l->place.arena, out,
                    (struct merge_file){ store_file_get(l->spec->packages[package].entry, i).path, package, i });
}

static bool put_top(struct linker *l, uint32_t package, const struct store_top *t, struct collected *out, struct err *e)
{
    const struct store_entry *entry = l->spec->packages[package].entry;
    bool by_folder = l->mode_of[package] == LINK_TREE;
    char tree[STORE_TREE_PATH];

    if (t->kind == STORE_TOP_DIST_INFO)
        return true; /* info.h */
    if (map_find(&l->tops, t->name) == SHARED || (by_folder && t->kind == STORE_TOP_NAMESPACE)) {
        collect(l, package, t, out);
        return true;
    }
    if (by_folder && t->kind == STORE_TOP_PACKAGE) {
        store_tree_path(entry->hex, tree);
        struct place_item item = { below(l, tree, t->name), in_site(l, t->name), package, NULL, LINK_TREE, false };

        return place_put(&l->place, &item, e);
    }
    for (uint32_t i = t->first; i < t->first + t->n; i++)
        if (!put_file(l, package, i, in_site(l, store_file_get(entry, i).path), e))
            return false;
    return true;
}

static void warn_reserved(struct linker *l, uint32_t package, struct str name)
{
    place_warn(&l->place, arena_printf(l->place.arena, "the program '" STR_FMT "' of '" STR_FMT
                                       "' is left out: its name is reserved", STR_ARG(name),
                                       STR_ARG(l->spec->packages[package].entry->name)));
}

static bool write_script(struct linker *l, struct info *info, struct str name, struct str content, struct err *e)
{
    struct str to = arena_printf(l->place.arena, "bin/" STR_FMT, STR_ARG(name));

    return place_write(&l->place, to, info->package, content, 0777, e) && info_add(info, to, content, e);
}

static bool put_entry_points(struct linker *l, struct info *info, struct err *e)
{
    const struct store_entry *entry = l->spec->packages[info->package].entry;
    AUTO_BUF b;

    buf_init(&b, 1u << 20);
    for (uint32_t i = 0; i < entry->points; i++) {
        struct store_point point = store_point_get(entry, i);

        if (entry_point_is_reserved(point.name)) {
            warn_reserved(l, info->package, point.name);
            continue;
        }
        buf_reset(&b);
        if (!entry_point_is_safe(point.name))
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no name for a program", STR_ARG(point.name));
        if (!script_entry_point(l->spec->interpreter, point.object, &b, e) ||
            !write_script(l, info, point.name, buf_done(&b), e))
            return false;
    }
    return true;
}

/* A program of .data/scripts: with its first line rewritten, or as it is. */
static bool put_script(struct linker *l, struct info *info, const struct store_file *f, struct str name, struct err *e)
{
    char tree[STORE_TREE_PATH];
    struct str map, rest;
    AUTO_FD fd = -1;
    AUTO_BUF b = { 0 };

    store_tree_path(l->spec->packages[info->package].entry->hex, tree);
    struct str from = below(l, tree, f->path);

    if (!fd_open(l->spec->store->dir, from.p, O_RDONLY | O_NOFOLLOW, 0, &fd, e) || !fd_map(fd, from.p, &map, e))
        return false;
    buf_init(&b, map.n + (1u << 20));
    if (script_wants_python(map, &rest)) {
        (void)script_shebang(l->spec->interpreter, &b);
        (void)buf_str(&b, rest); /* the limit leaves room */
    } else {
        (void)buf_str(&b, map);
    }
    if (map.n)
        fd_unmap(&map);
    return write_script(l, info, name, buf_done(&b), e);
}

static bool is_reserved_path(struct str path)
{
    struct str name = path;

    if (str_cut_prefix(&name, STR("bin/")))
        return entry_point_is_reserved(name);
    return str_eq(name, STR(SHIMS_FOLDER)) || str_starts(name, STR(SHIMS_FOLDER "/"));
}

/* What lies aside in the store: programs, headers, data. */
static bool put_aside(struct linker *l, struct info *info, struct err *e)
{
    const struct store_entry *entry = l->spec->packages[info->package].entry;

    for (uint32_t i = store_file_from(entry, STR(STORE_RESERVED "/")); i < entry->files; i++) {
        struct store_file f = store_file_get(entry, i);
        struct str rest = f.path, to;

        if (f.place == STORE_SITE) /* sorted: nothing of the reserved folder comes any more */
            return true;
        if (str_cut_prefix(&rest, STR(STORE_RESERVED "/scripts/"))) {
            if (entry_point_is_reserved(rest))
                warn_reserved(l, info->package, rest);
            else if (!put_script(l, info, &f, rest, e))
                return false;
            continue;
        }
        if (str_cut_prefix(&rest, STR(STORE_RESERVED "/headers/")))
            to = arena_printf(l->place.arena, "include/site/" STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(l->spec->python),
                              STR_ARG(entry->name), STR_ARG(rest));
        else if (str_cut_prefix(&rest, STR(STORE_RESERVED "/data/")))
            to = rest;
        else
            continue;
        if (is_reserved_path(to)) {
            warn_reserved(l, info->package, to);
            continue;
        }
        if (!put_file(l, info->package, i, to, e) || !info_add_stored(info, to, &f, e))
            return false;
    }
    return true;
}

static bool link_info(struct linker *l, uint32_t package, struct err *e)
{
    struct info info;

    info_init(&info, &l->place, package, (enum link_mode)l->mode_of[package]);
    bool ok = put_entry_points(l, &info, e) && put_aside(l, &info, e) && info_finish(&info, e);

    info_clear(&info);
    return ok;
}

static bool link_all(struct linker *l, struct link_result *out, struct err *e)
{
    struct collected shared = { 0 };

    if (!probe(l, out, e))
        return false;
    l->place.file_mode = l->file_mode;
    choose_modes(l, out);
    count_tops(l);
    for (uint32_t i = 0; i < l->spec->n; i++) {
        const struct store_entry *entry = l->spec->packages[i].entry;
        uint64_t begun = trace_now();

        for (uint32_t t = 0; t < entry->tops; t++) {
            struct store_top top = store_top_get(entry, t);

            if (!put_top(l, i, &top, &shared, e))
                return err_wrap(e, "link '" STR_FMT "'", STR_ARG(entry->name));
        }
        if (!link_info(l, i, e))
            return err_wrap(e, "link '" STR_FMT "'", STR_ARG(entry->name));
        trace_add(TRACE_LINK, entry->name, begun, entry->bytes);
    }
    return merge_files(&l->place, shared.p, shared.n, l->mode_of, e) && place_finish(&l->place, e);
}

bool link_packages(const struct link_spec *spec, struct arena *a, struct link_result *out, struct err *e)
{
    struct link_result result = { .note = STR("") };
    struct linker l = { .spec = spec, .mode_of = ARENA_ARRAY(a, unsigned char, spec->n + 1) };

    place_init(&l.place, spec, spec->mode, a, &result);
    bool ok = link_all(&l, &result, e);

    place_clear(&l.place);
    map_clear(&l.tops);
    if (ok)
        *out = result;
    return ok;
}
