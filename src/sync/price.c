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

static void say(struct workspace *w, struct price *out, char sign, struct str name, struct str text)
{
    out->changes = arena_printf(w->a, STR_FMT "%s%c" STR_FMT " " STR_FMT, STR_ARG(out->changes),
                                out->changes.n ? " " : "", sign, STR_ARG(name), STR_ARG(text));
}

static bool add_bytes(struct workspace *w, const struct store *store, const struct lock_file *f, struct price *out,
                      struct err *e)
{
    struct str hex = lock_file_hash(f, STR("sha256"));
    struct store_entry entry;
    bool there = false;

    if (hex.n && !store_find(store, arena_cstr(w->a, hex), &entry, &there, e))
        return false;
    if (there)
        store_release(&entry);
    else if (f->size != LOCK_NO_SIZE)
        out->bytes += f->size;
    return true;
}

static bool price_one(struct workspace *w, const struct store *store, const struct env_package *have,
                      const struct lock_package *want, const struct lock_file *f, struct price *out, struct err *e)
{
    if (have && same_version(w->a, have->version, want->version))
        return true;
    if (have) {
        out->change++;
        say(w, out, '~', want->name,
            arena_printf(w->a, STR_FMT " -> " STR_FMT, STR_ARG(have->version), STR_ARG(want->version)));
    } else {
        out->add++;
        say(w, out, '+', want->name, want->version);
    }
    return add_bytes(w, store, f, out, e);
}

static bool price_all(struct workspace *w, const struct inputs *in, const struct store *store,
                      const struct env_packages *have, const struct lock_selection *want, struct price *out,
                      struct err *e)
{
    const struct tag_set *tags = facts_tags(&w->python, w->a);
    AUTO_MAP wanted = { 0 };
    AUTO_MAP installed = { 0 };

    for (uint32_t i = 0; i < have->n; i++)
        map_put(&installed, name_normalize(w->a, have->p[i].name), i);
    for (uint32_t i = 0; i < want->n; i++) {
        const struct lock_package *p = want->package[i];
        const struct lock_file *f;
        uint32_t at = map_find(&installed, p->name);

        map_put(&wanted, p->name, i);
        if (!pkg_choose_file(in, tags, p, &f, e) ||
            !price_one(w, store, at == MAP_NONE ? NULL : &have->p[at], p, f, out, e))
            return false;
    }
    for (size_t i = 0; i < have->n; i++) {
        struct str name = name_normalize(w->a, have->p[i].name);

        if (map_find(&wanted, name) != MAP_NONE)
            continue;
        out->remove++;
        say(w, out, '-', name, have->p[i].version);
    }
    return true;
}

bool price_selection(struct workspace *w, const struct inputs *in, const struct env_packages *have,
                     const struct lock_selection *want, struct price *out, struct err *e)
{
    struct price p = { .changes = STR_INIT("") };
    struct store store;

    if (!store_open(w->dirs.store, &store, e))
        return err_as(e, ERR_CACHE, "open the store");
    bool ok = price_all(w, in, &store, have, want, &p, e);

    store_close(&store);
    if (ok)
        *out = p;
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
