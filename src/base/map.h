/* Hash map from text or from a 64-bit number to a 32-bit number. Open addressing, never shrinks.
 *
 * Text keys are views: their bytes must outlive the map (keep them in the operation's arena). A map is either a
 * text map or a number map, never both. Zero-initialise before use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define MAP_NONE UINT32_MAX /* "no value"; never a valid value */

struct map_slot {
    uint64_t hash; /* of the text, or the number itself */
    const char *p;
    uint32_t n;
    uint32_t value;
};

struct map {
    struct map_slot *slots;
    size_t n, cap;
};

void map_clear(struct map *m);
#define AUTO_MAP AUTO(map_clear) struct map

MUST_USE uint32_t map_find(const struct map *m, struct str key); /* MAP_NONE when absent */
void map_put(struct map *m, struct str key, uint32_t value);     /* adds or replaces */
/* The value of the key; adds `value` for it when absent. *added may be NULL. */
uint32_t map_get_or_add(struct map *m, struct str key, uint32_t value, bool *added);

MUST_USE uint32_t map_find_u64(const struct map *m, uint64_t key);
void map_put_u64(struct map *m, uint64_t key, uint32_t value);
uint32_t map_get_or_add_u64(struct map *m, uint64_t key, uint32_t value, bool *added);
