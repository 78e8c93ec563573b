/* The terminal of an interactive command: its own one inside, relayed to the user's. The user's terminal is never
 * handed in: what has it open can read what is typed later, or type into the shell (CVE-2017-5226). */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <termios.h>
#include "base/attr.h"

struct err;

struct pty {
    int master;           /* of the command's terminal */
    int in, out;          /* the user's, -1 where that side is no terminal */
    struct termios saved;
    bool raw;             /* the user's terminal is in raw mode now */
    char to[4096], from[16384];
    unsigned to_n, from_n; /* bytes that are still to be written */
    bool ended;           /* nothing more comes from the command */
};

/* A terminal outside, for the level process: *slave is for the command. */
MUST_USE bool pty_open(int *master, int *slave, struct err *e);
/* Takes the master. `in` and `out` are terminals of ours or -1. */
void pty_init(struct pty *t, int master, int in, int out);
/* Raw mode, if we are in the foreground; window size. */
void pty_attach(struct pty *t);
void pty_detach(struct pty *t); /* the user's terminal is as it was */
void pty_resize(struct pty *t);

/* Two entries: what to wait for. */
void pty_poll(const struct pty *t, struct pollfd p[2]);
void pty_relay(struct pty *t, const struct pollfd p[2]);
/* What the command wrote last is still in the terminal when it has ended. */
void pty_drain(struct pty *t);
