#include "cli/debug_resolve.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "resolve/scenario.h"

static bool run_one(struct str one, unsigned line, bool several, struct buf *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct scenario_result r;

    if (!scenario_run(one, line, 0, &a, &r, e))
        return false;
    if (several)
        (void)buf_printf(out, "%s@NAME " STR_FMT "\n", out->n ? "\n" : "", STR_ARG(r.name));
    (void)buf_str(out, r.output);
    if (r.expect.n && !str_eq(r.expect, r.output))
        return err_set(e, ERR_RESOLUTION, "scenario '" STR_FMT "' expects another outcome", STR_ARG(r.name));
    if (r.steps > r.max_steps)
        return err_set(e, ERR_RESOLUTION, "scenario '" STR_FMT "' tried %u versions, at most %u expected",
                       STR_ARG(r.name), r.steps, r.max_steps);
    return true;
}

bool debug_resolve(struct str scenario_text, struct buf *out, struct err *e)
{
    struct str rest = scenario_text, one = { 0 };
    bool several = false;

    for (unsigned line = 1; scenario_next(&rest, &one, &line);) {
        several = several || (rest.p != NULL && str_trim(rest).n > 0);
        if (!run_one(one, line, several, out, e))
            return false;
    }
    return true;
}
