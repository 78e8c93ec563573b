/* blast sync: makes the environment equal to the lock. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/settle.h"
#include "cli/ui.h"

bool cmd_sync(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = {
        .command = STR("sync"),
        .watch = &common_watch,
        .timings = &t,
        .check = option_flag(&c->options, OPT_CHECK),
    };

    common_request(c, &r);
    r.project_inputs = r.requirement.n == 0;
    job.no_lock = !r.project_inputs;
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !common_check_lists(c, &w, e))
        return false;
    if (!settle_sync(c, &w, true, &job, &o, e))
        return false;
    common_outcome(c, &w, &o, &t, begun);
    if (job.check && o.would_change) {
        ui_note("the environment is not in sync; blast sync would change it");
        c->exit_code = 3;
    }
    return true;
}
