#include "install/info.h"

#include <fcntl.h>
#include "base/err.h"
#include "base/fd.h"
#include "install/place.h"
#include "install/wheel.h"
#include "pep/record.h"
#include "store/store.h"

#define ROWS_LIMIT RECORD_MAX

void info_init(struct info *i, struct place *p, uint32_t package, enum link_mode mode)
{
    *i = (struct info){ .place = p, .package = package, .by_folder = mode == LINK_TREE,
                        .mode = mode == LINK_TREE ? p->file_mode : mode };
    buf_init(&i->rows, ROWS_LIMIT);
}

void info_clear(struct info *i)
{
    buf_clear(&i->rows);
}

static const struct store_entry *entry_of(const struct info *i)
{
    return i->place->spec->packages[i->package].entry;
}

/* "bin/tool" as seen from site-packages: "../../../bin/tool". */
static struct str from_site(struct info *i, struct str path)
{
    struct str site = i->place->spec->site, rest = path;
    struct str up = STR("../../../../../../../../");
    size_t depth = 1;

    if (str_cut_prefix(&rest, site) && str_cut_prefix(&rest, STR("/")))
        return rest;
    for (size_t k = 0; k < site.n; k++)
        depth += site.p[k] == '/';
    return arena_printf(i->place->arena, STR_FMT STR_FMT, STR_ARG(str_sub(up, 0, MIN(depth * 3, up.n))), STR_ARG(path));
}

static bool add_row(struct info *i, struct str path, const unsigned char *sha256, uint64_t size, struct err *e)
{
    struct record_row row = { .path = from_site(i, path), .alg = STR("sha256"), .n_digest = HASH_SHA256, .size = size };

    memcpy(row.digest, sha256, HASH_SHA256);
    return record_write(&i->rows, &row) ? true : err_set(e, ERR_PACKAGE, "RECORD becomes too large");
}

bool info_add(struct info *i, struct str path, struct str content, struct err *e)
{
    unsigned char sha256[HASH_SHA256];

    return hash_sha256(content.p, content.n, sha256, e) && add_row(i, path, sha256, content.n, e);
}

bool info_add_stored(struct info *i, struct str path, const struct store_file *f, struct err *e)
{
    return add_row(i, path, f->sha256, f->size, e);
}

static struct str in_dist_info(struct info *i, struct str leaf)
{
    return arena_printf(i->place->arena, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(i->place->spec->site),
                        STR_ARG(entry_of(i)->dist_info), STR_ARG(leaf));
}

/* Where single files are linked and folders may be, a folder in .dist-info (licenses/) is one link. */
static bool put(struct info *i, const struct store_file *f, struct str leaf, const char *tree, struct str *folder,
                struct err *e)
{
    size_t slash = str_find(leaf, '/');
    bool whole = i->by_folder && slash < leaf.n;
    struct str path = whole ? str_sub(f->path, 0, f->path.n - leaf.n + slash) : f->path;

    if (whole && str_eq(path, *folder))
        return true;
    *folder = path;
    struct place_item item = { arena_printf(i->place->arena, "%s/" STR_FMT, tree, STR_ARG(path)),
                               in_dist_info(i, whole ? str_sub(leaf, 0, slash) : leaf), i->package,
                               whole ? NULL : f->sha256, whole ? LINK_TREE : i->mode, f->executable };

    return place_put(i->place, &item, e);
}

static bool link_files(struct info *i, struct err *e)
{
    const struct store_entry *entry = entry_of(i);
    struct str prefix = arena_printf(i->place->arena, STR_FMT "/", STR_ARG(entry->dist_info));
    struct str folder = STR("");
    char tree[STORE_TREE_PATH];

    store_tree_path(entry->hex, tree);
    for (uint32_t k = store_file_from(entry, prefix); k < entry->files; k++) {
        struct store_file f = store_file_get(entry, k);
        struct str leaf = f.path;

        if (!str_cut_prefix(&leaf, prefix))
            break;
        if (!wheel_is_own(leaf) && !put(i, &f, leaf, tree, &folder, e))
            return false;
    }
    return true;
}

static bool write_own(struct info *i, const char *leaf, struct str content, struct err *e)
{
    struct str to = in_dist_info(i, str_of(leaf));

    return place_write(i->place, to, i->package, content, 0666, e) && info_add(i, to, content, e);
}

/* The same few bytes for every package: one file of this prefix, linked. */
static bool put_installer(struct info *i, struct err *e)
{
    struct str to = in_dist_info(i, STR("INSTALLER"));

    if (i->place->installer.n && place_link_own(i->place, i->place->installer, to, i->package, e))
        return true;
    err_clear(e); /* a file system without hard links, or too many of them */
    i->place->installer = to;
    return place_write(i->place, to, i->package, STR(WHEEL_INSTALLER), 0666, e);
}

/* The store keeps RECORD ready for an installation that adds nothing; else the rows of what was added follow. */
static bool put_record(struct info *i, struct err *e)
{
    const struct store_entry *entry = entry_of(i);
    char tree[STORE_TREE_PATH];
    AUTO_FD fd = -1;
    AUTO_BUF b;

    store_tree_path(entry->hex, tree);
    struct str from = arena_printf(i->place->arena, "%s/" STORE_RECORD, tree);
    struct str to = in_dist_info(i, STR("RECORD"));
    struct place_item item = { from, to, i->package, NULL, i->mode, false };

    buf_init(&b, 2 * (size_t)ROWS_LIMIT);
    if (i->rows.n == 0)
        return place_put(i->place, &item, e);
    if (!fd_open(i->place->spec->store->dir, from.p, O_RDONLY | O_NOFOLLOW, 0, &fd, e) ||
        !fd_read_all(fd, &b, from.p, e))
        return false;
    if (!buf_str(&b, buf_done(&i->rows)))
        return err_set(e, ERR_PACKAGE, "RECORD becomes too large");
    return place_write(i->place, to, i->package, buf_done(&b), 0666, e);
}

bool info_finish(struct info *i, struct err *e)
{
    const struct link_package *p = &i->place->spec->packages[i->package];

    if (!link_files(i, e) || !put_installer(i, e) || (p->requested && !write_own(i, "REQUESTED", STR(""), e)) ||
        (p->direct_url.n && !write_own(i, "direct_url.json", p->direct_url, e)))
        return false;
    return put_record(i, e);
}
