#include "install/wheel.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/mail.h"
#include "install/elf.h"
#include "pep/metadata.h"
#include "pep/pth.h"
#include "pep/name.h"
#include "pep/record.h"
#include "pep/wheel_name.h"

#define WHEEL_FILE_MAX (1u << 20)

/* sha256 of WHEEL_INSTALLER, so that an installation without programs need not load libcrypto. */
#define WHEEL_INSTALLER_SHA256 \
    0x5d, 0x5c, 0xfc, 0x4c, 0xc4, 0xaf, 0x3d, 0x7f, 0x63, 0xeb, 0xff, 0xb4, 0x81, 0xc3, 0xd0, 0xa9, \
    0xf7, 0x1f, 0x8e, 0xe7, 0x27, 0xc7, 0x1a, 0xca, 0x4e, 0x44, 0x05, 0x55, 0x06, 0x0f, 0xfc, 0x5f

/* Known to write into their own folder when used. */
static const char *const self_writers[] = { "chromedriver-autoinstaller", "chromedriver-binary-auto",
                                            "geckodriver-autoinstaller", "tld" };

static bool is_dist_info(struct str name, struct str *dir)
{
    size_t slash = str_find(name, '/');

    *dir = str_sub(name, 0, slash);
    return slash < name.n && str_ends(*dir, STR(".dist-info"));
}

static bool find_dist_info(struct wheel *w, struct err *e)
{
    struct str dir;

    for (size_t i = 0; i < w->zip.n; i++) {
        if (!is_dist_info(w->zip.entry[i].name, &dir))
            continue;
        if (w->dist_info.n && !str_eq(dir, w->dist_info))
            return err_set(e, ERR_PACKAGE, "it has two .dist-info directories, '" STR_FMT "' and '" STR_FMT "'",
                           STR_ARG(w->dist_info), STR_ARG(dir));
        w->dist_info = dir;
    }
    return w->dist_info.n ? true : err_set(e, ERR_PACKAGE, "it has no .dist-info directory");
}

/* A file of the dist-info directory; out->p == NULL when it is not there. */
static bool read_info(const struct wheel *w, const char *leaf, size_t limit, struct arena *a, struct str *out,
                      struct err *e)
{
    struct str name = arena_printf(a, STR_FMT "/%s", STR_ARG(w->dist_info), leaf);
    const struct zip_entry *entry = zip_find(&w->zip, name);

    *out = (struct str){ NULL, 0 };
    if (!entry)
        return true;
    if (entry->size > limit)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has %llu bytes, the limit is %zu", STR_ARG(name),
                       (unsigned long long)entry->size, limit);
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    char *p = arena_alloc(a, (size_t)entry->size + 1);

    if (!zip_read(&w->zip, entry, p, inflater, e))
        return false;
    p[entry->size] = '\0';
    *out = (struct str){ p, (size_t)entry->size };
    return true;
}

static bool need_info(const struct wheel *w, const char *leaf, size_t limit, struct arena *a, struct str *out,
                      struct err *e)
{
    if (!read_info(w, leaf, limit, a, out, e))
        return false;
    return out->p ? true : err_set(e, ERR_PACKAGE, "'" STR_FMT "/%s' is missing", STR_ARG(w->dist_info), leaf);
}

/* "1.0": a higher minor number is compatible by definition, a higher major one is not. */
static bool check_format(struct str text, struct err *e)
{
    struct str version;
    uint64_t major;

    if (!mail_find(text, STR("Wheel-Version"), &version))
        return err_set(e, ERR_PACKAGE, "its WHEEL file has no Wheel-Version");
    if (!str_to_u64(str_sub(version, 0, str_find(version, '.')), &major) || major != 1)
        return err_set(e, ERR_PACKAGE, "it has Wheel-Version '" STR_FMT "', Blast reads 1.x", STR_ARG(version));
    return true;
}

