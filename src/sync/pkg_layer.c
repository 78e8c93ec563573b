#include "sync/pkg_layer.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/trace.h"
#include "build_config.h"
#include "index/feed.h"
#include "index/flat.h"
#include "index/page.h"
#include "net/auth.h"
#include "net/http.h"
#include "net/url.h"
#include "pep/marker.h"
#include "pep/name.h"
#include "resolve/explain.h"
#include "resolve/solve.h"
#include "sync/build.h"
#include "sync/failure.h"
#include "sync/origin.h"
#include "sync/repair.h"
#include "sync/solution.h"
#include "sync/trust.h"
#include "sync/workspace.h"

#define CONNECTIONS 40 /* to one host over HTTP/1.1: with 20 ms a request 16 are too few, on loopback any will do */

void pkg_net_init(struct pkg_net *n, struct workspace *w)
{
    *n = (struct pkg_net){ .w = w };
}

bool pkg_net_open(struct pkg_net *n, const struct inputs *in, struct err *e)
{
    const struct config *c = &n->w->config;
    struct http_config h = {
        .max_requests = (unsigned)c->resolver_max_concurrent_requests,
        .max_connections = CONNECTIONS,
        .timeout_s = (unsigned)c->resolver_request_timeout,
        .insecure = !c->resolver_verify_ssl,
        .offline = in->index.offline,
    };

    if (n->http)
        return true;
    if (!trust_check_sources(n->w, e) || !auth_open(&n->auth, e))
        return false;
    for (size_t i = 0; i < in->index.n_url; i++)
        if (!auth_add_url(n->auth, in->index.url[i], e))
            return false;
    h.auth = n->auth;
    return http_open(&h, &n->http, e);
}

void pkg_net_close(struct pkg_net *n)
{
    if (n->http)
        http_close(n->http);
    if (n->auth)
        auth_close(n->auth);
    n->http = NULL;
    n->auth = NULL;
}

/* Everything of one resolve, so that it can be cleared in one place. */
struct run {
    struct workspace *w;
    const struct inputs *in;
    struct index_settings settings; /* the inputs', and how to ask a build */
    struct index_builder builder;
    struct index_target target;
    struct catalog catalog;
    struct source source;
    struct feed *feed;
    struct solve *solver;
    const struct pkg_job *job;
};

static void run_close(struct run *r)
{
    solve_free(r->solver);
    feed_free(r->feed);
    source_close(&r->source);
    catalog_close(&r->catalog);
}

static bool add_origin(struct run *r, const struct source_root *root, struct err *e)
{
    const struct origin *o;

    if (!origin_look(r->job, root->req.url, root->editable, &o, e))
        return false;
    struct flat_source s = { .url = o->url, .metadata = o->metadata };

    return flat_given(&r->catalog, &s, root->req.name, e);
}

static bool add_direct_files(struct run *r, struct err *e)
{
    uint32_t project;

    for (size_t i = 0; i < r->in->roots.n; i++) {
        const struct source_root *root = &r->in->roots.p[i];

        if (root->req.marker && !marker_is_true(root->req.marker, r->target.env, NULL, 0))
            continue; /* for another platform, perhaps beside one for this */
        if (origin_is(root->req.url) && !add_origin(r, root, e))
            return err_wrap(e, STR_FMT ": requirement '" STR_FMT "'", STR_ARG(root->origin), STR_ARG(root->text));
        if (root->req.url.n && !origin_is(root->req.url) &&
            !flat_direct(&r->catalog, root->req.url, root->req.name, &project, e))
            return err_wrap(e, STR_FMT ": requirement '" STR_FMT "'", STR_ARG(root->origin), STR_ARG(root->text));
    }
    return true;
}

static bool read_link_pages(struct run *r, struct pkg_net *net, struct err *e)
{
    for (size_t i = 0; i < r->in->index.n_find_links; i++) {
        struct str url = r->in->index.find_links[i];
        struct page page;

        if (!url_is_http(url))
            continue;
        AUTO_BUF body;
        struct http_request q = { .url = url, .accept = STR("text/html"), .compressed = true, .body = &body };

        buf_init(&body, LISTING_PAGE_MAX);
        bool ok = pkg_net_open(net, r->in, e) && http_get(net->http, &q, e) && http_check_status(&q, e);
        struct str text = ok ? arena_str(&r->catalog.a, buf_done(&body)) : STR("");
        struct str final = ok ? arena_str(&r->catalog.a, q.final_url) : STR("");

        ok = ok && page_parse(text, STR("text/html"), final, &r->catalog.a, &page, e) &&
             flat_read_page(&page, &r->catalog, e);
        http_request_clear(&q);
        if (!ok)
            return err_wrap(e, "read --find-links '" STR_FMT "'", STR_ARG(url_redacted(r->w->a, url)));
    }
    return true;
}

static void prefer(struct run *r, const struct pkg_pin *pin, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t k = catalog_project(&r->catalog, name_normalize(r->w->a, pin[i].name));

        r->catalog.projects.p[k]->preferred = pin[i].version;
    }
}

