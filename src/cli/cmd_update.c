/* blast update: newer versions within the bounds; with --bump the bounds move too. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/graph.h"
#include "cli/settle.h"
#include "lock/lock.h"

/* A name that is in no lock would be passed over in silence. Without a lock there is nothing to compare with. */
static bool check_words(struct cmd *c, struct workspace *w, struct err *e)
{
    struct err ignored = { 0 };
    struct graph g;

    if (c->options.words.n == 0 || !graph_load(w, &g, &ignored))
        return true;
    for (size_t i = 0; i < c->options.words.n; i++)
        if (graph_find(&g, c->options.words.p[i]) == UINT32_MAX)
            return graph_unknown(&g, c->a, c->options.words.p[i], e);
    return true;
}

bool cmd_update(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .command = edit_command_line(c), .watch = &common_watch, .timings = &t };

    common_request(c, &r);
    r.refresh = !r.offline;
    r.upgrade = c->options.words.n == 0;
    r.upgrade_only = (struct str_list){ c->options.words.p, c->options.words.n };
    if (!common_open(c, &r, &w, e) || !check_words(c, &w, e) || !common_check_lists(c, &w, e))
        return false;
    bool ok = option_flag(&c->options, OPT_BUMP) ? edit_bump(c, &w, &r, &job, &o, e) : settle_sync(c, &w, false, &job, &o, e);

    if (!ok)
        return false;
    common_outcome(c, &w, &o, &t, begun);
    return true;
}
