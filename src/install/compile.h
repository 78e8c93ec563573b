/* Bytecode for the store, made after the install has returned.
 *
 * A detached child of the lowest priority runs the interpreter over the given trees and writes __pycache__ beside
 * the sources in the store, where every environment finds it. One at a time for each store. Whatever goes wrong
 * is ignored: bytecode is a convenience.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct store;

/* `python`: path of the interpreter; `hexes`: entries to compile. Returns at once. With them go the files of
 * install/boot.h. Nothing is started when all is compiled, or BLAST_NO_COMPILE is set in the environment. */
MUST_USE bool compile_start(const struct store *s, const char *python, const struct str *hexes, size_t n,
                            struct err *e);
/* Until no compiler runs for this store (for tests and for `--compile`); false after timeout_ms. */
MUST_USE bool compile_wait(const struct store *s, unsigned timeout_ms, struct err *e);
