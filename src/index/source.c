#include "index/source.h"

#include "base/err.h"
#include "base/hash.h"
#include "pep/marker.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/tag.h"

#define ROOT_NAME STR("your project")

uint32_t source_package_of(struct source *s, uint32_t project, struct str extra)
{
    struct str base = s->catalog->projects.p[project]->name;
    struct str name = extra.n ? arena_printf(&s->a, STR_FMT "[" STR_FMT "]", STR_ARG(base), STR_ARG(extra)) : base;
    bool fresh;
    uint32_t i = map_get_or_add(&s->package_of, name, (uint32_t)s->packages.n, &fresh);

    if (!fresh)
        return i;
    VEC_PUSH_IN(&s->a, &s->packages,
                (struct source_package){ .project = project, .extra = extra, .name = name, .base = i });
    if (extra.n) {
        uint32_t to = source_package_of(s, project, STR("")); /* may move the packages */

        s->packages.p[i].base = to;
    }
    return i;
}

/* ------------------------------------------------------------ requirements */

static void understand(struct source *s, struct source_need *n)
{
    struct err e = { 0 };
    const struct marker_env *env = s->catalog->target->env;

    if (!req_parse_lenient(&s->a, n->text, &n->req, &e)) {
        n->bad = true;
        n->why = arena_printf(&s->a, "has a requirement that cannot be read: '" STR_FMT "'", STR_ARG(n->text));
        n->base_true = true;
        return;
    }
    n->by_extra = n->req.marker && marker_mentions(n->req.marker, MARKER_EXTRA);
    n->base_true = !n->req.marker || marker_is_true(n->req.marker, env, NULL, 0);
    n->project = catalog_project(s->catalog, n->req.key);
    if (n->req.url.n && !s->catalog->projects.p[n->project]->only_direct) {
        n->bad = true;
        n->why = arena_printf(&s->a, "requires '" STR_FMT "' from a URL, which only you may do", STR_ARG(n->req.name));
    }
}

struct source_need *source_need_of(struct source *s, struct str text)
{
    uint32_t i = map_find(&s->need_of, text);

    if (i != MAP_NONE)
        return s->needs.p[i];
    struct source_need *n = ARENA_NEW(&s->a, struct source_need);

    n->text = arena_str(&s->a, text); /* the caller's may move when more metadata is learned */
    understand(s, n);
    map_put(&s->need_of, n->text, (uint32_t)s->needs.n);
    VEC_PUSH_IN(&s->a, &s->needs, n);
    return n;
}

bool source_applies(const struct source *s, const struct source_need *need, struct str extra)
{
    if (extra.n == 0)
        return need->base_true;
    return need->by_extra && !need->base_true &&
           marker_is_true(need->req.marker, s->catalog->target->env, &extra, 1);
}

struct source_need *source_effective(struct source *s, struct source_need *need, size_t i, struct str *origin)
{
    bool overridden = false;

    for (size_t k = 0; k < s->overrides.n; k++) {
        size_t root = s->overrides.p[k];
        struct source_need *o = s->needs.p[s->root_need[root]];

        if (o->project != need->project)
            continue;
        overridden = true;
        if (!o->base_true || i--)
            continue;
        if (origin)
            *origin = s->roots[root].origin;
        return o;
    }
    return overridden || i ? NULL : need;
}

/* Ranks that the specifiers allow. */
static struct set ranks_of(struct source *s, const struct spec *spec, const struct catalog_project *p)
{
    struct spec_range *r;

    if (spec->n == 0)
        return set_span(0, p->n);
    size_t n = spec_ranks(spec, p->version, p->n, &s->a, &r);
    struct interval *spans = ARENA_ARRAY(&s->a, struct interval, n);

    for (size_t i = 0; i < n; i++)
        spans[i] = (struct interval){ r[i].lo, r[i].hi };
    return set_of(&s->a, spans, n);
}

bool source_need_set(struct source *s, struct source_need *n)
{
    struct catalog *c = s->catalog;

    if (n->has_set)
        return true;
    if (!catalog_list(c, n->project))
        return false;
    const struct catalog_project *p = c->projects.p[n->project];

    n->set = ranks_of(s, &n->req.spec, p);
    n->has_set = true;
    return true;
}

/* Does it name one version? */
static bool pins(const struct spec *spec)
{
    for (uint32_t i = 0; i < spec->n; i++)
        if ((spec->clause[i].op == SPEC_EQ && !spec->clause[i].wildcard) || spec->clause[i].op == SPEC_SAME)
            return true;
    return false;
}

