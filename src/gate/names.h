/* The names that were asked for, each with an address of its own inside the sandbox.
 *
 * The address says which name a connection is for, so nothing else need be believed. Names are added by DNS questions
 * alone and only such as the rules let through; how many are kept is bounded, below a "*." rule to NAMES_PER_RULE, or a
 * program could send a message in each label.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/map.h"
#include "base/str.h"
#include "gate/rules.h"

struct conn;

#define NAMES_MAX 4096
#define NAMES_PER_RULE 64
#define NAMES_ADDRESSES 8
#define NAMES_FRESH_MS 30000 /* that long a looked-up address is used without asking again */

struct name {
    struct str text;      /* normal; on the heap */
    uint32_t id, rule;    /* its place in the list; of rules.name */
    union rules_peer to[NAMES_ADDRESSES]; /* only such as rules_may_lead_to(); without port */
    unsigned n_to;
    bool refused;         /* there were others, which may not be */
    uint64_t asked_ms;    /* when the resolver was asked that has not answered; 0: it has, or was not asked */
    uint64_t fresh_until; /* milliseconds; 0: never looked up */
};

struct names {
    struct name *list[NAMES_MAX];
    uint32_t n;
    struct map by_text;
    uint16_t *per_rule; /* [rules.n_names] */
};

void names_init(struct names *n, const struct rules *r);
void names_clear(struct names *n);

/* The name's address inside, made when it is new. 0 when no rule lets it through, or (*full) there are too many. */
MUST_USE uint32_t names_address(struct names *n, const struct rules *r, struct str name, bool *full);
/* Of a name that was looked up and has no address to go to: why. Static. */
MUST_USE const char *names_why_none(const struct name *n);
/* The name of an address inside, or NULL. */
MUST_USE struct name *names_find(const struct names *n, const struct ip *address);
