#include "index/sdist_meta.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/gzip.h"
#include "codec/tar.h"
#include "codec/zip.h"
#include "pep/metadata.h"

/* "demo-1.0/PKG-INFO": one directory deep. */
static bool is_top(struct str path, struct str leaf)
{
    size_t slash = str_find(path, '/');

    return slash < path.n && str_eq(str_sub(path, slash + 1, path.n), leaf);
}

static bool too_large(struct str leaf, uint64_t n, struct err *e)
{
    return err_set(e, ERR_PACKAGE, STR_FMT " has %llu bytes, the limit is %d", STR_ARG(leaf), (unsigned long long)n,
                   METADATA_MAX);
}

static bool from_tar(struct str archive, struct str leaf, struct arena *a, struct str *out, struct err *e)
{
    AUTO_BUF b = { .limit = SDIST_UNPACKED_MAX };
    struct tar_entry en;

    if (!gzip_unpack(archive, &b, e))
        return false;
    struct str rest = { b.p, b.n };

    while (tar_next(&rest, &en, e)) {
        bool here = en.prefix.n ? str_eq(en.name, leaf) && str_find(en.prefix, '/') == en.prefix.n
                                : is_top(en.name, leaf);

        if (!en.is_file || !here)
            continue;
        if (en.data.n > METADATA_MAX)
            return too_large(leaf, en.data.n, e);
        *out = arena_str(a, en.data);
        return true;
    }
    return e->kind == ERR_NONE;
}

static bool from_zip(struct str archive, struct str leaf, struct arena *a, struct str *out, struct err *e)
{
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct zip z;

    if (!zip_open(archive, NULL, a, &z, e))
        return false;
    for (size_t i = 0; i < z.n; i++) {
        const struct zip_entry *en = &z.entry[i];

        if (!is_top(en->name, leaf))
            continue;
        if (en->size > METADATA_MAX)
            return too_large(leaf, en->size, e);
        char *text = arena_alloc(a, en->size + 1);

        text[en->size] = '\0';
        *out = (struct str){ text, en->size };
        return zip_read(&z, en, text, inflater, e);
    }
    return true;
}

bool sdist_file(struct str archive, struct str file_name, struct str leaf, struct arena *a, struct str *out,
                struct err *e)
{
    err_clear(e);
    *out = (struct str){ NULL, 0 };
    if (str_ends(file_name, STR(".tar.gz")) || str_ends(file_name, STR(".tgz")))
        return from_tar(archive, leaf, a, out, e);
    if (str_ends(file_name, STR(".zip")))
        return from_zip(archive, leaf, a, out, e);
    return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is neither .tar.gz nor .zip", STR_ARG(file_name));
}

bool sdist_meta_of(struct str archive, struct str file_name, struct arena *a, struct str *out, struct err *e)
{
    struct metadata m;

    if (!sdist_file(archive, file_name, STR("PKG-INFO"), a, out, e))
        return false;
    if (!out->p)
        return err_set(e, ERR_PACKAGE, "the source distribution has no PKG-INFO");
    if (!metadata_parse(a, *out, &m, e))
        return false;
    return sdist_metadata_is_static(&m) ||
           err_set(e, ERR_PACKAGE, "its dependencies are not static, only a build can tell them");
}
