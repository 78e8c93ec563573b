#include "jail/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/fd.h"
#include "jail/policy.h"
#include "jail/reach.h"
#include "jail/report.h"

#define PATIENCE_S 5
#define NO_SUCH_NAME 3
#define NOBODYS 0xc0000201u /* 192.0.2.1, of a network for examples (RFC 5737) */

static int open_socket(int type, uint32_t address, uint16_t port)
{
    static const struct timeval patience = { PATIENCE_S, 0 };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
                    connect(fd, (struct sockaddr *)&to, sizeof to) < 0)) {
        int why = errno;

        fd_close(&fd);
        errno = why;
    }
    return fd;
}

/* blast-check.invalid (RFC 6761: nobody's), type A. */
static bool knows_no_stranger(void)
{
    static const unsigned char question[] =
        "\x42\x47\1\0\0\1\0\0\0\0\0\0\x0b" "blast-check" "\7" "invalid" "\0\0\1\0\1";
    unsigned char answer[512];
    struct in_addr router;

    if (inet_pton(AF_INET, REACH_ROUTER, &router) != 1)
        return false;
    AUTO_FD fd = open_socket(SOCK_DGRAM, ntohl(router.s_addr), 53);

    return fd >= 0 && send(fd, question, sizeof question - 1, 0) > 0 && recv(fd, answer, sizeof answer, 0) >= 12 &&
           answer[0] == question[0] && answer[1] == question[1] && (answer[3] & 15) == NO_SUCH_NAME;
}

static bool reaches_stranger(void)
{
    AUTO_FD fd = open_socket(SOCK_STREAM, NOBODYS, 443);

    return fd >= 0;
}

void probe_gateway(const struct jail_policy *p, struct jail_report *r)
{
    if (!knows_no_stranger()) {
        static const char why[] = "it was tried: blast-gate does not answer inside";

        jail_report_lower(r, JAIL_SET_OUTBOUND, JAIL_NOT_ENFORCED, why, NULL);
        jail_report_lower(r, JAIL_SET_NETWORK, JAIL_ADVISORY, why, NULL);
    }
    /* With allowed addresses this one could be among them. */
    if (p->n_allowed_networks == 0 && reaches_stranger())
        jail_report_lower(r, JAIL_SET_NETWORK, JAIL_NOT_ENFORCED,
                          "it was tried: an address that is not allowed can be reached", NULL);
}
