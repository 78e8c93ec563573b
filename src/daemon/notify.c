#include "daemon/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static bool number(const char *name, uint64_t *out)
{
    const char *v = getenv(name);

    return v && str_to_u64(str_of(v), out);
}

static bool is_listening(int fd)
{
    int domain = 0, listening = 0;
    socklen_t n = sizeof domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX)
        return false;
    n = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening;
}

bool notify_listen_fd(int *fd, struct err *e)
{
    uint64_t fds = 0, pid = 0;
    bool ours = number("LISTEN_FDS", &fds) && number("LISTEN_PID", &pid) && pid == (uint64_t)getpid() && fds > 0;

    (void)unsetenv("LISTEN_FDS"); /* these fail only for a bad name */
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDNAMES");
    *fd = -1;
    if (!ours)
        return true;
    if (fds != 1)
        return err_set(e, ERR_DAEMON, "the service manager handed over %llu sockets, not 1", (unsigned long long)fds);
    if (!is_listening(FIRST_FD))
        return err_set(e, ERR_DAEMON, "the service manager's socket is no listening Unix socket");
    if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) < 0)
        return err_sys(e, "prepare the service manager's socket");
    *fd = FIRST_FD;
    return true;
}

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;

    if (n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, n);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract name space */
    AUTO_FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) /* an absent service manager is no error */
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}
