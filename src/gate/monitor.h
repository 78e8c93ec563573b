/* What the sandbox tried and the kernel refused: seen on the transit namespace's interface, told as events. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "gate/event.h"

struct gate;
struct watch;

/* One packet of IPv4 or IPv6. False when it is nothing to tell of: it is judged elsewhere. Texts are static. */
MUST_USE bool monitor_read(const struct gate *g, const unsigned char *p, size_t n, struct event *out);
/* What waits at the packet socket. */
void monitor_packets(struct gate *g, const struct watch *w);