static bool read_identity(struct wheel *w, struct str file, struct arena *a, struct err *e)
{
    struct wheel_name name;
    struct metadata m;
    struct str text, pure;

    if (!wheel_name_parse(file, &name, e) || !find_dist_info(w, e) ||
        !need_info(w, "WHEEL", WHEEL_FILE_MAX, a, &text, e) || !check_format(text, e))
        return false;
    w->purelib = mail_find(text, STR("Root-Is-Purelib"), &pure) && str_eq_nocase(pure, STR("true"));
    if (!need_info(w, "METADATA", METADATA_MAX, a, &text, e) || !metadata_parse(a, text, &m, e) ||
        !metadata_check_name(&m, name.project, name.version, e))
        return false;
    w->name = m.name;
    w->version = m.version;
    if (!read_info(w, "entry_points.txt", ENTRY_POINTS_MAX, a, &text, e))
        return false;
    return !text.p || entry_points_parse(a, text, &w->points, e);
}

/* Where a member goes. Folders of .data move to their place (binary distribution format, "The .data directory"). */
static bool place_member(const struct wheel *w, struct wheel_member *m, struct arena *a, struct err *e)
{
    static const struct {
        const char *scheme, *to;
        enum store_place place;
    } schemes[] = {
        { "purelib/", "", STORE_SITE },
        { "platlib/", "", STORE_SITE },
        { "scripts/", STORE_RESERVED "/scripts/", STORE_SCRIPT },
        { "headers/", STORE_RESERVED "/headers/", STORE_HEADER },
        { "data/", STORE_RESERVED "/data/", STORE_DATA },
    };
    struct str stem = w->dist_info, rest = m->entry->name;

    (void)str_cut_suffix(&stem, STR(".dist-info"));
    m->path = rest;
    m->place = STORE_SITE;
    if (str_cut_prefix(&rest, stem) && str_cut_prefix(&rest, STR(".data/"))) {
        size_t i = 0;

        while (i < COUNT(schemes) && !str_cut_prefix(&rest, str_of(schemes[i].scheme)))
            i++;
        if (i == COUNT(schemes))
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' belongs to no known scheme", STR_ARG(m->entry->name));
        m->place = schemes[i].place;
        m->path = m->place == STORE_SITE ? rest : arena_printf(a, "%s" STR_FMT, schemes[i].to, STR_ARG(rest));
    }
    if (m->place == STORE_SITE && str_eq(str_sub(m->path, 0, str_find(m->path, '/')), STR(STORE_RESERVED)))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' uses a name that is reserved", STR_ARG(m->path));
    return true;
}

static bool match_rows(struct wheel *w, const struct record *r, struct arena *a, struct err *e)
{
    AUTO_MAP rows = { 0 };
    VEC(struct wheel_member) members = { 0 };
    struct str nothing;

    for (size_t i = 0; i < r->n; i++)
        map_put(&rows, r->row[i].path, (uint32_t)i);
    for (size_t i = 0; i < w->zip.n; i++) {
        struct wheel_member m = { .entry = &w->zip.entry[i] };
        struct str name = m.entry->name, leaf = name;

        if (m.entry->is_dir) {
            if (!zip_view(&w->zip, m.entry, &nothing, e)) /* its header; those of files are read with them */
                return false;
            continue;
        }
        uint32_t at = map_find(&rows, name);

        if (at != MAP_NONE)
            m.row = &r->row[at];
        else if (!(str_cut_prefix(&leaf, w->dist_info) && record_is_unhashed(name)))
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not listed in RECORD", STR_ARG(name));
        if (!place_member(w, &m, a, e))
            return false;
        VEC_PUSH_IN(a, &members, m);
    }
    w->members = members.p;
    w->n = members.n;
    return true;
}

static bool read_all(struct str file, struct str bytes, struct arena *a, struct wheel *w, struct err *e)
{
    struct record r;
    struct str text;

    return zip_open_directory(bytes, NULL, a, &w->zip, e) && read_identity(w, file, a, e) &&
           need_info(w, "RECORD", RECORD_MAX, a, &text, e) && record_parse(a, text, &r, e) &&
           match_rows(w, &r, a, e);
}

bool wheel_read(struct str file, struct str bytes, struct arena *a, struct wheel *out, struct err *e)
{
    struct wheel w = { .dist_info = STR("") };

    if (!read_all(file, bytes, a, &w, e))
        return e->kind == ERR_PACKAGE ? err_exit(e, 5) : false;
    *out = w;
    return true;
}

