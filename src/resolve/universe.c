#include "resolve/universe.h"

#include <stdlib.h>
#include "base/err.h"
#include "pep/marker.h"
#include "pep/name.h"

void universe_init(struct universe *u, struct arena *a)
{
    *u = (struct universe){ .a = a, .python = STR("3.12.1") };
    VEC_PUSH_IN(a, &u->package, (struct universe_package){ .name = STR("your project"), .base = PKG_NONE });
}

void universe_clear(struct universe *u)
{
    map_clear(&u->by_name);
}

uint32_t universe_package(struct universe *u, struct str name, struct str extra)
{
    struct str key = name_normalize(u->a, name);
    uint32_t base = extra.n ? universe_package(u, name, STR("")) : PKG_NONE;

    if (extra.n)
        key = arena_printf(u->a, STR_FMT "[" STR_FMT "]", STR_ARG(key), STR_ARG(extra));

    bool added;
    uint32_t id = map_get_or_add(&u->by_name, key, (uint32_t)u->package.n, &added);

    if (added)
        VEC_PUSH_IN(u->a, &u->package, (struct universe_package){
            .name = key, .extra = extra, .base = base, .prefer = RANK_NONE });
    return id;
}

/* "name spec if marker" as the standard writes it: "name spec ; marker". */
static struct str with_semicolon(struct universe *u, struct str text, struct str *head)
{
    size_t at = str_search(text, STR(" if "));

    *head = str_trim(str_sub(text, 0, at));
    if (at == text.n)
        return *head;

    struct str marker = str_sub(text, at + 4, text.n);

    return arena_printf(u->a, STR_FMT " ; " STR_FMT, STR_ARG(*head), STR_ARG(marker));
}

bool universe_dep_parse(struct universe *u, struct str text, struct universe_dep *out, struct err *e)
{
    struct universe_dep dep = { 0 };

    text = str_trim(text);
    if (str_starts(text, STR("["))) {
        size_t end = str_find(text, ']');

        if (end == text.n)
            return err_set(e, ERR_PACKAGE, "no ']' in '" STR_FMT "'", STR_ARG(text));
        dep.extra = name_normalize(u->a, str_trim(str_sub(text, 1, end)));
        text = str_trim(str_sub(text, end + 1, text.n));
    }
    text = with_semicolon(u, text, &dep.text);
    if (!req_parse(u->a, text, &dep.req, e))
        return false;
    *out = dep;
    return true;
}

static struct set ranks_of(struct universe *u, const struct spec *spec, const struct universe_package *p)
{
    struct spec_range *range;
    size_t n = spec_ranks(spec, p->sorted, p->version.n, u->a, &range);
    struct interval *span = ARENA_ARRAY(u->a, struct interval, n);

    for (size_t i = 0; i < n; i++)
        span[i] = (struct interval){ range[i].lo, range[i].hi };
    return set_of(u->a, span, n);
}

/* Does the clause name one version? */
static bool names_one(const struct spec_clause *c)
{
    return (c->op == SPEC_EQ && !c->wildcard) || c->op == SPEC_SAME;
}

struct dep_list {
    VEC(struct solve_dep) dep;
};

/* Appends the requirement on the package, or on each of the extras it names. */
static void add_requirement(struct universe *u, const struct universe_dep *d, struct str origin, struct dep_list *list)
{
    struct solve_dep dep = { .text = d->text, .origin = origin };
    uint32_t base = universe_package(u, d->req.name, STR(""));

    dep.allowed = ranks_of(u, &d->req.spec, &u->package.p[base]);
    for (uint32_t i = 0; i < d->req.spec.n; i++)
        dep.pins = dep.pins || names_one(&d->req.spec.clause[i]);
    for (size_t i = 0; i < MAX(d->req.n_extra, 1u); i++) {
        dep.pkg = d->req.n_extra ? universe_package(u, d->req.name, d->req.extra[i]) : base;
        VEC_PUSH_IN(u->a, &list->dep, dep);
    }
}

