/* Messages between two processes of ours that may carry descriptors: one datagram each, over a socket pair. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

#define PASS_MAX 8 /* descriptors of one message */

/* `pass`: a descriptor to hand over (it stays open here), or -1. False, with errno, when the other side is gone or, on
 * a socket that does not wait, has no room. */
MUST_USE bool pass_send(int socket, struct str message, int pass);
/* The same with n descriptors, at most PASS_MAX. */
MUST_USE bool pass_send_all(int socket, struct str message, const int *fd, size_t n);

/* One message of at most `room` bytes; *got is -1 when no descriptor came. False, with errno, at the end (errno 0), on
 * error, or when there is none yet on a socket that does not wait. */
MUST_USE bool pass_receive(int socket, void *to, size_t room, struct str *message, int *got);
/* The same with up to PASS_MAX descriptors; *n is how many came. They are the caller's, also where their number is not
 * what it expects. */
MUST_USE bool pass_receive_all(int socket, void *to, size_t room, struct str *message, int fd[PASS_MAX], size_t *n);
