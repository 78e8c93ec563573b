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

/* The inputs with the bound of one requirement taken away, or with the requirement left out. */
static struct inputs relaxed(struct workspace *w, const struct inputs *in, size_t at)
{
    struct inputs out = *in;
    struct source_root *root = ARENA_ARRAY(w->a, struct source_root, in->roots.n);
    size_t n = 0;

    for (size_t i = 0; i < in->roots.n; i++) {
        root[n] = in->roots.p[i];
        if (i == at && root[n].req.spec.n == 0)
            continue;
        if (i == at) {
            root[n].req.spec = (struct spec){ 0 };
            root[n].req.spec_text = STR("");
            root[n].text = req_text(w->a, &root[n].req);
        }
        n++;
    }
    out.roots.p = root;
    out.roots.n = n;
    out.index.refresh = false;
    return out;
}

static bool try_without(const struct pkg_job *job, size_t at, bool ask, uint64_t until, struct lock *out)
{
    struct inputs in = relaxed(job->w, job->in, at);
    struct timings ignored_timings = { 0 };
    struct err e = { 0 };
    struct pkg_job trial = { .w = job->w, .in = &in, .net = job->net, .timings = &ignored_timings, .trial = true };
    bool offline = in.index.offline;

    if (in.roots.n == 0)
        return false;
    in.index.offline = true;
    if (pkg_resolve(&trial, NULL, 0, out, &e))
        return true;
    if (offline || !ask || e.kind == ERR_RESOLUTION)
        return false;
    in.index.offline = false;
    trial.until = until;
    err_clear(&e);
    return pkg_resolve(&trial, NULL, 0, out, &e);
}

static struct str sentence(struct arena *a, const struct source_root *r, const struct lock *lock)
{
    const struct lock_package *p = lock_find(lock, r->req.key);

    if (r->req.spec.n == 0)
        return arena_printf(a, "\n  works without " STR_FMT " (" STR_FMT ")", STR_ARG(r->text), STR_ARG(r->origin));
    return arena_printf(a, "\n  works without the bound in " STR_FMT " (" STR_FMT ")%s" STR_FMT "%s" STR_FMT "%s",
                        STR_ARG(r->text), STR_ARG(r->origin), p ? ": " : "", STR_ARG(r->req.name), p ? " " : "",
                        STR_ARG(p ? p->version : STR("")), p ? " would be taken" : "");
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

struct str repair_text(const struct pkg_job *job, const struct solve_dep *root, const struct solve *failed)
{
    struct workspace *w = job->w;
    uint32_t culprit[TRIALS_MAX];
    uint32_t n = solve_culprits(failed, culprit, TRIALS_MAX), lines = 0;
    size_t at, before = SIZE_MAX;
    struct str text = STR("");
    bool ask = job->net->http != NULL;
    uint64_t end = clock_ms() + BUDGET_MS;

    for (uint32_t i = 0; i < MIN(n, (uint32_t)TRIALS_MAX) && lines < REPAIR_LINES; i++) {
        const struct source_root *r = root_of(job->in, &root[culprit[i]], &at);
        struct lock lock;

        /* Leaving out the only one that is to blame is no news; extras give one requirement twice. */
        if (!r || r->req.url.n || at == before || (n == 1 && r->req.spec.n == 0))
            continue;
        before = at;
        if (!try_without(job, at, ask && clock_ms() < end, end, &lock))
            continue;
        text = arena_printf(w->a, STR_FMT STR_FMT, STR_ARG(text), STR_ARG(sentence(w->a, r, &lock)));
        lines++;
    }
    return text;
}
