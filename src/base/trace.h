/* Spans of time of one run, for --timings-html and --timings-json. Off unless trace_start() was called: then the whole
 * cost is one branch a span.
 *
 *     uint64_t begun = trace_now();
 *     ...
 *     trace_add(TRACE_LINK, name, begun, 0);
 *
 * One thread: what workers do is recorded by whoever takes their result back. Names are copied.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

/* kind, word, what it is */
#define TRACE_KINDS(X)                                                                                                 \
    X(PHASE, "phase")                                                                                                  \
    X(WAVE, "wave")       /* the solver waits for what it lacks */                                                     \
    X(PAGE, "page")       /* a request for a page of the index */                                                      \
    X(METADATA, "metadata")                                                                                            \
    X(FETCH, "fetch")     /* a file to install */                                                                      \
    X(UNPACK, "unpack")                                                                                                \
    X(HIT, "hit")         /* was in the store: nothing to fetch or unpack */                                           \
    X(LINK, "link")                                                                                                    \
    X(COMMIT, "commit")

enum trace_kind {
#define X(id, word) TRACE_##id,
    TRACE_KINDS(X)
#undef X
    TRACE_KIND_COUNT
};

struct trace_span {
    enum trace_kind kind;
    struct str name;
    uint64_t begun, end; /* microseconds, monotonic */
    uint64_t bytes;      /* 0: none or unknown */
};

extern bool trace_on;

const char *trace_word(enum trace_kind kind);
void trace_start(void);
void trace_clear(void); /* forgets everything and is off again */

/* Microseconds, 0 when off. */
MUST_USE uint64_t trace_now(void);
void trace_note(enum trace_kind kind, struct str name, uint64_t begun, uint64_t bytes);
/* A span from `begun` to now. */
static inline void trace_add(enum trace_kind kind, struct str name, uint64_t begun, uint64_t bytes)
{
    if (trace_on)
        trace_note(kind, name, begun, bytes);
}

/* All so far, in the order in which they ended. Valid until the next one. */
const struct trace_span *trace_spans(size_t *n);
