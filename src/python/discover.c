/* Best first: every candidate has the highest version that its names allow, and the highest is asked until the best one
 * has been asked already. With python3.12 and python3.13 on PATH a request for "3.12" starts (or reads from the cache)
 * the former alone; "/usr/bin/python3" is resolved to python3.11 first and then not asked at all.
 */
#include "python/discover.h"

#include "base/err.h"
#include "base/vec.h"
#include "base/work.h"
#include "python/candidates.h"
#include "python/probe.h"

#define MICRO_MAX 60u /* releases of one minor version that a hint without micro stands for */

struct goal {
    const struct py_request *request;
    const struct py_search *search;
};

static bool accepts(const struct spec *s, const struct version *v)
{
    return s->names_pre ? spec_contains(s, v, SPEC_PRE_ALLOW) || spec_accepts_python(s, v, false)
                        : spec_accepts_python(s, v, false);
}

static bool fits(const struct goal *g, const struct py_facts *f)
{
    if (g->request->kind != PY_PATH) {
        if (g->request->implementation.n > 0 && !str_eq(g->request->implementation, f->implementation))
            return false;
        if (g->request->free_threaded != f->free_threaded || !accepts(&g->request->versions, &f->version))
            return false;
    }
    return !g->request->bounds || accepts(g->request->bounds, &f->version);
}

/* Could an interpreter of this version, as far as it is known, fit? */
static bool may_fit(const struct goal *g, const struct candidate *c, struct arena *a)
{
    bool pypy_wanted = str_eq(g->request->implementation, STR("pypy"));
    unsigned from = c->micro == CANDIDATE_UNKNOWN ? 0 : c->micro;
    unsigned to = c->micro == CANDIDATE_UNKNOWN ? MICRO_MAX : c->micro;

    if ((c->pypy && !pypy_wanted && g->request->implementation.n > 0) ||
        (c->free_threaded && !g->request->free_threaded))
        return false;
    if (c->minor == CANDIDATE_UNKNOWN || c->pypy || g->request->versions.names_pre)
        return true;
    for (unsigned micro = from; micro <= to; micro++) {
        const uint64_t release[] = { 3, c->minor, micro };
        struct version v;

        version_make(&(struct version_parts){ .release = release, .n_release = COUNT(release) }, a, &v);
        if (accepts(&g->request->versions, &v) && (!g->request->bounds || accepts(g->request->bounds, &v)))
            return true;
    }
    return false;
}

/* A copied environment's interpreter gives way to the one it was made from. */
static bool ask_outside(const char *path, const char *cache, struct arena *a, struct py_facts *out, struct err *e)
{
    if (!probe_python(path, cache, a, out, e))
        return false;
    return !facts_is_venv(out) || str_eq(out->base_executable, out->real_executable) ||
           probe_python(out->base_executable.p, cache, a, out, e);
}

static void set_answer(struct candidate *c, struct arena *a, bool ok, const struct err *e)
{
    const char *frame;
    unsigned n;

    c->asked = true;
    c->failed = !ok;
    if (ok)
        return;
    c->why = STR("no answer");
    for (unsigned i = 0; err_frame(e, i, &frame, &n); i++) /* the last one is the root */
        c->why = arena_str(a, (struct str){ frame, n });
}

static void ask(struct candidate *c, const struct py_search *search, struct arena *a)
{
    struct err e = { 0 };

    set_answer(c, a, ask_outside(c->path.p, search->cache, a, &c->facts, &e), &e);
}

struct ask_job {
    struct job job;
    const char *path, *cache;
    struct arena a;
    struct candidate *candidate;
    struct py_facts facts;
    struct err e;
    bool ok;
};

static void run_job(struct job *job)
{
    struct ask_job *q = (struct ask_job *)job;

    q->ok = ask_outside(q->path, q->cache, &q->a, &q->facts, &q->e);
}

/* Facts of another arena are read again into this one: from the cache, or by asking where there is none. */
static void take_job(struct ask_job *q, const struct py_search *search, struct arena *a)
{
    if (q->ok)
        ask(q->candidate, search, a);
    else
        set_answer(q->candidate, a, false, &q->e);
    arena_clear(&q->a);
}