static bool ask_build(void *user, struct str file, struct str archive, struct arena *a, struct str *text, struct err *e)
{
    struct run *r = user;
    unsigned char sum[HASH_SHA256];
    char hex[HASH_HEX256 + 1];
    struct build_source s = { .label = file, .file = file, .key = { hex, HASH_HEX256 }, .bytes = archive };

    if (!hash_sha256(archive.p, archive.n, sum, e))
        return false;
    hash_hex(sum, sizeof sum, hex);
    return build_metadata(r->job, &s, a, text, e);
}

static bool run_open(struct run *r, const struct pkg_pin *pin, size_t n_pin, struct pkg_net *net, struct err *e)
{
    const struct py_facts *py = &r->w->python;

    r->target = (struct index_target){ .tags = facts_tags(py, r->w->a), .env = &py->marker, .python = py->version,
                                       .id = facts_fingerprint(py, r->w->a) };
    r->settings = r->in->index;
    r->builder = (struct index_builder){ ask_build, r };
    r->settings.builder = &r->builder;
    if (!trust_check_sources(r->w, e) || !catalog_open(&r->settings, &r->target, &r->catalog, e))
        return false;
    if (!read_link_pages(r, net, e) || !add_direct_files(r, e))
        return false;
    prefer(r, pin, n_pin);
    return source_open(&r->source, &r->catalog, r->in->roots.p, r->in->roots.n, r->w->request->no_deps, e);
}

static struct str kept(struct arena *a, struct str s)
{
    return s.n ? arena_str(a, s) : STR("");
}

/* The facts point to texts of the source, which is closed before anybody looks at them. */
static struct failure keep(struct arena *a, const struct failure *f)
{
    struct failure out = *f;
    struct explain_fact *fact = ARENA_ARRAY(a, struct explain_fact, f->explain.n);

    for (size_t i = 0; i < f->explain.n; i++) {
        fact[i] = f->explain.fact[i];
        fact[i].package = kept(a, fact[i].package);
        fact[i].set = kept(a, fact[i].set);
        fact[i].on = kept(a, fact[i].on);
        fact[i].detail = kept(a, fact[i].detail);
        fact[i].origin = kept(a, fact[i].origin);
        fact[i].text = kept(a, fact[i].text);
    }
    out.explain.headline = kept(a, f->explain.headline);
    out.explain.fact = fact;
    return out;
}

static bool failed(struct run *r, struct err *e)
{
    struct explain x = explain_new(r->solver, r->w->a);
    struct str text = explain_text(&x, EXPLAIN_LINES, r->w->a);

    feed_free(r->feed); /* what is still under way is for nobody */
    r->feed = NULL;
    struct failure f = { .set = true, .explain = x };

    if (!r->job->trial)
        repair_find(r->job, r->source.root, r->solver, &f);
    (void)err_set(e, ERR_RESOLUTION, STR_FMT STR_FMT, STR_ARG(text), STR_ARG(repair_text(r->w->a, &f)));
    if (!r->job->trial && r->w->request->failure)
        *r->w->request->failure = keep(r->w->a, &f);
    repair_unknown(r->job, &x, e);
    return false;
}

static bool run_solve(struct run *r, struct pkg_net *net, const struct watch *watch, struct err *e)
{
    struct solve_source iface = source_interface(&r->source);
    enum solve_state state;

    r->solver = solve_new(&iface);
    while ((state = solve_step(r->solver)) == SOLVE_WANTS) {
        if (!r->feed) {
            if (!r->in->index.offline && !pkg_net_open(net, r->in, e))
                return false;
            r->feed = feed_new(&r->catalog, &r->source, net->http);
        }
        if (r->job->until && clock_ms() > r->job->until)
            return err_set(e, ERR_RESOLUTION, "the search took too long");
        watch_show(watch, "Resolving", r->catalog.projects.n, 0, 0, 0);
        uint64_t begun = trace_now();

        if (!feed_wait(r->feed, r->solver, e))
            return false;
        trace_add(TRACE_WAVE, STR("the solver waits"), begun, 0);
    }
    if (r->catalog.e.kind != ERR_NONE) {
        *e = r->catalog.e;
        return false;
    }
    return state == SOLVE_DONE || failed(r, e);
}

bool pkg_resolve(const struct pkg_job *job, const struct pkg_pin *pin, size_t n_pin, struct lock *out, struct err *e)
{
    struct run r = { .w = job->w, .in = job->in, .job = job };
    struct timings *t = job->timings;
    uint64_t begun = clock_us();
    struct feed_figures figures = { 0 };
    bool ok = run_open(&r, pin, n_pin, job->net, e) && run_solve(&r, job->net, job->watch, e);

    if (r.feed)
        feed_figures(r.feed, &figures);
    ok = ok && solution_lock(job->w, job->in, &r.source, r.solver, out, e);
    t->pages += figures.pages;
    t->metadata += figures.metadata;
    t->bytes += figures.bytes;
    t->us[PHASE_RESOLVE] += clock_us() - begun;
    trace_add(TRACE_PHASE, STR("resolve"), begun, 0);
    run_close(&r);
    return ok;
}
