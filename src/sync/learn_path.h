/* Whether a sandbox lets a path through, and if not, which directory would have to be shown.
 *
 * Judged by the policy and by what is on this machine now: trackers see what is asked for, not what the kernel answers.
 * Links are followed as they are outside. A path that is not there outside either was refused nothing. Reads the file
 * system, changes nothing.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/asked.h"

struct arena;
struct jail_policy;

struct learn_place {
    const char *project, *environment, *home; /* absolute */
    const char *const *own; /* further directories of Blast itself, which nothing inside may see; NULL at the end */
};

/* Of one sandbox; `asked` is all that was asked for in it. */
struct learn_case {
    const struct jail_policy *p;
    const struct learn_place *at;
    const struct asked *asked;
    struct arena *a;
};

enum learn_fate {
    LEARN_FINE,    /* let through, or there is nothing */
    LEARN_PROPOSE, /* `path` would have to be shown, or be writable */
    LEARN_KEEP     /* refused, and not to be proposed: `why` */
};

struct learn_verdict {
    enum learn_fate fate;
    struct str path; /* in the arena */
    const char *why; /* static */
};

/* `how` is read, write, exec or socket. */
MUST_USE struct learn_verdict learn_judge_path(const struct learn_case *c, enum asked_how how, struct str path);
/* Would showing the whole directory show far more than what is in it for one program? The root, what lies right below
 * it, the home directory, what holds secrets or the project. */
MUST_USE bool learn_is_broad(const struct learn_case *c, struct str dir);
