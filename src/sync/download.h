/* Wheels of a set of requirements, saved to a folder instead of installed: pip download. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "sync/request.h"

struct err;
struct timings;
struct watch;
struct workspace;

/* Resolves what the request names, for the workspace's interpreter, and puts each wheel into `dir` (made when missing),
 * verified. A file that is there already and right is left. *names: of the files, in w->a. */
MUST_USE bool sync_download(struct workspace *w, const char *dir, const struct watch *watch, struct timings *t,
                            struct str_list *names, struct err *e);
