#include "gate/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/err.h"
#include "gate/confine.h"
#include "gate/host.h"

struct request {
    uint32_t id;
    char name[HOST_MAX];
};

static void look_up(const struct request *r, struct resolver_answer *out)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
    struct addrinfo *list = NULL;

    *out = (struct resolver_answer){ .id = r->id };
    if (getaddrinfo(r->name, NULL, &hints, &list) != 0)
        return;
    for (const struct addrinfo *a = list; a && out->n < RESOLVER_ADDRESSES; a = a->ai_next)
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) && a->ai_addrlen <= sizeof *out->to)
            memcpy(&out->to[out->n++], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(list);
}

NORETURN static void serve(int fd)
{
    struct request r;
    struct resolver_answer answer;
    ssize_t n;

    while ((n = recv(fd, &r, sizeof r, 0)) > 0 || (n < 0 && errno == EINTR)) {
        if (n != (ssize_t)sizeof r)
            continue;
        r.name[sizeof r.name - 1] = '\0';
        look_up(&r, &answer);
        if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
            break;
    }
    _exit(0);
}

/* All else that is open belongs to the gateway: were it kept here, nothing would close when that dies. */
NORETURN static void begin(int fd, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent || dup2(fd, 3) < 0 ||
        close_range(4, ~0u, 0) < 0)
        _exit(1);
    confine_to_reading(); /* as far as the kernel can */
    serve(3);
}

bool resolver_start(int *fd, struct err *e)
{
    pid_t self = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to the resolver");
    for (unsigned i = 0; i < RESOLVER_PROCESSES; i++) {
        pid_t pid = fork();

        if (pid == 0)
            begin(pair[1], self);
        if (pid < 0)
            return err_sys(e, "start the resolver");
    }
    (void)close(pair[1]);
    *fd = pair[0];
    return fcntl(*fd, F_SETFL, O_NONBLOCK) == 0 || err_sys(e, "make a link to the resolver");
}

bool resolver_ask(int fd, uint32_t id, struct str name)
{
    struct request r = { .id = id };

    if (name.n >= sizeof r.name)
        return false;
    memcpy(r.name, name.p, name.n);
    return send(fd, &r, sizeof r, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof r;
}

bool resolver_hear(int fd, struct resolver_answer *out)
{
    return recv(fd, out, sizeof *out, MSG_DONTWAIT) == (ssize_t)sizeof *out && out->n <= RESOLVER_ADDRESSES;
}
