/* Whether what a connection carries belongs to the name that its address was given for. What has come is looked at, not
 * taken: it stays in the kernel until it may pass. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct conn;
struct gate;

enum judge_result { JUDGE_WAIT, JUDGE_PASS, JUDGE_DENY, JUDGE_GONE };

/* Of TLS the hello, of HTTP the first head. *why is static. */
MUST_USE enum judge_result judge_first(struct gate *g, struct conn *c, const char **why);
/* HTTP: what follows what was let through. True: there is credit, or the end. False: wait, or *why it is refused. */
MUST_USE bool judge_next(struct gate *g, struct conn *c, const char **why);
