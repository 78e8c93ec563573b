#include "sync/repair.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "index/known.h"
#include "lock/lock.h"
#include "pep/name.h"
#include "pep/req.h"
#include "resolve/explain.h"
#include "resolve/solve.h"
#include "sync/failure.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

#define TRIALS_MAX 8    /* each costs a resolve from the cache: milliseconds, but not for nothing */
#define BUDGET_MS 2000u /* after this the index is not asked any more, and what is under way is given up */

static const struct source_root *root_of(const struct inputs *in, const struct solve_dep *dep, size_t *at)
{
    for (size_t i = 0; i < in->roots.n; i++) {
        const struct source_root *r = &in->roots.p[i];

        if (!r->constraint && str_eq(r->origin, dep->origin) && str_eq(r->text, dep->text)) {
            *at = i;
            return r;
        }
    }
    return NULL;
}

/* The inputs with one requirement relaxed in one way. */
static struct inputs relaxed(struct workspace *w, const struct inputs *in, size_t at, enum repair_kind kind)
{
    struct inputs out = *in;
    struct source_root *root = ARENA_ARRAY(w->a, struct source_root, in->roots.n);
    size_t n = 0;

    for (size_t i = 0; i < in->roots.n; i++) {
        root[n] = in->roots.p[i];
        if (i == at && kind == REPAIR_DROP)
            continue;
        if (i == at && kind == REPAIR_BOUND) {
            root[n].req.spec = (struct spec){ 0 };
            root[n].req.spec_text = STR("");
        } else if (i == at) {
            root[n].req.n_extra = root[n].req.n_extra_text = 0;
        }
        if (i == at)
            root[n].text = req_text(w->a, &root[n].req);
        n++;
    }
    out.roots.p = root;
    out.roots.n = n;
    out.index.refresh = false;
    return out;
}

/* How long and whether the index may be asked. */
struct budget {
    bool ask;
    uint64_t end;
};

static bool try_relaxed(const struct pkg_job *job, size_t at, enum repair_kind kind, const struct budget *b,
                        struct lock *out)
{
    struct inputs in = relaxed(job->w, job->in, at, kind);
    struct timings ignored_timings = { 0 };
    struct err e = { 0 };
    struct pkg_job trial = { .w = job->w, .in = &in, .net = job->net, .timings = &ignored_timings, .trial = true };
    bool offline = in.index.offline;

    if (in.roots.n == 0)
        return false;
    in.index.offline = true;
    if (pkg_resolve(&trial, NULL, 0, out, &e))
        return true;
    if (offline || !b->ask || e.kind == ERR_RESOLUTION || clock_ms() >= b->end)
        return false;
    in.index.offline = false;
    trial.until = b->end;
    err_clear(&e);
    return pkg_resolve(&trial, NULL, 0, out, &e);
}

/* What of the bounds the version keeps; when nothing is left, the version as the lower one. */
static struct str bounds_for(struct arena *a, const struct req *r, struct str version)
{
    struct version v;
    struct str text = STR("");

    if (!version_parse(version, a, &v))
        return text;
    for (uint32_t i = 0; i < r->spec.n; i++) {
        struct spec one = { .clause = &r->spec.clause[i], .n = 1, .has_same = r->spec.has_same };

        if (spec_contains(&one, &v, SPEC_PRE_ALLOW))
            text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), text.n ? "," : "",
                                STR_ARG(spec_format(&one, a)));
    }
    version = str_sub(version, 0, str_find(version, '+')); /* >= takes no local part */
    return text.n ? text : arena_printf(a, ">=" STR_FMT, STR_ARG(version));
}

static struct str replacement(struct arena *a, const struct source_root *r, enum repair_kind kind, struct str version)
{
    struct req q = r->req;
    struct err ignored = { 0 };

    if (kind == REPAIR_DROP)
        return STR("");
    if (kind == REPAIR_EXTRA) {
        q.n_extra = q.n_extra_text = 0;
        return req_text(a, &q);
    }
    q.spec_text = version.n ? bounds_for(a, &r->req, version) : STR("");
    q.spec = (struct spec){ 0 };
    if (q.spec_text.n && !spec_parse(q.spec_text, a, &q.spec, &ignored))
        q.spec_text = STR("");
    return req_text(a, &q);
}

