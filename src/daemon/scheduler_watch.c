/* What changes lead to: jobs, events, nothing. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "config/config.h"
#include "config/dirs.h"
#include "daemon/ignore.h"
#include "daemon/imports.h"
#include "daemon/provide.h"
#include "daemon/scheduler_priv.h"
#include "daemon/watch_priv.h"
#include "install/import_map.h"
#include "store/store.h"

#define SOURCE_MAX (1u << 20)
#define SITES_MAX 4

/* ------------------------------------------------------------ rules */

void project_clear_rules(struct project *p)
{
    for (size_t i = 0; i < p->rules.trees; i++)
        free(p->rules.tree[i]);
    free(p->rules.tree);
    p->rules = (struct project_rules){ 0 };
}

static void take_trees(struct project *p, const struct str *path, size_t n)
{
    AUTO_ARENA a = { 0 };

    p->rules.tree = mem_zero(n, sizeof *p->rules.tree);
    for (size_t i = 0; i < n; i++) {
        struct str t = path[i];

        while (str_cut_prefix(&t, STR("./")) || (t.n > 1 && str_cut_suffix(&t, STR("/"))))
            ;
        if (!t.n)
            continue;
        struct str full = t.p[0] == '/' ? t : arena_printf(&a, "%s/" STR_FMT, p->path, STR_ARG(t));

        if (str_eq(t, STR(".")))
            full = str_of(p->path);
        if (full.n < PATH_MAX && !memchr(full.p, 0, full.n))
            p->rules.tree[p->rules.trees++] = mem_dup(full.p, full.n);
    }
}

/* A blast.toml that cannot be read keeps the rules as they were; those of a project seen first are the defaults. */
void project_load_rules(struct project *p)
{
    static const struct str src = STR_INIT("src");
    AUTO_ARENA a = { 0 };
    AUTO_FD dir = -1;
    struct config c;
    struct err e = { 0 };
    bool read = fd_open_dir(AT_FDCWD, p->path, &dir, &e) && config_load(dir, p->s->config.dirs->config, &a, &c, &e);

    if (!read && p->rules.tree)
        return;
    project_clear_rules(p);
    if (!read) {
        p->rules = (struct project_rules){ .monitor = true, .auto_sync = true, .sync_interval = 60 };
        take_trees(p, &src, 1);
        return;
    }
    p->rules.monitor = c.monitor_enabled;
    p->rules.auto_sync = c.pkg_layer_auto_sync && c.sync_pkg_layer != CONFIG_PKG_MANUAL;
    p->rules.auto_update = c.updates_auto_update;
    p->rules.sync_interval = c.pkg_layer_sync_interval;
    p->rules.snapshot_interval = c.env_layer_snapshot_interval;
    take_trees(p, c.monitor_watch_paths.item, c.monitor_watch_paths.n);
}

static void rewatch(struct project *p)
{
    AUTO_ARENA a = { 0 };
    VEC(const char *) files = { 0 };

    for (size_t i = 0; i < p->closure.files.n; i++)
        VEC_PUSH_IN(&a, &files, p->closure.files.p[i].path);
    struct watch_want want = {
        .file = files.p,
        .files = files.n,
        .tree = (const char *const *)p->rules.tree,
        .trees = p->rules.trees,
        .env = arena_printf(&a, "%s/.venv", p->path).p,
    };

    watch_set(p->root, &want, clock_ms());
}

/* ------------------------------------------------------------ the environment */

/* Of the names of what is installed; the order of entries is the file system's. 0: no environment. */
static uint64_t digest_site(const struct project *p)
{
    AUTO_ARENA a = { 0 };
    char site[SITES_MAX][4096];
    size_t n = watch_find_sites(arena_printf(&a, "%s/.venv", p->path).p, site, SITES_MAX);
    uint64_t sum = n;

    for (size_t i = 0; i < n; i++) {
        AUTO_FILE_LIST list = { 0 };
        struct err e = { 0 };
        const struct dirent *d;

        if (!file_list_open(AT_FDCWD, site[i], &list, &e))
            continue;
        while (file_list_next(&list, &d, &e)) {
            struct str name = str_of(d->d_name);

            if (ignore_is_distribution(name))
                sum += hash_fast(name.p, name.n);
        }
    }
    return sum;
}

