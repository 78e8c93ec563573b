/* The filter of system calls, as a raw BPF program: a list of what is refused, because Python wheels call anything.
 *
 * Refused: what has no use in a Python program and has been a way out before (key rings, bpf, ptrace, mounts, name
 * spaces, io_uring, raw and exotic sockets, terminal injection ...), and every number newer than this list: it fails
 * closed with ENOSYS, which libraries fall back from. Namespaces alone do not stop the first three: they act on the
 * host's session, whatever the namespace. Set-user-ID files and limits of other processes are refused by argument.
 * Needs no privilege but no_new_privs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

struct err;
struct sock_filter;

#define SECCOMP_PROGRAM_MAX 512

struct seccomp_rules {
    bool no_inet; /* no socket of the Internet families: EACCES */
    bool no_unix; /* no AF_UNIX socket; socketpair() stays. For the level process: paths of the host can be connected */
};

/* Is there a filter for this machine's architecture? Without one the report says so. */
MUST_USE bool seccomp_is_known(void);
/* Writes the program; returns its length, at most SECCOMP_PROGRAM_MAX. */
size_t seccomp_program(const struct seccomp_rules *rules, struct sock_filter *out);
/* Loads the program into this process, for good; no_new_privs must be set. ERR_IO. */
MUST_USE bool seccomp_load(const struct sock_filter *program, size_t n, struct err *e);
/* Does the kernel take filters? Changes nothing. */
MUST_USE bool seccomp_is_there(void);
