/* How an error reaches the user: on stderr as text, and with --json as an object on stdout too. */
#pragma once

#include "base/str.h"

struct buf;
struct err;

/* Prints the error and returns the program's exit code. `details` is an object whose members go into the error's JSON;
 * n == 0: none. */
int report_error(const struct err *e, struct str details);
/* {"error":{"kind":"config","frames":["outermost", ..., "root"],"help":"...","exit":2}}; `help` only where there is
 * one. */
void report_json(const struct err *e, struct str details, struct buf *out);
