#include "sync/remove.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "env/env.h"
#include "install/apply.h"
#include "install/plan.h"
#include "pep/name.h"
#include "store/guard.h"
#include "sync/audit.h"
#include "sync/env_layer.h"
#include "sync/workspace.h"

static bool named(const struct str_list *names, struct str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (name_eq(names->p[i], name))
            return true;
    return false;
}

static void warn_absent(struct workspace *w, const struct str_list *names, const struct env_packages *have)
{
    for (size_t i = 0; i < names->n; i++) {
        bool there = false;

        for (size_t k = 0; k < have->n; k++)
            there = there || name_eq(names->p[i], have->p[k].name);
        if (!there)
            workspace_warn(w, "'" STR_FMT "' is not installed", STR_ARG(names->p[i]));
    }
}

bool sync_remove(struct workspace *w, const struct str_list *names, const struct sync_job *job,
                 struct sync_outcome *out, struct err *e)
{
    struct env env;
    struct env_packages have;
    uint64_t begun = clock_us();
    bool made;

    *out = (struct sync_outcome){ .env_path = w->env_path };
    if (!env_layer_open(w, &env, &made, e))
        return false;
    bool ok = env_installed(&env, w->a, &have, e);

    if (ok) {
        struct str *gone = ARENA_ARRAY(w->a, struct str, have.n);
        size_t n = 0;

        warn_absent(w, names, &have);
        for (size_t i = 0; i < have.n; i++)
            if (named(names, have.p[i].name))
                gone[n++] = have.p[i].name;
        ok = env_layer_remove(w, &env, (struct str_list){ gone, n }, job->command, &out->apply, e);
    }
    out->seq = out->apply.seq;
    env_close(&env);
    if (ok && out->apply.changed && !w->request->dry_run)
        audit_record(w, AUDIT_GENERATION, out->seq,
                     audit_change_data(w->a, job->command, w->request->why, &out->apply.plan));
    job->timings->us[PHASE_INSTALL] += clock_us() - begun;
    return ok;
}
