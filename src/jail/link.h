/* What blast-jail and pid 1 of its sandbox say to each other: one datagram a message, over a socket pair. Both are the
 * same program, one forked from the other, so the static texts of a report pass as pointers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/err.h"
#include "base/pass.h"
#include "jail/report.h"

enum link_kind {
    LINK_GO,    /* to pid 1: it is in its cgroup and its numbers are mapped */
    LINK_VISIT, /* to pid 1: a command to start; its connection and what came with VISIT_RUN are handed over */
    LINK_TRACK, /* from a command, before its exec: `visit` is tracked; the listener of its filter (jail/track.h) */
    LINK_READY, /* from pid 1: set up; `report` */
    LINK_ERROR, /* from pid 1: `text`, `hint`, `sys`; `value` is the exit code */
    LINK_LIMIT, /* from pid 1: it ends everything because of the setting `value` */
    LINK_OVER   /* from pid 1 or a leader: the command `visit` and all it left have ended; `value` is its wait status */
};

struct link_message {
    enum link_kind kind;
    int value, sys;
    uint32_t visit;
    bool use_terminal[3]; /* LINK_VISIT: standard descriptors that are the command's new terminal */
    char text[sizeof((struct err *)0)->text], hint[sizeof((struct err *)0)->hint];
    struct jail_report report;
};

/* `fd`: n descriptors to hand over, at most PASS_MAX. False when the other side is gone. */
bool link_send(int fd, const struct link_message *m, const int *pass, size_t n);
/* False at the end. *n is how many descriptors came; they are the caller's. */
MUST_USE bool link_receive(int fd, struct link_message *m, int got[PASS_MAX], size_t *n);
/* LINK_ERROR from an error. */
void link_send_error(int fd, const struct err *e, int exit_code);
