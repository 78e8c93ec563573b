/* Time: monotonic for durations, wall clock for records, and the RFC 3339 text between them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

MUST_USE uint64_t clock_ms(void);    /* monotonic milliseconds */
MUST_USE uint64_t clock_us(void);    /* monotonic microseconds */
MUST_USE int64_t clock_now(void);    /* seconds since 1970; BLAST_NOW (tests) overrides it */

#define CLOCK_TEXT 32
/* "2026-11-22T23:04:18Z" */
void clock_format(int64_t seconds, char out[CLOCK_TEXT]);
/* RFC 3339 date-time ("T" or " ", fraction dropped, Z or offset) or a plain date, which is its first second in
 * UTC. False when it is neither. */
MUST_USE bool clock_parse(struct str text, int64_t *out);
