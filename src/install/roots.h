/* Folders of an environment besides bin/ and lib/ (share/, etc/, include/ ...): links at the root of the environment
 * that lead into the current generation. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct env;
struct err;

/* Before publishing: a link for every folder of the new tree. They lead nowhere until it is current. */
MUST_USE bool roots_add(struct env *env, int tree, struct err *e);
/* After publishing: links that lead nowhere go. */
void roots_tidy(struct env *env);
