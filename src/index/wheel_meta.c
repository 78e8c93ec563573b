#include "index/wheel_meta.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/zip.h"
#include "pep/metadata.h"

const struct zip_entry *wheel_meta_entry(const struct zip *z, struct err *e)
{
    const struct zip_entry *found = NULL;

    for (size_t i = 0; i < z->n; i++) {
        struct str name = z->entry[i].name;

        if (!str_ends(name, STR(".dist-info/METADATA")) || str_find(name, '/') != name.n - 9)
            continue;
        if (found) {
            (void)err_set(e, ERR_PACKAGE, "the wheel has more than one .dist-info");
            return NULL;
        }
        found = &z->entry[i];
    }
    if (!found)
        (void)err_set(e, ERR_PACKAGE, "the wheel has no METADATA");
    else if (found->size > METADATA_MAX) {
        (void)err_set(e, ERR_PACKAGE, "METADATA has %llu bytes, the limit is %d", (unsigned long long)found->size,
                      METADATA_MAX);
        return NULL;
    }
    return found;
}

bool wheel_meta_member(struct str member, const struct zip_entry *en, struct arena *a, struct str *out, struct err *e)
{
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    char *text = arena_alloc(a, en->size + 1);

    if (!zip_read_member(member, en, text, inflater, e))
        return false;
    text[en->size] = '\0';
    *out = (struct str){ text, en->size };
    return true;
}

bool wheel_meta_of(struct str archive, struct arena *a, struct str *out, struct err *e)
{
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct zip z;
    const struct zip_entry *en;

    if (!zip_open_directory(archive, NULL, a, &z, e) || !(en = wheel_meta_entry(&z, e)))
        return false;
    char *text = arena_alloc(a, en->size + 1);

    if (!zip_read(&z, en, text, inflater, e))
        return false;
    text[en->size] = '\0';
    *out = (struct str){ text, en->size };
    return true;
}

bool wheel_meta_read(const char *path, struct arena *a, struct str *out, struct err *e)
{
    AUTO_FD fd = -1;
    struct str map;

    if (!fd_open(AT_FDCWD, path, O_RDONLY, 0, &fd, e) || !fd_map(fd, path, &map, e))
        return false;
    bool ok = wheel_meta_of(map, a, out, e);

    fd_unmap(&map);
    return ok || err_wrap(e, "read %s", path);
}
