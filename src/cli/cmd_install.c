/* blast install: adds requirements to pyproject.toml and installs them; with --env or -r only installs. */
#include <fcntl.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/ui.h"

static bool into_environment(struct cmd *c, struct workspace *w, struct sync_job *job, struct sync_outcome *o,
                             struct err *e)
{
    if (w->request->package.n == 0 && w->request->requirement.n == 0) {
        (void)err_set(e, ERR_CONFIG, "nothing to install was named");
        return err_hint(e, "blast install NAME..., or -r FILE");
    }
    (void)c;
    job->no_lock = true;
    job->keep_others = true;
    return sync_run(w, job, o, e);
}

bool cmd_install(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .command = edit_command_line(c), .watch = &common_watch, .timings = &t };

    common_request(c, &r);
    bool bare = r.env.n || r.requirement.n;

    if (bare)
        r.package = (struct str_list){ c->options.words.p, c->options.words.n };
    if (!common_open(c, &r, &w, e))
        return false;
    bool ok = bare ? into_environment(c, &w, &job, &o, e)
                   : edit_install(c, &w, &r, &job, &o, e);

    if (!ok)
        return false;
    common_outcome(c, &w, &o, &t, begun);
    return true;
}