/* NULL when RECORD says nothing of the content. */
static const struct record_row *row_of(const struct wheel_member *m)
{
    return m->row && m->row->alg.n && !record_is_unhashed(m->row->path) ? m->row : NULL;
}

/* RECORD's kind of hash, where that is not sha256, which is computed anyway. */
static bool other_digest(const struct wheel_member *m, struct digest **out, struct err *e)
{
    const struct record_row *row = row_of(m);

    *out = NULL;
    if (!row || str_eq(row->alg, STR("sha256")))
        return true;
    if (!str_eq(row->alg, STR("sha384")) && !str_eq(row->alg, STR("sha512")))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has a hash of the kind '" STR_FMT "' in RECORD",
                       STR_ARG(m->entry->name), STR_ARG(row->alg));
    return digest_new(row->alg, out, e);
}

/* other: of the whole content, if there is such a digest. */
static bool compare(const struct wheel_member *m, struct digest *other, size_t size, struct err *e)
{
    const struct record_row *row = row_of(m);
    unsigned char digest[HASH_MAX];
    size_t n = HASH_SHA256;

    if (!row)
        return true;
    if (row->size != RECORD_NO_SIZE && row->size != size)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has %zu bytes, RECORD says %llu", STR_ARG(m->entry->name),
                       size, (unsigned long long)row->size);
    if (other)
        digest_finish(other, digest, &n);
    else
        memcpy(digest, m->sha256, n);
    if (n != row->n_digest || memcmp(digest, row->digest, n) != 0)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not what RECORD says: its " STR_FMT " differs",
                       STR_ARG(m->entry->name), STR_ARG(row->alg));
    return true;
}

static bool has_top(const struct wheel *w, struct str top)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->members[i].place == STORE_SITE &&
            str_eq(str_sub(w->members[i].path, 0, str_find(w->members[i].path, '/')), top))
            return true;
    return false;
}

static bool leaves_wheel(const struct wheel *w, const struct wheel_member *m, struct str content)
{
    struct str list[ELF_PATHS_MAX];
    size_t n = elf_library_paths(content, list);

    for (size_t i = 0; i < n; i++) {
        for (struct str entry, top; str_next(&list[i], ':', &entry);) {
            bool outside;

            if (elf_origin_top(m->path, entry, &top, &outside) && (outside || (top.n && !has_top(w, top))))
                return true;
        }
    }
    return false;
}

/* Does the interpreter run it when it starts? `top` lies in site-packages. */
static unsigned start_up_flags(struct str top, struct str content)
{
    struct str stem = str_sub(top, 0, str_find(top, '.'));

    if (str_ends(top, STR(".pth")))
        return STORE_HAS_PTH | (pth_has_code(content) ? STORE_START_UP_CODE : 0);
    if (str_ends(top, STR(".start")) || str_eq(stem, STR("sitecustomize")) || str_eq(stem, STR("usercustomize")))
        return STORE_START_UP_CODE;
    return 0;
}

/* Files of .data/data go to the environment's root and can land in site-packages, too. */
static unsigned data_flags(struct str path, struct str content)
{
    size_t slash = str_rfind(path, '/');

    if (str_search(path, STR("-packages/sitecustomize")) < path.n ||
        str_search(path, STR("-packages/usercustomize")) < path.n)
        return STORE_START_UP_CODE;
    if (slash == path.n || !str_ends(str_sub(path, 0, slash), STR("-packages")))
        return 0;
    return start_up_flags(str_sub(path, slash + 1, path.n), content);
}

static unsigned flags_of(const struct wheel *w, const struct wheel_member *m, struct str content)
{
    struct str top = str_sub(m->path, 0, str_find(m->path, '/'));
    bool alone = top.n == m->path.n;
    unsigned flags = str_eq(m->path, m->entry->name) ? 0 : STORE_MOVED;

    if (m->place == STORE_DATA)
        return flags | data_flags(m->path, content);
    if (m->place != STORE_SITE)
        return flags;
    flags |= alone ? start_up_flags(top, content) : start_up_flags(str_sub(top, 0, str_find(top, '.')), content);
    if (str_starts(content, STR("\177ELF")) && leaves_wheel(w, m, content))
        flags |= STORE_RPATH_LEAVES;
    for (size_t i = 0; i < COUNT(self_writers); i++)
        if (name_eq(w->name, str_of(self_writers[i])))
            flags |= STORE_WRITES_SELF;
    return flags;
}

