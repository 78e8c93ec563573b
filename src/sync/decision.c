#include "sync/decision.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "config/project.h"
#include "env/env.h"
#include "lock/lock.h"
#include "sync/workspace.h"

#define DECISION_MAX ((size_t)64 << 20) /* bytes of a file: a lock for each choice */
#define DECISIONS_MAX 64
#define SCHEMA "blast.decision/1"
#define NAME_BYTES 40

static const char *const words[] = {
#define X(kind, word) word,
    DECISION_KINDS(X)
#undef X
};

const char *decision_word(enum decision_kind kind)
{
    return words[kind];
}

/* ------------------------------------------------------------ in force or void */

/* A fast hash will do: whoever may write these files may take the decision as well. */
static bool inputs_state(struct workspace *w, const struct env *env, enum decision_kind kind, struct str *out,
                         struct err *e)
{
    static const char *const files[] = { "pyproject.toml", "requirements.txt", "pylock.toml", "blast.toml",
                                         ".python-version" };
    uint64_t sum = 0;
    struct str text;

    for (size_t i = 0; i < COUNT(files); i++) {
        if (!fd_read_if_there(w->dir, files[i], LOCK_MAX, w->a, &text, e))
            return false;
        sum = sum * 1000003 + (text.p ? hash_fast(text.p, text.n) + 1 : 0);
    }
    if (kind == DECISION_HAND || kind == DECISION_PYTHON)
        sum = sum * 1000003 + env->current;
    *out = arena_printf(w->a, "%016" PRIx64, sum);
    return true;
}

/* ------------------------------------------------------------ writing */

static void write_text(struct json_write *j, const char *name, struct str text)
{
    json_write_key(j, str_of(name));
    if (text.p)
        json_write_str(j, text);
    else
        json_write_null(j);
}

static void write_choice(const struct decision_choice *c, bool whole, struct json_write *j)
{
    json_write_object_begin(j);
    json_write_member(j, "label", c->label);
    json_write_member(j, "edits", c->where);
    json_write_member_u64(j, "add", c->price.add);
    json_write_member_u64(j, "remove", c->price.remove);
    json_write_member_u64(j, "change", c->price.change);
    json_write_member_u64(j, "bytes", c->price.bytes);
    json_write_member(j, "changes", c->price.changes);
    json_write_member_bool(j, "later", c->later);
    json_write_member_bool(j, "remake", c->remake);
    if (whole) {
        write_text(j, "pyproject", c->pyproject);
        write_text(j, "lock", c->lock);
    }
    json_write_object_end(j);
}

static void write_decision(const struct decision *d, bool whole, struct json_write *j)
{
    json_write_object_begin(j);
    if (whole)
        json_write_member_cstr(j, "schema", SCHEMA);
    json_write_member_u64(j, "id", d->id);
    json_write_member_cstr(j, "kind", words[d->kind]);
    json_write_member_u64(j, "created", (uint64_t)d->created);
    json_write_member(j, "text", d->text);
    json_write_member(j, "why", d->why);
    if (whole)
        json_write_member(j, "state", d->state);
    json_write_key(j, STR("choices"));
    json_write_array_begin(j);
    for (size_t i = 0; i < d->n; i++)
        write_choice(&d->choice[i], whole, j);
    json_write_array_end(j);
    json_write_object_end(j);
}

void decision_write(const struct decision *d, struct json_write *w)
{
    write_decision(d, false, w);
}

static void file_name(uint32_t id, char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "decision-%" PRIu32 ".json", id);
}

/* ------------------------------------------------------------ reading */

static bool read_text(struct json *j, struct str *out)
{
    *out = (struct str){ NULL, 0 };
    return json_take_null(j) || json_string(j, out);
}

static bool read_u32(struct json *j, uint32_t *out)
{
    uint64_t v = 0;

    (void)json_u64(j, &v);
    *out = (uint32_t)MIN(v, (uint64_t)UINT32_MAX);
    return json_ok(j);
}