struct dep_list {
    VEC(struct solve_dep) dep;
};

/* The requirement on the project itself, and one on each extra it names. */
static void add_need(struct source *s, const struct source_need *n, struct str text, struct str origin,
                     struct dep_list *out)
{
    struct solve_dep d = { .allowed = n->set, .pins = pins(&n->req.spec), .text = text, .origin = origin };

    d.pkg = source_package_of(s, n->project, STR(""));
    VEC_PUSH_IN(&s->a, &out->dep, d);
    for (size_t i = 0; i < n->req.n_extra; i++) {
        d.pkg = source_package_of(s, n->project, n->req.extra[i]);
        VEC_PUSH_IN(&s->a, &out->dep, d);
    }
}

/* ------------------------------------------------------------ the root */

static void note_root(struct source *s, const struct source_root *r, uint32_t project)
{
    struct catalog_project *p = s->catalog->projects.p[project];
    const struct spec *spec = &r->req.spec;

    p->direct = p->direct || !r->constraint;
    p->wants_pre = p->wants_pre || spec_mentions_prerelease(spec);
    if (pins(spec))
        p->pinned = spec;
    if (!r->constraint || r->override)
        return;
    /* several constraints on one project: their clauses together */
    struct spec *all = ARENA_NEW(&s->a, struct spec);
    uint32_t n = p->constraint ? p->constraint->n : 0;
    struct spec_clause *clause = ARENA_ARRAY(&s->a, struct spec_clause, n + spec->n);

    if (p->constraint)
        *all = *p->constraint;
    for (uint32_t i = 0; i < n; i++)
        clause[i] = p->constraint->clause[i];
    for (uint32_t i = 0; i < spec->n; i++)
        clause[n + i] = spec->clause[i];
    all->n = n + spec->n;
    all->clause = clause;
    all->has_same = all->has_same || spec->has_same;
    all->names_pre = all->names_pre || spec->names_pre;
    p->constraint = all;
    p->constraint_text = arena_printf(&s->a, "is left out by the constraint " STR_FMT "%s" STR_FMT "%s",
                                      STR_ARG(r->text), r->origin.n ? " (" : "", STR_ARG(r->origin),
                                      r->origin.n ? ")" : "");
}

bool source_open(struct source *s, struct catalog *c, const struct source_root *roots, size_t n, bool no_deps,
                 struct err *e)
{
    *s = (struct source){ .catalog = c, .roots = roots, .n_roots = n, .no_deps = no_deps };
    s->root_need = ARENA_ARRAY(&s->a, uint32_t, n);
    VEC_PUSH_IN(&s->a, &s->packages, (struct source_package){ .name = ROOT_NAME });
    for (size_t i = 0; i < n; i++) {
        const struct source_root *r = &roots[i];
        struct source_need *need = ARENA_NEW(&s->a, struct source_need);

        need->text = r->text;
        need->req = r->req;
        need->base_true = !r->req.marker || marker_is_true(r->req.marker, c->target->env, NULL, 0);
        need->project = catalog_project(c, r->req.key);
        s->root_need[i] = (uint32_t)s->needs.n;
        VEC_PUSH_IN(&s->a, &s->needs, need);
        if (r->override)
            VEC_PUSH_IN(&s->a, &s->overrides, i);
        if (need->base_true && r->req.url.n && !c->projects.p[need->project]->only_direct)
            return err_set(e, ERR_PACKAGE, "the URL of '" STR_FMT "' was not prepared", STR_ARG(r->text));
        if (need->base_true)
            note_root(s, r, need->project);
    }
    return true;
}

void source_close(struct source *s)
{
    map_clear(&s->package_of);
    map_clear(&s->need_of);
    map_clear(&s->deps_of);
    arena_clear(&s->a);
}

/* False while the ranks of one of those that count are not known; what is lacking is noted. */
static bool effective_sets(struct source *s, struct source_need *need)
{
    struct source_need *one;
    bool all = true;

    for (size_t i = 0; (one = source_effective(s, need, i, NULL)); i++)
        all = source_need_set(s, one) && all;
    return all;
}

static void add_effective(struct source *s, struct source_need *need, struct str origin, struct dep_list *out)
{
    bool dependency = origin.n == 0; /* explanations give the place of the user's own requirements only */
    struct source_need *one;

    for (size_t i = 0; (one = source_effective(s, need, i, &origin)); i++) {
        if (dependency && one != need && one->shown.n == 0)
            one->shown = arena_printf(&s->a, STR_FMT " (override, " STR_FMT ")", STR_ARG(one->text), STR_ARG(origin));
        add_need(s, one, dependency && one != need ? one->shown : one->text, dependency ? STR("") : origin, out);
    }
}

