#include "install/info.h"

#include <fcntl.h>
#include "base/err.h"
#include "base/fd.h"
#include "install/place.h"
#include "pep/record.h"
#include "store/store.h"

#define INSTALLER "blast\n"
#define ROWS_LIMIT RECORD_MAX

/* Files that say what is true of an installation: those of the wheel, if it has them, are not taken. */
static const char *const ours[] = { "RECORD", "INSTALLER", "REQUESTED", "direct_url.json" };

void info_init(struct info *i, struct place *p, uint32_t package, enum link_mode mode)
{
    *i = (struct info){ .place = p, .package = package, .mode = mode };
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

static bool is_ours(struct str leaf)
{
    for (size_t k = 0; k < COUNT(ours); k++)
        if (str_eq(leaf, str_of(ours[k])))
            return true;
    return false;
}

static struct str in_dist_info(struct info *i, struct str leaf)
{
    return arena_printf(i->place->arena, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(i->place->spec->site),
                        STR_ARG(entry_of(i)->dist_info), STR_ARG(leaf));
}

static bool link_files(struct info *i, struct err *e)
{
    const struct store_entry *entry = entry_of(i);
    struct str folder = arena_printf(i->place->arena, STR_FMT "/", STR_ARG(entry->dist_info));
    char tree[STORE_TREE_PATH];

    store_tree_path(entry->hex, tree);
    for (uint32_t k = store_file_from(entry, folder); k < entry->files; k++) {
        struct store_file f = store_file_get(entry, k);
        struct str leaf = f.path;

        if (!str_cut_prefix(&leaf, folder))
            break;
        if (is_ours(leaf))
            continue;
        struct place_item item = { arena_printf(i->place->arena, "%s/" STR_FMT, tree, STR_ARG(f.path)),
                                   in_dist_info(i, leaf), i->package, f.sha256, i->mode, f.executable };

        if (!place_put(i->place, &item, e))
            return false;
    }
    return true;
}

static bool write_own(struct info *i, const char *leaf, struct str content, struct err *e)
{
    struct str to = in_dist_info(i, str_of(leaf));

    return place_write(i->place, to, i->package, content, 0666, e) && info_add(i, to, content, e);
}

/* Rows of the wheel's RECORD that stay true: not those of files that moved or are written anew. */
static bool take_row(struct info *i, const struct record_row *row)
{
    struct str leaf = row->path, stem = entry_of(i)->dist_info, rest = row->path;

    (void)str_cut_suffix(&stem, STR(".dist-info"));
    if (str_cut_prefix(&leaf, entry_of(i)->dist_info) && str_cut_prefix(&leaf, STR("/")))
        return !is_ours(leaf);
    return !(str_cut_prefix(&rest, stem) && str_starts(rest, STR(".data/")));
}

/* The rows of a wheel without moved files are taken as text: the common case, and it may have thousands. */
static bool wheel_rows(struct info *i, struct str text, struct buf *out, struct err *e)
{
    const struct store_entry *entry = entry_of(i);
    struct record r;

    if (!i->moved) {
        bool ok = buf_str(out, text);

        return (!ok || text.n == 0 || text.p[text.n - 1] == '\n' || buf_char(out, '\n')) && ok;
    }
    if (!record_parse(i->place->arena, text, &r, e))
        return false;
    for (size_t k = 0; k < r.n; k++)
        if (take_row(i, &r.row[k]))
            (void)record_write(out, &r.row[k]); /* `full` tells at the end */
    for (uint32_t k = 0; k < entry->files; k++) { /* of .data/purelib and platlib */
        struct store_file f = store_file_get(entry, k);

        if (f.place == STORE_SITE && !record_find(&r, f.path)) {
            struct record_row row = { .path = f.path, .alg = STR("sha256"), .n_digest = HASH_SHA256, .size = f.size };

            memcpy(row.digest, f.sha256, HASH_SHA256);
            (void)record_write(out, &row);
        }
    }
    return buf_printf(out, STR_FMT "/RECORD,,\n", STR_ARG(entry->dist_info));
}

static bool write_record(struct info *i, struct err *e)
{
    const struct store_entry *entry = entry_of(i);
    char tree[STORE_TREE_PATH];
    AUTO_FD fd = -1;
    AUTO_BUF b;
    struct str text;

    store_tree_path(entry->hex, tree);
    struct str from = arena_printf(i->place->arena, "%s/" STR_FMT "/RECORD", tree, STR_ARG(entry->dist_info));

    if (!fd_open(i->place->spec->store->dir, from.p, O_RDONLY | O_NOFOLLOW, 0, &fd, e) || !fd_map(fd, from.p, &text, e))
        return false;
    buf_init(&b, 2 * ROWS_LIMIT);
    bool ok = wheel_rows(i, text, &b, e) && buf_str(&b, buf_done(&i->rows));

    if (text.n)
        fd_unmap(&text);
    if (!ok || b.full)
        return e->kind != ERR_NONE ? false : err_set(e, ERR_PACKAGE, "RECORD becomes too large");
    return place_write(i->place, in_dist_info(i, STR("RECORD")), i->package, buf_done(&b), 0666, e);
}

bool info_finish(struct info *i, struct err *e)
{
    const struct link_package *p = &i->place->spec->packages[i->package];

    i->moved = (entry_of(i)->flags & STORE_MOVED) != 0;
    if (!link_files(i, e) || !write_own(i, "INSTALLER", STR(INSTALLER), e) ||
        (p->requested && !write_own(i, "REQUESTED", STR(""), e)) ||
        (p->direct_url.n && !write_own(i, "direct_url.json", p->direct_url, e)))
        return false;
    return write_record(i, e);
}
