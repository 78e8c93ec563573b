/* blast redo: takes the last undo back. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/restore.h"

bool cmd_redo(struct cmd *c, struct err *e)
{
    return common_no_words(c, e) && restore_generation(c, GENERATION_REDO, STR(""), e);
}
