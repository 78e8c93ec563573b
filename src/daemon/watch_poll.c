/* Looking instead of listening: signatures of what stat() says. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "daemon/watch_priv.h"

const char *watch_poll_fs(const char *path)
{
    /* linux/magic.h; those it does not have are from the file systems' own sources. virtiofs says it is FUSE. Changes
     * made on the other side give no events there (microsoft/WSL#4739, docker/for-win#56). */
    static const struct {
        uint32_t magic;
        const char *name;
    } without[] = {
        { 0x6969, "nfs" },        { 0x517B, "smb" },        { 0xFF534D42, "cifs" },  { 0xFE534D42, "smb" },
        { 0x01021997, "9p" },     { 0x65735546, "fuse" },   { 0x5346414F, "afs" },   { 0x00C36400, "ceph" },
        { 0x73757245, "coda" },   { 0x786F4256, "vboxsf" }, { 0xBACBACBC, "hgfs" },  { 0x7C7C6673, "prlfs" },
        { 0x0BD00BD0, "lustre" }, { 0x47504653, "gpfs" },   { 0x19830326, "fhgfs" },
    };
    struct statfs fs;

    if (statfs(path, &fs) < 0)
        return NULL;
    for (size_t i = 0; i < COUNT(without); i++)
        if (without[i].magic == (uint32_t)fs.f_type)
            return without[i].name;
    return NULL;
}

static uint64_t stat_hash(uint64_t before, int dir, const char *path)
{
    struct stat st = { 0 };
    int64_t said[7] = { (int64_t)before };

    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        said[1] = (int64_t)st.st_ino;
        said[2] = st.st_size;
        said[3] = st.st_mtim.tv_sec;
        said[4] = st.st_mtim.tv_nsec;
        said[5] = st.st_ctim.tv_sec;
        said[6] = st.st_ctim.tv_nsec;
    }
    return hash_fast(said, sizeof said);
}

uint64_t watch_poll_files(const struct watch_root *root)
{
    uint64_t h = 1;
    char site[2][4096];
    char link[4096];

    for (size_t i = 0; i < root->files; i++)
        h = stat_hash(h, AT_FDCWD, root->file[i]);
    if (!root->env)
        return h;
    if (snprintf(link, sizeof link, "%s/.current", root->env) < (int)sizeof link)
        h = stat_hash(h, AT_FDCWD, link);
    size_t n = watch_find_sites(root->env, site, 2);

    for (size_t i = 0; i < n; i++)
        h = stat_hash(h, AT_FDCWD, site[i]);
    return h;
}

uint64_t watch_poll_folder(const char *path)
{
    AUTO_FILE_LIST list = { 0 };
    struct err e = { 0 };
    const struct dirent *d;
    uint64_t sum = 1; /* a sum: the order of entries is the file system's */

    if (!file_list_open(AT_FDCWD, path, &list, &e))
        return 0;
    while (file_list_next(&list, &d, &e)) {
        struct str name = str_of(d->d_name);

        if (str_ends(name, STR(".py")))
            sum += stat_hash(hash_fast(name.p, name.n), dirfd(list.handle), d->d_name);
        else if (d->d_type == DT_DIR)
            sum += hash_fast(name.p, name.n);
    }
    return sum;
}
