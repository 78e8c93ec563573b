#include "install/apply.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/trace.h"
#include "env/env.h"
#include "env/history.h"
#include "env/layout.h"
#include "install/boot.h"
#include "install/inplace_apply.h"
#include "install/roots.h"
#include "install/shims.h"
#include "pep/name.h"
#include "store/store.h"

static int package_order(const void *a, const void *b)
{
    const struct generation_package *x = a, *y = b;

    return name_cmp(x->name, y->name);
}

static struct plan_package *wanted_packages(const struct apply_spec *spec, struct arena *a)
{
    struct plan_package *want = ARENA_ARRAY(a, struct plan_package, spec->n + 1);

    for (size_t i = 0; i < spec->n; i++) {
        const struct apply_package *p = &spec->wanted[i];

        want[i] = (struct plan_package){ name_normalize(a, p->entry->name), p->entry->version, str_of(p->entry->hex),
                                         p->direct_url, p->direct };
    }
    return want;
}

static struct plan_package *recorded_packages(const struct generation *g, struct arena *a)
{
    struct plan_package *have = ARENA_ARRAY(a, struct plan_package, g->n_packages + 1);

    for (size_t i = 0; i < g->n_packages; i++) {
        const struct generation_package *p = &g->packages[i];

        have[i] = (struct plan_package){ name_normalize(a, p->name), p->version, p->sha256, p->direct_url, p->direct };
    }
    return have;
}

static bool found_packages(struct env *env, struct arena *a, struct plan_side *out, struct err *e)
{
    struct env_packages list;

    if (!env_installed(env, a, &list, e))
        return false;
    struct plan_package *p = ARENA_ARRAY(a, struct plan_package, list.n + 1);

    for (size_t i = 0; i < list.n; i++)
        p[i] = (struct plan_package){ name_normalize(a, list.p[i].name), list.p[i].version, STR(""),
                                      list.p[i].direct_url, list.p[i].requested };
    *out = (struct plan_side){ p, list.n };
    return true;
}

/* The manifest, where the tree is still what it says; else what lies there. *clean says which. */
static bool current_packages(struct env *env, struct arena *a, struct plan_side *out, bool *clean, struct err *e)
{
    struct generation *g = ARENA_NEW(a, struct generation);

    *clean = false;
    if (env->current && !generation_load(env, env->current, a, g, clean, e))
        return false;
    *clean = *clean && generation_is_hot(env, g);
    if (!*clean)
        return found_packages(env, a, out, e);
    *out = (struct plan_side){ recorded_packages(g, a), g->n_packages };
    return true;
}

static bool nothing_to_do(const struct plan *p)
{
    if (p->add || p->remove || p->replace)
        return false;
    for (size_t i = 0; i < p->n; i++)
        if (p->steps[i].want && p->steps[i].have->direct != p->steps[i].want->direct)
            return false;
    return true;
}

static struct generation manifest_of(const struct apply_spec *spec, struct arena *a)
{
    struct generation_package *p = ARENA_ARRAY(a, struct generation_package, spec->n + 1);
    struct generation_input *inputs = ARENA_ARRAY(a, struct generation_input, spec->n_inputs + 1);

    for (size_t i = 0; i < spec->n; i++) {
        const struct apply_package *w = &spec->wanted[i];
        struct str *extras = ARENA_ARRAY(a, struct str, w->n_extras + 1);

        for (size_t k = 0; k < w->n_extras; k++)
            extras[k] = w->extras[k];
        p[i] = (struct generation_package){ .name = w->entry->name, .version = w->entry->version,
                                            .sha256 = str_of(w->entry->hex), .source = w->source,
                                            .direct_url = w->direct_url, .extras = extras, .n_extras = w->n_extras,
                                            .direct = w->direct };
    }
    if (spec->n)
        qsort(p, spec->n, sizeof *p, package_order);
    for (size_t i = 0; i < spec->n_inputs; i++)
        inputs[i] = spec->inputs[i];
    return (struct generation){ .kind = spec->kind, .reason = spec->reason, .packages = p, .n_packages = spec->n,
                                .inputs = inputs, .n_inputs = spec->n_inputs };
}

