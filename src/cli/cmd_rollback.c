/* blast rollback: a chosen generation of the history. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/restore.h"

bool cmd_rollback(struct cmd *c, struct err *e)
{
    if (c->options.words.n != 1) {
        (void)err_set(e, ERR_CONFIG, "blast rollback takes one generation");
        return err_hint(e, "blast history lists them");
    }
    struct restore what = { .kind = GENERATION_ROLLBACK, .which = c->options.words.p[0] };

    return restore_generation(c, &what, e);
}