static enum solve_answer root_deps(struct source *s, struct solve_deps *out)
{
    struct dep_list list = { 0 };
    bool all = true;

    for (size_t i = 0; !s->root_ready && i < s->n_roots; i++) {
        struct source_need *need = s->needs.p[s->root_need[i]];

        if (need->base_true && !s->roots[i].constraint && !effective_sets(s, need))
            all = false; /* note all that lack, then wait for them together */
    }
    if (!all)
        return SOLVE_PENDING;
    for (size_t i = 0; !s->root_ready && i < s->n_roots; i++) {
        struct source_need *need = s->needs.p[s->root_need[i]];

        if (need->base_true && !s->roots[i].constraint)
            add_effective(s, need, s->roots[i].origin, &list);
    }
    if (!s->root_ready) {
        s->root = list.dep.p;
        s->n_root = list.dep.n;
        s->root_ready = true;
    }
    *out = (struct solve_deps){ .dep = s->root, .n = s->n_root };
    return SOLVE_HAVE;
}

/* ------------------------------------------------------------ answers */

static void answer_package(void *ctx, uint32_t pkg, struct solve_package *out)
{
    struct source *s = ctx;
    const struct source_package *sp = &s->packages.p[pkg];

    *out = (struct solve_package){ .name = sp->name, .versions = 1, .proxy_of = PKG_NONE };
    if (pkg == PKG_ROOT)
        return;
    const struct catalog_project *p = s->catalog->projects.p[sp->project];

    out->versions = p->n;
    out->proxy_of = sp->extra.n ? sp->base : PKG_NONE;
    out->url = p->only_direct;
    if (p->n == 0 && p->n_listings == 0)
        out->problem = s->catalog->settings->n_url ? STR("was not found in the index") : STR("was not found");
    else if (p->n == 0)
        out->problem = s->catalog->settings->exclude_newer ? STR("has no version before the cutoff")
                                                           : STR("has no files in the index");
}

static enum solve_answer answer_choose(void *ctx, uint32_t pkg, const struct set *allowed, struct solve_choice *out)
{
    struct source *s = ctx;

    *out = (struct solve_choice){ .rank = 0 };
    if (pkg == PKG_ROOT)
        return SOLVE_HAVE;
    out->rank = catalog_choose(s->catalog, s->packages.p[pkg].project, allowed);
    if (out->rank == UINT32_MAX)
        *out = (struct solve_choice){ .rank = RANK_NONE, .none = STR("only pre-releases are left") };
    return SOLVE_HAVE;
}

static struct str reason_of(struct source *s, const struct catalog_project *p, const struct candidate *cand)
{
    switch ((enum candidate_state)cand->state) {
    case CANDIDATE_PYTHON:
        return arena_printf(&s->a, "needs Python " STR_FMT ", this is " STR_FMT, STR_ARG(cand->why),
                            STR_ARG(s->catalog->target->python.text));
    case CANDIDATE_SDIST_ONLY:
        return STR("has only a source distribution, which would need a build");
    case CANDIDATE_YANKED:
        return cand->why.n ? arena_printf(&s->a, "was yanked: " STR_FMT, STR_ARG(cand->why)) : STR("was yanked");
    case CANDIDATE_CONSTRAINED:
    case CANDIDATE_BROKEN:
        return cand->why;
    case CANDIDATE_NO_FILE:
    case CANDIDATE_UNKNOWN:
    case CANDIDATE_WHEEL:
    case CANDIDATE_SDIST:
        break;
    }
    (void)p;
    if (cand->miss == TAG_MISS_PLATFORM)
        return STR("has no wheel for this platform");
    if (cand->miss == TAG_MISS_ABI || cand->miss == TAG_MISS_PYTHON)
        return STR("has no wheel for this Python");
    return STR("has no wheel that may be used");
}

static bool same_reason(const struct candidate *x, const struct candidate *y)
{
    return x->state == y->state && x->miss == y->miss && str_eq(x->why, y->why);
}

/* The run of neighbours that the same reason rules out: one fact instead of many. */
static struct set same_run(struct source *s, uint32_t project, uint32_t rank)
{
    const struct catalog_project *p = s->catalog->projects.p[project];
    const struct candidate *cand = catalog_candidate(s->catalog, project, rank);
    uint32_t lo = rank, hi = rank + 1;

