/* Moving bytes from one socket to the other: a little is copied, much goes through a pipe without being looked at
 * (splice). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

struct conn;
struct flow;
struct gate;
struct watch;

#define FLOW_TURN 1048576u /* bytes that one connection moves before it is another's turn */

enum flow_end {
    FLOW_IDLE,   /* waits for one of the sockets */
    FLOW_MORE,   /* its turn is over, there is more */
    FLOW_POOR,   /* the bandwidth is used up */
    FLOW_JUDGE,  /* all that may pass has passed: somebody must look at what follows */
    FLOW_BROKEN
};

/* `credit` may be NULL; else at most that much passes, and it is counted down. */
MUST_USE enum flow_end flow_move(struct gate *g, struct flow *f, struct watch *from, struct watch *to,
                                 uint64_t *credit);
/* All has come and was passed on, but for the end itself. */
MUST_USE bool flow_is_done(const struct flow *f);
/* Half-closes the other side, as this one was, when all before it has passed. False when that breaks. */
MUST_USE bool flow_pass_end(struct flow *f, const struct watch *to);
/* Gives its pipe back, or closes it when there is something in it. */
void flow_clear(struct gate *g, struct flow *f);
