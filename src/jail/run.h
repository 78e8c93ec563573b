/* Running a command in a sandbox: the parent's side. All the work is done by the program blast-jail.
 *
 * The caller may have threads: nothing is cloned here but by posix_spawn(). When the caller dies, by whatever means,
 * everything that was started dies with it.
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
    const char *const *ro;   /* further host paths, NULL at the end; may be NULL */
    const char *const *rw;
    void (*reported)(void *ctx, const struct jail_report *r); /* called once, as the command starts; may be NULL */
    void (*tick)(void *ctx); /* called a few times a second while it runs; may be NULL */
    void *ctx;
    void (*connected)(void *ctx, struct str event); /* each event of blast-gate, JSON (gate/event.h); may be NULL */
    int control;             /* listening socket, 10 or above, for the table of connections (gate/table.h); 0: none */
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

/* False with e (ERR_ENVIRONMENT, exit code 125, 126 or 127) when the command did not start; out is filled then too. A
 * command that ran is true, whatever its exit code. */
MUST_USE bool jail_run(const struct jail_policy *p, const struct jail_command *c, struct arena *a,
                       struct jail_result *out, struct err *e);

/* What it would be: everything is set up for real in a sandbox that runs nothing. */
MUST_USE bool jail_try(const struct jail_policy *p, struct arena *a, struct jail_report *out, struct err *e);

/* The command's environment: from `from` (as environ is one) what the policy lets through, HOME, TMPDIR and the like
 * as they are inside, then `add` ("NAME=value", NULL at the end; NULL: none). NULL at the end; in the arena. */
MUST_USE const char *const *jail_environment(const struct jail_policy *p, const char *const *from,
                                             const char *const *add, struct arena *a);
