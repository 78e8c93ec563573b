#include "store/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"

#define PLAIN_MAX 100

void cache_open(const char *root, const char *bucket, struct cache *out)
{
    struct err e = { 0 };
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", root, bucket);

    out->dir = -1;
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    if (fd_open_dir(AT_FDCWD, path, &out->dir, &e))
        return;
    if (!file_make_dirs(AT_FDCWD, path, 0777, &e) || !fd_open_dir(AT_FDCWD, path, &out->dir, &e))
        out->dir = -1;
}

void cache_close(struct cache *c)
{
    fd_close(&c->dir);
}

bool cache_map(const struct cache *c, const char *name, struct str *out, int *fd)
{
    struct err e = { 0 };

    if (c->dir < 0)
        return false;
    *fd = openat(c->dir, name, O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        *fd = openat(c->dir, name, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return false;
    if (fd_map(*fd, name, out, &e) && out->n)
        return true;
    fd_close(fd);
    return false;
}

bool cache_put(const struct cache *c, const char *name, struct str data)
{
    struct err e = { 0 };

    return c->dir >= 0 && file_replace(c->dir, name, data, 0666, FILE_NO_SYNC, &e);
}

bool cache_append(const struct cache *c, const char *name, struct str data)
{
    AUTO_FD fd = c->dir < 0 ? -1 : openat(c->dir, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

    return fd >= 0 && write(fd, data.p, data.n) == (ssize_t)data.n;
}

bool cache_patch(int fd, size_t at, struct str data)
{
    return fd >= 0 && pwrite(fd, data.p, data.n, (off_t)at) == (ssize_t)data.n;
}

void cache_drop(const struct cache *c, const char *name)
{
    if (c->dir >= 0)
        (void)unlinkat(c->dir, name, 0); /* a record that stays is checked again when it is read */
}

void cache_name(struct str text, const char *suffix, char out[128])
{
    bool plain = text.n > 0 && text.n <= PLAIN_MAX && text.p[0] != '.';

    for (size_t i = 0; plain && i < text.n; i++) {
        char c = text.p[i];

        plain = char_is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
    }
    if (plain)
        (void)snprintf(out, 128, STR_FMT "%s", STR_ARG(text), suffix);
    else
        (void)snprintf(out, 128, "=%016llx%s", (unsigned long long)hash_fast(text.p, text.n), suffix);
}
