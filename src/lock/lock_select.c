/* pylock.toml: what one environment needs of it (pylock.toml specification, "Installation"). */
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "lock/lock.h"
#include "pep/marker.h"
#include "pep/marker_env.h"
#include "pep/tag.h"
#include "pep/wheel_name.h"

static bool has(const struct str *list, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], name))
            return true;
    return false;
}

static bool check_names(const struct lock *l, const struct lock_scope *scope, struct err *e)
{
    for (size_t i = 0; i < scope->n_extras; i++)
        if (!has(l->extra, l->n_extra, scope->extras[i]))
            return err_set(e, ERR_CONFIG, "the lock has no extra '" STR_FMT "'", STR_ARG(scope->extras[i]));
    for (size_t i = 0; i < scope->n_groups; i++)
        if (!has(l->group, l->n_group, scope->groups[i]) &&
            !has(l->default_group, l->n_default_group, scope->groups[i]))
            return err_set(e, ERR_CONFIG, "the lock has no dependency group '" STR_FMT "'", STR_ARG(scope->groups[i]));
    return true;
}

/* True also when the version of the interpreter is not known: nothing can be held against it then. */
static bool takes_python(struct arena *a, struct str requires_python, const struct marker_env *env)
{
    struct err unused = { 0 };
    struct spec s;
    struct version v;

    if (!requires_python.n || !env->python_full_version.n || !version_parse(env->python_full_version, a, &v))
        return true;
    return spec_parse(requires_python, a, &s, &unused) && spec_accepts_python(&s, &v, false);
}

static bool check_environment(struct arena *a, const struct lock *l, const struct marker_scope *scope, struct err *e)
{
    if (!takes_python(a, l->requires_python, scope->env)) {
        err_set(e, ERR_RESOLUTION, "the lock is for Python " STR_FMT ", this one is " STR_FMT,
                STR_ARG(l->requires_python), STR_ARG(scope->env->python_full_version));
        return err_hint(e, "run `blast lock` with this interpreter, or choose another with --python");
    }
    for (size_t i = 0; i < l->n_environment; i++)
        if (marker_eval(l->environment[i], scope) == MARKER_TRUE)
            return true;
    if (!l->n_environment)
        return true;
    err_set(e, ERR_RESOLUTION, "the lock is for other environments than this one: '" STR_FMT "'%s",
            STR_ARG(marker_text(a, l->environment[0])), l->n_environment > 1 ? " and more" : "");
    return err_hint(e, "run `blast lock` here to lock for this environment");
}

static bool select_packages(struct arena *a, const struct lock *l, const struct marker_scope *scope,
                            struct lock_selection *out, struct err *e)
{
    AUTO_MAP seen = { 0 };
    const struct lock_package **chosen = ARENA_ARRAY(a, const struct lock_package *, l->n_package);
    size_t n = 0;

    for (size_t i = 0; i < l->n_package; i++) {
        const struct lock_package *p = &l->package[i];
        enum marker_result r = marker_eval(p->marker, scope);
        bool added;

        if (r == MARKER_FALSE)
            continue;
        if (r == MARKER_UNDEFINED)
            return err_set(e, ERR_RESOLUTION, "the marker of '" STR_FMT "' has no meaning here: '" STR_FMT "'",
                           STR_ARG(p->name), STR_ARG(marker_text(a, p->marker)));
        if (!takes_python(a, p->requires_python, scope->env))
            return err_set(e, ERR_RESOLUTION, "'" STR_FMT "' wants Python " STR_FMT ", this one is " STR_FMT,
                           STR_ARG(p->name), STR_ARG(p->requires_python),
                           STR_ARG(scope->env->python_full_version));
        uint32_t first = map_get_or_add(&seen, p->name, (uint32_t)i, &added);

        if (!added)
            return err_set(e, ERR_RESOLUTION, "the lock is ambiguous: " STR_FMT " and " STR_FMT " of '" STR_FMT "'",
                           STR_ARG(l->package[first].version), STR_ARG(p->version), STR_ARG(p->name));
        chosen[n++] = p;
    }
    *out = (struct lock_selection){ .package = chosen, .n = n };
    return true;
}

