#include "base/pass.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PASS_MAX * sizeof(int))];
};

bool pass_send_all(int socket, struct str message, const int *fd, size_t n)
{
    union control control = { 0 };
    struct iovec part = { (void *)(uintptr_t)message.p, message.n };
    struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t sent;

    if (n > PASS_MAX) {
        errno = EINVAL;
        return false;
    }
    if (n) {
        h.msg_control = control.bytes;
        h.msg_controllen = CMSG_SPACE(n * sizeof *fd);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof *fd);
        memcpy(CMSG_DATA(c), fd, n * sizeof *fd);
    }
    while ((sent = sendmsg(socket, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent == (ssize_t)message.n;
}

bool pass_send(int socket, struct str message, int pass)
{
    return pass_send_all(socket, message, &pass, pass >= 0);
}

bool pass_receive_all(int socket, void *to, size_t room, struct str *message, int fd[PASS_MAX], size_t *n)
{
    union control control = { 0 };
    struct iovec part = { to, room };
    struct msghdr h = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    ssize_t got;

    *n = 0;
    errno = 0;
    while ((got = recvmsg(socket, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&h) : NULL;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        *n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fd;
        memcpy(fd, CMSG_DATA(c), *n * sizeof *fd);
    }
    if (got <= 0)
        return false;
    *message = (struct str){ to, (size_t)got };
    return true;
}

bool pass_receive(int socket, void *to, size_t room, struct str *message, int *got)
{
    int fd[PASS_MAX];
    size_t n;
    bool ok = pass_receive_all(socket, to, room, message, fd, &n);

    *got = n ? fd[0] : -1;
    for (size_t i = 1; i < n; i++)
        (void)close(fd[i]); /* more than one was not asked for */
    return ok;
}
