/* What the gateway gives up once it is set up, since it reads what strangers write. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct rules;

/* No core, no debugger, no new privileges; root becomes somebody whom nobody knows. */
MUST_USE bool confine_begin(struct err *e);
/* No files at all, TCP to the allowed ports alone (Landlock), and of the system calls only those that the loop uses. */
MUST_USE bool confine_loop(const struct rules *r, struct err *e);
/* Files may be read, nothing written (Landlock); where the kernel cannot, it stays as it is. */
void confine_to_reading(void);