/* All that are not in the cache are asked at once. Without a cache there is nothing to bring the answers back in. */
static bool ask_all(struct candidates *c, const struct py_search *search, struct err *e)
{
    AUTO_WORK work = NULL;
    struct ask_job *jobs = ARENA_ARRAY(c->a, struct ask_job, c->list.n + 1);
    struct job *done;
    size_t n = 0;

    for (size_t i = 0; i < c->list.n; i++) {
        struct candidate *at = &c->list.p[i];

        if (!search->cache || probe_cached(at->path.p, search->cache, c->a, &at->facts))
            ask(at, search, c->a);
        else
            jobs[n++] = (struct ask_job){ .job = { .run = run_job }, .path = at->path.p, .cache = search->cache,
                                          .candidate = at };
    }
    if (n == 0)
        return true;
    if (!work_open(0, &work, e))
        return false;
    for (size_t i = 0; i < n; i++)
        work_push(work, &jobs[i].job);
    while ((done = work_next(work, true)))
        take_job((struct ask_job *)done, search, c->a);
    return true;
}

/* Comparison of what is known, or of the best that is possible: greater is better. */
static int compare(const struct candidate *x, const struct candidate *y, bool by_place)
{
    bool known_x = x->asked, known_y = y->asked;
    bool pypy_x = known_x ? !str_eq(x->facts.implementation, STR("cpython")) : x->pypy;
    bool pypy_y = known_y ? !str_eq(y->facts.implementation, STR("cpython")) : y->pypy;
    bool pre_x = known_x && version_is_pre(&x->facts.version);
    bool pre_y = known_y && version_is_pre(&y->facts.version);
    unsigned number_x[] = { known_x ? x->facts.minor : x->minor, known_x ? x->facts.micro : x->micro };
    unsigned number_y[] = { known_y ? y->facts.minor : y->minor, known_y ? y->facts.micro : y->micro };

    if (by_place && x->front != y->front)
        return x->front ? 1 : -1;
    if (by_place && x->front)
        return 0;
    if (pypy_x != pypy_y)
        return pypy_x ? -1 : 1;
    if (pre_x != pre_y)
        return pre_x ? -1 : 1;
    for (size_t i = 0; i < COUNT(number_x); i++)
        if (number_x[i] != number_y[i])
            return number_x[i] < number_y[i] ? -1 : 1;
    return pre_x && known_y ? version_cmp(&x->facts.version, &y->facts.version) : 0;
}

/* The most promising of those that may still be it, or NULL. Of equal ones the first. */
static struct candidate *most_promising(const struct goal *g, struct candidates *c)
{
    struct candidate *best = NULL;
    bool by_place = g->request->kind == PY_ANY;

    for (size_t i = 0; i < c->list.n; i++) {
        struct candidate *at = &c->list.p[i];

        if (at->failed || (at->asked ? !fits(g, &at->facts) : !may_fit(g, at, c->a)))
            continue;
        if (!best || compare(at, best, by_place) > 0)
            best = at;
    }
    return best;
}

static void collect_notes(struct candidates *c, struct py_found *found)
{
    for (size_t i = 0; i < c->list.n; i++)
        if (c->list.p[i].failed)
            VEC_PUSH_IN(c->a, &c->notes, (struct py_note){ c->list.p[i].path, c->list.p[i].why });
    found->note = c->notes.p;
    found->n_notes = c->notes.n;
}

static struct str describe_all(struct candidates *c)
{
    struct str text = STR("");

    for (size_t i = 0; i < c->list.n; i++) {
        const struct candidate *at = &c->list.p[i];
        const char *sep = text.n ? ", " : "";

        if (at->failed)
            continue;
        if (at->asked)
            text = arena_printf(c->a, STR_FMT "%s" STR_FMT, STR_ARG(text), sep,
                                STR_ARG(facts_describe(&at->facts, c->a)));
        else if (at->minor == CANDIDATE_UNKNOWN)
            text = arena_printf(c->a, STR_FMT "%s" STR_FMT, STR_ARG(text), sep, STR_ARG(at->path));
        else if (at->micro == CANDIDATE_UNKNOWN)
            text = arena_printf(c->a, STR_FMT "%s3.%u (" STR_FMT ")", STR_ARG(text), sep, at->minor, STR_ARG(at->path));
        else
            text = arena_printf(c->a, STR_FMT "%s3.%u.%u (" STR_FMT ")", STR_ARG(text), sep, at->minor, at->micro,
                                STR_ARG(at->path));
    }
    for (size_t i = 0; i < c->notes.n && i < 3; i++)
        text = arena_printf(c->a, STR_FMT "%s" STR_FMT ": " STR_FMT, STR_ARG(text), text.n ? "; " : "",
                            STR_ARG(c->notes.p[i].path), STR_ARG(c->notes.p[i].why));
    return text;
}

