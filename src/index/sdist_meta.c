#include "index/sdist_meta.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/gzip.h"
#include "codec/tar.h"
#include "codec/zip.h"
#include "pep/metadata.h"

/* "demo-1.0/PKG-INFO": one directory deep. */
static bool is_top_info(struct str path)
{
    return str_ends(path, STR("/PKG-INFO")) && str_find(path, '/') == path.n - 9;
}

static bool no_info(struct err *e)
{
    return err_set(e, ERR_PACKAGE, "the source distribution has no PKG-INFO");
}

static bool from_tar(struct str archive, struct arena *a, struct str *out, struct err *e)
{
    AUTO_BUF b = { .limit = SDIST_UNPACKED_MAX };
    struct tar_entry en;

    if (!gzip_unpack(archive, &b, e))
        return false;
    struct str rest = { b.p, b.n };

    while (tar_next(&rest, &en, e)) {
        bool here = en.prefix.n ? str_eq(en.name, STR("PKG-INFO")) && str_find(en.prefix, '/') == en.prefix.n
                                : is_top_info(en.name);

        if (!en.is_file || !here)
            continue;
        if (en.data.n > METADATA_MAX)
            return err_set(e, ERR_PACKAGE, "PKG-INFO has %zu bytes, the limit is %d", en.data.n, METADATA_MAX);
        *out = arena_str(a, en.data);
        return true;
    }
    return e->kind == ERR_NONE ? no_info(e) : false;
}

static bool from_zip(struct str archive, struct arena *a, struct str *out, struct err *e)
{
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct zip z;

    if (!zip_open(archive, NULL, a, &z, e))
        return false;
    for (size_t i = 0; i < z.n; i++) {
        const struct zip_entry *en = &z.entry[i];

        if (!is_top_info(en->name))
            continue;
        if (en->size > METADATA_MAX)
            return err_set(e, ERR_PACKAGE, "PKG-INFO has more than %d bytes", METADATA_MAX);
        char *text = arena_alloc(a, en->size + 1);

        text[en->size] = '\0';
        *out = (struct str){ text, en->size };
        return zip_read(&z, en, text, inflater, e);
    }
    return no_info(e);
}

bool sdist_meta_of(struct str archive, struct str file_name, struct arena *a, struct str *out, struct err *e)
{
    struct metadata m;
    bool ok;

    err_clear(e);
    if (str_ends(file_name, STR(".tar.gz")) || str_ends(file_name, STR(".tgz")))
        ok = from_tar(archive, a, out, e);
    else if (str_ends(file_name, STR(".zip")))
        ok = from_zip(archive, a, out, e);
    else
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is neither .tar.gz nor .zip", STR_ARG(file_name));
    if (!ok || !metadata_parse(a, *out, &m, e))
        return false;
    return sdist_metadata_is_static(&m) ||
           err_set(e, ERR_PACKAGE, "its dependencies are not static, only a build can tell them");
}

bool sdist_meta_read(const char *path, struct arena *a, struct str *out, struct err *e)
{
    AUTO_FD fd = -1;
    struct str map;

    if (!fd_open(AT_FDCWD, path, O_RDONLY, 0, &fd, e) || !fd_map(fd, path, &map, e))
        return false;
    bool ok = map.n <= SDIST_MAX ? sdist_meta_of(map, str_of(path), a, out, e)
                                 : err_set(e, ERR_PACKAGE, "the archive has more than %zu bytes", SDIST_MAX);

    fd_unmap(&map);
    return ok;
}
