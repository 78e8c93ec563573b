/* blast undo: back to the generation before, or several. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/restore.h"

bool cmd_undo(struct cmd *c, struct err *e)
{
    struct restore what = { .kind = GENERATION_UNDO };

    return restore_steps(c, &what.steps, e) && restore_generation(c, &what, e);
}
