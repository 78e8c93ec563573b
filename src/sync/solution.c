#include "sync/solution.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/vec.h"
#include "build_config.h"
#include "index/source.h"
#include "lock/lock.h"
#include "net/url.h"
#include "pep/marker.h"
#include "pep/name.h"
#include "resolve/solve.h"
#include "sync/inputs.h"
#include "sync/origin.h"
#include "sync/workspace.h"

/* Walks the answer from the lists of the project outwards. */
struct walk {
    struct workspace *w;
    const struct inputs *in;
    struct source *s;
    const struct solve *solver;
    struct solve_source iface;
    uint64_t *lists;       /* by solver package: lists that need it */
    VEC(uint32_t) queue;
};

static void reach(struct walk *k, uint32_t pkg, uint64_t lists)
{
    if ((k->lists[pkg] & lists) == lists)
        return;
    k->lists[pkg] |= lists;
    VEC_PUSH_IN(k->w->a, &k->queue, pkg);
}

static void reach_need(struct walk *k, const struct source_need *n, uint64_t lists)
{
    reach(k, source_package_of(k->s, n->project, STR("")), lists);
    for (size_t i = 0; i < n->req.n_extra; i++)
        reach(k, source_package_of(k->s, n->project, n->req.extra[i]), lists);
}

static void spread(struct walk *k)
{
    for (size_t i = 0; i < k->in->roots.n; i++) {
        struct source_need *n = k->s->needs.p[k->s->root_need[i]], *one;

        if (k->in->roots.p[i].constraint || !n->base_true)
            continue;
        for (size_t o = 0; (one = source_effective(k->s, n, o, NULL)); o++)
            reach_need(k, one, k->in->lists.p[i]);
    }
    while (k->queue.n) {
        uint32_t pkg = k->queue.p[--k->queue.n], rank = solve_decision(k->solver, pkg);
        struct solve_deps deps;

        if (rank == RANK_NONE || k->iface.deps(k->s, pkg, rank, &deps) != SOLVE_HAVE)
            continue;
        reach(k, k->s->packages.p[pkg].base, k->lists[pkg]);
        for (size_t i = 0; i < deps.n; i++)
            reach(k, deps.dep[i].pkg, k->lists[pkg]);
    }
}

/* 'x' in extras or 'g' in dependency_groups; NULL when the dependencies need it anyway. */
static const struct marker *marker_of(struct walk *k, uint64_t lists, struct err *e)
{
    const struct marker *all = NULL;
    size_t extras = k->in->extras.n;

    if (lists & 1 || !k->in->from_project)
        return NULL;
    for (unsigned bit = 1; bit <= extras + k->in->groups.n; bit++) {
        const struct marker *one;
        bool extra = bit <= extras;
        struct str name = extra ? k->in->extras.p[bit - 1] : k->in->groups.p[bit - 1 - extras];

        if (!(lists >> bit & 1))
            continue;
        struct str text = arena_printf(k->w->a, "'" STR_FMT "' in %s", STR_ARG(name),
                                       extra ? "extras" : "dependency_groups");

        if (!marker_parse(k->w->a, text, &one, e))
            BUG("a marker made here does not parse: %s", text.p);
        all = all ? marker_or(k->w->a, all, one) : one;
    }
    return all;
}

/* ------------------------------------------------------------ files */

static bool hash_local(struct workspace *w, struct str url, struct str *hex, struct err *e)
{
    AUTO_FD fd = -1;
    unsigned char sum[HASH_SHA256];
    char text[HASH_HEX256 + 1];
    struct str path;

    if (!url_to_path(w->a, url, &path, e) || !fd_open(AT_FDCWD, path.p, O_RDONLY, 0, &fd, e) ||
        !hash_sha256_file(fd, path.p, sum, e))
        return false;
    hash_hex(sum, sizeof sum, text);
    *hex = arena_str(w->a, str_of(text));
    return true;
}

