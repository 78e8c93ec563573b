/* What went wrong with a try, in words: the host, what happened, a way out. Internal to net/. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "net/curl.h"

struct http_slot;

/* "host" or "host:port" of the place the try goes to; lives as long as the try. */
MUST_USE const char *fault_host(struct http_slot *s);

/* Sets the request's err from libcurl's code. True when another try may help. */
MUST_USE bool fault_describe(struct http_slot *s, CURLcode code);
