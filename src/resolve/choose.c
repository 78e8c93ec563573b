#include "resolve/choose.h"

void choose_clear(struct choose *c)
{
    VEC_CLEAR(&c->name);
    VEC_CLEAR(&c->node);
    VEC_CLEAR(&c->heap);
    VEC_CLEAR(&c->early);
    VEC_CLEAR(&c->late);
}

bool choose_knows(const struct choose *c, uint32_t pkg)
{
    return pkg < c->node.n && c->node.p[pkg].order != 0;
}

uint32_t choose_base(const struct choose *c, uint32_t pkg)
{
    return c->node.p[pkg].base;
}

static struct choose_name *name_of(const struct choose *c, uint32_t pkg)
{
    return &c->name.p[choose_base(c, pkg)];
}

void choose_add(struct choose *c, uint32_t pkg, uint32_t base)
{
    while (c->node.n <= MAX(pkg, base))
        VEC_PUSH(&c->node, (struct choose_node){ 0 });
    while (c->name.n <= base)
        VEC_PUSH(&c->name, (struct choose_name){ 0 });
    c->node.p[pkg].base = base;
    c->node.p[pkg].order = ++c->nodes;
    if (c->name.p[base].order == 0)
        c->name.p[base].order = ++c->names;
    c->node.p[pkg].twin = c->name.p[base].nodes;
    c->name.p[base].nodes = pkg + 1;
}

/* 4 bits of class, then 30 bits each of how early the name and the package were mentioned. Never 0. */
static uint64_t key_of(const struct choose *c, uint32_t pkg)
{
    const uint64_t most = (1u << 30) - 1;
    const struct choose_name *name = name_of(c, pkg);

    return (uint64_t)name->class << 60 | (most - name->order) << 30 | (most - c->node.p[pkg].order);
}

static void sift_up(struct choose *c, size_t i)
{
    struct choose_entry entry = c->heap.p[i];

    while (i > 0 && c->heap.p[(i - 1) / 2].key < entry.key) {
        c->heap.p[i] = c->heap.p[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    c->heap.p[i] = entry;
}

static void sift_down(struct choose *c, size_t i)
{
    struct choose_entry entry = c->heap.p[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < c->heap.n && c->heap.p[child + 1].key > c->heap.p[child].key)
            child++;
        if (child >= c->heap.n || c->heap.p[child].key <= entry.key)
            break;
        c->heap.p[i] = c->heap.p[child];
        i = child;
    }
    c->heap.p[i] = entry;
}

void choose_push(struct choose *c, uint32_t pkg)
{
    uint64_t key = key_of(c, pkg);

    if (c->node.p[pkg].queued == key)
        return;
    c->node.p[pkg].queued = key; /* makes an entry with another key void */
    VEC_PUSH(&c->heap, (struct choose_entry){ key, pkg });
    sift_up(c, c->heap.n - 1);
}

static void set_class(struct choose *c, struct choose_name *name, enum choose_class class)
{
    name->class = class;
    for (uint32_t at = name->nodes; at != 0; at = c->node.p[at - 1].twin)
        if (c->node.p[at - 1].queued != 0)
            choose_push(c, at - 1);
}

bool choose_raise(struct choose *c, uint32_t pkg, enum choose_class class)
{
    struct choose_name *name = name_of(c, pkg);

    if (name->class >= class)
        return false;
    set_class(c, name, class);
    return true;
}

bool choose_move(struct choose *c, uint32_t pkg, enum choose_class class)
{
    struct choose_name *name = name_of(c, pkg);

    if (name->class == class || name->class == CHOOSE_CONFLICT_EARLY || name->class == CHOOSE_FIXED)
        return false;
    set_class(c, name, class);
    return true;
}

bool choose_pop(struct choose *c, uint32_t *pkg)
{
    while (c->heap.n > 0) {
        struct choose_entry top = c->heap.p[0];

        c->heap.p[0] = c->heap.p[--c->heap.n];
        if (c->heap.n > 0)
            sift_down(c, 0);
        if (c->node.p[top.pkg].queued == top.key) {
            c->node.p[top.pkg].queued = 0;
            *pkg = top.pkg;
            return true;
        }
    }
    return false;
}

bool choose_blame(struct choose *c, uint32_t affected, uint32_t other)
{
    uint32_t base = choose_base(c, other);

    if (base == choose_base(c, affected))
        return false;
    if (++c->name.p[base].culprit == CHOOSE_CONFLICTS)
        VEC_PUSH(&c->late, base);
    return true;
}

void choose_suffer(struct choose *c, uint32_t affected)
{
    uint32_t base = choose_base(c, affected);

    if (++c->name.p[base].affected == CHOOSE_CONFLICTS)
        VEC_PUSH(&c->early, base);
}

bool choose_take_early(struct choose *c, uint32_t *base)
{
    if (c->early.n == 0)
        return false;
    *base = c->early.p[--c->early.n];
    return true;
}

bool choose_take_late(struct choose *c, uint32_t *base)
{
    if (c->late.n == 0)
        return false;
    *base = c->late.p[--c->late.n];
    return true;
}