static bool read_choice(struct json *j, struct decision_choice *c)
{
    struct str key;

    *c = (struct decision_choice){ 0 };
    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("label")))
            (void)json_string(j, &c->label);
        else if (str_eq(key, STR("edits")))
            (void)json_string(j, &c->where);
        else if (str_eq(key, STR("add")))
            (void)read_u32(j, &c->price.add);
        else if (str_eq(key, STR("remove")))
            (void)read_u32(j, &c->price.remove);
        else if (str_eq(key, STR("change")))
            (void)read_u32(j, &c->price.change);
        else if (str_eq(key, STR("bytes")))
            (void)json_u64(j, &c->price.bytes);
        else if (str_eq(key, STR("changes")))
            (void)json_string(j, &c->price.changes);
        else if (str_eq(key, STR("later")))
            (void)json_bool(j, &c->later);
        else if (str_eq(key, STR("remake")))
            (void)json_bool(j, &c->remake);
        else if (str_eq(key, STR("pyproject")))
            (void)read_text(j, &c->pyproject);
        else if (str_eq(key, STR("lock")))
            (void)read_text(j, &c->lock);
    }
    return json_ok(j);
}

static bool read_kind(struct json *j, struct decision *d)
{
    struct str word;

    if (!json_string(j, &word))
        return false;
    for (unsigned i = 0; i < COUNT(words); i++) {
        if (!str_eq(word, str_of(words[i])))
            continue;
        d->kind = (enum decision_kind)i;
        return true;
    }
    return json_fail(j, "a decision of no known kind");
}

static bool read_choices(struct json *j, struct arena *a, struct decision *d)
{
    d->choice = ARENA_ARRAY(a, struct decision_choice, DECISION_CHOICES);
    if (!json_array_begin(j))
        return false;
    while (json_array_next(j)) {
        if (d->n == DECISION_CHOICES)
            return json_fail(j, "more than %d choices", DECISION_CHOICES);
        if (!read_choice(j, &d->choice[d->n++]))
            return false;
    }
    return json_ok(j);
}

static bool parse(struct str text, struct arena *a, struct decision *d, struct err *e)
{
    struct json j;
    struct str key, schema = STR("");
    uint64_t created = 0;

    *d = (struct decision){ .text = STR_INIT("") };
    json_init(&j, text, a, e);
    if (!json_object_begin(&j))
        return false;
    while (json_object_next(&j, &key)) {
        if (str_eq(key, STR("schema")))
            (void)json_string(&j, &schema);
        else if (str_eq(key, STR("id")))
            (void)read_u32(&j, &d->id);
        else if (str_eq(key, STR("kind")))
            (void)read_kind(&j, d);
        else if (str_eq(key, STR("created")))
            (void)json_u64(&j, &created);
        else if (str_eq(key, STR("text")))
            (void)json_string(&j, &d->text);
        else if (str_eq(key, STR("why")))
            (void)json_string(&j, &d->why);
        else if (str_eq(key, STR("state")))
            (void)json_string(&j, &d->state);
        else if (str_eq(key, STR("choices")))
            (void)read_choices(&j, a, d);
    }
    d->created = (int64_t)created;
    return json_end(&j) && (str_eq(schema, STR(SCHEMA)) || err_set(e, ERR_ENVIRONMENT, "a decision of another format"));
}

static int by_id(const void *x, const void *y)
{
    const struct decision *a = x, *b = y;

    return a->id < b->id ? -1 : a->id > b->id;
}

/* One file: in force into *d, void or damaged ones are removed. */
static bool load(struct workspace *w, struct env *env, const char *name, struct decision *d, bool *good,
                 struct err *e)
{
    struct str text, state;
    struct err damaged = { 0 };

