#include "env/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "env/inuse.h"
#include "env/layout.h"
#include "env/pin.h"
#include "env/stamp.h"
#include "env/state.h"
#include "env/status_file.h"

#define MANIFEST_LIMIT (64u << 20)
#define NEXT ".current.tmp"

static void tree_path(uint32_t n, const char *suffix, char out[STATE_NAME])
{
    (void)snprintf(out, STATE_NAME, ".gen/%u%s", n, suffix);
}

bool generation_load(struct env *env, uint32_t seq, struct arena *a, struct generation *out, bool *there, struct err *e)
{
    char name[STATE_NAME];
    struct str text;

    *there = false;
    if (env->state < 0)
        return true;
    state_manifest_name(seq, name);
    if (!fd_read_if_there(env->state, name, MANIFEST_LIMIT, a, &text, e))
        return err_as(e, ERR_ENVIRONMENT, "read generation %u", seq);
    if (!text.p)
        return true;
    if (!generation_parse(text, a, out, e))
        return err_wrap(e, "read generation %u of '%s'", seq, env->path);
    *there = true;
    return true;
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

bool generation_list(struct env *env, struct arena *a, uint32_t **out, size_t *n, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    VEC(uint32_t) v = { 0 };
    const struct dirent *d;

    err_clear(e);
    *out = NULL;
    *n = 0;
    if (env->state < 0)
        return true;
    if (!file_list_open(env->state, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        uint32_t seq = state_manifest_seq(d->d_name);

        if (seq)
            VEC_PUSH_IN(a, &v, seq);
    }
    if (e->kind != ERR_NONE)
        return false;
    if (v.n)
        qsort(v.p, v.n, sizeof *v.p, number_order);
    *out = v.p;
    *n = v.n;
    return true;
}

/* One more than any number that a manifest or a tree has. */
static bool next_number(struct env *env, uint32_t *out, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_ARENA a = { 0 };
    const struct dirent *d;
    uint32_t *known, max = env->current;
    size_t n;

    arena_init(&a);
    if (!generation_list(env, &a, &known, &n, e))
        return false;
    if (n)
        max = MAX(max, known[n - 1]);
    if (mkdirat(env->dir, ".gen", 0777) < 0 && errno != EEXIST)
        return err_sys(e, "make directory .gen");
    if (!file_list_open(env->dir, ".gen", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        uint64_t v;

        if (str_to_u64(str_of(d->d_name), &v) && v < UINT32_MAX - 1)
            max = MAX(max, (uint32_t)v);
    }
    *out = max + 1;
    return e->kind == ERR_NONE;
}

/* At once under its name: whoever is killed beside it would leave a second one that no recovery looks for, and one that
 * is cut short says as much as is needed. */
static bool write_intent(struct env *env, uint32_t seq, struct err *e)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%u\n", seq);
    AUTO_FD fd = -1;

    if (!fd_open(env->state, STATE_JOURNAL, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644, &fd, e))
        return false;
    if (fd_write_all(fd, text, (size_t)n, STATE_JOURNAL, e))
        return true;
    (void)unlinkat(env->state, STATE_JOURNAL, 0);
    return false;
}

/* Forgets a generation that was never published. Best effort: recovery repeats it. */
static void forget(struct env *env, uint32_t seq)
{
    char path[STATE_NAME];
    struct err ignored = { 0 };
    uint32_t current, tree;

    state_read_current(env->dir, &current, &tree);
    (void)unlinkat(env->dir, NEXT, 0);
    if (seq && seq != current) {
        tree_path(seq, ".tmp", path);
        bool gone = file_remove_tree(env->dir, path, &ignored);

        tree_path(seq, "", path);
        gone = file_remove_tree(env->dir, path, &ignored) && gone;
        state_manifest_name(seq, path);
        (void)unlinkat(env->state, path, 0);
        if (!gone)
            return; /* the journal stays, and with it the duty */
    }
    (void)unlinkat(env->state, STATE_JOURNAL, 0);
}

static bool is_changeable(const struct env *env, struct err *e)
{
    if (env->layout != ENV_GENERATIONS)
        return err_set(e, ERR_ENVIRONMENT, "'%s' was not made by Blast and keeps no generations", env->path);
    if (env->state < 0)
        return err_set(e, ERR_ENVIRONMENT, "'%s' was opened for reading only", env->path);
    if (env->lock < 0)
        BUG("a generation is begun without the lock");
    return true;
}

bool generation_begin(struct env *env, struct generation_stage *out, struct err *e)
{
    char path[STATE_NAME];
    AUTO_FD dir = -1;
    uint32_t seq;

    if (!is_changeable(env, e))
        return false;
    if (!next_number(env, &seq, e) || !write_intent(env, seq, e))
        return err_as(e, ERR_ENVIRONMENT, "begin a change of '%s'", env->path);
    tree_path(seq, ".tmp", path);
    if (!file_remove_tree(env->dir, path, e) ||
        (mkdirat(env->dir, path, 0777) < 0 && !err_sys(e, "make directory %s", path)) ||
        !fd_open_dir(env->dir, path, &dir, e) ||
        !layout_fill(dir, env->path, &env->python, env->prompt, e) ||
        !file_replace(dir, INUSE_FILE, STR(""), 0666, FILE_NO_SYNC, e)) {
        forget(env, seq);
        return err_as(e, ERR_ENVIRONMENT, "begin a change of '%s'", env->path);
    }
    *out = (struct generation_stage){ seq, dir };
    dir = -1;
    return true;
}

void generation_drop(struct env *env, struct generation_stage *stage)
{
    fd_close(&stage->dir);
    forget(env, stage->seq);
}

static bool save_manifest(struct env *env, const struct generation *g, bool durable, struct err *e)
{
    char name[STATE_NAME];
    AUTO_BUF b;

    buf_init(&b, MANIFEST_LIMIT);
    if (!generation_format(g, &b))
        return err_set(e, ERR_ENVIRONMENT, "the manifest is too large");
    state_manifest_name(g->seq, name);
    return file_replace(env->state, name, buf_done(&b), 0644, durable ? FILE_SYNC : FILE_NO_SYNC, e);
}

/* The moment of the change: before it the old generation is current, after it the new one. */
static bool flip(struct env *env, uint32_t seq, struct err *e)
{
    char target[STATE_NAME];

    tree_path(seq, "", target);
    (void)unlinkat(env->dir, NEXT, 0); /* of a process that was killed here */
    if (symlinkat(target, env->dir, NEXT) < 0)
        return err_sys(e, "link %s", NEXT);
    if (renameat(env->dir, NEXT, env->dir, ".current") < 0)
        return err_sys(e, "rename %s to .current", NEXT);
    return true;
}

/* For the prompts of shells; one that cannot be told goes on showing what it showed. */
static void tell_prompts(struct env *env, const struct generation *g)
{
    uint32_t seq;
    bool pinned = pin_get(env, &seq);
    struct status_file s = { .seq = g->seq, .word = pinned ? STATUS_PINNED : STATUS_OK };
    struct err ignored = { 0 };

    (void)!status_file_write(env->dir, &s, &ignored);
}

/* From here on the new one is current; a failure to flush is reported, but changes nothing about that. */
static bool finish(struct env *env, const struct generation *g, bool durable, struct err *e)
{
    AUTO_FD gen = -1;

    env->current = g->seq;
    env->tree = g->tree;
    tell_prompts(env, g);
    bool ok = !durable || (fd_open_dir(env->dir, ".gen", &gen, e) && file_sync_dir(gen, ".gen", e) &&
                           file_sync_dir(env->dir, ".current", e));

    (void)unlinkat(env->state, STATE_JOURNAL, 0); /* a remaining journal makes recovery look and find all well */
    return ok ? true : err_as(e, ERR_ENVIRONMENT, "generation %u is current, but not surely on disk", g->seq);
}

/* An environment that was deleted and made again goes on with its history: its first generation follows the last. */
static uint32_t last_known(struct env *env, uint32_t before)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    uint32_t *seq, last = 0;
    size_t n;

    arena_init(&a);
    if (!generation_list(env, &a, &seq, &n, &ignored))
        return 0;
    for (size_t i = n; i-- > 0 && !last;) {
        struct generation g;
        bool there;

        if (seq[i] < before && generation_load(env, seq[i], &a, &g, &there, &ignored) && there &&
            g.kind != GENERATION_FAILED)
            last = seq[i];
    }
    return last;
}

static void number(struct env *env, struct generation *g, uint32_t seq, uint32_t tree)
{
    g->seq = seq;
    g->tree = tree;
    g->parent = env->current ? env->current : last_known(env, seq);
    if (g->position == 0)
        g->position = seq;
    if (g->created == 0)
        g->created = clock_now();
    if (g->python.executable.n == 0)
        g->python = env->python;
}

bool generation_commit(struct env *env, struct generation_stage *stage, struct generation *g, bool durable,
                       struct err *e)
{
    char from[STATE_NAME], to[STATE_NAME];
    uint32_t seq = stage->seq;

    number(env, g, seq, seq);
    g->content = seq;
    tree_path(seq, ".tmp", from);
    tree_path(seq, "", to);
    bool ok = stamp_write(stage->dir, env->site, seq, e) && save_manifest(env, g, durable, e) &&
              (!durable || syncfs(stage->dir) == 0 || err_sys(e, "flush the file system of '%s'", env->path)) &&
              (renameat(env->dir, from, env->dir, to) == 0 || err_sys(e, "rename %s to %s", from, to)) &&
              flip(env, seq, e);

    fd_close(&stage->dir);
    if (!ok) {
        forget(env, seq);
        return err_as(e, ERR_ENVIRONMENT, "publish generation %u of '%s'", seq, env->path);
    }
    return finish(env, g, durable, e);
}

bool generation_set_aside(struct env *env, struct generation_stage *stage, struct generation *g, struct err *e)
{
    char from[STATE_NAME], to[STATE_NAME];
    uint32_t seq = stage->seq;

    number(env, g, seq, seq);
    g->content = seq;
    g->kind = GENERATION_FAILED;
    tree_path(seq, ".tmp", from);
    tree_path(seq, "", to);
    bool ok = stamp_write(stage->dir, env->site, seq, e) && save_manifest(env, g, false, e) &&
              (renameat(env->dir, from, env->dir, to) == 0 || err_sys(e, "rename %s to %s", from, to));

    fd_close(&stage->dir);
    if (!ok) {
        forget(env, seq);
        return err_as(e, ERR_ENVIRONMENT, "keep generation %u of '%s' aside", seq, env->path);
    }
    (void)unlinkat(env->state, STATE_JOURNAL, 0);
    return true;
}

/* The tree as it lies there becomes another generation's: that one gets a stamp of its own. */
static bool stamp_again(struct env *env, uint32_t tree, uint32_t content, struct err *e)
{
    char path[STATE_NAME];
    AUTO_FD dir = -1;

    tree_path(tree, "", path);
    return fd_open_dir(env->dir, path, &dir, e) && stamp_write(dir, env->site, content, e);
}

bool generation_reuse(struct env *env, uint32_t tree, struct generation *g, bool durable, struct err *e)
{
    char path[STATE_NAME], target[16];
    struct stat st;
    uint32_t seq;

    if (!is_changeable(env, e))
        return false;
    tree_path(tree, "", path);
    if (fstatat(env->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_ENVIRONMENT, "tree %u of '%s' is gone", tree, env->path);
    if (!next_number(env, &seq, e) || !write_intent(env, seq, e))
        return err_as(e, ERR_ENVIRONMENT, "begin a change of '%s'", env->path);
    number(env, g, seq, tree);
    if (g->kind == GENERATION_SCRATCH)
        g->content = seq;
    tree_path(seq, "", path);
    (void)snprintf(target, sizeof target, "%u", tree);
    if ((g->content == seq && !stamp_again(env, tree, seq, e)) || !save_manifest(env, g, durable, e) ||
        (symlinkat(target, env->dir, path) < 0 && !err_sys(e, "link %s", path)) || !flip(env, seq, e)) {
        forget(env, seq);
        return err_as(e, ERR_ENVIRONMENT, "publish generation %u of '%s'", seq, env->path);
    }
    return finish(env, g, durable, e);
}

bool generation_is_hot(struct env *env, const struct generation *g)
{
    return stamp_is_kept(env, g);
}

bool generation_recover(struct env *env, bool *did, struct err *e)
{
    AUTO_ARENA a = { 0 };
    uint64_t seq = 0;
    struct str text;

    *did = false;
    if (env->state < 0 || env->layout != ENV_GENERATIONS)
        return true;
    arena_init(&a);
    if (!fd_read_if_there(env->state, STATE_JOURNAL, 64, &a, &text, e))
        return err_as(e, ERR_ENVIRONMENT, "repair '%s'", env->path);
    if (!text.p)
        return true;
    if (!str_to_u64(str_trim(text), &seq) || seq > UINT32_MAX)
        seq = 0; /* cut short: nothing had been made then */
    *did = true;
    forget(env, (uint32_t)seq);
    state_sweep(env->state);
    state_sweep(env->dir); /* of the status file */
    return true;
}