/* Entries that are linked for the first time here; those that stay were looked at when they came. */
static bool check_entries(const struct apply_spec *spec, const struct plan *plan, struct err *e)
{
    AUTO_MAP kept = { 0 };

    for (size_t i = 0; i < plan->n; i++)
        if (plan->steps[i].kind == PLAN_KEEP)
            map_put(&kept, plan->steps[i].have->sha256, 1);
    for (size_t i = 0; i < spec->n; i++)
        if (map_find(&kept, str_of(spec->wanted[i].entry->hex)) == MAP_NONE &&
            !store_sample(spec->store, spec->wanted[i].entry, e))
            return false;
    return true;
}

/* The store's files must be on disk before the links that lead to them. */
static bool flush_store(struct env *env, const struct apply_spec *spec, struct err *e)
{
    struct stat store, own;

    if (!spec->durable)
        return true;
    if (fstat(spec->store->dir, &store) < 0 || fstat(env->dir, &own) < 0)
        return err_sys(e, "stat the store");
    if (store.st_dev != own.st_dev && syncfs(spec->store->dir) < 0)
        return err_sys(e, "flush the store");
    return true;
}

bool apply_link(struct env *env, const struct apply_spec *spec, int prefix, struct arena *a, struct link_result *out,
                struct err *e)
{
    struct link_package *p = ARENA_ARRAY(a, struct link_package, spec->n + 1);
    struct link_spec link = { .store = spec->store, .prefix = prefix, .site = env->site,
                              .python = layout_python_dir(&env->python, a),
                              .interpreter = str_of(env_path(env, "bin/python")), .mode = spec->mode, .packages = p,
                              .n = spec->n };

    for (size_t i = 0; i < spec->n; i++)
        p[i] = (struct link_package){ spec->wanted[i].entry, spec->wanted[i].direct, spec->wanted[i].direct_url };
    return link_packages(&link, a, out, e);
}

/* A tree that did not stand the trial stays to be looked at. */
static bool try_out(struct env *env, const struct apply_spec *spec, struct generation_stage *stage,
                    struct generation *g, struct err *e)
{
    char path[64];
    struct err ignored = { 0 };
    uint32_t seq = stage->seq;

    (void)snprintf(path, sizeof path, ".gen/%u.tmp", seq);
    if (spec->trial(spec->trial_ctx, env, path, e))
        return true;
    if (generation_set_aside(env, stage, g, &ignored) && spec->aside)
        *spec->aside = seq;
    return false;
}

static bool build(struct env *env, const struct apply_spec *spec, struct generation *g, struct arena *a,
                  struct apply_result *r, struct err *e)
{
    struct generation_stage stage;

    if (!generation_begin(env, &stage, e))
        return false;
    if (!apply_link(env, spec, stage.dir, a, &r->link, e) || !boot_add(env, spec->store, stage.dir, e) ||
        !shims_add(env, stage.dir, e) || !roots_add(env, stage.dir, e) || !flush_store(env, spec, e)) {
        generation_drop(env, &stage);
        return false;
    }
    g->mode = str_of(link_mode_word(r->link.mode));
    if (spec->trial && !try_out(env, spec, &stage, g, e))
        return false;
    uint64_t begun = trace_now();

    if (!generation_commit(env, &stage, g, spec->durable, e))
        return false;
    trace_add(TRACE_COMMIT, STR("generation"), begun, 0);
    roots_tidy(env);
    return true;
}

static bool apply_generation(struct env *env, const struct apply_spec *spec, struct arena *a, struct apply_result *r,
                             struct err *e)
{
    struct plan_side have, want = { wanted_packages(spec, a), spec->n };
    struct generation g = manifest_of(spec, a);
    bool clean;

