/* Sockets of ours in the state directory that are named after a project, so that another command finds them. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct sockaddr_un;
struct workspace;

#define SOCKETS_MARK 17 /* 16 hexadecimal digits and a NUL */
#define SOCKETS_NAME 80 /* room for a socket's */

/* The start of the names of this project's sockets. */
void sockets_mark(const struct workspace *w, char out[SOCKETS_MARK]);
/* A directory below the state's, 0700; `make` it if need be. False without an error: there is none. */
MUST_USE bool sockets_open_dir(const struct workspace *w, const char *name, bool make, int *dir);
/* Through the directory's descriptor: it may lie deep, and an address has 108 bytes. False: the name is too long. */
MUST_USE bool sockets_address(int dir, const char *name, struct sockaddr_un *out);
/* SOCK_SEQPACKET. -1: nobody serves it. */
MUST_USE int sockets_connect(int dir, const char *name);