static void one_hash(struct workspace *w, struct str alg, struct str hex, struct lock_file *out)
{
    struct lock_hash *h = ARENA_NEW(w->a, struct lock_hash);

    *h = (struct lock_hash){ arena_str(w->a, alg), arena_str(w->a, hex) };
    out->hash = h;
    out->n_hash = 1;
}

static bool lock_file_of(struct walk *k, const struct listing *l, const struct listing_file *f, struct lock_file *out,
                         struct err *e)
{
    struct workspace *w = k->w;
    char hex[HASH_HEX256 + 1], when[CLOCK_TEXT];
    struct str url = listing_text(l, f->url), other = listing_text(l, f->other_hash), sum;

    *out = (struct lock_file){
        .name = arena_str(w->a, listing_text(l, f->name)),
        .url = arena_str(w->a, url),
        .size = f->flags & LISTING_SIZE ? f->size : LOCK_NO_SIZE,
    };
    if (f->flags & LISTING_TIME) {
        clock_format(f->uploaded, when);
        out->upload_time = arena_str(w->a, str_of(when));
    }
    if (f->flags & LISTING_SHA256) {
        hash_hex(f->sha256, sizeof f->sha256, hex);
        one_hash(w, STR("sha256"), str_of(hex), out);
    } else if (other.n) {
        size_t eq = str_find(other, '=');

        one_hash(w, str_sub(other, 0, eq), str_sub(other, eq + 1, other.n), out);
    } else if (url_is_file(url)) {
        if (!hash_local(w, url, &sum, e))
            return false;
        one_hash(w, STR("sha256"), sum, out);
    }
    if (url_is_file(url)) {
        struct str path;

        if (!url_to_path(w->a, url, &path, e))
            return false;
        out->path = path;
        out->url = STR("");
    }
    return true;
}

struct files {
    VEC(struct lock_file) wheels;
    struct lock_file *sdist;
};

/* All files of the version, so that the lock serves other machines too; those without a hash cannot be in a lock. */
static bool take_files(struct walk *k, const struct catalog_project *p, uint32_t rank, struct files *out, struct err *e)
{
    for (unsigned i = 0; i < p->n_listings; i++) {
        const struct listing *l = &p->listing[i];

        if (p->at[i][rank] == UINT32_MAX)
            continue;
        const struct listing_version *v = &l->version[p->at[i][rank]];

        for (uint32_t n = v->first; n < v->first + v->n; n++) {
            const struct listing_file *f = &l->file[n];
            struct lock_file one;

            if (catalog_excludes(k->s->catalog, l, f))
                continue;
            if (!lock_file_of(k, l, f, &one, e))
                return false;
            if (f->flags & LISTING_WHEEL) {
                VEC_PUSH_IN(k->w->a, &out->wheels, one);
            } else if (!out->sdist && one.n_hash) {
                out->sdist = ARENA_NEW(k->w->a, struct lock_file);
                *out->sdist = one;
            }
        }
    }
    return true;
}

static bool in_list(const struct lock_dep *d, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(d[i].name, name))
            return true;
    return false;
}

static int dep_order(const void *x, const void *y)
{
    const struct lock_dep *a = x, *b = y;

    return str_cmp(a->name, b->name);
}

struct deps {
    VEC(struct lock_dep) dep;
};

/* Names that a package of the answer leads to, through its extras as well. */
static void take_deps(struct walk *k, uint32_t project, struct deps *out)
{
    struct solve_deps deps;

    for (uint32_t pkg = 1; pkg < solve_packages(k->solver); pkg++) {
        const struct source_package *sp = &k->s->packages.p[pkg];
        uint32_t rank = solve_decision(k->solver, pkg);

        if (sp->project != project || rank == RANK_NONE || k->iface.deps(k->s, pkg, rank, &deps) != SOLVE_HAVE)
            continue;
        for (size_t i = 0; i < deps.n; i++) {
            const struct source_package *to = &k->s->packages.p[deps.dep[i].pkg];
            struct str name = k->s->catalog->projects.p[to->project]->name;

            if (to->project != project && !in_list(out->dep.p, out->dep.n, name))
                VEC_PUSH_IN(k->w->a, &out->dep, (struct lock_dep){ .name = arena_str(k->w->a, name) });
        }
    }
    if (out->dep.n)
        qsort(out->dep.p, out->dep.n, sizeof *out->dep.p, dep_order);
}

