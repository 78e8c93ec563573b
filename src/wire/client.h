/* The client's side of the daemon: finding it, starting it on demand, asking it.
 *
 * Plain blocking sockets. Connecting takes less than a millisecond when a daemon runs. Whoever answers was checked to
 * be our own user's process. A daemon of another protocol is asked to become the newer program; where that does not
 * help (it is newer than we are), connecting fails and the command goes on without it.
 *
 * Errors are ERR_DAEMON. Nothing a daemon does may make a command fail that could do without: callers treat an error
 * as "no daemon" and say so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "wire/frame.h"

struct arena;
struct dirs;
struct err;

enum wire_start {
    WIRE_IF_RUNNING, /* no process is started */
    WIRE_START
};

struct wire_client {
    int fd;         /* -1: none runs and none was to be started */
    uint64_t id;    /* of the last request */
    uint64_t pid;   /* the daemon's */
    uint64_t proto; /* the daemon's */
    char build[64]; /* the daemon's */
    struct frame in;
    /* Called with each event that comes while a call waits: its object. NULL: events are passed over. */
    void (*event)(void *ctx, struct str type, struct str body);
    void *ctx;
};

/* True with out->fd == -1: none runs and none was to be started. Close with wire_close() in any case. */
MUST_USE bool wire_connect(const struct dirs *dirs, enum wire_start start, struct wire_client *out, struct err *e);
/* The same for whoever speaks to a daemon of any protocol: only status, drain and stop may be asked of one whose
 * out->proto is not ours. */
MUST_USE bool wire_connect_any(const struct dirs *dirs, struct wire_client *out, struct err *e);

/* Sends a request and waits for its result, without limit: the daemon answers at once or tells of progress by events.
 * `params_json` is an object or empty. *result_json is in the arena. An error answer becomes ERR_DAEMON with its
 * message and code. */
MUST_USE bool wire_call(struct wire_client *c, const char *method, struct str params_json, struct arena *a,
                        struct str *result_json, struct err *e);
/* Sends a request and does not wait: for hooks that may not be held up. At most `timeout_ms` for the sending. */
MUST_USE bool wire_send(struct wire_client *c, const char *method, struct str params_json, unsigned timeout_ms,
                        struct err *e);
/* Waits for the next event (after subscribe), which goes to c->event. False without an error (e untouched) when the
 * daemon closed the connection. */
MUST_USE bool wire_listen(struct wire_client *c, struct err *e);
/* Waits until the daemon closes the connection; at most timeout_ms. */
MUST_USE bool wire_await_end(struct wire_client *c, unsigned timeout_ms, struct err *e);

void wire_close(struct wire_client *c); /* also of a zeroed one with fd == -1 */
#define AUTO_WIRE AUTO(wire_close) struct wire_client
