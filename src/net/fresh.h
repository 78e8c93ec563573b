/* How long an answer may be used without asking again (RFC 9111, as a private cache).
 *
 * The server's Cache-Control and Age decide, then Expires; where it says nothing our `ttl` does. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct fresh {
    int64_t max_age; /* seconds from now; -1: not said */
    bool no_store;   /* must not be kept */
    bool no_cache;   /* may be kept, must be asked about each time */
    bool immutable;
};

/* From header values; an absent one has n == 0. `now` is the wall clock when the answer came. Nonsense in a header
 * counts as not said; s-maxage is for shared caches and ignored. */
MUST_USE struct fresh fresh_parse(struct str cache_control, struct str age, struct str expires, struct str date,
                                  int64_t now);

/* Until when (wall clock) the answer may be used; `ttl` seconds where the server does not say. no_cache and
 * no_store give `now`. Never more than a year ahead. */
MUST_USE int64_t fresh_until(const struct fresh *f, int64_t now, int64_t ttl);
/* The same from what http.h returns. */
struct http_request;
MUST_USE int64_t fresh_until_of(const struct http_request *r, int64_t now, int64_t ttl);
/* An entry checked at `checked` and good until `until`. A clock that went back makes it stale. */
MUST_USE bool fresh_is(int64_t checked, int64_t until, int64_t now);

/* The three date forms of RFC 9110, section 5.6.7; seconds since 1970. */
MUST_USE bool fresh_date_parse(struct str text, int64_t *out);
/* Retry-After, seconds or date, as seconds from now, at least 0; false when it is neither. */
MUST_USE bool fresh_retry_after(struct str text, int64_t now, int64_t *seconds);
