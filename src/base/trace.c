#include "base/trace.h"

#include "base/clock.h"
#include "base/vec.h"

#define SPANS_MAX 200000 /* then the rest is not recorded: a run with more of them is not looked at span by span */

bool trace_on;

static struct {
    struct arena names;
    VEC(struct trace_span) spans;
} all;

const char *trace_word(enum trace_kind kind)
{
    static const char *const word[] = {
#define X(id, text) text,
        TRACE_KINDS(X)
#undef X
    };

    return word[kind];
}

void trace_start(void)
{
    trace_on = true;
}

void trace_clear(void)
{
    trace_on = false;
    VEC_CLEAR(&all.spans);
    arena_clear(&all.names);
}

uint64_t trace_now(void)
{
    return trace_on ? clock_us() : 0;
}

void trace_note(enum trace_kind kind, struct str name, uint64_t begun, uint64_t bytes)
{
    if (all.spans.n < SPANS_MAX)
        VEC_PUSH(&all.spans, (struct trace_span){ kind, arena_str(&all.names, name), begun, clock_us(), bytes });
}

const struct trace_span *trace_spans(size_t *n)
{
    *n = all.spans.n;
    return all.spans.p;
}