/* Of the number of the generation that is current. 0: no environment with generations. */
static uint64_t digest_env(const struct project *p)
{
    char path[PATH_MAX], target[64];
    int n = snprintf(path, sizeof path, "%s/.venv/.current", p->path);
    ssize_t k = n > 0 && (size_t)n < sizeof path ? readlink(path, target, sizeof target) : -1;

    return k > 0 ? hash_fast(target, (size_t)k) | 1 : 0;
}

/* Another generation is current than the last sync left, or the environment was deleted. One that is there without a
 * current generation is being made or deleted at this moment, or is another tool's. */
static bool env_moved(const struct project *p)
{
    AUTO_ARENA a = { 0 };
    uint64_t env = digest_env(p);

    return env ? env != p->seen->env
               : p->seen->env && !file_exists(AT_FDCWD, arena_printf(&a, "%s/.venv", p->path).p);
}

static void remember_site(struct project *p)
{
    uint64_t h = digest_site(p);

    if (h == p->seen->site)
        return;
    p->seen->site = h;
    p->s->seen.changed = true;
}

/* A job, or a command of the user, is at work: what changes meanwhile is looked at when it is over. */
static bool is_busy(const struct project *p)
{
    return p->foreground || queue_running(&p->s->queue, p->path);
}

void project_look_held(struct project *p)
{
    if (!p->held_back || is_busy(p))
        return;
    p->held_back = false;
    project_look(p, NULL);
}

static void look_at_site(struct project *p)
{
    uint64_t h = digest_site(p);

    if (h == p->seen->site || !h || !p->seen->site) {
        remember_site(p);
        return;
    }
    remember_site(p);
    scheduler_emit(p->s, &(struct daemon_event){ .kind = EVENT_DRIFT,
                                                 .project = str_of(p->path),
                                                 .text = STR("site-packages was changed by hand") });
    if (!p->snapshot_at)
        p->snapshot_at = update_next_snapshot(p->seen->snapshot, p->rules.snapshot_interval, clock_now());
}

static uint64_t hash_of(const struct closure *c, const char *name)
{
    for (size_t i = 0; i < c->files.n; i++)
        if (str_ends(str_of(c->files.p[i].path), str_of(name)))
            return c->files.p[i].hash;
    return 0;
}

/* The job's result is what the files that are there now lead to. What they were at its start does not tell: a branch
 * may have come and gone while it read. The lock that it wrote itself is no change to follow. */
static bool is_for(const struct project *p, const struct closure *now, const struct job_result *r)
{
    AUTO_ARENA a = { 0 };
    struct str what = closure_difference(&p->closure, now, p->path, &a);

    if (p->closure.digest && what.n && !str_eq(what, STR("pylock.toml")))
        return false;
    return hash_of(now, "/pyproject.toml") == r->pyproject && hash_of(now, "/pylock.toml") == r->lock;
}

void project_job_ended(struct project *p, const struct queue_job *j, const struct job_result *r, uint64_t inputs)
{
    struct closure now;

    remember_site(p);
    p->s->seen.changed = true;
    if (j->verb != JOB_SYNC && j->verb != JOB_UPDATE)
        return;
    p->seen->env = digest_env(p);
    if (r->state != JOB_DONE)
        return;
    p->seen->inputs = inputs;
    if (!r->read || !p->root)
        return;
    closure_read(p->path, &now);
    if (is_for(p, &now, r)) {
        p->seen->inputs = now.digest;
        closure_clear(&p->closure);
        p->closure = now;
        return;
    }
    closure_clear(&now);
    p->seen->inputs = 0;
    p->behind = p->held_back = true;
}

/* ------------------------------------------------------------ inputs */

/* "git switch feature: " when another branch was checked out since; else empty. */
static struct str read_branch(struct project *p, struct arena *a)
{
    struct err e = { 0 };
    struct str text;

    if (!fd_read_if_there(AT_FDCWD, arena_printf(a, "%s/.git/HEAD", p->path).p, 4096, a, &text, &e) || !text.p)
        return STR("");
    uint64_t before = p->head;

    text = str_trim(text);
    p->head = hash_fast(text.p, text.n);
    if (!before || before == p->head)
        return STR("");
    if (str_cut_prefix(&text, STR("ref: refs/heads/")))
        return arena_printf(a, "git switch " STR_FMT ": ", STR_ARG(text));
    return arena_printf(a, "git checkout " STR_FMT ": ", STR_ARG(str_sub(text, 0, MIN(text.n, (size_t)12))));
}

