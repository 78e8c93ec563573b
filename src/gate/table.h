/* The table of connections, for whoever connects to the control socket: one JSON object, then the end.
 *
 *     {"schema":"blast.connections/1","total":2,"half_open":1,"names":3,"connections":[{"id":7,"state":"open",
 *      "from":"10.0.2.100:4242","to":"198.18.0.1:443","name":"good.test","peer":"203.0.113.6:443","inbound":false,
 *      "out":517,"in":4096,"ms":12}],"left_out":0}
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct buf;
struct gate;
struct watch;

#define TABLE_ROWS 500
#define TABLE_MAX (160u << 10) /* bytes: what a socket takes at once */

MUST_USE bool table_write(const struct gate *g, struct buf *out);
/* Answers all that wait. */
void table_serve(const struct gate *g, const struct watch *w);