    *good = false;
    if (!fd_read_if_there(env->state, name, DECISION_MAX, w->a, &text, e))
        return false;
    if (!text.p)
        return true;
    if (parse(text, w->a, d, &damaged)) {
        if (!inputs_state(w, env, d->kind, &state, e))
            return false;
        *good = str_eq(state, d->state);
    }
    if (!*good && unlinkat(env->state, name, 0) < 0 && file_exists(env->state, name))
        return err_sys(e, "remove %s", name);
    return true;
}

static bool load_all(struct workspace *w, struct env *env, struct decision *all, size_t *n, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    bool good;

    if (!file_list_open(env->state, ".", &list, e))
        return false;
    while (*n < DECISIONS_MAX && file_list_next(&list, &d, e)) {
        struct str name = str_of(d->d_name);

        if (!str_starts(name, STR("decision-")) || !str_ends(name, STR(".json")))
            continue;
        if (!load(w, env, d->d_name, &all[*n], &good, e))
            return false;
        *n += good;
    }
    if (*n)
        qsort(all, *n, sizeof *all, by_id);
    return e->kind == ERR_NONE;
}

bool decision_list(struct workspace *w, struct decision **out, size_t *n, struct err *e)
{
    struct env env;

    *out = NULL;
    *n = 0;
    if (w->foreign_env || !env_is_there(w->env_path))
        return true;
    if (!env_open(w->env_path, w->dirs.state, &env, e))
        return false;
    *out = ARENA_ARRAY(w->a, struct decision, DECISIONS_MAX);
    bool ok = load_all(w, &env, *out, n, e);

    env_close(&env);
    return ok;
}

/* ------------------------------------------------------------ parking */

static bool put(struct workspace *w, struct env *env, struct decision *d, struct err *e)
{
    AUTO_BUF b;
    struct json_write j;
    struct decision *all = ARENA_ARRAY(w->a, struct decision, DECISIONS_MAX);
    size_t n = 0;
    char name[NAME_BYTES];

    buf_init(&b, DECISION_MAX);
    if (!inputs_state(w, env, d->kind, &d->state, e) || !load_all(w, env, all, &n, e))
        return false;
    d->id = 1;
    for (size_t i = 0; i < n; i++) {
        if (all[i].kind == d->kind) {
            d->id = all[i].id; /* the newer one takes its place */
            break;
        }
        if (all[i].id >= d->id)
            d->id = all[i].id + 1;
    }
    d->created = clock_now();
    json_write_init(&j, &b, false);
    write_decision(d, true, &j);
    if (!json_write_end(&j))
        return err_set(e, ERR_ENVIRONMENT, "the choices have more than %zu bytes", DECISION_MAX);
    file_name(d->id, name);
    return file_replace(env->state, name, buf_done(&b), 0600, FILE_NO_SYNC, e);
}

bool decision_park(struct workspace *w, struct decision *d, struct err *e)
{
    struct env env;

    if (!env_is_there(w->env_path))
        return err_set(e, ERR_ENVIRONMENT, "there is no environment that a decision could be kept for");
    if (!env_open(w->env_path, w->dirs.state, &env, e))
        return false;
    bool ok = put(w, &env, d, e);

    env_close(&env);
    return ok || err_as(e, ERR_ENVIRONMENT, "park a decision");
}

bool decision_drop(struct workspace *w, uint32_t id, struct err *e)
{
    struct env env;
    char name[NAME_BYTES];

    if (!env_is_there(w->env_path))
        return true;
    if (!env_open(w->env_path, w->dirs.state, &env, e))
        return false;
    file_name(id, name);
    bool ok = unlinkat(env.state, name, 0) == 0 || !file_exists(env.state, name) || err_sys(e, "remove %s", name);

    env_close(&env);
    return ok;
}

struct str decision_notice(const struct decision *d, size_t others, struct arena *a)
{
    struct str more = others ? arena_printf(a, " (and %zu more)", others) : STR("");

    return arena_printf(a, "decision %" PRIu32 ": " STR_FMT STR_FMT " -> blast resolve", d->id, STR_ARG(d->text),
                        STR_ARG(more));
}
