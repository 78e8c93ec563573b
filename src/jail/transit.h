/* The transit process: owner of the two network namespaces of a sandbox that may reach something.
 *
 *     sandbox (user namespace U2)      transit (U1)                          outside
 *     eth0 10.0.2.100  <-- veth -->  gw0 10.0.2.2, every allowed address    blast-gate
 *
 * IPv6 is off in both unless addresses of it are allowed; then the two ends have fd62:6c61:7374::64 and ::2 as well,
 * and none that they made up by themselves.
 * U1 owns both network namespaces and is the parent of U2: so even with all the capabilities of U2 nothing about the
 * sandbox's network can be changed from inside it. Allowed addresses, and 198.18.0.0/15 for names, are local here: the
 * kernel accepts what the sandbox opens to them. The sockets that accept are made here and handed to blast-gate, which
 * is outside; nothing is ever forwarded. After that the process does one thing: on blast-gate's word it makes a socket
 * to a port of the sandbox.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/err.h"
#include "jail/userns.h"

struct init_task;
struct jail_policy;

struct transit_task {
    const struct jail_policy *p;
    struct init_task *init;  /* pid 1 of the sandbox, which it starts */
    pid_t parent;            /* blast-jail */
    int launcher;            /* the other end of its link */
    int gate;                /* ... blast-gate's */
    struct userns_map map;   /* of the sandbox */
    bool root;
    uint64_t namespaces;     /* for clone3(2), without the network */
    const int *close;        /* blast-jail's own, -1 at the end */
};

/* What it says to blast-jail when the sandbox's pid 1 is there, or why not. */
struct transit_word {
    pid_t init;              /* 0: the error says why */
    struct err e;
};

/* In a new user and network namespace, whose numbers are mapped when a byte comes from `launcher`. */
NORETURN void transit_run(struct transit_task *t);
