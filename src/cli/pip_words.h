/* The command line of pip, as far as it is spoken here: words and options of one command, read from a table.
 *
 * What Blast has under another name goes into the options of the command (struct options), as if given there; what
 * changes nothing here (caches, progress, warnings) is passed over; what cannot be done is refused with the reason.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct cmd;
struct err;

enum pip_command {
    PIP_INSTALL = 1,
    PIP_UNINSTALL = 2,
    PIP_LIST = 4,
    PIP_FREEZE = 8,
    PIP_SHOW = 16,
    PIP_CHECK = 32,
    PIP_DOWNLOAD = 64,
    PIP_EVERY = 127
};

/* Options that are pip's alone. */
enum pip_own { PIP_YES, PIP_FORMAT, PIP_OUTDATED, PIP_FILES, PIP_DEST, PIP_EXCLUDE, PIP_ALL, PIP_EDITABLES, PIP_OWN };

struct pip_words {
    enum pip_command command;
    VEC(struct str) word;         /* requirements or names */
    VEC(struct str) own[PIP_OWN]; /* values, an empty text for a flag */
    bool help;
};

/* False: ERR_CONFIG, exit code 2 for options (as pip has it), 1 for an unknown command. The first word is the
 * command. */
MUST_USE bool pip_words_read(struct cmd *c, struct pip_words *out, struct err *e);
MUST_USE struct str pip_words_value(const struct pip_words *w, enum pip_own own); /* the last; p == NULL: not given */

void pip_words_help(void);
