#include "cli/sockets.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/sha256.h"
#include "sync/workspace.h"

bool sockets_address(int dir, const char *name, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    return (size_t)snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%s", dir, name) <
           sizeof out->sun_path;
}

int sockets_connect(int dir, const char *name)
{
    struct sockaddr_un at;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (!sockets_address(dir, name, &at) || connect(fd, (struct sockaddr *)&at, sizeof at) < 0))
        fd_close(&fd);
    return fd;
}

void sockets_mark(const struct workspace *w, char out[SOCKETS_MARK])
{
    unsigned char sum[HASH_SHA256];
    struct sha256 s;

    sha256_init(&s);
    sha256_add(&s, w->where.dir, strlen(w->where.dir));
    sha256_finish(&s, sum);
    hash_hex(sum, 8, out);
}

bool sockets_open_dir(const struct workspace *w, const char *name, bool make, int *dir)
{
    struct err ignored = { 0 };
    AUTO_BUF path = { .limit = 4096 };

    (void)buf_printf(&path, "%s/%s", w->dirs.state, name);
    if (buf_done(&path).n == 0 || (make && !file_make_dirs(AT_FDCWD, path.p, 0700, &ignored)))
        return false;
    return fd_open_dir(AT_FDCWD, path.p, dir, &ignored);
}
