#include "daemon/seen.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "daemon/record.h"

#define SEEN_TAG "blast-seen-1"

void seen_clear(struct seen_list *l)
{
    for (size_t i = 0; i < l->all.n; i++) {
        free(l->all.p[i]->path);
        free(l->all.p[i]);
    }
    VEC_CLEAR(&l->all);
}

struct seen *seen_get(struct seen_list *l, const char *path, int64_t now)
{
    for (size_t i = 0; i < l->all.n; i++)
        if (strcmp(l->all.p[i]->path, path) == 0) {
            l->all.p[i]->used = now;
            return l->all.p[i];
        }
    struct seen *s = mem_zero(1, sizeof *s);

    s->path = mem_dup(path, strlen(path));
    s->used = now;
    VEC_PUSH(&l->all, s);
    l->changed = true;
    return s;
}

static void write_one(struct json_write *w, const struct seen *s)
{
    json_write_object_begin(w);
    json_write_member_cstr(w, "path", s->path);
    json_write_member_u64(w, "inputs", s->inputs);
    json_write_member_u64(w, "env", s->env);
    json_write_member_u64(w, "site", s->site);
    json_write_member_u64(w, "sync", (uint64_t)s->sync);
    json_write_member_u64(w, "check", (uint64_t)s->check);
    json_write_member_u64(w, "snapshot", (uint64_t)s->snapshot);
    json_write_member_u64(w, "change", (uint64_t)s->change);
    json_write_member_u64(w, "used", (uint64_t)s->used);
    json_write_object_end(w);
}

static int by_use(const void *a, const void *b)
{
    const struct seen *x = *(const struct seen *const *)a, *y = *(const struct seen *const *)b;

    return (x->used < y->used) - (x->used > y->used);
}

bool seen_save(struct seen_list *l, int dir, const char *name, struct err *e)
{
    if (!l->changed)
        return true;
    AUTO_BUF b = { .limit = RECORD_MAX };
    struct json_write w;

    if (l->all.n > 1)
        qsort(l->all.p, l->all.n, sizeof l->all.p[0], by_use);
    json_write_init(&w, &b, false);
    json_write_array_begin(&w);
    for (size_t i = 0; i < l->all.n && i < SEEN_MAX; i++)
        write_one(&w, l->all.p[i]);
    json_write_array_end(&w);
    if (!json_write_end(&w))
        return err_set(e, ERR_DAEMON, "the list of %zu projects has more than %u bytes", l->all.n, RECORD_MAX);
    if (!record_save(&(struct record){ dir, name, SEEN_TAG }, buf_done(&b), e))
        return false;
    l->changed = false;
    return true;
}

static bool read_one(struct json *j, struct seen_list *l)
{
    struct str key, path = { 0 };
    struct seen got = { 0 };
    uint64_t when[5] = { 0 };
    static const char *const names[] = { "sync", "check", "snapshot", "change", "used" };

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("path")))
            json_string(j, &path);
        else if (str_eq(key, STR("inputs")))
            json_u64(j, &got.inputs);
        else if (str_eq(key, STR("env")))
            json_u64(j, &got.env);
        else if (str_eq(key, STR("site")))
            json_u64(j, &got.site);
        else
            for (size_t i = 0; i < COUNT(names); i++)
                if (str_eq(key, str_of(names[i])))
                    json_u64(j, &when[i]);
    }
    if (!json_ok(j))
        return false;
    for (size_t i = 0; i < COUNT(when); i++)
        when[i] = MIN(when[i], (uint64_t)INT64_MAX / 2);
    if (!path.n || memchr(path.p, 0, path.n))
        return true;
    struct seen *s = seen_get(l, arena_cstr(j->arena, path), (int64_t)when[4]);

    s->inputs = got.inputs;
    s->env = got.env;
    s->site = got.site;
    s->sync = (int64_t)when[0];
    s->check = (int64_t)when[1];
    s->snapshot = (int64_t)when[2];
    s->change = (int64_t)when[3];
    return true;
}

bool seen_load(struct seen_list *l, int dir, const char *name, bool *damaged, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str text;
    struct json j;
    struct err wrong = { 0 };

    if (!record_load(&(struct record){ dir, name, SEEN_TAG }, &a, &text, damaged, e))
        return false;
    if (!text.p)
        return true;
    json_init(&j, text, &a, &wrong);
    if (json_array_begin(&j))
        while (l->all.n < SEEN_MAX && json_array_next(&j) && read_one(&j, l))
            ;
    l->changed = false;
    if (!json_ok(&j) || (l->all.n < SEEN_MAX && !json_end(&j))) /* a full list is not read to its end */
        *damaged = true;
    return true;
}
