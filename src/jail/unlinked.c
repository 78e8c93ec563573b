#include "jail/unlinked.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"

#define FILES_MAX 65536 /* enough to be over any limit; more are not looked at */

struct found {
    dev_t dev;
    ino_t ino;
    uint64_t bytes;
    bool disk;
};

struct look {
    const dev_t *disk;
    size_t n_disk;
    VEC(struct found) list;
};

static bool is_on_disk(const struct look *l, dev_t dev)
{
    for (size_t i = 0; i < l->n_disk; i++)
        if (l->disk[i] == dev)
            return true;
    return false;
}

static bool is_in_memory(int dir, const char *name)
{
    AUTO_FD fd = openat(dir, name, O_PATH | O_CLOEXEC);
    struct statfs fs;

    return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static void look_at_process(struct look *l, int proc, const char *pid)
{
    AUTO_FILE_LIST list = { 0 };
    struct err ignored = { 0 }; /* it may have ended, or hide what it has open */
    const struct dirent *d;
    char path[32];

    (void)snprintf(path, sizeof path, "%.10s/fd", pid);
    if (!file_list_open(proc, path, &list, &ignored))
        return;
    int dir = dirfd(list.handle);

    while (l->list.n < FILES_MAX && file_list_next(&list, &d, &ignored)) {
        struct stat st;

        if (fstatat(dir, d->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0)
            continue;
        bool disk = is_on_disk(l, st.st_dev);

        if (disk || is_in_memory(dir, d->d_name))
            VEC_PUSH(&l->list, (struct found){ st.st_dev, st.st_ino, (uint64_t)st.st_blocks * 512, disk });
    }
}

static int by_file(const void *x, const void *y)
{
    const struct found *a = x, *b = y;

    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    return a->ino < b->ino ? -1 : a->ino > b->ino;
}

void unlinked_measure(int proc, const dev_t *disk, size_t n_disk, struct unlinked *out)
{
    struct look l = { .disk = disk, .n_disk = n_disk };
    AUTO_FILE_LIST list = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;
    uint64_t pid;

    *out = (struct unlinked){ 0 };
    if (!file_list_open(proc, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored))
        if (str_to_u64(str_of(d->d_name), &pid) && pid != 1)
            look_at_process(&l, proc, d->d_name);
    if (l.list.n)
        qsort(l.list.p, l.list.n, sizeof *l.list.p, by_file);
    for (size_t i = 0; i < l.list.n; i++)
        if (i == 0 || by_file(&l.list.p[i], &l.list.p[i - 1]) != 0)
            *(l.list.p[i].disk ? &out->disk : &out->memory) += l.list.p[i].bytes;
    VEC_CLEAR(&l.list);
}
