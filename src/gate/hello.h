/* The first message of a TLS connection (RFC 8446, 4.1.2): the name of the server that the client asks for.
 *
 * Pure: no I/O, no allocation. A message may be split over records, and records over segments: HELLO_MORE until it is
 * whole. One that hides its name (encrypted client hello) is not let through: the outer name is not where it goes.
 */
#pragma once

#include <stddef.h>
#include "base/attr.h"
#include "gate/host.h"

#define HELLO_MAX 16384u /* bytes that are looked at, headers of records included */

enum hello {
    HELLO_MORE,
    HELLO_NAME,      /* `name` is filled in, normal */
    HELLO_NO_NAME,
    HELLO_ENCRYPTED,
    HELLO_NOT_TLS    /* or not as the standard wants it */
};

MUST_USE enum hello hello_read(const unsigned char *p, size_t n, char name[HOST_MAX]);