static bool seal_package(struct universe *u, struct universe_package *p, struct err *e)
{
    struct version *sorted = ARENA_ARRAY(u->a, struct version, p->version.n);

    if (p->version.n > 1)
        qsort(p->version.p, p->version.n, sizeof p->version.p[0], version_order);
    for (size_t i = 0; i < p->version.n; i++) {
        sorted[i] = p->version.p[i].v;
        if (i > 0 && version_cmp(&sorted[i - 1], &sorted[i]) == 0)
            return err_set(e, ERR_PACKAGE, "version '" STR_FMT "' of '" STR_FMT "' is there twice",
                           STR_ARG(sorted[i].text), STR_ARG(p->name));
        if (p->preferred.n && str_eq(p->preferred, sorted[i].text))
            p->prefer = (uint32_t)i;
    }
    p->sorted = sorted;
    return true;
}

/* What the user's own requirement or constraint says about choosing among versions. */
static void note_wish(struct universe *u, const struct universe_want *w)
{
    struct universe_package *p = &u->package.p[universe_package(u, w->dep.req.name, STR(""))];
    const struct spec *spec = &w->dep.req.spec;

    p->direct = p->direct || !w->constraint;
    p->names_pre = p->names_pre || spec_mentions_prerelease(spec);
    for (uint32_t i = 0; i < spec->n; i++) {
        if (!names_one(&spec->clause[i]))
            continue;

        struct set named = ranks_of(u, spec, p);

        p->pinned = set_unite(u->a, &p->pinned, &named);
    }
}

bool universe_seal(struct universe *u, struct err *e)
{
    struct dep_list root = { 0 };

    for (size_t i = 0; i < u->want.n; i++) /* names wanted and not known */
        (void)universe_package(u, u->want.p[i].dep.req.name, STR(""));
    for (size_t i = 0; i < u->package.n; i++)
        if (!seal_package(u, &u->package.p[i], e))
            return false;
    for (size_t i = 0; i < u->want.n; i++) {
        const struct universe_want *w = &u->want.p[i];

        if (!marker_is_true(w->dep.req.marker, &u->env, NULL, 0))
            continue;
        note_wish(u, w);
        if (w->constraint) {
            struct dep_list one = { 0 };

            add_requirement(u, &w->dep, w->origin, &one);
            VEC_PUSH_IN(u->a, &u->package.p[one.dep.p[0].pkg].constraint, one.dep.p[0]);
        } else {
            add_requirement(u, &w->dep, w->origin, &root);
        }
    }
    u->root = (struct solve_deps){ .dep = root.dep.p, .n = root.dep.n };
    return true;
}

/* ---- answers ---- */

static bool puts_off(struct universe *u)
{
    if (u->wait_every == 0)
        return false;
    u->wait_seed = u->wait_seed * 6364136223846793005u + 1442695040888963407u;
    return (u->wait_seed >> 33) % u->wait_every == 0;
}

static uint32_t base_of(const struct universe *u, uint32_t pkg)
{
    return u->package.p[pkg].base == PKG_NONE ? pkg : u->package.p[pkg].base;
}

static void tell_package(void *ctx, uint32_t pkg, struct solve_package *out)
{
    struct universe *u = ctx;
    const struct universe_package *p = &u->package.p[pkg];

    *out = (struct solve_package){
        .name = p->name,
        .versions = pkg == PKG_ROOT ? 1 : (uint32_t)u->package.p[base_of(u, pkg)].version.n,
        .proxy_of = p->base,
        .problem = STR("was not found in the index"),
        .constraint = p->constraint.p,
        .constraints = p->constraint.n,
    };
}

/* The best rank of the set by direction, of the releases or of the pre-releases. */
static uint32_t best(const struct universe_package *p, const struct set *allowed, bool lowest, bool pre)
{
    uint32_t r = lowest ? set_above(allowed, 0) : set_below(allowed, UINT32_MAX);

    while (r != RANK_NONE && version_is_pre(&p->sorted[r]) != pre)
        r = lowest ? set_above(allowed, r + 1) : set_below(allowed, r);
    return r;
}

static enum solve_answer choose(void *ctx, uint32_t pkg, const struct set *allowed, struct solve_choice *out)
{
    struct universe *u = ctx;
    const struct universe_package *p = &u->package.p[base_of(u, pkg)];
    bool lowest = u->order == UNIVERSE_LOWEST || (u->order == UNIVERSE_LOWEST_DIRECT && p->direct);

