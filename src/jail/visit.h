/* A command in a sandbox that is there: what its client (blast) and the sandbox say to each other.
 *
 * Several commands share a sandbox. Each has one connection, SOCK_SEQPACKET, one datagram a message:
 *
 *     client -> blast-jail    VISIT_RUN with its order (a sealed memfd) and descriptors
 *     blast-jail -> client    VISIT_REPORT; at the end VISIT_END. VISIT_REFUSED or VISIT_ERROR: it did not start;
 *                             VISIT_GONE: nor did the sandbox take it
 *     leader -> client        VISIT_TERMINAL, VISIT_STOPPED, VISIT_ERROR: the command's leader, inside (leader.h)
 *     client -> leader        VISIT_SIGNAL
 *
 * The end of the connection ends the command and all that it started; so does the end of the client, by whatever means.
 * Messages hold no pointers, and a text is taken up to its first NUL, so that whatever comes is safe to read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct jail_command;
struct jail_result;

#define JAIL_NOT_RUN 125 /* the exit code of what did not start, as of env(1) and timeout(1) */
#define VISIT_MAGIC UINT32_C(0x54495642)
#define VISIT_ORDER_MAX (16u << 20) /* bytes of an order; a command line may have 2 MiB */
#define VISIT_REPORT_MAX 65536      /* bytes of a message that carries JSON */
#define VISIT_NAME 64               /* of the command, for those who list what runs */

enum visit_kind {
    VISIT_RUN,      /* descriptors: the order, then those of 0, 1, 2 that are no terminals, then one of `session` */
    VISIT_STOP,     /* ends the sandbox with everything in it */
    VISIT_LOOK,     /* asks for VISIT_USE */
    VISIT_REPORT,   /* struct visit_text: the enforcement report, JSON */
    VISIT_USE,      /* struct visit_text: what runs and what it uses, JSON */
    VISIT_REFUSED,  /* the policy wants what this machine does not give: see the report */
    VISIT_TERMINAL, /* with the master of the command's terminal */
    VISIT_STOPPED,  /* the command was stopped, by the signal `value` (job control) */
    VISIT_SIGNAL,   /* `value` for the command; `group`: for its whole process group */
    VISIT_GONE,     /* the sandbox was ended before it took the command; `text` says how */
    VISIT_ERROR,    /* `text`, `hint`, `sys`; `value` is the exit code */
    VISIT_END       /* `value` is the wait status; `text` the limit that ended it, or empty */
};

struct visit_message {
    uint32_t kind;
    int32_t value, sys;
    int32_t session;          /* VISIT_RUN: a process; the sandbox stays for as long as it lives. 0: none */
    uint8_t group;
    uint8_t use_terminal[3];  /* VISIT_RUN: standard descriptors that are the new terminal */
    char text[2048], hint[512];
};

/* In a pipeline (`python report.py | less`) another program may be reading the user's terminal, though the command's
 * input is that terminal, too. Then the command is in the background of its own one until the kernel stops it for
 * reading or setting it, and only then the user's is read for it. */
MUST_USE bool visit_waits_for_terminal(bool input, bool output);

struct visit_text {
    uint32_t kind;
    char json[VISIT_REPORT_MAX];
};

/* Sends a message; false when the other side is gone. `pass`: a descriptor to hand over, or -1. */
bool visit_send(int socket, const struct visit_message *m, int pass);
/* VISIT_ERROR from an error. */
MUST_USE struct visit_message visit_error(const struct err *e, int exit_code);
/* False at the end and for what is no message. *got is -1 when no descriptor came. */
MUST_USE bool visit_receive(int socket, struct visit_message *m, int *got);

/* What a command is: the leader's view of the order. */
struct visit_order {
    const char *cwd;
    char **argv, **env; /* NULL at the end; argv has one word at least */
};

/* The order as a sealed memfd, so that what was decided is what is done. */
MUST_USE bool visit_order_make(const struct jail_command *c, const char *cwd, int *out, struct err *e);
/* Texts live in the arena. */
MUST_USE bool visit_order_read(int fd, struct arena *a, struct visit_order *out, struct err *e);

/* The client's side: has the command run over this connection and waits for its end, relaying terminal and signals.
 * `home` is the directory inside where it starts if it names none. `other`: a further descriptor that is waited for,
 * `heard` is called when it is readable and closes it at its end (*other becomes -1); may be NULL. What it returns is
 * what jail_run() does; out->wall_us is not set. False with *gone when the sandbox ended before it took the
 * command: it can be tried with another. Then `e` says why where that is known. */
struct visit {
    int socket;
    const char *home;
    int session;                  /* see struct visit_message */
    int *other;
    void (*heard)(void *ctx);
    void *ctx;
};
MUST_USE bool visit_run(const struct visit *v, const struct jail_command *c, struct arena *a, struct jail_result *out,
                        bool *gone, struct err *e);
