/* What a program in a sandbox asked for: each thing once, with how often, in the order of the first time.
 *
 * The trackers (jail/track.h, jail/fan.h) fill one to tell nothing twice; whoever listens fills another, with what
 * blast-gate and the environment's Python tell too. What runs inside decides what comes in here, so everything is
 * bounded: ASKED_MAX things and ASKED_BYTES of names; what is beyond is counted. As JSON, one object a thing:
 *
 *     {"how":"read","what":"/opt/data/a.csv","by":"pandas","count":2}
 *     {"how":"denied","what":"203.0.113.7:443","why":"the address is not allowed","count":1}
 *     {"how":"unread","what":"calls whose program could not be looked at","count":3}
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

struct err;
struct json_write;

#define ASKED_MAX 4096
#define ASKED_BYTES (1u << 20)
#define ASKED_WHAT_MAX 4096 /* bytes of one name */
#define ASKED_LINE_MAX (6 * ASKED_WHAT_MAX + 2048) /* bytes of its JSON: each byte may need an escape */

/* how, its word in JSON, what `what` is then */
#define ASKED_HOWS(X)                                                                                                  \
    X(READ, "read")        /* a path */                                                                                \
    X(WRITE, "write")      /* a path: opened for writing, made, renamed, removed */                                    \
    X(EXEC, "exec")        /* a path */                                                                                \
    X(SOCKET, "socket")    /* the path of a Unix socket that was connected to */                                       \
    X(CONNECT, "connect")  /* address:port */                                                                          \
    X(LISTEN, "listen")    /* address:port that was bound to */                                                        \
    X(NAME, "name")        /* a host name that blast-gate did not give an address for */                               \
    X(DENIED, "denied")    /* address:port that blast-gate, or the kernel before it, let nobody through to */          \
    X(BROKEN, "broken")    /* name or address:port whose connection blast-gate ended; `why` */                         \
    X(UNREAD, "unread")    /* no thing, but `count` of them that nobody can tell, and why that is so */

enum asked_how {
#define X(id, word) ASKED_##id,
    ASKED_HOWS(X)
#undef X
    ASKED_HOW_COUNT
};

struct asked_item {
    enum asked_how how;
    struct str what;
    struct str by;  /* the distribution that asked, as far as it is known; n == 0: not */
    struct str why; /* of a refusal; may be empty */
    uint32_t count;
};

struct asked {
    struct arena a;
    struct map index;
    VEC(struct asked_item) items; /* in the arena */
    size_t bytes;
    uint64_t left_out;
};

void asked_init(struct asked *s);
void asked_clear(struct asked *s);
#define AUTO_ASKED AUTO(asked_clear) struct asked

/* Adds it, copied, or counts it. True when it is new. */
bool asked_add(struct asked *s, const struct asked_item *item);
/* The thing that was asked for in this way, or NULL. */
MUST_USE const struct asked_item *asked_find(const struct asked *s, enum asked_how how, struct str what);

MUST_USE const char *asked_word(enum asked_how how);
void asked_write(const struct asked_item *item, struct json_write *w);
/* One object; texts are views into it or live in the arena. ERR_PACKAGE for anything unknown, missing or too long. */
MUST_USE bool asked_parse(struct str json, struct arena *a, struct asked_item *out, struct err *e);
/* What blast-gate tells (gate/event.h): false when nothing was refused. ERR_PACKAGE in e when it cannot be read. */
MUST_USE bool asked_parse_gate(struct str json, struct arena *a, struct asked_item *out, struct err *e);
