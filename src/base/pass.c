#include "base/pass.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool pass_send(int socket, struct str message, int pass)
{
    union control control = { 0 };
    struct iovec part = { (void *)(uintptr_t)message.p, message.n };
    struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t n;

    if (pass >= 0) {
        h.msg_control = control.bytes;
        h.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof pass);
        memcpy(CMSG_DATA(c), &pass, sizeof pass);
    }
    while ((n = sendmsg(socket, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)message.n;
}

bool pass_receive(int socket, void *to, size_t room, struct str *message, int *got)
{
    union control control = { 0 };
    struct iovec part = { to, room };
    struct msghdr h = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    ssize_t n;

    *got = -1;
    errno = 0;
    while ((n = recvmsg(socket, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof *got))
        memcpy(got, CMSG_DATA(c), sizeof *got);
    if (n <= 0)
        return false;
    *message = (struct str){ to, (size_t)n };
    return true;
}
