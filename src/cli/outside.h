/* What a sandbox has to do with the outside: which hosts are its indexes, what its gateway tells, which connections are
 * open now. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct cmd;
struct err;
struct workspace;

/* What "index" in allowed_domains stands for: the hosts of the configured indexes, and those that the files of the lock
 * come from. NULL at the end; in the command's arena. */
MUST_USE const char *const *outside_index_hosts(struct cmd *c, const struct workspace *w);

/* The socket at which blast-gate tells of its connections, listening, in a file that is named after the project and
 * this process. -1: it could not be made; then the table cannot be asked for. */
MUST_USE int outside_listen(const struct workspace *w);
void outside_remove(const struct workspace *w);

/* One event of blast-gate into the audit log. */
void outside_record(struct workspace *w, struct str event);

/* blast sandbox connections */
MUST_USE bool outside_connections(struct cmd *c, const struct workspace *w, struct err *e);