bool lock_select(struct arena *a, const struct lock *l, const struct lock_scope *scope, struct lock_selection *out,
                 struct err *e)
{
    VEC(struct str) groups = { 0 };

    if (!check_names(l, scope, e))
        return false;
    for (size_t i = 0; i < scope->n_groups; i++)
        VEC_PUSH_IN(a, &groups, scope->groups[i]);
    for (size_t i = 0; scope->default_groups && i < l->n_default_group; i++)
        VEC_PUSH_IN(a, &groups, l->default_group[i]);

    struct marker_scope markers = {
        .env = scope->env,
        .context = MARKER_LOCK_FILE,
        .extras = scope->extras,
        .n_extras = scope->n_extras,
        .groups = groups.p,
        .n_groups = groups.n,
    };
    return check_environment(a, l, &markers, e) && select_packages(a, l, &markers, out, e);
}

/* The name was checked when the lock was read; one made by hand may still be wrong and then fits nothing. */
static bool fits(const struct lock_file *f, const struct tag_set *tags, struct wheel_name *name, uint32_t *rank,
                 enum tag_miss *miss)
{
    struct err unused = { 0 };

    *miss = TAG_MISS_PYTHON;
    return wheel_name_parse(f->name, name, &unused) &&
           tag_set_rank(tags, name->python, name->abi, name->platform, rank, miss);
}

bool lock_choose_file(const struct lock_package *p, const struct tag_set *tags, const struct lock_file **out,
                      struct err *e)
{
    const struct lock_file *best = NULL;
    enum tag_miss nearest = TAG_MISS_PYTHON;
    uint32_t best_rank = 0;
    struct str best_build = STR("");

    for (size_t i = 0; i < p->n_wheel; i++) {
        struct wheel_name name;
        enum tag_miss miss;
        uint32_t rank;

        if (!fits(&p->wheel[i], tags, &name, &rank, &miss)) {
            nearest = MAX(nearest, miss);
            continue;
        }
        if (best && (rank > best_rank || (rank == best_rank && wheel_build_cmp(name.build, best_build) <= 0)))
            continue;
        best = &p->wheel[i];
        best_rank = rank;
        best_build = name.build;
    }
    if (!best)
        best = p->sdist;
    if (!best)
        return err_set(e, ERR_PACKAGE, "none of the %zu wheels of '" STR_FMT "' " STR_FMT " fits this interpreter's %s",
                       p->n_wheel, STR_ARG(p->name), STR_ARG(p->version), tag_miss_word(nearest));
    *out = best;
    return true;
}

static bool check_file_remote(const struct lock_package *p, const struct lock_file *f, struct err *e)
{
    struct str place = f->url.n ? f->url : f->path;

    if (f->url.n && !str_starts(f->url, STR("file:")))
        return true;
    return err_set(e, ERR_CONFIG, "the lock names a local file for '" STR_FMT "': '" STR_FMT "'", STR_ARG(p->name),
                   STR_ARG(place));
}

bool lock_check_remote(const struct lock *l, struct err *e)
{
    for (size_t i = 0; i < l->n_package; i++) {
        const struct lock_package *p = &l->package[i];

        if (p->directory)
            return err_set(e, ERR_CONFIG, "the lock names a local directory for '" STR_FMT "': '" STR_FMT "'",
                           STR_ARG(p->name), STR_ARG(p->directory->path));
        if (p->vcs && (!p->vcs->url.n || str_starts(p->vcs->url, STR("file:"))))
            return err_set(e, ERR_CONFIG, "the lock names a local repository for '" STR_FMT "'", STR_ARG(p->name));
        if ((p->sdist && !check_file_remote(p, p->sdist, e)) || (p->archive && !check_file_remote(p, p->archive, e)))
            return false;
        for (size_t k = 0; k < p->n_wheel; k++)
            if (!check_file_remote(p, &p->wheel[k], e))
                return false;
    }
    return true;
}
