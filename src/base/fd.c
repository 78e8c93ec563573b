#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

void fd_auto(int *fd) /* NOLINT(readability-non-const-parameter): the cleanup attribute hands it over so */
{
    int keep = errno;

    if (*fd >= 0)
        (void)close(*fd); /* nothing to do about a failure here: writers flush and check before */
    errno = keep;
}

void fd_close(int *fd)
{
    fd_auto(fd);
    *fd = -1;
}

bool fd_open(int dir, const char *path, int flags, unsigned mode, int *out, struct err *e)
{
    int fd = openat(dir, path, flags | O_CLOEXEC, mode);

    if (fd < 0)
        return err_sys(e, "open %s", path);
    *out = fd;
    return true;
}

bool fd_open_dir(int dir, const char *path, int *out, struct err *e)
{
    return fd_open(dir, path, O_RDONLY | O_DIRECTORY, 0, out, e);
}

bool fd_open_if_there(int dir, const char *path, int flags, int *out, bool *there, struct err *e)
{
    int fd = openat(dir, path, flags | O_CLOEXEC);

    *there = fd >= 0;
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? true : err_sys(e, "open %s", path);
    *out = fd;
    return true;
}

bool fd_write_all(int fd, const void *p, size_t n, const char *name, struct err *e)
{
    const char *at = p;

    while (n) {
        ssize_t k = write(fd, at, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "write %s", name);
        at += k;
        n -= (size_t)k;
    }
    return true;
}

bool fd_read_all(int fd, struct buf *b, const char *name, struct err *e)
{
    for (;;) {
        size_t room = MIN(b->limit - b->n + 1, (size_t)1 << 16); /* one more than allowed shows an excess */
        char one;
        char *at = b->n < b->limit ? buf_reserve(b, MIN(room, b->limit - b->n)) : &one;
        ssize_t k = read(fd, at, b->n < b->limit ? MIN(room, b->limit - b->n) : 1);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "read %s", name);
        if (k == 0)
            return true;
        if (b->n >= b->limit)
            return err_set(e, ERR_IO, "read %s: more than %zu bytes", name, b->limit);
        b->n += (size_t)k;
    }
}

static bool read_open_file(int fd, const char *path, size_t limit, struct arena *a, struct str *out, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat %s", path);
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_IO, "read %s: it is a directory", path);
    AUTO_BUF b;

    buf_init(&b, limit);
    if (!fd_read_all(fd, &b, path, e))
        return false;
    *out = arena_str(a, buf_done(&b));
    return true;
}

bool fd_read_file(int dir, const char *path, size_t limit, struct arena *a, struct str *out, struct err *e)
{
    AUTO_FD fd = -1;

    return fd_open(dir, path, O_RDONLY, 0, &fd, e) && read_open_file(fd, path, limit, a, out, e);
}

bool fd_read_if_there(int dir, const char *path, size_t limit, struct arena *a, struct str *out, struct err *e)
{
    AUTO_FD fd = -1;
    bool there;

    if (!fd_open_if_there(dir, path, O_RDONLY, &fd, &there, e))
        return false;
    if (!there) {
        *out = (struct str){ NULL, 0 };
        return true;
    }
    return read_open_file(fd, path, limit, a, out, e);
}

bool fd_map(int fd, const char *name, struct str *out, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat %s", name);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_IO, "map %s: not a regular file", name);
    if (st.st_size == 0) {
        *out = STR("");
        return true;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (p == MAP_FAILED)
        return err_sys(e, "map %s", name);
    *out = (struct str){ p, (size_t)st.st_size };
    return true;
}

void fd_unmap(struct str *map)
{
    if (map->n)
        (void)munmap((void *)(uintptr_t)map->p, map->n); /* cannot fail for what mmap gave */
    *map = (struct str){ NULL, 0 };
}

bool fd_lock(int fd, bool exclusive, const char *name, struct err *e)
{
    struct flock l = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

    while (fcntl(fd, F_OFD_SETLKW, &l) < 0) {
        if (errno != EINTR)
            return err_sys(e, "lock %s", name);
    }
    return true;
}

bool fd_try_lock(int fd, bool exclusive, bool *got, const char *name, struct err *e)
{
    struct flock l = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

    *got = fcntl(fd, F_OFD_SETLK, &l) == 0;
    if (!*got && errno != EAGAIN && errno != EACCES)
        return err_sys(e, "lock %s", name);
    return true;
}
