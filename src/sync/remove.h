/* Taking packages out of an environment that has no project behind it. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "sync/coordinator.h"
#include "sync/request.h"

struct err;
struct workspace;

/* What is named and installed goes; what is not installed is a warning. Nothing else is looked at: other packages may
 * still need it. */
MUST_USE bool sync_remove(struct workspace *w, const struct str_list *names, const struct sync_job *job,
                          struct sync_outcome *out, struct err *e);