static bool nothing_fits(const struct goal *g, struct candidates *c, struct err *e)
{
    struct str bounds = g->request->bounds ? spec_format(g->request->bounds, c->a) : STR("");
    struct str found = describe_all(c);
    struct str wanted = g->request->text;

    if (bounds.n > 0)
        wanted = wanted.n > 0 ? arena_printf(c->a, "'" STR_FMT "' with requires-python '" STR_FMT "'", STR_ARG(wanted),
                                             STR_ARG(bounds))
                              : arena_printf(c->a, "requires-python '" STR_FMT "'", STR_ARG(bounds));
    else if (wanted.n > 0)
        wanted = arena_printf(c->a, "'" STR_FMT "'", STR_ARG(wanted));
    if (wanted.n == 0)
        (void)err_set(e, ERR_PYTHON, "no Python interpreter was found%s" STR_FMT, found.n ? ": " : "",
                      STR_ARG(found));
    else
        (void)err_set(e, ERR_PYTHON, "no Python interpreter for " STR_FMT "; found: " STR_FMT, STR_ARG(wanted),
                      STR_ARG(found.n ? found : STR("none")));
    return err_hint(e, "install one, or name its path with --python");
}

static bool find_path(const struct goal *g, struct arena *a, struct py_facts *out, struct err *e)
{
    struct py_facts f;

    if (!probe_python(g->request->path.p, g->search->cache, a, &f, e))
        return false;
    if (!fits(g, &f)) {
        (void)err_set(e, ERR_PYTHON, STR_FMT " is not what requires-python '" STR_FMT "' asks for",
                      STR_ARG(facts_describe(&f, a)), STR_ARG(spec_format(g->request->bounds, a)));
        return err_hint(e, "choose another one with --python, or change requires-python");
    }
    *out = f;
    return true;
}

static struct candidate *choose(const struct goal *g, bool front_only, struct candidates *c)
{
    struct candidate *best;

    *c = (struct candidates){ .a = c->a };
    candidates_gather(g->search, front_only, c);
    while ((best = most_promising(g, c)) && !best->asked)
        ask(best, g->search, c->a);
    return best;
}

bool python_find(const struct py_request *request, const struct py_search *search, struct arena *a,
                 struct py_facts *out, struct py_found *found, struct err *e)
{
    struct goal g = { request, search };
    struct candidates c = { .a = a };
    struct candidate *best = NULL;
    struct py_found result = { 0 };

    if (found)
        *found = result;
    if (request->kind == PY_PATH)
        return find_path(&g, a, out, e);
    if (request->kind == PY_ANY)
        best = choose(&g, true, &c);
    if (!best)
        best = choose(&g, false, &c);
    collect_notes(&c, &result);
    if (found)
        *found = result;
    if (!best)
        return nothing_fits(&g, &c, e);
    *out = best->facts;
    if (found) {
        found->facts = &best->facts;
        found->n = 1;
    }
    return true;
}

bool python_list(const struct py_search *search, struct arena *a, struct py_found *out, struct err *e)
{
    struct candidates c = { .a = a };
    VEC(const struct candidate *) order = { 0 };
    struct py_found found = { 0 };

    candidates_gather(search, false, &c);
    if (!ask_all(&c, search, e))
        return false;
    for (size_t i = 0; i < c.list.n; i++) {
        size_t at = order.n;

        if (c.list.p[i].failed)
            continue;
        VEC_PUSH_IN(a, &order, &c.list.p[i]);
        for (; at > 0 && compare(&c.list.p[i], order.p[at - 1], true) > 0; at--)
            order.p[at] = order.p[at - 1];
        order.p[at] = &c.list.p[i];
    }
    found.facts = ARENA_ARRAY(a, struct py_facts, order.n + 1);
    for (size_t i = 0; i < order.n; i++) {
        bool twice = false;

        for (size_t k = 0; k < found.n; k++)
            twice = twice || str_eq(found.facts[k].real_executable, order.p[i]->facts.real_executable);
        if (!twice)
            found.facts[found.n++] = order.p[i]->facts;
    }
    collect_notes(&c, &found);
    *out = found;
    return true;
}
