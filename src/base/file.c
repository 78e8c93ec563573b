#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"

#define DEPTH_MAX 512 /* of a tree to remove; deeper is refused rather than a stack overflow */

static bool temp_name(const char *name, char out[NAME_MAX + 1], struct err *e)
{
    static _Atomic unsigned counter;
    int n = snprintf(out, NAME_MAX + 1, ".%.100s.%ld.%u.tmp", name, (long)getpid(), counter++);

    if (n < 0 || n > NAME_MAX || strchr(name, '/'))
        return err_set(e, ERR_IO, "no temporary name beside '%s'", name);
    return true;
}

bool file_sync_dir(int dir, const char *name, struct err *e)
{
    return fsync(dir) < 0 ? err_sys(e, "flush the directory of %s", name) : true;
}

static bool fill_temp(int fd, const char *tmp, struct str data, enum file_sync sync, struct err *e)
{
    if (!fd_write_all(fd, data.p, data.n, tmp, e))
        return false;
    if (sync == FILE_SYNC && fsync(fd) < 0)
        return err_sys(e, "flush %s", tmp);
    return true;
}

static bool publish(int dir, const char *tmp, const char *name, enum file_sync sync, struct err *e)
{
    if (renameat(dir, tmp, dir, name) < 0) {
        (void)err_sys(e, "rename %s to %s", tmp, name);
        (void)unlinkat(dir, tmp, 0); /* the rename's error is the one to report */
        return false;
    }
    return sync == FILE_NO_SYNC || file_sync_dir(dir, name, e);
}

bool file_replace(int dir, const char *name, struct str data, unsigned mode, enum file_sync sync, struct err *e)
{
    char tmp[NAME_MAX + 1];
    AUTO_FD fd = -1;

    do { /* a crashed process of the same number (containers) may have left the name behind */
        if (!temp_name(name, tmp, e))
            return false;
        fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0)
        return err_sys(e, "replace %s: open %s", name, tmp);
    if (!fill_temp(fd, tmp, data, sync, e)) {
        (void)unlinkat(dir, tmp, 0); /* the write's error is the one to report */
        return err_wrap(e, "replace %s", name);
    }
    return publish(dir, tmp, name, sync, e);
}

bool file_replace_link(int dir, const char *name, const char *target, enum file_sync sync, struct err *e)
{
    char tmp[NAME_MAX + 1];

    int rc;

    do {
        if (!temp_name(name, tmp, e))
            return false;
        rc = symlinkat(target, dir, tmp);
    } while (rc < 0 && errno == EEXIST);
    if (rc < 0)
        return err_sys(e, "link %s to %s", tmp, target);
    return publish(dir, tmp, name, sync, e);
}

/* The parents of path, from the top. A loop: the depth of a path may come from an archive. */
static bool make_parents(int dir, char *path, struct err *e)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(dir, path, 0777) < 0 && errno != EEXIST)
            return err_sys(e, "make directory %s", path);
        *slash = '/';
    }
    return true;
}

bool file_make_dirs(int dir, const char *path, unsigned mode, struct err *e)
{
    char own[PATH_MAX];
    size_t n = strlen(path);
    struct stat st;

    if (n >= sizeof own)
        return err_set(e, ERR_IO, "make directory: the path has %zu bytes, the limit is %d", n, PATH_MAX - 1);
    if (mkdirat(dir, path, mode) == 0)
        return true;
    if (errno == ENOENT && n > 0) {
        memcpy(own, path, n + 1);
        while (n > 1 && own[n - 1] == '/')
            own[--n] = '\0';
        if (!make_parents(dir, own, e))
            return false;
        if (mkdirat(dir, path, mode) == 0)
            return true;
    }
    if (errno != EEXIST)
        return err_sys(e, "make directory %s", path);
    if (fstatat(dir, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
        return true;
    errno = ENOTDIR;
    return err_sys(e, "make directory %s", path);
}

static bool remove_entry(int dir, const char *name, unsigned char type, unsigned depth, struct err *e);

static bool remove_content(int dir, const char *name, unsigned depth, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (depth > DEPTH_MAX)
        return err_set(e, ERR_IO, "remove %s: nested more than %d deep", name, DEPTH_MAX);
    if (!file_list_open(dir, name, &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!remove_entry(dirfd(list.handle), d->d_name, d->d_type, depth + 1, e))
            return false;
    return e->kind == ERR_NONE;
}

/* A read-only directory refuses to give up its entries: make it writable and try once more. */
static bool unlock_parent(int dir)
{
    struct stat st;

    return errno == EACCES && fstat(dir, &st) == 0 && !(st.st_mode & S_IWUSR) &&
           fchmod(dir, (st.st_mode & 07777) | S_IRWXU) == 0;
}

static bool remove_entry(int dir, const char *name, unsigned char type, unsigned depth, struct err *e)
{
    if (type != DT_DIR) {
        if (unlinkat(dir, name, 0) == 0 || errno == ENOENT || (unlock_parent(dir) && unlinkat(dir, name, 0) == 0))
            return true;
        if (errno != EISDIR && errno != EPERM)
            return err_sys(e, "remove %s", name);
    }
    if (!remove_content(dir, name, depth, e))
        return false;
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ||
        (unlock_parent(dir) && unlinkat(dir, name, AT_REMOVEDIR) == 0))
        return true;
    return err_sys(e, "remove directory %s", name);
}

bool file_remove_tree(int dir, const char *path, struct err *e)
{
    struct stat st;

    err_clear(e);
    if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || errno == ENOTDIR ? true : err_sys(e, "stat %s", path);
    return remove_entry(dir, path, S_ISDIR(st.st_mode) ? DT_DIR : DT_REG, 0, e);
}

bool file_exists(int dir, const char *path)
{
    struct stat st;

    return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool file_list_open(int dir, const char *path, struct file_list *out, struct err *e)
{
    AUTO_FD fd = -1;

    if (!fd_open(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, e)) {
        struct stat st; /* a directory of ours that was made unreadable */

        if (e->sys != EACCES || fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid != geteuid() ||
            fchmodat(dir, path, (st.st_mode & 07777) | S_IRWXU, 0) < 0)
            return false;
        err_clear(e);
        if (!fd_open(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd, e))
            return false;
    }
    DIR *handle = fdopendir(fd);

    if (!handle)
        return err_sys(e, "list %s", path);
    fd = -1; /* the handle owns it now */
    out->handle = handle;
    return true;
}

bool file_list_next(struct file_list *l, const struct dirent **out, struct err *e)
{
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(l->handle);

        if (!d)
            return errno ? err_sys(e, "list a directory") : false;
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        *out = d;
        return true;
    }
}

void file_list_close(struct file_list *l)
{
    if (l->handle)
        (void)closedir(l->handle); /* read only: nothing can be lost */
    l->handle = NULL;
}
