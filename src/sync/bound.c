#include "sync/bound.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "lock/lock.h"
#include "pep/version.h"
#include "sync/inputs.h"
#include "sync/lockfile.h"
#include "sync/policy.h"
#include "sync/workspace.h"

/* Does the project itself ask for what the lock does not have? */
static bool is_outgrown(const struct inputs *in, size_t n, struct str name, const struct version *v)
{
    for (size_t i = 0; i < n; i++) {
        const struct req *q = &in->roots.p[i].req;

        if (str_eq(q->key, name) && (q->url.n || !spec_contains(&q->spec, v, SPEC_PRE_ALLOW)))
            return true;
    }
    return false;
}

static bool bound_one(struct workspace *w, struct inputs *in, size_t n, const struct lock_package *p, struct err *e)
{
    enum config_versions policy = (enum config_versions)w->config.pkg_layer_version_policy;
    struct version v;
    struct source_root r = {
        .constraint = true,
        .origin = arena_printf(w->a, "[pkg_layer] version_policy = %s", policy_word(policy)),
    };

    if (p->archive || p->directory || p->vcs || !version_parse(p->version, w->a, &v) ||
        is_outgrown(in, n, p->name, &v))
        return true;
    r.text = policy_bound(policy, p->name, &v, w->a);
    if (!req_parse(w->a, r.text, &r.req, e))
        return false;
    VEC_PUSH_IN(w->a, &in->roots, r);
    VEC_PUSH_IN(w->a, &in->lists, 0);
    return true;
}

bool bound_versions(struct workspace *w, struct inputs *in, struct err *e)
{
    struct str text;
    struct lock lock;
    size_t n = in->roots.n;

    if (w->config.pkg_layer_version_policy == CONFIG_VERSIONS_LATEST)
        return true;
    if (!fd_read_if_there(w->dir, LOCKFILE, LOCK_MAX, w->a, &text, e))
        return err_as(e, ERR_CONFIG, "read the lock");
    if (!text.p)
        return true;
    if (!lock_parse(w->a, text, &lock, e))
        return err_wrap(e, "read " LOCKFILE);
    for (size_t i = 0; i < lock.n_package; i++)
        if (!bound_one(w, in, n, &lock.package[i], e))
            return false;
    return true;
}
