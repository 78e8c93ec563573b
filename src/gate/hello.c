#include "gate/hello.h"

#include <stdbool.h>
#include <stdint.h>

#define RECORD_HEADER 5
#define RECORD_MAX 16384u
#define HANDSHAKE 22
#define CLIENT_HELLO 1
#define SERVER_NAME 0
#define ENCRYPTED_CLIENT_HELLO 0xfe0d

/* A view that is eaten from the front; once something is missing it stays broken. */
struct bytes {
    const unsigned char *p;
    size_t n;
    bool broken;
};

static struct bytes cut(struct bytes *from, size_t n)
{
    struct bytes out = { from->p, n, false };

    if (from->broken || from->n < n) {
        from->broken = true;
        return (struct bytes){ .broken = true };
    }
    from->p += n;
    from->n -= n;
    return out;
}

static size_t number(struct bytes *from, size_t width)
{
    struct bytes b = cut(from, width);
    size_t v = 0;

    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

/* What follows its own length of `width` bytes. */
static struct bytes vector(struct bytes *from, size_t width)
{
    return cut(from, number(from, width));
}

/* RFC 6066, 3: a list with one entry of type host_name. */
static enum hello read_server_name(struct bytes extension, char name[HOST_MAX])
{
    struct bytes list = vector(&extension, 2);
    size_t type = number(&list, 1);
    struct bytes host = vector(&list, 2);

    if (host.broken || list.broken || list.n || extension.n || type != 0)
        return HELLO_NOT_TLS;
    return host_normalise((struct str){ (const char *)host.p, host.n }, name) ? HELLO_NAME : HELLO_NOT_TLS;
}

static enum hello read_message(struct bytes m, char name[HOST_MAX])
{
    enum hello found = HELLO_NO_NAME;

    (void)cut(&m, 2 + 32); /* version, random */
    (void)vector(&m, 1);   /* session */
    (void)vector(&m, 2);   /* cipher suites */
    (void)vector(&m, 1);   /* compressions */
    if (m.broken)
        return HELLO_NOT_TLS;
    if (m.n == 0)
        return HELLO_NO_NAME;
    struct bytes extensions = vector(&m, 2);

    if (m.broken || m.n)
        return HELLO_NOT_TLS;
    while (extensions.n) {
        size_t type = number(&extensions, 2);
        struct bytes one = vector(&extensions, 2);

        if (extensions.broken)
            return HELLO_NOT_TLS;
        if (type == ENCRYPTED_CLIENT_HELLO)
            return HELLO_ENCRYPTED;
        if (type != SERVER_NAME)
            continue;
        if (found != HELLO_NO_NAME || (found = read_server_name(one, name)) != HELLO_NAME)
            return HELLO_NOT_TLS; /* also when there are two */
    }
    return found;
}

enum hello hello_read(const unsigned char *p, size_t n, char name[HOST_MAX])
{
    unsigned char joined[HELLO_MAX];
    struct bytes in = { p, n, false };
    size_t have = 0, want = 4; /* the header of the message first, then all of it */

    while (have < want) {
        if (in.n > 0 && in.p[0] != HANDSHAKE)
            return HELLO_NOT_TLS;
        if (in.n > 1 && in.p[1] != 3)
            return HELLO_NOT_TLS;
        if (in.n < RECORD_HEADER)
            return HELLO_MORE;
        (void)cut(&in, 3);
        size_t length = number(&in, 2), there = MIN(length, in.n);

        if (length == 0 || length > RECORD_MAX || have + length > sizeof joined)
            return HELLO_NOT_TLS;
        memcpy(joined + have, in.p, there);
        have += there;
        if (have > 0 && joined[0] != CLIENT_HELLO)
            return HELLO_NOT_TLS;
        if (have >= 4) {
            want = 4 + ((size_t)joined[1] << 16 | (size_t)joined[2] << 8 | joined[3]);
            if (want > sizeof joined)
                return HELLO_NOT_TLS;
        }
        if (there < length && have < want)
            return HELLO_MORE;
        (void)cut(&in, there);
    }
    return read_message((struct bytes){ joined + 4, want - 4, false }, name);
}