static void want_sync(struct project *p, struct str reason)
{
    int64_t now = clock_now();

    if (!p->rules.auto_sync)
        return;
    int64_t at = update_pace_next(&p->pace, p->rules.sync_interval, now);

    jobs_submit(p, JOB_SYNC, PRIORITY_WATCH, reason, at > now ? at : 0);
}

static bool mentions(const struct closure *c, const char *name, uint64_t *hash)
{
    for (size_t i = 0; i < c->files.n; i++)
        if (str_ends(str_of(c->files.p[i].path), str_of(name))) {
            *hash = c->files.p[i].hash;
            return true;
        }
    return false;
}

static bool rules_changed(const struct closure *before, const struct closure *after)
{
    uint64_t x = 0, y = 0;

    return mentions(before, "/blast.toml", &x) != mentions(after, "/blast.toml", &y) || x != y;
}

/* Reads the inputs and acts when their bytes differ from what the last sync was made for. `why` NULL: a change was
 * seen; else what is said when nothing else can be. */
void project_look(struct project *p, const char *why)
{
    AUTO_ARENA a = { 0 };
    struct closure now;

    if (p->gone || !p->root)
        return;
    closure_read(p->path, &now);
    struct str branch = read_branch(p, &a);
    struct str what = closure_difference(&p->closure, &now, p->path, &a);
    bool changed = p->closure.digest != now.digest, other_files = !closure_same_files(&p->closure, &now);
    bool other_rules = p->closure.digest && rules_changed(&p->closure, &now);

    closure_clear(&p->closure);
    p->closure = now;
    if (other_rules)
        project_load_rules(p);
    if (other_files || other_rules) {
        if (!p->rules.monitor) {
            project_deactivate(p);
            return;
        }
        rewatch(p);
    }
    remember_site(p);
    bool behind = p->behind || env_moved(p);

    p->behind = false;
    if (why) {
        if (behind || now.digest != p->seen->inputs)
            want_sync(p, str_of(why));
        return;
    }
    if (!changed && behind)
        want_sync(p, STR("the environment is not the one that the last sync left"));
    if (!changed)
        return;
    p->s->metrics.changes++;
    p->seen->change = clock_now();
    p->s->seen.changed = true;
    scheduler_emit(p->s, &(struct daemon_event){ .kind = EVENT_CHANGED, .project = str_of(p->path), .text = what });
    want_sync(p, arena_printf(&a, STR_FMT STR_FMT " changed", STR_ARG(branch), STR_ARG(what)));
}

/* ------------------------------------------------------------ imports */

static bool was_named(struct project *p, struct str name)
{
    uint64_t h = hash_fast(name.p, name.n);

    for (unsigned i = 0; i < MIN(p->named_n, (unsigned)NAMED_MAX); i++)
        if (p->named[i] == h)
            return true;
    p->named[p->named_n++ % NAMED_MAX] = h;
    return false;
}

void project_import(struct project *p, struct str name, struct str file, unsigned line)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct import_answer answer = { 0 };
    struct store store;
    struct import_query q = { .module = name };
    struct daemon_event ev = {
        .kind = EVENT_IMPORT,
        .project = str_of(p->path),
        .name = name,
        .file = file,
        .line = line,
    };

    p->s->metrics.imports++;
    bool opened = store_open(p->s->config.dirs->store, &store, &e);

    if (opened)
        q.store = &store;
    if (import_find(&q, &a, &answer, &e) && answer.n == 1) {
        ev.distribution = answer.distribution[0];
        ev.verified = answer.how != IMPORT_GUESS;
    }
    if (opened)
        store_close(&store);
    scheduler_emit(p->s, &ev);
    if (ev.distribution.n && ev.verified)
        ev.text = arena_printf(&a, "'" STR_FMT "' is provided by " STR_FMT " -> blast install " STR_FMT, STR_ARG(name),
                               STR_ARG(ev.distribution), STR_ARG(ev.distribution));
    else
        ev.text = arena_printf(&a, "nothing here provides '" STR_FMT "' (line %u of " STR_FMT ")", STR_ARG(name), line,
                               STR_ARG(file));
    ev.kind = EVENT_NOTICE;
    scheduler_emit(p->s, &ev);
}

