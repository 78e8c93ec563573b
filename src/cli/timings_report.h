/* --timings-html and --timings-json: the spans of base/trace.h as a page to look at, and as a Chrome trace.
 *
 * The page holds everything it needs: no script, no style and no picture is loaded from anywhere. The trace is the
 * format of chrome://tracing and Perfetto (Trace Event Format, complete events).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct cmd;
struct timings;
struct trace_span;

/* Begins recording when one of the two options was given. Called before the command runs. */
void timings_report_begin(const struct cmd *c);
/* Writes what was asked for; a failure is a warning: the command itself has done its work. */
void timings_report_end(const struct cmd *c);

struct timings_chain {
    const struct trace_span **p; /* from the first to the last */
    size_t n;
};
struct arena;
/* The critical path: from the last span back, always to the one that ended last before it began. */
MUST_USE struct timings_chain timings_critical(const struct trace_span *s, size_t n, struct arena *a);
