/* Running a command in a sandbox: the side outside. All the work is done by the program blast-jail.
 *
 * A sandbox is made for one command (jail_run) or kept for many that come to it (jail_keep, jail_join). The caller may
 * have threads: nothing is cloned here but by posix_spawn(). When a client dies, by whatever means, its command and all
 * that this started dies with it; when the keeper dies, everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/report.h"

struct arena;
struct err;
struct jail_policy;

/* Nothing is inherited that is not named here. */
struct jail_command {
    const char *const *argv; /* argv[0] with a slash, or looked up in the PATH of `env`, inside */
    const char *const *env;  /* exactly this; see jail_environment() */
    const char *cwd;         /* inside; NULL: the home directory of the policy */
    int fd[3];               /* the command's stdin, stdout, stderr; our own 0, 1, 2 are fine. A terminal among them
                                is never handed in: the command gets a new one, relayed */
    uint64_t wall_ms;        /* 0: none */
    void (*reported)(void *ctx, const struct jail_report *r); /* called once, as the command starts; may be NULL */
    void (*tick)(void *ctx); /* called a few times a second while it runs; may be NULL */
    void *ctx;
    bool foreground;         /* signals that reach us are passed on; a stop of the command stops us (job control) */
};

enum jail_end {
    JAIL_NOT_STARTED, /* `stage` and `sys` say where it ended; e too */
    JAIL_REFUSED,     /* the policy wants what this machine does not give: the report says what; e too */
    JAIL_EXITED,      /* `code` */
    JAIL_SIGNALLED    /* `code` is 128 + the signal */
};

struct jail_result {
    enum jail_end end;
    int code;             /* what to exit with: the command's; 125 not started or refused, 126, 127 as env(1) */
    int signal;           /* 0: none */
    const char *limit;    /* the setting whose limit ended it ("memory_limit", "wall clock"), or NULL */
    char stage[64];       /* "mount the new root" */
    int sys;              /* errno at that stage */
    uint64_t wall_us;
    bool reported;        /* `report` was received */
    struct jail_report report; /* texts in the arena */
};

/* In a sandbox of its own. False with e (ERR_ENVIRONMENT, exit code 125, 126 or 127) when the command did not start;
 * out is filled then too. A command that ran is true, whatever its exit code. */
MUST_USE bool jail_run(const struct jail_policy *p, const struct jail_command *c, struct arena *a,
                       struct jail_result *out, struct err *e);

/* A sandbox that is there, or will be. */
struct jail_entry {
    int socket;  /* connected to the one that its keeper serves */
    int session; /* a process of ours for whose life the sandbox stays; 0: none */
    bool gone;   /* set: it ended before it took the command */
};
/* As jail_run(), in that one. False and `gone`: in another, perhaps; an error then says how this one ended. */
MUST_USE bool jail_join(struct jail_entry *at, const struct jail_policy *p, const struct jail_command *c,
                        struct arena *a, struct jail_result *out, struct err *e);

/* The order for a sandbox with this policy, to be handed to its keeper: a sealed memfd, so that what was decided is
 * what is done. `name`: how what it has on disk begins its name (jail/uppers.h). */
MUST_USE bool jail_order(const struct jail_policy *p, const char *name, int *fd, struct err *e);

/* What such an order says; where it is read does not move. The policy lives in the arena. */
MUST_USE bool jail_order_read(int fd, struct arena *a, struct jail_policy *out, struct err *e);

/* Starts blast-jail, which serves a sandbox with the order at `serve`, a listening SOCK_SEQPACKET socket, or one with
 * a single client connected to it. `control`: listening, for the table of connections (gate/table.h); -1: none. They
 * stay the caller's. It must be kept by the process that began it, whichever program that runs by then. */
struct jail_begun {
    int status; /* what blast-jail tells; at its end it ends, too */
    pid_t pid;
};
MUST_USE bool jail_begin(int order, int serve, int control, struct jail_begun *out, struct err *e);
/* Tells whoever came or comes to `serve`, which is taken, that the sandbox could not begin. */
void jail_refuse(int serve, const struct err *e);

/* Keeps a sandbox until its last command is over. `begun` and `serve` are taken. `heard` gets one object of blast-jail
 * after the other, as tell.h lists them: the key, and the value as JSON text. What it does about "over" is done before
 * the command's client hears of it. */
struct jail_keeping {
    struct jail_begun begun;
    int serve;
    void (*heard)(void *ctx, struct str key, struct str value);
    void *ctx;
};
void jail_keep(const struct jail_keeping *k);

/* Asks a sandbox what runs in it and what it uses: JSON, in the arena. */
MUST_USE bool jail_look(int socket, struct arena *a, struct str *out);
/* Ends a sandbox and waits until it is gone. */
void jail_stop(int socket);

/* What it would be: everything is set up for real in a sandbox that runs nothing. */
MUST_USE bool jail_try(const struct jail_policy *p, struct arena *a, struct jail_report *out, struct err *e);

/* The command's environment: from `from` (as environ is one) what the policy lets through, HOME, TMPDIR and the like
 * as they are inside, then `add` ("NAME=value", NULL at the end; NULL: none). NULL at the end; in the arena. */
MUST_USE const char *const *jail_environment(const struct jail_policy *p, const char *const *from,
                                             const char *const *add, struct arena *a);
