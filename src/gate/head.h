/* Requests of HTTP/1.x (RFC 9112), read strictly: which host each of them is for, and where it ends.
 *
 * Pure: no I/O, no allocation. What two programs could read differently is refused rather than guessed, so that the
 * server behind cannot find another request, or another host, in the same bytes: bare line feeds and carriage returns,
 * folded lines, two Host or Content-Length fields, Content-Length beside Transfer-Encoding, chunk extensions and
 * trailers. A target must be a path (or * for OPTIONS). CONNECT and Upgrade lead out of HTTP and are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "gate/host.h"

#define HEAD_MAX 16384u /* bytes of a request line and its fields */

enum head_state { HEAD_MORE, HEAD_WHOLE, HEAD_WRONG };

/* What is left of a request behind its head. */
struct body {
    uint64_t left;  /* bytes of content before the next framing, or the end */
    bool chunked;
    bool first;     /* no chunk was read yet */
    bool last;      /* the chunk of size 0 was read */
};

struct head {
    size_t length;        /* of the head, the empty line included */
    char host[HOST_MAX];  /* normal */
    uint16_t port;        /* 0: the field had none */
    struct body body;
    const char *why;      /* HEAD_WRONG: in a few words; static */
};

MUST_USE enum head_state head_read(struct str bytes, struct head *out);

/* Is the request at its end? */
MUST_USE bool body_is_over(const struct body *b);
/* The framing before the next content of a chunked body, when `left` is 0 and it is not over: its length in *length.
 * HEAD_MORE when it is not all there. */
MUST_USE enum head_state body_read(struct body *b, struct str bytes, size_t *length);