static struct repair describe(struct arena *a, const struct source_root *r, enum repair_kind kind,
                              const struct lock *lock)
{
    static const char *const what[] = { [REPAIR_BOUND] = "the bound in ", [REPAIR_EXTRA] = "the extra in ",
                                        [REPAIR_DROP] = "" };
    const struct lock_package *p = lock_find(lock, r->req.key);
    struct repair out = { .kind = kind, .requirement = r->text, .origin = r->origin, .package = r->req.key };

    out.version = p ? arena_str(a, p->version) : STR("");
    out.replacement = replacement(a, r, kind, out.version);
    out.text = arena_printf(a, "works without %s" STR_FMT " (" STR_FMT ")", what[kind], STR_ARG(r->text),
                            STR_ARG(r->origin));
    if (kind == REPAIR_BOUND && p)
        out.text = arena_printf(a, STR_FMT ": " STR_FMT " " STR_FMT " would be taken", STR_ARG(out.text),
                                STR_ARG(r->req.name), STR_ARG(p->version));
    return out;
}

/* Names that were asked for before lie in the cache, a file each. */
static struct str nearest(const struct pkg_job *job, struct str name)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct err ignored = { 0 };
    struct str best = { NULL, 0 };
    unsigned limit = name.n > 4 ? 2 : 1, best_distance = limit + 1;
    const char *path = arena_printf(job->w->a, "%s/" KNOWN_BUCKET, job->w->dirs.cache).p;

    if (!file_list_open(AT_FDCWD, path, &list, &ignored))
        return best;
    while (file_list_next(&list, &d, &ignored)) {
        unsigned distance = str_distance(name, str_of(d->d_name), limit);

        if (distance && distance < best_distance) {
            best = arena_str(job->w->a, str_of(d->d_name));
            best_distance = distance;
        }
    }
    return best;
}

void repair_unknown(const struct pkg_job *job, const struct explain *x, struct err *e)
{
    for (size_t i = 0; i < x->n; i++) {
        const struct explain_fact *f = &x->fact[i];

        if (f->cause != EXPLAIN_NONE || str_search(f->text, STR("was not found")) == f->text.n)
            continue;
        struct str near = nearest(job, name_normalize(job->w->a, f->package));

        if (near.p)
            (void)err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near));
        else
            (void)err_hint(e, "check the spelling of '" STR_FMT "'; --extra-index-url names one more index",
                           STR_ARG(f->package));
        return;
    }
}

void repair_find(const struct pkg_job *job, const struct solve_dep *root, const struct solve *failed,
                 struct failure *out)
{
    uint32_t culprit[TRIALS_MAX];
    uint32_t n = solve_culprits(failed, culprit, TRIALS_MAX);
    size_t at, before = SIZE_MAX;
    /* Where a decision is to be parked, also in a run that needed nothing of the index: without a way out there is
     * none. */
    bool ask = job->net->http || job->w->request->failure;
    struct budget b = { .ask = ask, .end = clock_ms() + BUDGET_MS };

    for (uint32_t i = 0; i < MIN(n, (uint32_t)TRIALS_MAX) && out->repairs.n < REPAIR_LINES; i++) {
        const struct source_root *r = root_of(job->in, &root[culprit[i]], &at);
        struct lock lock;

        /* Leaving out the only one that is to blame is no news; extras give one requirement twice. */
        if (!r || r->req.url.n || at == before || (n == 1 && r->req.spec.n == 0 && r->req.n_extra == 0))
            continue;
        before = at;
        enum repair_kind kind = r->req.spec.n ? REPAIR_BOUND : REPAIR_DROP;

        if (r->req.n_extra && try_relaxed(job, at, REPAIR_EXTRA, &b, &lock))
            VEC_PUSH_IN(job->w->a, &out->repairs, describe(job->w->a, r, REPAIR_EXTRA, &lock));
        if ((n > 1 || kind != REPAIR_DROP) && out->repairs.n < REPAIR_LINES && try_relaxed(job, at, kind, &b, &lock))
            VEC_PUSH_IN(job->w->a, &out->repairs, describe(job->w->a, r, kind, &lock));
    }
}

struct str repair_text(struct arena *a, const struct failure *f)
{
    struct str text = STR("");

    for (size_t i = 0; i < f->repairs.n; i++)
        text = arena_printf(a, STR_FMT "\n  " STR_FMT, STR_ARG(text), STR_ARG(f->repairs.p[i].text));
    return text;
}
