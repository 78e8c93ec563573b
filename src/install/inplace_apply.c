#include "install/inplace_apply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "env/env.h"
#include "env/inplace.h"
#include "install/uninstall.h"
#include "pep/name.h"
#include "store/store.h"

struct change {
    struct env *env;
    const struct apply_spec *spec;
    struct arena *arena;
    struct apply_result *result;
    struct env_packages there;
    struct uninstall_list gone;
    struct map leaving; /* paths of `gone` */
};

/* Packages that were named for removal although others stay. */
static void mark_removals(struct change *c)
{
    struct plan *p = &c->result->plan;

    for (size_t i = 0; i < p->n; i++) {
        struct plan_step *s = &p->steps[i];

        for (size_t k = 0; k < c->spec->n_remove && s->kind == PLAN_KEEP && !s->want; k++) {
            if (!name_eq(s->have->name, c->spec->remove[k]))
                continue;
            s->kind = PLAN_REMOVE;
            p->keep--;
            p->remove++;
        }
    }
}

static bool goes(const struct plan *p, struct str name)
{
    for (size_t i = 0; i < p->n; i++)
        if ((p->steps[i].kind == PLAN_REMOVE || p->steps[i].kind == PLAN_REPLACE) && p->steps[i].have &&
            name_eq(p->steps[i].have->name, name))
            return true;
    return false;
}

/* Lists what the leaving packages own and nobody else does. */
static bool list_removals(struct change *c, struct err *e)
{
    AUTO_MAP shared = { 0 };
    bool any = c->result->plan.remove || c->result->plan.replace;

    for (size_t i = 0; any && i < c->there.n; i++)
        if (!goes(&c->result->plan, c->there.p[i].name) &&
            !uninstall_owned(c->env, c->there.p[i].dist_info, c->arena, &shared, e))
            return false;
    for (size_t i = 0; any && i < c->there.n; i++)
        if (goes(&c->result->plan, c->there.p[i].name) &&
            !uninstall_list(c->env, c->there.p[i].dist_info, &shared, c->arena, &c->gone, e))
            return false;
    return true;
}

/* What is new, or replaced, as a spec of its own. */
static struct apply_spec arriving(struct change *c)
{
    const struct plan *p = &c->result->plan;
    struct apply_package *wanted = ARENA_ARRAY(c->arena, struct apply_package, c->spec->n + 1);
    struct apply_spec sub = *c->spec;
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (p->steps[i].kind != PLAN_ADD && p->steps[i].kind != PLAN_REPLACE)
            continue;
        for (size_t k = 0; k < c->spec->n; k++)
            if (name_eq(c->spec->wanted[k].entry->name, p->steps[i].want->name))
                wanted[n++] = c->spec->wanted[k];
    }
    sub.wanted = wanted;
    sub.n = n;
    return sub;
}

/* Other tools change a plain environment and must not reach into the store: never folders unless asked. */
static bool choose_mode(struct change *c, struct apply_spec *sub, struct err *e)
{
    struct stat store, own;

    if (sub->mode != LINK_AUTO)
        return true;
    if (fstat(sub->store->dir, &store) < 0 || fstat(c->env->dir, &own) < 0)
        return err_sys(e, "stat the store and the environment");
    sub->mode = store.st_dev == own.st_dev && (store.st_uid == geteuid() || geteuid() == 0) ? LINK_HARDLINK : LINK_COPY;
    return true;
}

/* A second removal of one path (two packages that leave own it) and one below a folder that goes whole are one. */
static void add_removals(struct change *c, struct inplace *t)
{
    for (size_t i = 0; i < c->gone.paths.n; i++)
        map_put(&c->leaving, c->gone.paths.p[i], 1);
    for (size_t i = 0; i < c->gone.paths.n; i++) {
        struct str path = c->gone.paths.p[i];
        bool covered = map_find(&c->leaving, path) != 1;

        for (struct str up = path; !covered && str_rfind(up, '/') < up.n;) {
            up = str_sub(up, 0, str_rfind(up, '/'));
            covered = map_find(&c->leaving, up) != MAP_NONE;
        }
        if (!covered)
            inplace_remove(t, path);
        map_put(&c->leaving, path, 2); /* done */
    }
}

static bool add_arrivals(struct change *c, struct inplace *t, struct str path, struct err *e);

static bool add_arrival(struct change *c, struct inplace *t, struct str path, bool folder, struct err *e)
{
    struct stat st;
    bool leaving = map_find(&c->leaving, path) != MAP_NONE;
    bool there = !leaving && fstatat(c->env->dir, path.p, &st, AT_SYMLINK_NOFOLLOW) == 0;

    if (there && folder && S_ISDIR(st.st_mode))
        return add_arrivals(c, t, path, e);
    if (there) {
        VEC_PUSH_IN(c->arena, &c->result->link.warnings,
                    arena_printf(c->arena, "'" STR_FMT "' was there already and is replaced", STR_ARG(path)));
        inplace_remove(t, path);
        map_put(&c->leaving, path, 2);
    }
    inplace_add(t, path);
    return true;
}

static bool add_arrivals(struct change *c, struct inplace *t, struct str path, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!file_list_open(t->stage, path.n ? path.p : ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct str below = path.n ? arena_printf(c->arena, STR_FMT "/%s", STR_ARG(path), d->d_name)
                                  : arena_str(c->arena, str_of(d->d_name));

        if (!add_arrival(c, t, below, d->d_type == DT_DIR, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

static bool prepare(struct change *c, struct inplace *t, struct err *e)
{
    struct apply_spec sub = arriving(c);

    for (size_t i = 0; i < sub.n; i++)
        if (!store_sample(sub.store, sub.wanted[i].entry, e))
            return false;
    if (!choose_mode(c, &sub, e) || !list_removals(c, e) ||
        (sub.n && !apply_link(c->env, &sub, t->stage, c->arena, &c->result->link, e)))
        return false;
    add_removals(c, t);
    return add_arrivals(c, t, STR(""), e);
}

static void remove_empty(struct change *c)
{
    for (size_t i = 0; i < c->gone.maybe_empty.n; i++)
        (void)unlinkat(c->env->dir, c->gone.maybe_empty.p[i].p, AT_REMOVEDIR); /* not empty: somebody uses it */
}

bool inplace_apply(struct env *env, const struct apply_spec *spec, struct arena *a, struct apply_result *r,
                   struct err *e)
{
    struct change c = { .env = env, .spec = spec, .arena = a, .result = r };
    struct inplace t;

    mark_removals(&c);
    r->changed = r->plan.add || r->plan.remove || r->plan.replace;
    if (!r->changed || spec->dry_run)
        return true;
    if (!env_installed(env, a, &c.there, e) || !inplace_begin(env, &t, e))
        return false;
    if (!prepare(&c, &t, e)) {
        inplace_drop(&t);
        map_clear(&c.leaving);
        return false;
    }
    map_clear(&c.leaving);
    if (!inplace_commit(&t, spec->durable, e))
        return false;
    remove_empty(&c);
    return true;
}
