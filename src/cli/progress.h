/* One line of progress on stderr: after 150 ms, at most ten times a second, only on a terminal.
 *
 * The engine calls progress_show() as often as it likes with the phase and its counters; off a terminal each
 * phase prints one plain line when it ends and took noticeable time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *phase;        /* "Resolving", "Fetching", "Installing" */
    size_t done, total;       /* total 0: unknown */
    uint64_t bytes, of_bytes; /* of_bytes 0: not shown */
    const char *item;         /* what is being worked on; may be NULL */
};

void progress_show(const struct progress *p);
/* Takes the line off the screen, before anything else is printed. */
void progress_hide(void);