    if (!current_packages(env, a, &have, &clean, e))
        return false;
    plan_make(&have, &want, false, a, &r->plan);
    r->seq = env->current;
    r->changed = !(clean && nothing_to_do(&r->plan) && boot_fits(env));
    if (!r->changed || spec->dry_run)
        return true;
    if (!check_entries(spec, &r->plan, e) || !build(env, spec, &g, a, r, e))
        return false;
    r->seq = env->current;
    return true;
}

bool apply_run(struct env *env, const struct apply_spec *spec, struct arena *a, struct apply_result *out, struct err *e)
{
    struct apply_result r = { .link = { .note = STR("") } };
    bool ok;

    err_clear(e);
    if (env->lock < 0 && !spec->dry_run)
        BUG("an environment is changed without its lock");
    if (env->layout == ENV_PLAIN) {
        struct plan_side have, want = { wanted_packages(spec, a), spec->n };

        ok = found_packages(env, a, &have, e);
        if (ok) {
            plan_make(&have, &want, spec->keep_others, a, &r.plan);
            ok = inplace_apply(env, spec, a, &r, e);
        }
    } else {
        ok = apply_generation(env, spec, a, &r, e);
    }
    if (!ok)
        return err_as(e, e->kind == ERR_IO ? ERR_ENVIRONMENT : e->kind, "change the environment '%s'", env->path);
    *out = r;
    return true;
}

static bool find_entries(const struct store *store, const struct generation *g, struct store_entry *entries,
                         struct err *e)
{
    size_t missing = 0;
    struct str first = STR("");

    for (size_t i = 0; i < g->n_packages; i++) {
        const struct generation_package *p = &g->packages[i];
        char hex[HASH_HEX256 + 1] = "";
        bool there = false;

        if (p->sha256.n == HASH_HEX256) {
            memcpy(hex, p->sha256.p, HASH_HEX256);
            if (!store_find(store, hex, &entries[i], &there, e))
                return false;
        }
        if (!there && missing++ == 0)
            first = p->name;
    }
    if (!missing)
        return true;
    (void)err_set(e, ERR_CACHE, "%zu of %zu wheels of generation %u are not in the store any more, the first is "
                  "'" STR_FMT "'", missing, g->n_packages, g->seq, STR_ARG(first));
    return err_hint(e, "they must be fetched again: run it without --offline");
}

/* A way back: what was, and the manifest that makes it current again. */
struct way_back {
    const struct apply_return *back;
    struct generation old, now;
    struct apply_result result;
};

/* The content of a generation as a specification; the entries are open when it is true. */
struct content {
    struct store_entry *entries;
    struct apply_package *wanted;
    struct apply_spec spec;
};

static bool content_open(const struct store *store, const struct generation *g, struct arena *a, struct content *out,
                         struct err *e)
{
    struct content c = { ARENA_ARRAY(a, struct store_entry, g->n_packages + 1),
                         ARENA_ARRAY(a, struct apply_package, g->n_packages + 1), { .store = store } };
    struct err unknown = { 0 }; /* a mode of a newer Blast: the default does */

    if (!find_entries(store, g, c.entries, e)) {
        for (size_t i = 0; i < g->n_packages; i++)
            store_release(&c.entries[i]);
        return false;
    }
    if (!g->mode.n || !link_mode_parse(g->mode, &c.spec.mode, &unknown))
        c.spec.mode = LINK_AUTO;
    for (size_t i = 0; i < g->n_packages; i++)
        c.wanted[i] = (struct apply_package){ .entry = &c.entries[i], .direct = g->packages[i].direct,
                                              .direct_url = g->packages[i].direct_url };
    c.spec.wanted = c.wanted;
    c.spec.n = g->n_packages;
    *out = c;
    return true;
}

static void content_close(struct content *c)
{
    for (size_t i = 0; i < c->spec.n; i++)
        store_release(&c->entries[i]);
}

