/* Sets of versions in words.
 *
 * Ranks become version texts again. A range is meant for a reader who knows what is published: versions between its
 * ends that nobody would have been offered anyway (unusable ones, pre-releases among releases) do not split it, and
 * more than a few separate ranges are replaced by the one around them with a count.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "resolve/set.h"

struct arena;
struct solve_source;

#define WORDING_SPANS 3 /* ranges named one by one */

/* The versions of one package, as the words need them. */
struct wording {
    const struct solve_source *source;
    uint32_t pkg;
    uint32_t versions;
    struct set ignored; /* ranks that do not split a range */
};

/* ">=1.2,<2", "==1.0 or ==1.4", ">=1.0,<3 (7 of 20 versions)"; empty for every version, "none" for none. */
MUST_USE struct str wording_range(const struct wording *w, const struct set *s, struct arena *a);

/* For the subject of a sentence: "3.0.0", "3.0.0 and 3.0.1", "3.0.0 to 3.1.3 (7 versions)", and where only some of
 * those between are meant "3.0.0 to 3.1.3 (4 of these 7 versions)". Of a set that is not empty. */
MUST_USE struct str wording_list(const struct wording *w, const struct set *s, struct arena *a);

/* The reason as the verb of `n` versions: "needs Python >=3.9" becomes "need Python >=3.9" for several. */
MUST_USE struct str wording_verb(struct str reason, uint32_t n, struct arena *a);

/* Whether a version text reads like a pre-release: a letter other than those of "post", "v" and a local part. */
MUST_USE bool wording_is_pre(struct str version);