static bool exit_5(struct err *e)
{
    return e->kind == ERR_PACKAGE ? err_exit(e, 5) : false;
}

bool wheel_check(const struct wheel *w, struct wheel_member *m, struct str content, struct err *e)
{
    AUTO_DIGEST other = NULL;

    if (!hash_sha256(content.p, content.n, m->sha256, e))
        return false;
    m->fast = hash_fast(content.p, content.n);
    m->flags = flags_of(w, m, content);
    if (!other_digest(m, &other, e))
        return exit_5(e);
    if (other)
        digest_add(other, content.p, content.n);
    return compare(m, other, content.n, e) || exit_5(e);
}

bool wheel_sum_open(const struct wheel_member *m, struct wheel_sum *out, struct err *e)
{
    *out = (struct wheel_sum){ 0 };
    if (!digest_new(STR("sha256"), &out->sha256, e))
        return false;
    out->fast = hash_fast_new();
    return other_digest(m, &out->other, e) || exit_5(e);
}

void wheel_sum_add(struct wheel_sum *s, struct str piece)
{
    digest_add(s->sha256, piece.p, piece.n);
    hash_fast_add(s->fast, piece.p, piece.n);
    if (s->other)
        digest_add(s->other, piece.p, piece.n);
}

bool wheel_sum_check(const struct wheel *w, struct wheel_member *m, struct wheel_sum *s, struct str content,
                     struct err *e)
{
    unsigned char digest[HASH_MAX];
    size_t n;

    digest_finish(s->sha256, digest, &n);
    memcpy(m->sha256, digest, HASH_SHA256);
    m->fast = hash_fast_finish(s->fast);
    m->flags = flags_of(w, m, content);
    return compare(m, s->other, content.n, e) || exit_5(e);
}

void wheel_sum_close(struct wheel_sum *s)
{
    digest_free(s->sha256);
    digest_free(s->other);
    hash_fast_free(s->fast);
    *s = (struct wheel_sum){ 0 };
}

/* Files that say what is true of an installation: those of a wheel, if it has them, are not taken. */
bool wheel_is_own(struct str leaf)
{
    static const char *const own[] = { "RECORD", "INSTALLER", "REQUESTED", "direct_url.json" };

    for (size_t i = 0; i < COUNT(own); i++)
        if (str_eq(leaf, str_of(own[i])))
            return true;
    return false;
}

bool wheel_record(const struct wheel *w, struct arena *a, struct buf *out)
{
    static const unsigned char installer[HASH_SHA256] = { WHEEL_INSTALLER_SHA256 };
    struct record_row row = { .alg = STR("sha256"), .n_digest = HASH_SHA256 };

    for (size_t i = 0; i < w->n; i++) {
        const struct wheel_member *m = &w->members[i];
        struct str leaf = m->path;

        if (m->place != STORE_SITE || (str_cut_prefix(&leaf, w->dist_info) && str_cut_prefix(&leaf, STR("/")) &&
                                       wheel_is_own(leaf)))
            continue;
        row.path = m->path;
        row.size = m->entry->size;
        memcpy(row.digest, m->sha256, sizeof m->sha256);
        (void)record_write(out, &row); /* `full` tells at the end */
    }
    row.path = arena_printf(a, STR_FMT "/INSTALLER", STR_ARG(w->dist_info));
    row.size = sizeof WHEEL_INSTALLER - 1;
    memcpy(row.digest, installer, sizeof installer);
    (void)record_write(out, &row);
    row = (struct record_row){ .path = arena_printf(a, STR_FMT "/RECORD", STR_ARG(w->dist_info)),
                               .size = RECORD_NO_SIZE };
    return record_write(out, &row);
}