    if (cand->state == CANDIDATE_BROKEN)
        return set_one(rank);
    while (lo > 0 && same_reason(cand, catalog_candidate(s->catalog, project, lo - 1)))
        lo--;
    while (hi < p->n && same_reason(cand, catalog_candidate(s->catalog, project, hi)))
        hi++;
    return set_span(lo, hi);
}

static enum solve_answer unusable(struct source *s, uint32_t project, uint32_t rank, struct solve_deps *out)
{
    *out = (struct solve_deps){
        .reason = reason_of(s, s->catalog->projects.p[project], catalog_candidate(s->catalog, project, rank)),
        .same = same_run(s, project, rank),
    };
    return SOLVE_UNUSABLE;
}

/* Metadata may say what the page did not. */
static bool python_refused(struct source *s, uint32_t project, uint32_t rank, const struct known_meta *m)
{
    struct catalog *c = s->catalog;
    struct candidate *cand = catalog_candidate(c, project, rank);
    struct spec spec;
    struct err ignored;
    bool repaired;

    if (m->requires_python.n == 0 || catalog_file(c->projects.p[project], cand)->python != UINT32_MAX)
        return false;
    if (!spec_parse_lenient(m->requires_python, &s->a, &spec, &repaired, &ignored) ||
        spec_accepts_python(&spec, &c->target->python, true))
        return false;
    cand->state = CANDIDATE_PYTHON;
    cand->why = arena_str(&c->a, m->requires_python);
    return true;
}

static enum solve_answer collect(struct source *s, const struct source_package *sp, const struct known_meta *m,
                                 struct solve_deps *out)
{
    struct dep_list list = { 0 };
    bool all = true;

    for (size_t i = 0; i < m->n_requires; i++) {
        struct source_need *need = source_need_of(s, m->requires[i]);

        if (!source_applies(s, need, sp->extra))
            continue;
        if (need->bad && source_effective(s, need, 0, NULL) == need) {
            *out = (struct solve_deps){ .reason = need->why };
            return SOLVE_UNUSABLE;
        }
        all = effective_sets(s, need) && all;
        if (all)
            add_effective(s, need, STR(""), &list);
    }
    if (!all)
        return SOLVE_PENDING;
    *out = (struct solve_deps){ .dep = list.dep.p, .n = list.dep.n };
    return SOLVE_HAVE;
}

static enum solve_answer answer_deps(void *ctx, uint32_t pkg, uint32_t rank, struct solve_deps *out)
{
    struct source *s = ctx;
    struct known_meta m;

    if (pkg == PKG_ROOT)
        return root_deps(s, out);
    struct source_package sp = s->packages.p[pkg];
    uint64_t key = (uint64_t)pkg << 32 | rank;
    uint32_t at = map_find_u64(&s->deps_of, key);

    if (at != MAP_NONE) {
        *out = s->deps.p[at];
        return SOLVE_HAVE;
    }
    if (!candidate_is_usable(catalog_candidate(s->catalog, sp.project, rank)))
        return unusable(s, sp.project, rank, out);
    if (s->no_deps) {
        *out = (struct solve_deps){ 0 };
        return SOLVE_HAVE;
    }
    AUTO_ARENA scratch = { 0 };

    if (!catalog_metadata(s->catalog, sp.project, rank, false, &scratch, &m)) {
        bool broken = !candidate_is_usable(catalog_candidate(s->catalog, sp.project, rank));

        return broken ? unusable(s, sp.project, rank, out) : SOLVE_PENDING;
    }
    if (python_refused(s, sp.project, rank, &m))
        return unusable(s, sp.project, rank, out);
    enum solve_answer answer = collect(s, &sp, &m, out);

    if (answer == SOLVE_HAVE) {
        map_put_u64(&s->deps_of, key, (uint32_t)s->deps.n);
        VEC_PUSH_IN(&s->a, &s->deps, *out);
    }
    return answer;
}

static struct str answer_text(void *ctx, uint32_t pkg, uint32_t rank)
{
    struct source *s = ctx;

    if (pkg == PKG_ROOT)
        return STR("");
    return s->catalog->projects.p[s->packages.p[pkg].project]->version[rank].text;
}

struct solve_source source_interface(struct source *s)
{
    return (struct solve_source){
        .ctx = s,
        .package = answer_package,
        .choose = answer_choose,
        .deps = answer_deps,
        .version_text = answer_text,
    };
}
