/* MetricsManager: what every sync cost, on disk, of bounded size.
 *
 *     <state>/metrics   sums since it was made, and the last METRICS_RING syncs, one fixed-size record each
 *
 * One small write under a lock for a sync, some 30 microseconds. The file is of this machine and its byte order; a
 * damaged or foreign one is begun anew. Figures only: no names, no paths. Text for monitoring is made from it on
 * request; nothing listens anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "sync/request.h"

struct arena;
struct buf;
struct dirs;
struct err;

#define METRICS_RING 512

enum metrics_outcome { METRICS_UNCHANGED, METRICS_CHANGED, METRICS_FAILED, METRICS_DENIED, METRICS_OUTCOMES };

struct metrics_record {
    int64_t when;            /* seconds since 1970 */
    uint64_t total_us;
    uint64_t us[PHASES];
    uint64_t bytes;          /* received */
    uint32_t pages, metadata, wheels; /* requests; wheels fetched */
    uint32_t hits;           /* wheels that were in the store */
    uint32_t added, removed, replaced;
    uint32_t outcome;        /* enum metrics_outcome */
};

MUST_USE bool metrics_append(const struct dirs *d, const struct metrics_record *r, struct err *e);
/* The last ones, oldest first, in the arena. */
MUST_USE bool metrics_recent(const struct dirs *d, struct arena *a, struct metrics_record **out, size_t *n,
                             struct err *e);
/* The sums as OpenMetrics text (https://prometheus.io/docs/specs/om), without the closing "# EOF": the caller may have
 * more to say. Nothing when no sync was recorded yet. */
MUST_USE bool metrics_openmetrics(const struct dirs *d, struct buf *out, struct err *e);