static struct str bare_index(const struct walk *k, struct str index)
{
    for (size_t i = 0; i < k->in->index.n_url; i++)
        if (str_eq(index, k->in->index.url[i]))
            return k->in->bare_url[i];
    return STR("");
}

/* A lock holds only what keeps to the standard, and nothing that would forbid the environment it is made for: the
 * choice of versions does not mind upper bounds on Python (catalog.c). */
static void note_python(struct walk *k, const struct catalog_project *p, uint32_t rank, struct lock_package *out)
{
    const struct candidate *cand = &p->candidate[rank];
    const struct listing *l = &p->listing[cand->source];
    const struct listing_file *f = catalog_file(p, cand);
    const struct version *mine = &k->w->python.version;
    struct spec spec;
    struct err ignored;

    if (f->python >= l->head->n_pythons)
        return;
    struct str python = listing_text(l, l->python[f->python]);

    if (!spec_parse(python, k->w->a, &spec, &ignored))
        return;
    if (spec_accepts_python(&spec, mine, false))
        out->requires_python = arena_str(k->w->a, python);
    else
        workspace_warn(k->w, STR_FMT " " STR_FMT " says it is for Python " STR_FMT ", this one is " STR_FMT,
                       STR_ARG(p->name), STR_ARG(p->version[rank].text), STR_ARG(python), STR_ARG(mine->text));
}

static bool take_package(struct walk *k, uint32_t pkg, struct lock_package *out, struct err *e)
{
    struct workspace *w = k->w;
    const struct source_package *sp = &k->s->packages.p[pkg];
    struct catalog_project *p = k->s->catalog->projects.p[sp->project];
    uint32_t rank = solve_decision(k->solver, pkg);
    struct candidate *cand = catalog_candidate(k->s->catalog, sp->project, rank);
    const struct listing_file *f = catalog_file(p, cand);
    struct files files = { 0 };
    struct deps deps = { 0 };
    const struct origin *origin = p->only_direct ? origin_find(w, catalog_text(p, cand, f->url)) : NULL;

    if (!origin && !take_files(k, p, rank, &files, e))
        return false;
    take_deps(k, sp->project, &deps);
    *out = (struct lock_package){
        .name = arena_str(w->a, p->name),
        .version = version_format(&p->version[rank], w->a),
        .marker = marker_of(k, k->lists[pkg], e),
        .index = bare_index(k, p->index),
        .dep = deps.dep.p,
        .n_dep = deps.dep.n,
        .sdist = files.sdist,
        .wheel = files.wheels.p,
        .n_wheel = files.wheels.n,
    };
    note_python(k, p, rank, out);
    if (f->flags & LISTING_YANKED) { /* let in by a pin, or kept from the lock */
        struct str why = catalog_text(p, cand, f->yanked);

        workspace_warn(w, STR_FMT " " STR_FMT " was yanked%s" STR_FMT, STR_ARG(p->name),
                       STR_ARG(p->version[rank].text), why.n ? ": " : "", STR_ARG(why));
    }
    if (origin) {
        origin_to_lock(w, origin, out);
    } else if (p->only_direct) {
        struct lock_file *archive = ARENA_NEW(w->a, struct lock_file);

        *archive = files.wheels.p[0];
        out->archive = archive;
        out->n_wheel = 0;
        out->index = STR("");
    }
    return true;
}

static int package_order(const void *x, const void *y)
{
    const struct lock_package *a = x, *b = y;

    return str_cmp(a->name, b->name);
}

