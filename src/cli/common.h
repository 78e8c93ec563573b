/* What most commands do first and last: the request from the options, the workspace, the progress line, the summary. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "codec/json_write.h"
#include "sync/coordinator.h"
#include "sync/request.h"
#include "sync/workspace.h"

struct err;

#define RESULT_MAX ((size_t)64 << 20) /* bytes of a JSON result */

/* The options as values; lists live in the command's arena. */
void common_request(struct cmd *c, struct request *out);
MUST_USE bool common_open(struct cmd *c, const struct request *r, struct workspace *out, struct err *e);

extern const struct watch common_watch; /* shows the progress line */

/* Prints the workspace's warnings, once, before the result. */
void common_warnings(const struct workspace *w);
/* "+ flask 3.1.3" lines and "Installed 7 packages in 0.31 s", or the same as JSON. */
void common_outcome(struct cmd *c, const struct workspace *w, const struct sync_outcome *o, const struct timings *t,
                    uint64_t begun_us);
/* "7 added, 1 removed"; empty when nothing changes. */
MUST_USE struct str common_counts(struct arena *a, const struct plan *p);
/* With --timings how long each phase took; with that or -v what the index was asked for. */
void common_figures(const struct cmd *c, const struct timings *t, uint64_t total_us);

/* One JSON result: begin, write the members, end (which prints it). */
struct json_result {
    struct buf buf;
    struct json_write w;
};
void json_result_begin(struct json_result *r, const char *schema); /* "blast.status/1"; NULL: the caller's own value */
void json_result_end(struct json_result *r);

/* Is what is current there by an undo or a rollback? Then run leaves it as it is, until the user syncs or installs. */
MUST_USE bool common_pinned(struct workspace *w, uint32_t *seq);
/* The name among `list` that is nearest to a misspelt one, or p == NULL when none is near. Compares normalised. */
MUST_USE struct str common_nearest(struct arena *a, struct str name, const struct str *list, size_t n);
/* ERR_CONFIG for an --extra or --group that the project does not have. */
MUST_USE bool common_check_lists(struct cmd *c, const struct workspace *w, struct err *e);
MUST_USE bool common_no_words(const struct cmd *c, struct err *e); /* ERR_CONFIG when words were given */
