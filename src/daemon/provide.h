/* Whether a module that a source imports is there: in the standard library, the project or the environment.
 *
 * Says yes when in doubt. Looks at names of files only; nothing is imported or run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

/* `dir`: where modules of the project may lie (its folder, its watch paths, the folder of the source); `site`: the
 * environment's site-packages. `module` is a dotted name; only its first part is looked for. */
struct provide_places {
    const char *const *dir;
    size_t dirs;
    const char *const *site;
    size_t sites;
};
MUST_USE bool provide_has(const struct provide_places *p, struct str module);