    if (puts_off(u))
        return SOLVE_PENDING;
    if (p->prefer != RANK_NONE && set_has(allowed, p->prefer)) {
        out->rank = p->prefer;
        return SOLVE_HAVE;
    }
    if (u->pre == UNIVERSE_PRE_ALLOW || (u->pre == UNIVERSE_PRE_IF_NECESSARY && p->names_pre)) {
        out->rank = lowest ? set_min(allowed) : set_max(allowed);
        return SOLVE_HAVE;
    }
    out->rank = best(p, allowed, lowest, false);
    if (out->rank == RANK_NONE && u->pre == UNIVERSE_PRE_IF_NECESSARY)
        out->rank = best(p, allowed, lowest, true);
    out->none = STR("only pre-releases, which are not allowed");
    return SOLVE_HAVE;
}

/* Why the version cannot be used; n == 0 when it can. */
static struct str objection(struct universe *u, const struct universe_package *p, uint32_t rank)
{
    const struct universe_version *v = &p->version.p[rank];

    if (v->unusable.n)
        return v->unusable;
    if (v->yanked && rank != p->prefer && !set_has(&p->pinned, rank))
        return v->yank_reason.n ? arena_printf(u->a, "was yanked: " STR_FMT, STR_ARG(v->yank_reason))
                                : STR("was yanked");
    if (v->python.n) {
        struct version python;
        struct spec spec;
        bool repaired;
        struct err e = { 0 };

        if (!spec_parse_lenient(v->python, u->a, &spec, &repaired, &e) || !version_parse(u->python, u->a, &python))
            return STR("has a Requires-Python that cannot be read");
        if (!spec_accepts_python(&spec, &python, true))
            return arena_printf(u->a, "needs Python " STR_FMT ", this is " STR_FMT, STR_ARG(v->python),
                                STR_ARG(u->python));
    }
    return STR("");
}

/* All versions with the same objection. */
static struct set sharing(struct universe *u, const struct universe_package *p, struct str reason)
{
    struct interval *span = ARENA_ARRAY(u->a, struct interval, p->version.n);
    size_t n = 0;

    for (uint32_t r = 0; r < p->version.n; r++)
        if (str_eq(objection(u, p, r), reason))
            span[n++] = (struct interval){ r, r + 1 };
    return set_of(u->a, span, n);
}

static enum solve_answer tell_deps(void *ctx, uint32_t pkg, uint32_t rank, struct solve_deps *out)
{
    struct universe *u = ctx;
    const struct universe_package *p = &u->package.p[base_of(u, pkg)];
    struct str extra = u->package.p[pkg].extra;
    struct dep_list list = { 0 };

    if (puts_off(u))
        return SOLVE_PENDING;
    if (pkg == PKG_ROOT) {
        *out = u->root;
        return SOLVE_HAVE;
    }
    out->reason = objection(u, p, rank);
    if (out->reason.n) {
        out->same = sharing(u, p, out->reason);
        return SOLVE_UNUSABLE;
    }

    const struct universe_version *v = &p->version.p[rank];

    for (size_t i = 0; i < v->deps; i++) {
        const struct universe_dep *d = &v->dep[i];
        bool plain = d->extra.n == 0 && marker_is_true(d->req.marker, &u->env, NULL, 0);
        bool with = (d->extra.n == 0 || str_eq(d->extra, extra)) && marker_is_true(d->req.marker, &u->env, &extra, 1);

        if (extra.n == 0 ? plain : with && !plain)
            add_requirement(u, d, STR(""), &list);
    }
    out->dep = list.dep.p;
    out->n = list.dep.n;
    return SOLVE_HAVE;
}

static struct str version_text(void *ctx, uint32_t pkg, uint32_t rank)
{
    struct universe *u = ctx;

    return pkg == PKG_ROOT ? STR("") : u->package.p[base_of(u, pkg)].sorted[rank].text;
}

struct solve_source universe_source(struct universe *u)
{
    return (struct solve_source){ u, tell_package, choose, tell_deps, version_text };
}
