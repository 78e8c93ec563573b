/* What blast-jail and pid 1 of its sandbox say to each other: one datagram a message, over a socket pair. Both are the
 * same program, one forked from the other, so the static texts of a report pass as pointers. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/err.h"
#include "jail/report.h"

enum link_kind {
    LINK_GO,      /* to pid 1: it is in its cgroup and its numbers are mapped */
    LINK_EXEC,    /* to pid 1: the report is accepted */
    LINK_SIGNAL,  /* to pid 1: `value` for the command; `group`: for its whole process group */
    LINK_READY,   /* from pid 1: set up but for the command; `report`, and the terminal's descriptor */
    LINK_ERROR,   /* from pid 1: `text`, `hint`, `sys`; `value` is the exit code */
    LINK_STOPPED, /* from pid 1: the command was stopped (job control) */
    LINK_LIMIT,   /* from pid 1: it ends everything because of the setting `value` */
    LINK_END      /* from pid 1: `value` is the command's wait status */
};

struct link_message {
    enum link_kind kind;
    int value, sys;
    bool group;
    char text[sizeof((struct err *)0)->text], hint[sizeof((struct err *)0)->hint];
    struct jail_report report;
};

/* `pass`: a descriptor to hand over, or -1. False when the other side is gone. */
bool link_send(int fd, const struct link_message *m, int pass);
/* False at the end. *got is -1 when no descriptor came. */
MUST_USE bool link_receive(int fd, struct link_message *m, int *got);
/* LINK_ERROR from an error. */
MUST_USE struct link_message link_error(const struct err *e, int exit_code);
void link_send_error(int fd, const struct err *e, int exit_code);
