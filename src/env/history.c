#include "env/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "pep/name.h"

#define TAGS "tags.json"
#define TAGS_LIMIT (4u << 20)

static bool has_history(const struct env *env, struct err *e)
{
    if (env->layout == ENV_GENERATIONS)
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "'%s' was not made by Blast and keeps no history", env->path);
    return err_hint(e, "'blast venv' makes environments that can be undone");
}

static bool get(struct env *env, uint32_t seq, struct arena *a, struct generation *out, struct err *e)
{
    bool there;

    if (!has_history(env, e) || !generation_load(env, seq, a, out, &there, e))
        return false;
    return there ? true : err_set(e, ERR_ENVIRONMENT, "generation %u of '%s' is not known any more", seq, env->path);
}

/* A deleted environment was made anew: empty only until the command that made it filled it. */
static bool is_remade(const struct generation *g)
{
    return g->parent && g->kind == GENERATION_CHANGE && g->n_packages == 0 && str_eq(g->reason.command, STR("venv"));
}

static bool same_packages(const struct generation *x, const struct generation *y)
{
    if (x->n_packages != y->n_packages)
        return false;
    for (size_t i = 0; i < x->n_packages; i++) {
        const struct generation_package *p = &x->packages[i], *q = &y->packages[i];

        if (!str_eq(p->name, q->name) || !str_eq(p->version, q->version) || !str_eq(p->sha256, q->sha256))
            return false;
    }
    return true;
}

/* The position before `position`: the content that its parent had. Where an environment was deleted and filled again
 * with what it had, that was no change and one goes on. */
static bool step_back(struct env *env, uint32_t position, struct arena *a, uint32_t *out, struct err *e)
{
    struct generation now, g, parent;
    bool remade = false;

    if (!get(env, position, a, &now, e))
        return false;
    g = now;
    do {
        if (g.parent == 0)
            return err_set(e, ERR_ENVIRONMENT, "nothing to undo: generation %u is the first", position);
        if (!get(env, g.parent, a, &parent, e))
            return err_wrap(e, "nothing to undo");
        g = parent;
        remade = remade || is_remade(&g);
    } while (is_remade(&g) || (remade && same_packages(&g, &now)));
    *out = g.position;
    return true;
}

bool history_line(struct env *env, uint32_t seq, struct arena *a, uint32_t **out, size_t *n, struct err *e)
{
    VEC(uint32_t) v = { 0 };
    struct err end = { 0 }; /* the first one, or the oldest that is still known */
    struct generation g;

    if (!get(env, seq, a, &g, e))
        return false;
    uint32_t at = g.position;

    do
        VEC_PUSH_IN(a, &v, at);
    while (step_back(env, at, a, &at, &end));
    for (size_t i = 0; i < v.n / 2; i++) {
        uint32_t swap = v.p[i];

        v.p[i] = v.p[v.n - 1 - i];
        v.p[v.n - 1 - i] = swap;
    }
    *out = v.p;
    *n = v.n;
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
    if (kind == GENERATION_REPAIR) {
        struct generation old;

        if (!get(env, target, a, &old, e))
            return false;
        g->position = old.position;
        g->redo = now->redo;
        g->n_redo = now->n_redo;
        return true;
    }
    if (kind == GENERATION_UNDO)
        return undo_path(env, now, target, a, g, e);
    if (kind == GENERATION_REDO)
        return redo_path(now, target, g, e);
    return true;
}

