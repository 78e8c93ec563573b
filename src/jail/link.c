#include "jail/link.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

/* One write of it to a pipe arrives whole (init.c tells so of a command that did not start). */
_Static_assert(sizeof(struct link_message) <= PIPE_BUF, "a message fits one write");

bool link_send(int fd, const struct link_message *m, int pass)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec part = { (void *)(uintptr_t)m, sizeof *m };
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
    while ((n = sendmsg(fd, &h, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)sizeof *m;
}

bool link_receive(int fd, struct link_message *m, int *got)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec part = { m, sizeof *m };
    struct msghdr h = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    ssize_t n;

    *got = -1;
    while ((n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof *got))
        memcpy(got, CMSG_DATA(c), sizeof *got);
    return n == (ssize_t)sizeof *m;
}

struct link_message link_error(const struct err *e, int exit_code)
{
    struct link_message m = { .kind = LINK_ERROR, .value = exit_code, .sys = e->sys };

    (void)snprintf(m.text, sizeof m.text, "%s", e->text);
    (void)snprintf(m.hint, sizeof m.hint, "%s", e->hint);
    return m;
}

void link_send_error(int fd, const struct err *e, int exit_code)
{
    struct link_message m = link_error(e, exit_code);

    (void)link_send(fd, &m, -1);
}
