/* The leader of one command in a sandbox: forked by pid 1, it has a session and perhaps a terminal of its own, starts
 * the command, obeys the client, adopts what the command leaves behind, and ends all of it with the command or with the
 * client, whichever is first.
 *
 * It is inside, but not under the filters: the command gets these in its last steps before the exec. A leader that is
 * killed takes its command along; pid 1 then ends the rest.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct init_task;

struct leader_task {
    const struct init_task *sandbox;
    uint32_t visit;       /* for LINK_OVER */
    int client, order;    /* the connection; see jail/visit.h */
    int fd[3];            /* the command's, or -1 where it is the terminal */
    bool use_terminal[3];
    bool tell_stops;      /* not where pid 1 itself stops and continues everything */
};

NORETURN void leader_run(struct leader_task *t);

/* Ends every child of this process, and theirs as they become ours, until there is none; `spare` are children that
 * stay, 0 at the end (NULL: none). `alone`: this process may stop all others of its pid namespace for a moment, which
 * ends what forks faster than it can be killed. */
void leader_end_children(const int *spare, bool alone);
