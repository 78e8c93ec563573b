/* The protocol between programs and the daemon: lines of JSON over a Unix socket, one table of messages.
 *
 *     both        {"hello":{"proto":1,"build":"0.1.0","pid":7}}              first line, without id
 *     program     {"id":1,"method":"project.add","params":{"path":"/p"}}
 *     daemon      {"id":1,"event":{"type":"job", ...}}                       any number, also none
 *     daemon      {"id":1,"result":{...}}  or  {"id":1,"error":{"code":"params","message":"...","data":null}}
 *
 * A line ends in \n, has at most WIRE_LINE_MAX bytes and is one JSON object. Answers come in the order in which they
 * are ready, not in that of the requests. The messages are those of messages.def; docs/wire.md is for people.
 *
 * Pure: no input or output. Views in results point into the line or the arena. Parsing fails with ERR_DAEMON.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;
struct json_write;

#define WIRE_PROTO 1
#define WIRE_LINE_MAX (1u << 20) /* bytes, the line end counted */
#define WIRE_FIELDS_MAX 8        /* parameters of one message */
#define WIRE_COUNT_MAX (UINT64_C(1) << 53) /* numbers that every JSON reader holds exactly */

enum wire_method {
#define MESSAGE(id, method, params, result, text) WIRE_##id,
#include "wire/messages.def"
    WIRE_METHODS
};

enum wire_event {
#define EVENT(id, type, fields, text) WIRE_EVENT_##id,
#include "wire/messages.def"
    WIRE_EVENTS
};

enum wire_fault {
#define FAULT(id, code, text) WIRE_FAULT_##id,
#include "wire/messages.def"
    WIRE_FAULTS
};

const char *wire_method_word(enum wire_method method);
const char *wire_event_word(enum wire_event event);
const char *wire_fault_word(enum wire_fault fault);

/* One parameter, in the place that it has in the table's line. */
struct wire_value {
    bool given;
    struct str text;  /* text, path, word, json (as written) */
    uint64_t count;   /* count, pid; flag: 0 or 1 */
};

struct wire_hello {
    uint64_t proto, pid;
    struct str build;
};

/* What a program says to the daemon. */
struct wire_request {
    enum wire_method method;
    uint64_t id;
    struct wire_hello hello; /* WIRE_HELLO */
    struct wire_value value[WIRE_FIELDS_MAX];
};

/* False: *fault says why, e->text is for the message. *out holds the id as far as it was read, so that the answer can
 * carry it; 0 when there was none. */
MUST_USE bool wire_request_parse(struct str line, struct arena *a, struct wire_request *out, enum wire_fault *fault,
                                 struct err *e);
/* The parameter by the name that it has in messages.def; a name that is not there is a BUG(). */
MUST_USE const struct wire_value *wire_value_get(const struct wire_request *r, const char *name);

enum wire_reply_kind { WIRE_REPLY_HELLO, WIRE_REPLY_EVENT, WIRE_REPLY_RESULT, WIRE_REPLY_ERROR };

/* What the daemon says to a program. */
struct wire_reply {
    enum wire_reply_kind kind;
    uint64_t id;             /* 0: of no request */
    struct wire_hello hello;
    struct str body;         /* event or result: the object as it was written */
    struct str type;         /* event: its type */
    struct str code, message; /* error */
};

MUST_USE bool wire_reply_parse(struct str line, struct arena *a, struct wire_reply *out, struct err *e);

/* Lines, with the line end, appended to out; its limit holds: look at out->full. */
void wire_write_hello(struct buf *out, uint64_t pid);
/* `params`: a JSON object; n == 0 writes {}. */
void wire_write_request(struct buf *out, uint64_t id, const char *method, struct str params);
void wire_write_error(struct buf *out, uint64_t id, enum wire_fault fault, struct str message);
/* {"id":7,"result":{  ...the caller writes members with w...  then wire_write_end(). */
void wire_write_result(struct buf *out, uint64_t id, struct json_write *w);
void wire_write_event(struct buf *out, uint64_t id, enum wire_event event, struct json_write *w);
void wire_write_end(struct json_write *w);