static void scan_source(struct project *p, const char *path)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text, name;
    struct imports it;
    VEC(const char *) dirs = { 0 };
    const char *sites[SITES_MAX];
    char site[SITES_MAX][4096];
    unsigned line;

    if (!fd_read_if_there(AT_FDCWD, path, SOURCE_MAX, &a, &text, &e) || !text.p)
        return;
    VEC_PUSH_IN(&a, &dirs, p->path);
    VEC_PUSH_IN(&a, &dirs, arena_cstr(&a, str_sub(str_of(path), 0, str_rfind(str_of(path), '/'))));
    for (size_t i = 0; i < p->rules.trees; i++)
        VEC_PUSH_IN(&a, &dirs, p->rules.tree[i]);
    size_t n = watch_find_sites(arena_printf(&a, "%s/.venv", p->path).p, site, SITES_MAX);

    for (size_t i = 0; i < n; i++)
        sites[i] = site[i];
    struct provide_places places = { .dir = dirs.p, .dirs = dirs.n, .site = sites, .sites = n };

    imports_init(&it, text);
    while (imports_next(&it, &name, &line))
        if (!provide_has(&places, name) && !was_named(p, str_sub(name, 0, str_find(name, '.'))))
            project_import(p, name, str_of(path), line);
}

/* ------------------------------------------------------------ changes */

void project_changed(struct project *p, const struct watch_change *c)
{
    if (c->flags & (WATCH_GONE | WATCH_BACK)) {
        p->gone = (c->flags & WATCH_GONE) != 0;
        scheduler_log(p->s, p->path, "%s", p->gone ? "the folder is gone" : "the folder is there again");
        scheduler_project_changed(p);
        if (p->gone)
            return;
    }
    if (is_busy(p)) {
        p->held_back |= (c->flags & (WATCH_FILES | WATCH_SITE | WATCH_ENV)) != 0;
    } else {
        if (c->flags & WATCH_SITE && !(c->flags & WATCH_ENV))
            look_at_site(p);
        else if (c->flags & WATCH_ENV)
            remember_site(p);
        if (c->flags & (WATCH_FILES | WATCH_ENV))
            project_look(p, NULL);
    }
    for (size_t i = 0; i < c->sources && p->root; i++)
        scan_source(p, c->source[i]);
}

void project_activate(struct project *p)
{
    int64_t now = clock_now();

    project_load_rules(p);
    if (!p->rules.monitor)
        return;
    p->root = watch_add(p->s->watch, p->path, p);
    closure_clear(&p->closure);
    closure_read(p->path, &p->closure);
    p->head = 0;
    p->gone = !file_exists(AT_FDCWD, p->path);
    rewatch(p);
    project_look(p, "looked at anew");
    p->check_at = update_is_wanted(NULL) ? update_next_check(p->path, p->first_seen, p->seen->check, now) : 0;
}

void project_deactivate(struct project *p)
{
    if (p->root)
        watch_remove(p->root);
    p->root = NULL;
    p->check_at = p->snapshot_at = 0;
    closure_clear(&p->closure);
}

/* ------------------------------------------------------------ what time brings */

void project_due(struct project *p, int64_t now)
{
    bool online;

    if (!p->root || p->gone || p->foreground)
        return;
    if (p->snapshot_at && now >= p->snapshot_at) {
        p->snapshot_at = 0;
        jobs_submit(p, JOB_SNAPSHOT, PRIORITY_CHECK, STR("site-packages was changed by hand"), 0);
    }
    if (!p->check_at || now < p->check_at)
        return;
    online = p->s->config.online ? p->s->config.online() : update_is_online();
    p->check_at = online ? update_next_check(p->path, p->first_seen, now, now) : now + UPDATE_OFFLINE;
    if (online)
        jobs_submit(p, p->rules.auto_update ? JOB_UPDATE : JOB_CHECK, PRIORITY_CHECK, STR("looking for updates"), 0);
}

int64_t project_deadline(const struct project *p)
{
    if (!p->root || p->gone || p->foreground)
        return 0;
    if (p->snapshot_at && p->check_at)
        return MIN(p->snapshot_at, p->check_at);
    return p->snapshot_at ? p->snapshot_at : p->check_at;
}