/* A number, as Blast wrote it before tags had texts, or {"created":..,"seq":..,"text":..}. */
static void read_tag(struct json *j, struct str head, struct history_tag *t)
{
    struct str key;
    uint64_t seq = 0;

    if (char_is_digit(head.p[0])) {
        json_u64(j, &seq);
    } else if (json_object_begin(j)) {
        while (json_object_next(j, &key)) {
            if (str_eq(key, STR("seq")))
                json_u64(j, &seq);
            else if (str_eq(key, STR("created")))
                json_i64(j, &t->created);
            else if (str_eq(key, STR("text")))
                json_string(j, &t->text);
        }
    }
    t->seq = seq <= UINT32_MAX ? (uint32_t)seq : 0;
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
            struct history_tag t = { .name = key, .text = STR("") };
            struct str raw;
            struct json value;
            struct err bad = { 0 }; /* a damaged one counts as none, the others stay */

            if (!json_raw(&j, &raw))
                break;
            json_init(&value, raw, a, &bad);
            read_tag(&value, raw, &t);
            if (json_end(&value) && t.seq)
                VEC_PUSH_IN(a, &v, t);
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

static void write_tag(struct json_write *w, const struct history_tag *t)
{
    json_write_key(w, t->name);
    json_write_object_begin(w);
    json_write_key(w, STR("created"));
    json_write_i64(w, t->created);
    json_write_member_u64(w, "seq", t->seq);
    json_write_member(w, "text", t->text);
    json_write_object_end(w);
}

bool history_tag_set(struct env *env, const struct history_tag *tag, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct history_tag *tags;
    struct generation g;
    struct json_write w;
    size_t n;

    arena_init(&a);
    if (!is_tag_name(tag->name)) {
        (void)err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is no name for a snapshot", STR_ARG(tag->name));
        return err_hint(e, "letters, digits, '.', '_' and '-', at most 100, not digits alone");
    }
    if ((tag->seq && !get(env, tag->seq, &a, &g, e)) || !history_tags(env, &a, &tags, &n, e))
        return false;
    buf_init(&b, TAGS_LIMIT);
    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    for (size_t i = 0; i < n; i++)
        if (!str_eq(tags[i].name, tag->name))
            write_tag(&w, &tags[i]);
    if (tag->seq)
        write_tag(&w, tag);
    json_write_object_end(&w);
    if (!json_write_end(&w))
        return err_set(e, ERR_ENVIRONMENT, "'%s' has too many tags", env->path);
    return file_replace(env->state, TAGS, buf_done(&b), 0644, FILE_SYNC, e);
}

/* "2h" in seconds; 0: not of that form. */
static int64_t seconds_of(struct str s)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    uint64_t v;

    for (size_t i = 0; i < COUNT(units) && s.n > 1; i++)
        if (s.p[s.n - 1] == units[i].unit && str_to_u64(str_sub(s, 0, s.n - 1), &v) && v < 1000000)
            return (int64_t)v * units[i].seconds;
    return 0;
}

/* Every generation that was current once, oldest first; what cannot be read is left out. */
static bool load_line(struct env *env, struct arena *a, struct generation **out, size_t *n, struct err *e)
{
    uint32_t *seq;
    size_t all;

    *n = 0;
    if (!generation_list(env, a, &seq, &all, e))
        return false;
    *out = ARENA_ARRAY(a, struct generation, all + 1);
    for (size_t i = 0; i < all; i++) {
        struct err ignored = { 0 };
        bool there;

        *n += generation_load(env, seq[i], a, &(*out)[*n], &there, &ignored) && there &&
              (*out)[*n].kind != GENERATION_FAILED && seq[i] <= env->current;
    }
    return true;
}

static bool find_by_age(struct env *env, struct str text, struct str age, struct arena *a, uint32_t *out,
                        struct err *e)
{
    int64_t seconds = seconds_of(age), then = clock_now() - seconds;
    struct generation *g;
    size_t n;

    if (!seconds) {
        (void)err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is not understood", STR_ARG(text));
        return err_hint(e, "@-2 is two changes back, @2h what was current two hours ago; s, m, h, d and w are known");
    }
    if (!load_line(env, a, &g, &n, e))
        return false;
    for (size_t i = n; i-- > 0;) {
        if (g[i].created <= then) {
            *out = g[i].seq;
            return true;
        }
    }
    return err_set(e, ERR_ENVIRONMENT, "the history does not reach back as far as '" STR_FMT "'", STR_ARG(text));
}

static struct str version_in(const struct generation *g, struct str name)
{
    for (size_t i = 0; i < g->n_packages; i++)
        if (name_eq(g->packages[i].name, name))
            return g->packages[i].version;
    return STR("");
}

/* What was current before the package came, went or changed for the last time. */
static bool find_before(struct env *env, struct str name, struct arena *a, uint32_t *out, struct err *e)
{
    struct generation *g;
    size_t n;

    if (!load_line(env, a, &g, &n, e))
        return false;
    for (size_t i = n; i-- > 1;) {
        if (!str_eq(version_in(&g[i], name), version_in(&g[i - 1], name))) {
            *out = g[i - 1].seq;
            return true;
        }
    }
    if (n && version_in(&g[n - 1], name).n)
        return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is as it is since generation %u, where the history begins",
                       STR_ARG(name), g[0].seq);
    return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is in no generation of the history", STR_ARG(name));
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
    if (!has_history(env, e))
        return false;
    if (str_cut_prefix(&rest, STR("@-"))) {
        if (!str_to_u64(rest, &v) || v > 1000000)
            return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is not of the form @-2", STR_ARG(text));
        return history_undo_target(env, (unsigned)v, out, e);
    }
    if (str_eq(text, STR("@")) && env->current) {
        *out = env->current;
        return true;
    }
    if (str_cut_prefix(&rest, STR("@")))
        return find_by_age(env, text, rest, &a, out, e);
    if (str_cut_prefix(&rest, STR("before:")))
        return find_before(env, rest, &a, out, e);
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