static void warn_extras(struct walk *k)
{
    AUTO_ARENA scratch = { 0 };
    struct known_meta m;

    for (uint32_t pkg = 1; pkg < solve_packages(k->solver); pkg++) {
        const struct source_package *sp = &k->s->packages.p[pkg];
        uint32_t rank = solve_decision(k->solver, pkg);
        bool there = false;

        if (sp->extra.n == 0 || rank == RANK_NONE ||
            !catalog_metadata(k->s->catalog, sp->project, rank, true, &scratch, &m))
            continue;
        for (size_t i = 0; i < m.n_extra; i++)
            there = there || name_eq(m.extra[i], sp->extra);
        if (!there)
            workspace_warn(k->w, STR_FMT " " STR_FMT " has no extra '" STR_FMT "'",
                           STR_ARG(k->s->catalog->projects.p[sp->project]->name),
                           STR_ARG(k->s->catalog->projects.p[sp->project]->version[rank].text), STR_ARG(sp->extra));
    }
}

static void describe_origin(struct walk *k, struct lock *out)
{
    static const char *const pre[] = { "if-necessary", "allow", "disallow" };
    static const char *const res[] = { "highest", "lowest", "lowest-direct" };
    struct lock_option *o = ARENA_ARRAY(k->w->a, struct lock_option, 2);
    char when[CLOCK_TEXT];

    o[0] = (struct lock_option){ STR("prerelease"), str_of(pre[k->in->index.prerelease]) };
    o[1] = (struct lock_option){ STR("resolution"), str_of(res[k->in->index.resolution]) };
    out->origin = (struct lock_origin){
        .inputs = k->in->digest,
        .index = k->in->bare_url,
        .n_index = k->in->index.n_url,
        .option = o,
        .n_option = 2,
    };
    if (k->in->index.exclude_newer) {
        clock_format(k->in->index.exclude_newer, when);
        out->origin.exclude_newer = arena_str(k->w->a, str_of(when));
    }
}

static void describe_environment(struct walk *k, struct lock *out)
{
    const struct marker_env *env = &k->w->python.marker;
    const struct marker **m = ARENA_ARRAY(k->w->a, const struct marker *, 1);
    struct err e = { 0 };
    struct str text = arena_printf(k->w->a,
                                   "python_version == '" STR_FMT "' and sys_platform == '" STR_FMT
                                   "' and platform_machine == '" STR_FMT "' and implementation_name == '" STR_FMT "'",
                                   STR_ARG(env->python_version), STR_ARG(env->sys_platform),
                                   STR_ARG(env->platform_machine), STR_ARG(env->implementation_name));

    if (!marker_parse(k->w->a, text, &m[0], &e))
        BUG("a marker made here does not parse: %s", text.p);
    out->environment = m;
    out->n_environment = 1;
}

bool solution_lock(struct workspace *w, const struct inputs *in, struct source *s, const struct solve *solver,
                   struct lock *out, struct err *e)
{
    struct walk k = { .w = w, .in = in, .s = s, .solver = solver, .iface = source_interface(s) };
    uint32_t n = solve_packages(solver), count = 0;
    struct lock_package *packages = ARENA_ARRAY(w->a, struct lock_package, n);

    k.lists = ARENA_ARRAY(w->a, uint64_t, MAX(n, (uint32_t)s->packages.n) + 1);
    spread(&k);
    for (uint32_t pkg = 1; pkg < n; pkg++) {
        if (s->packages.p[pkg].extra.n || solve_decision(solver, pkg) == RANK_NONE)
            continue;
        if (!take_package(&k, pkg, &packages[count++], e))
            return false;
    }
    if (count)
        qsort(packages, count, sizeof *packages, package_order);
    warn_extras(&k);
    *out = (struct lock){
        .lock_version = STR("1.0"),
        .created_by = STR("blast"),
        .requires_python = w->project.requires_python,
        .extra = in->extras.p,
        .n_extra = in->extras.n,
        .group = in->groups.p,
        .n_group = in->groups.n,
        .default_group = in->default_groups.p,
        .n_default_group = in->default_groups.n,
        .package = packages,
        .n_package = count,
    };
    describe_environment(&k, out);
    describe_origin(&k, out);
    return true;
}
