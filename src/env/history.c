#include "env/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "env/state.h"

#define TAGS "tags.json"
#define TAGS_LIMIT (4u << 20)
#define DEFAULT_SNAPSHOTS 10
#define DEFAULT_HOT 3

static bool get(struct env *env, uint32_t seq, struct arena *a, struct generation *out, struct err *e)
{
    bool there;

    if (env->layout != ENV_GENERATIONS) {
        (void)err_set(e, ERR_ENVIRONMENT, "'%s' was not made by Blast and keeps no history", env->path);
        return err_hint(e, "'blast venv' makes environments that can be undone");
    }
    if (!generation_load(env, seq, a, out, &there, e))
        return false;
    return there ? true : err_set(e, ERR_ENVIRONMENT, "generation %u of '%s' is not known any more", seq, env->path);
}

/* A deleted environment was made anew: empty only until the command that made it filled it. */
static bool is_remade(const struct generation *g)
{
    return g->parent && g->kind == GENERATION_CHANGE && g->n_packages == 0 && str_eq(g->reason.command, STR("venv"));
}

/* The position before `position`: the content that its parent had. */
static bool step_back(struct env *env, uint32_t position, struct arena *a, uint32_t *out, struct err *e)
{
    struct generation g, parent;

    if (!get(env, position, a, &g, e))
        return false;
    do {
        if (g.parent == 0)
            return err_set(e, ERR_ENVIRONMENT, "nothing to undo: generation %u is the first", position);
        if (!get(env, g.parent, a, &parent, e))
            return err_wrap(e, "nothing to undo");
        g = parent;
    } while (is_remade(&g));
    *out = g.position;
    return true;
}

bool history_undo_target(struct env *env, unsigned steps, uint32_t *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct generation g;

    arena_init(&a);
    if (!get(env, env->current, &a, &g, e))
        return false;
    uint32_t at = g.position;

    for (unsigned i = 0; i < steps; i++)
        if (!step_back(env, at, &a, &at, e))
            return false;
    *out = at;
    return true;
}

bool history_redo_target(struct env *env, unsigned steps, uint32_t *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct generation g;

    arena_init(&a);
    if (!get(env, env->current, &a, &g, e))
        return false;
    if (steps == 0 || steps > g.n_redo)
        return err_set(e, ERR_ENVIRONMENT, g.n_redo ? "nothing to redo so far: %zu steps are left" : "nothing to redo",
                       g.n_redo);
    *out = g.redo[steps - 1];
    return true;
}

/* Undo puts every position that it passes before the way forward. */
static bool undo_path(struct env *env, const struct generation *now, uint32_t target, struct arena *a,
                      struct generation *g, struct err *e)
{
    VEC(uint32_t) redo = { 0 };
    uint32_t at = now->position;
    VEC(uint32_t) passed = { 0 };

    while (at != target) {
        VEC_PUSH_IN(a, &passed, at);
        if (!step_back(env, at, a, &at, e))
            return err_wrap(e, "generation %u is not before the current one", target);
    }
    for (size_t i = passed.n; i-- > 0;)
        VEC_PUSH_IN(a, &redo, passed.p[i]);
    for (size_t i = 0; i < now->n_redo; i++)
        VEC_PUSH_IN(a, &redo, now->redo[i]);
    g->redo = redo.p;
    g->n_redo = redo.n;
    return true;
}

static bool redo_path(const struct generation *now, uint32_t target, struct generation *g, struct err *e)
{
    for (size_t i = 0; i < now->n_redo; i++) {
        if (now->redo[i] == target) {
            g->redo = now->redo + i + 1;
            g->n_redo = now->n_redo - i - 1;
            return true;
        }
    }
    return err_set(e, ERR_ENVIRONMENT, "generation %u is not among what can be redone", target);
}

bool history_place(struct env *env, uint32_t target, enum generation_kind kind, struct arena *a, struct generation *g,
                   struct err *e)
{
    struct generation *now = ARENA_NEW(a, struct generation);

    if (!get(env, env->current, a, now, e))
        return false;
    g->kind = kind;
    g->restores = target;
    g->redo = NULL;
    g->n_redo = 0;
    g->position = 0; /* a rollback is a change of its own: undo goes to what was before it */
    if (kind == GENERATION_UNDO || kind == GENERATION_REDO)
        g->position = target;
    if (kind == GENERATION_UNDO)
        return undo_path(env, now, target, a, g, e);
    if (kind == GENERATION_REDO)
        return redo_path(now, target, g, e);
    return true;
}

bool history_tags(struct env *env, struct arena *a, struct history_tag **out, size_t *n, struct err *e)
{
    VEC(struct history_tag) v = { 0 };
    struct str text, key;
    struct json j;

    *out = NULL;
    *n = 0;
    if (env->state < 0)
        return true;
    if (!fd_read_if_there(env->state, TAGS, TAGS_LIMIT, a, &text, e))
        return false;
    if (!text.p)
        return true;
    json_init(&j, text, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            uint64_t seq = 0;

            if (json_u64(&j, &seq))
                VEC_PUSH_IN(a, &v, (struct history_tag){ key, (uint32_t)seq });
        }
    }
    if (!json_end(&j))
        return err_as(e, ERR_ENVIRONMENT, "read the tags of '%s'", env->path);
    *out = v.p;
    *n = v.n;
    return true;
}

