#include "sync/price.h"

#include <inttypes.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "env/env.h"
#include "lock/lock.h"
#include "pep/name.h"
#include "pep/version.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

static bool same_version(struct arena *a, struct str x, struct str y)
{
    struct version v, w;

    return str_eq(x, y) || (version_parse(x, a, &v) && version_parse(y, a, &w) && version_cmp(&v, &w) == 0);
}

struct pricing {
    struct workspace *w;
    const struct inputs *in;
    struct store store;
    struct price out;
};

static void say(struct pricing *p, char sign, struct str name, struct str text)
{
    p->out.changes = arena_printf(p->w->a, STR_FMT "%s%c" STR_FMT " " STR_FMT, STR_ARG(p->out.changes),
                                  p->out.changes.n ? " " : "", sign, STR_ARG(name), STR_ARG(text));
}

static bool add_bytes(struct pricing *p, const struct lock_file *f, struct err *e)
{
    struct str hex = f ? lock_file_hash(f, STR("sha256")) : STR(""); /* a source tree has no file */
    struct store_entry entry;
    bool there = false;

    if (!f)
        return true;
    if (hex.n && !store_find(&p->store, arena_cstr(p->w->a, hex), &entry, &there, e))
        return false;
    if (there)
        store_release(&entry);
    else if (f->size != LOCK_NO_SIZE)
        p->out.bytes += f->size;
    return true;
}

static bool price_one(struct pricing *p, const struct env_package *have, const struct lock_package *want,
                      const struct lock_file *f, struct err *e)
{
    struct arena *a = p->w->a;

    if (have && (want->version.n == 0 || same_version(a, have->version, want->version)))
        return true;
    if (have) {
        p->out.change++;
        say(p, '~', want->name,
            arena_printf(a, STR_FMT " -> " STR_FMT, STR_ARG(have->version), STR_ARG(want->version)));
    } else {
        p->out.add++;
        say(p, '+', want->name, want->version);
    }
    return !f || add_bytes(p, f, e);
}

static bool price_all(struct pricing *p, const struct env_packages *have, const struct lock_selection *want,
                      struct err *e)
{
    const struct tag_set *tags = facts_tags(&p->w->python, p->w->a);
    AUTO_MAP wanted = { 0 };
    AUTO_MAP installed = { 0 };

    for (uint32_t i = 0; i < have->n; i++)
        map_put(&installed, name_normalize(p->w->a, have->p[i].name), i);
    for (uint32_t i = 0; i < want->n; i++) {
        const struct lock_package *one = want->package[i];
        const struct lock_file *f = NULL;
        struct err ignored = { 0 };
        uint32_t at = map_find(&installed, one->name);

        map_put(&wanted, one->name, i);
        if (!pkg_choose_file(p->in, tags, one, &f, &ignored))
            f = NULL; /* it may be built: what that costs nobody knows */
        if (!price_one(p, at == MAP_NONE ? NULL : &have->p[at], one, f, e))
            return false;
    }
    for (size_t i = 0; i < have->n; i++) {
        struct str name = name_normalize(p->w->a, have->p[i].name);

        if (map_find(&wanted, name) != MAP_NONE)
            continue;
        p->out.remove++;
        say(p, '-', name, have->p[i].version);
    }
    return true;
}

bool price_selection(struct workspace *w, const struct inputs *in, const struct env_packages *have,
                     const struct lock_selection *want, struct price *out, struct err *e)
{
    struct pricing p = { .w = w, .in = in, .out = { .changes = STR_INIT("") } };

    if (!store_open(w->dirs.store, &p.store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = price_all(&p, have, want, e);

    store_close(&p.store);
    if (ok)
        *out = p.out;
    return ok;
}

struct str price_text(const struct price *p, struct arena *a)
{
    struct str counts = arena_printf(a, "+%" PRIu32 " -%" PRIu32 " ~%" PRIu32, p->add, p->remove, p->change);

    if (p->bytes == 0)
        return counts;
    if (p->bytes < 100000)
        return arena_printf(a, STR_FMT ", %" PRIu64 " bytes to fetch", STR_ARG(counts), p->bytes);
    return arena_printf(a, STR_FMT ", %.1f MB to fetch", STR_ARG(counts), (double)p->bytes / 1e6);
}
