/* Heap memory that never fails: running out of it ends the process with one line on stderr.
 *
 * Sizes that come from a file or the network are checked against a stated limit before they get here.
 */
#pragma once

#include <stddef.h>
#include "base/attr.h"

/* At least one byte is allocated, so the result is never NULL. Release with free(). */
MUST_USE NOT_NULL void *mem_alloc(size_t n);
MUST_USE NOT_NULL void *mem_zero(size_t count, size_t size);
MUST_USE NOT_NULL void *mem_grow(void *p, size_t count, size_t size);
MUST_USE NOT_NULL char *mem_dup(const void *p, size_t n); /* n bytes and a NUL after them */

/* For `AUTO(mem_auto) char *p`: frees what the variable points to at the end of the scope. */
void mem_auto(void *pointer_to_pointer);
