#include "base/map.h"

#include <stdlib.h>
#include "base/hash.h"
#include "base/mem.h"

void map_clear(struct map *m)
{
    free(m->slots);
    *m = (struct map){ 0 };
}

static uint64_t spread(uint64_t h)
{
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio: numbers that differ in few bits land apart */
    return h ^ (h >> 29);
}

static bool same(const struct map_slot *s, uint64_t hash, struct str key)
{
    return s->hash == hash && s->n == key.n && (key.n == 0 || s->p == key.p || memcmp(s->p, key.p, key.n) == 0);
}

static struct map_slot *locate(const struct map *m, uint64_t hash, struct str key)
{
    size_t mask = m->cap - 1;

    for (size_t i = spread(hash) & mask;; i = (i + 1) & mask) {
        struct map_slot *s = &m->slots[i];

        if (s->value == MAP_NONE || same(s, hash, key))
            return s;
    }
}

static void grow(struct map *m)
{
    struct map old = *m;

    m->cap = old.cap ? old.cap * 2 : 16;
    m->slots = mem_grow(NULL, m->cap, sizeof *m->slots);
    for (size_t i = 0; i < m->cap; i++)
        m->slots[i].value = MAP_NONE;
    for (size_t i = 0; i < old.cap; i++) {
        struct map_slot s = old.slots[i];

        if (s.value != MAP_NONE)
            *locate(m, s.hash, (struct str){ s.p, s.n }) = s;
    }
    free(old.slots);
}

static struct map_slot *slot_for(struct map *m, uint64_t hash, struct str key)
{
    if (m->n * 4 >= m->cap * 3)
        grow(m);
    return locate(m, hash, key);
}

static void fill(struct map *m, struct map_slot *s, uint64_t hash, struct str key, uint32_t value)
{
    m->n += s->value == MAP_NONE;
    *s = (struct map_slot){ .hash = hash, .p = key.p, .n = (uint32_t)key.n, .value = value };
}

static uint32_t find(const struct map *m, uint64_t hash, struct str key)
{
    return m->n ? locate(m, hash, key)->value : MAP_NONE;
}

static uint32_t get_or_add(struct map *m, uint64_t hash, struct str key, uint32_t value, bool *added)
{
    struct map_slot *s = slot_for(m, hash, key);
    bool fresh = s->value == MAP_NONE;

    if (fresh)
        fill(m, s, hash, key, value);
    if (added)
        *added = fresh;
    return s->value;
}

uint32_t map_find(const struct map *m, struct str key)
{
    return find(m, hash_fast(key.p, key.n), key);
}

void map_put(struct map *m, struct str key, uint32_t value)
{
    uint64_t h = hash_fast(key.p, key.n);

    fill(m, slot_for(m, h, key), h, key, value);
}

uint32_t map_get_or_add(struct map *m, struct str key, uint32_t value, bool *added)
{
    return get_or_add(m, hash_fast(key.p, key.n), key, value, added);
}

uint32_t map_find_u64(const struct map *m, uint64_t key)
{
    return find(m, key, (struct str){ 0 });
}

void map_put_u64(struct map *m, uint64_t key, uint32_t value)
{
    fill(m, slot_for(m, key, (struct str){ 0 }), key, (struct str){ 0 }, value);
}

uint32_t map_get_or_add_u64(struct map *m, uint64_t key, uint32_t value, bool *added)
{
    return get_or_add(m, key, (struct str){ 0 }, value, added);
}
