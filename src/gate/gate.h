/* blast-gate: the only way out of a sandbox.
 *
 * The sandbox's network ends in a second network namespace where every allowed address is local, so the kernel there
 * accepts its connections; the listening sockets are made there and handed to this process, which is on the outside. It
 * judges each connection by the name that its address was given for, resolves that name itself, connects, and moves
 * bytes. One thread, one epoll loop; no files, no other processes once it is set up, memory and descriptors bounded.
 * When it ends, by whatever means, the listening sockets are gone and nothing gets out.
 *
 * Descriptors: the policy (JSON, see rules.h), the link to the transit namespace, a datagram socket for events, and a
 * listening socket for whoever wants the table of connections, or -1.
 *
 * On the link, one text a message, descriptors beside it:
 *     from there, first:  "tcp PORT", "tcp6 PORT" (listening sockets), "udp PORT", "udp6 PORT", "dns", "dns-tcp",
 *                         "monitor", and then "end"
 *     to there:           "connect PORT ID": a socket connected, or about to be, to the sandbox's own port
 *     from there:         "connected ID" with the socket, "refused ID" without
 * Events are JSON objects, see event.h.
 */
#pragma once

#include "base/attr.h"

struct gate_start {
    int policy, link, events, control;
};

/* Returns the exit code of the program, when whoever reads the events is gone. */
MUST_USE int gate_run(const struct gate_start *s);