static bool is_tag_name(struct str s)
{
    uint64_t v;

    for (size_t i = 0; i < s.n; i++)
        if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && !memchr("._-", s.p[i], 3))
            return false;
    return s.n > 0 && s.n <= 100 && !str_to_u64(s, &v);
}

bool history_tag_set(struct env *env, struct str name, uint32_t seq, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct history_tag *tags;
    struct generation g;
    struct json_write w;
    size_t n;

    arena_init(&a);
    if (!is_tag_name(name))
        return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is no name for a tag: letters, digits, '.', '_' and '-'",
                       STR_ARG(name));
    if ((seq && !get(env, seq, &a, &g, e)) || !history_tags(env, &a, &tags, &n, e))
        return false;
    buf_init(&b, TAGS_LIMIT);
    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(tags[i].name, name)) {
            json_write_key(&w, tags[i].name);
            json_write_u64(&w, tags[i].seq);
        }
    if (seq) {
        json_write_key(&w, name);
        json_write_u64(&w, seq);
    }
    json_write_object_end(&w);
    if (!json_write_end(&w))
        return err_set(e, ERR_ENVIRONMENT, "'%s' has too many tags", env->path);
    return file_replace(env->state, TAGS, buf_done(&b), 0644, FILE_SYNC, e);
}

bool history_find(struct env *env, struct str text, uint32_t *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct history_tag *tags;
    struct generation g;
    struct str rest = text;
    uint64_t v;
    size_t n;

    arena_init(&a);
    if (str_cut_prefix(&rest, STR("@-"))) {
        if (!str_to_u64(rest, &v) || v > 1000000)
            return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is not of the form @-2", STR_ARG(text));
        return history_undo_target(env, (unsigned)v, out, e);
    }
    if (str_to_u64(text, &v)) {
        if (v > UINT32_MAX || !get(env, (uint32_t)v, &a, &g, e))
            return e->kind != ERR_NONE ? false : err_set(e, ERR_ENVIRONMENT, "no generation has this number");
        *out = (uint32_t)v;
        return true;
    }
    if (!history_tags(env, &a, &tags, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(tags[i].name, text)) {
            *out = tags[i].seq;
            return true;
        }
    }
    return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is neither a generation nor a tag", STR_ARG(text));
}

/* Manifests that must stay: the current one and what it refers to, its past as far as asked, tagged ones. */
static bool mark_needed(struct env *env, unsigned keep, struct arena *a, struct map *needed, struct err *e)
{
    struct history_tag *tags;
    struct generation g;
    bool there;
    size_t n;

    if (!history_tags(env, a, &tags, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        map_put_u64(needed, tags[i].seq, 1);
    if (!get(env, env->current, a, &g, e))
        return false;
    map_put_u64(needed, g.seq, 1);
    for (size_t i = 0; i < g.n_redo; i++)
        map_put_u64(needed, g.redo[i], 1);
    uint32_t at = g.position;

    for (unsigned i = 0; i <= keep && at; i++) {
        map_put_u64(needed, at, 1);
        if (!generation_load(env, at, a, &g, &there, e))
            return false;
        if (!there || g.parent == 0)
            return true;
        map_put_u64(needed, g.parent, 1);
        if (!generation_load(env, g.parent, a, &g, &there, e))
            return false;
        at = there ? g.position : 0;
    }
    return true;
}

static bool remove_trees(struct env *env, const struct map *hot, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD gen = -1;
    const struct dirent *d;

    if (!fd_open_dir(env->dir, ".gen", &gen, e) || !file_list_open(gen, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        uint64_t v;

        if (str_to_u64(str_of(d->d_name), &v) && map_find_u64(hot, v) == MAP_NONE &&
            !file_remove_tree(gen, d->d_name, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

bool history_prune(struct env *env, unsigned max_snapshots, unsigned hot, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_MAP needed = { 0 };
    AUTO_MAP trees = { 0 };
    char name[STATE_NAME];
    uint32_t *seqs;
    size_t n, kept = 0;

    arena_init(&a);
    err_clear(e);
    if (env->layout != ENV_GENERATIONS || env->state < 0 || env->current == 0)
        return true;
    if (!mark_needed(env, max_snapshots ? max_snapshots : DEFAULT_SNAPSHOTS, &a, &needed, e) ||
        !generation_list(env, &a, &seqs, &n, e))
        return err_as(e, ERR_ENVIRONMENT, "tidy the history of '%s'", env->path);
    hot = hot ? hot : DEFAULT_HOT;
    map_put_u64(&trees, env->current, 1);
    map_put_u64(&trees, env->tree, 1);
    kept = 1;
    for (size_t i = n; i-- > 0;) {
        struct generation g;
        bool there, added = false;

        if (map_find_u64(&needed, seqs[i]) == MAP_NONE) {
            state_manifest_name(seqs[i], name);
            (void)unlinkat(env->state, name, 0); /* tried again next time */
            continue;
        }
        if (kept >= hot || !generation_load(env, seqs[i], &a, &g, &there, e) || !there)
            continue;
        (void)map_get_or_add_u64(&trees, g.tree, 1, &added);
        kept += added;
    }
    return remove_trees(env, &trees, e) ? true : err_as(e, ERR_ENVIRONMENT, "tidy the history of '%s'", env->path);
}
