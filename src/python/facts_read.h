/* Facts from the answer of an interpreter; between python/probe.c and python/facts.c only. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct py_facts;

/* What the script said: version, implementation, ABI, base prefix, and in real_executable the interpreter's own idea of
 * where it is. The rest is empty. Fails with ERR_PYTHON or as codec/json.h does. */
MUST_USE bool facts_read(struct str json, struct arena *a, struct py_facts *out, struct err *e);

/* What follows once executables, prefix and width are known: home, EXTERNALLY-MANAGED, machine and marker values. */
void facts_complete(struct py_facts *f, struct arena *a);
