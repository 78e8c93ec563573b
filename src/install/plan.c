#include "install/plan.h"

#include <stdlib.h>
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"

static bool is_same(const struct plan_package *have, const struct plan_package *want)
{
    if (!str_eq(have->direct_url, want->direct_url))
        return false;
    if (have->sha256.n && want->sha256.n)
        return str_eq(have->sha256, want->sha256);
    return str_eq(have->version, want->version);
}

static struct str name_of(const struct plan_step *s)
{
    return s->want ? s->want->name : s->have->name;
}

static int step_order(const void *a, const void *b)
{
    return str_cmp(name_of(a), name_of(b));
}

void plan_make(const struct plan_side *have, const struct plan_side *want, bool keep_others, struct arena *a,
               struct plan *out)
{
    struct plan p = { .steps = ARENA_ARRAY(a, struct plan_step, have->n + want->n + 1) };
    AUTO_MAP wanted = { 0 };
    AUTO_MAP there = { 0 };

    for (size_t i = 0; i < want->n; i++)
        map_put(&wanted, want->p[i].name, (uint32_t)i);
    for (size_t i = 0; i < have->n; i++) {
        uint32_t at = map_find(&wanted, have->p[i].name);
        bool doubled = false;

        (void)map_get_or_add(&there, have->p[i].name, (uint32_t)i, &doubled);
        if (at == MAP_NONE || !doubled) { /* not wanted, or a second dist-info of one name */
            bool keep = keep_others && at == MAP_NONE;

            p.steps[p.n++] = (struct plan_step){ keep ? PLAN_KEEP : PLAN_REMOVE, &have->p[i], NULL };
            p.keep += keep;
            p.remove += !keep;
        } else if (is_same(&have->p[i], &want->p[at])) {
            p.steps[p.n++] = (struct plan_step){ PLAN_KEEP, &have->p[i], &want->p[at] };
            p.keep++;
        } else {
            p.steps[p.n++] = (struct plan_step){ PLAN_REPLACE, &have->p[i], &want->p[at] };
            p.replace++;
        }
    }
    for (size_t i = 0; i < want->n; i++) {
        if (map_find(&there, want->p[i].name) != MAP_NONE)
            continue;
        p.steps[p.n++] = (struct plan_step){ PLAN_ADD, NULL, &want->p[i] };
        p.add++;
    }
    qsort(p.steps, p.n, sizeof *p.steps, step_order);
    *out = p;
}
