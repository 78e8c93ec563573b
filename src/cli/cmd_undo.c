/* blast undo: back to the generation before. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/restore.h"

bool cmd_undo(struct cmd *c, struct err *e)
{
    return common_no_words(c, e) && restore_generation(c, GENERATION_UNDO, STR(""), e);
}
