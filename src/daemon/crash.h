/* What is left of a crash: <state>/crash/<time>.txt with the signal, the address, return addresses found on the stack,
 * the mapped programs, and the last lines of the log. The process then dies of the same signal.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct log;

#define CRASH_FILES 10 /* older reports are removed at the start */

/* Both must live as long as the process. */
MUST_USE bool crash_install(const char *dir, const struct log *log, struct err *e);
