/* Looking names up: in processes of their own, because the C library reads files, loads modules and waits for it.
 *
 * They are forked before the gateway gives its rights up, hear names that the rules let through, and answer with
 * numbers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "gate/rules.h"

struct err;

#define RESOLVER_PROCESSES 4
#define RESOLVER_ADDRESSES 16

struct resolver_answer {
    uint32_t id, n;
    union rules_peer to[RESOLVER_ADDRESSES];
};

/* *fd: the socket to ask and hear on, which does not wait. The processes end with it. */
MUST_USE bool resolver_start(int *fd, struct err *e);
/* False when too many questions are under way. */
MUST_USE bool resolver_ask(int fd, uint32_t id, struct str name);
/* False when there is no answer yet, or never will be. */
MUST_USE bool resolver_hear(int fd, struct resolver_answer *out);