/* Made again from manifest and store. */
static bool rebuild(struct env *env, struct way_back *w, struct arena *a, struct err *e)
{
    struct content c;

    if (!content_open(w->back->store, &w->old, a, &c, e))
        return false;
    c.spec.durable = w->back->durable;
    bool ok = check_entries(&c.spec, &w->result.plan, e) && build(env, &c.spec, &w->now, a, &w->result, e);

    content_close(&c);
    return ok;
}

bool apply_tree(struct env *env, const struct store *store, const struct generation *g, const char *tree,
                struct arena *a, struct err *e)
{
    struct link_result result = { .note = STR("") };
    struct content c;
    AUTO_FD dir = -1;

    if (!fd_open_dir(env->dir, tree, &dir, e) || !content_open(store, g, a, &c, e))
        return false;
    bool ok = layout_fill(dir, env->path, &env->python, env->prompt, e) &&
              apply_link(env, &c.spec, dir, a, &result, e) && boot_add(env, store, dir, e);

    content_close(&c);
    return ok ? true : err_as(e, e->kind == ERR_IO ? ERR_ENVIRONMENT : e->kind, "build generation %u aside", g->seq);
}

static bool same_python(const struct env *env, const struct generation *old, struct err *e)
{
    if (old->python.major == env->python.major && old->python.minor == env->python.minor)
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "generation %u is for Python %u.%u, the environment has %u.%u", old->seq,
                  old->python.major, old->python.minor, env->python.major, env->python.minor);
    return err_hint(e, "make the environment again with --python %u.%u", old->python.major, old->python.minor);
}

static bool go_back(struct env *env, struct way_back *w, struct arena *a, struct err *e)
{
    const struct generation *old = &w->old;
    struct plan_side have, want = { recorded_packages(old, a), old->n_packages };
    bool clean;

    if (!same_python(env, old, e) || !current_packages(env, a, &have, &clean, e))
        return false;
    plan_make(&have, &want, false, a, &w->result.plan);
    if (w->back->dry_run)
        return true;
    w->now.packages = old->packages;
    w->now.n_packages = old->n_packages;
    w->now.inputs = old->inputs;
    w->now.n_inputs = old->n_inputs;
    w->now.mode = old->mode;
    w->now.only_here = false;
    if (!generation_is_hot(env, old))
        return rebuild(env, w, a, e);
    w->now.content = old->content;
    w->now.only_here = old->only_here;
    if (!shims_complete(env, old->tree, e) || !generation_reuse(env, old->tree, &w->now, w->back->durable, e))
        return false;
    roots_tidy(env);
    return true;
}

bool apply_restore(struct env *env, const struct apply_return *back, struct arena *a, struct apply_result *out,
                   struct err *e)
{
    struct way_back w = { .back = back, .now = { .reason = back->reason },
                          .result = { .changed = true, .link = { .note = STR("") } } };
    bool there;

    err_clear(e);
    if (!generation_load(env, back->seq, a, &w.old, &there, e))
        return false;
    if (!there)
        return err_set(e, ERR_ENVIRONMENT, "generation %u of '%s' is not known", back->seq, env->path);
    if (w.old.python.major != env->python.major || w.old.python.minor != env->python.minor) {
        (void)err_set(e, ERR_ENVIRONMENT, "generation %u was for Python %u.%u, the environment is for %u.%u now",
                      back->seq, w.old.python.major, w.old.python.minor, env->python.major, env->python.minor);
        return err_hint(e, "set the version back and run blast start, then roll back");
    }
    if (!history_place(env, back->seq, back->how, a, &w.now, e) || !go_back(env, &w, a, e))
        return err_as(e, e->kind == ERR_IO ? ERR_ENVIRONMENT : e->kind, "bring back generation %u", back->seq);
    w.result.seq = env->current;
    *out = w.result;
    return true;
}
