/* blast redo: takes the last undo back, or several. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/restore.h"

bool cmd_redo(struct cmd *c, struct err *e)
{
    struct restore what = { .kind = GENERATION_REDO };

    return restore_steps(c, &what.steps, e) && restore_generation(c, &what, e);
}
