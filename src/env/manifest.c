#include <limits.h>
#include <stdlib.h>
#include "base/err.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "env/generation.h"

static const char *const kinds[] = { "change",  "undo",   "redo", "rollback",
                                    "scratch", "repair", "failed" };

const char *generation_kind_word(enum generation_kind kind)
{
    return kinds[kind];
}

static void write_numbers(struct json_write *w, const char *name, const uint32_t *p, size_t n)
{
    json_write_key(w, str_of(name));
    json_write_array_begin(w);
    for (size_t i = 0; i < n; i++)
        json_write_u64(w, p[i]);
    json_write_array_end(w);
}

static void write_package(struct json_write *w, const struct generation_package *p)
{
    json_write_object_begin(w);
    json_write_member_bool(w, "direct", p->direct);
    json_write_member(w, "direct_url", p->direct_url);
    json_write_member_bool(w, "editable", p->editable);
    json_write_key(w, STR("extras"));
    json_write_array_begin(w);
    for (size_t i = 0; i < p->n_extras; i++)
        json_write_str(w, p->extras[i]);
    json_write_array_end(w);
    json_write_member(w, "name", p->name);
    json_write_member(w, "sha256", p->sha256);
    json_write_member(w, "source", p->source);
    json_write_member(w, "version", p->version);
    json_write_object_end(w);
}

static void write_python(struct json_write *w, const struct env_python *py)
{
    json_write_key(w, STR("python"));
    json_write_object_begin(w);
    json_write_member(w, "abi_suffix", py->abi_suffix);
    json_write_member(w, "executable", py->executable);
    json_write_member(w, "implementation", py->implementation);
    json_write_member_u64(w, "major", py->major);
    json_write_member_u64(w, "minor", py->minor);
    json_write_member(w, "version", py->version);
    json_write_object_end(w);
}

bool generation_format(const struct generation *g, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member_u64(&w, "content", g->content);
    json_write_key(&w, STR("created"));
    json_write_i64(&w, g->created);
    json_write_key(&w, STR("inputs"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < g->n_inputs; i++) {
        json_write_object_begin(&w);
        json_write_member(&w, "path", g->inputs[i].path);
        json_write_member(&w, "sha256", g->inputs[i].sha256);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_member_cstr(&w, "kind", kinds[g->kind]);
    json_write_member(&w, "mode", g->mode);
    json_write_member_bool(&w, "only_here", g->only_here);
    json_write_key(&w, STR("packages"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < g->n_packages; i++)
        write_package(&w, &g->packages[i]);
    json_write_array_end(&w);
    json_write_member_u64(&w, "parent", g->parent);
    json_write_member_u64(&w, "position", g->position);
    write_python(&w, &g->python);
    json_write_key(&w, STR("reason"));
    json_write_object_begin(&w);
    json_write_member(&w, "actor", g->reason.actor);
    json_write_member(&w, "command", g->reason.command);
    if (g->reason.why.n)
        json_write_member(&w, "why", g->reason.why);
    json_write_object_end(&w);
    write_numbers(&w, "redo", g->redo, g->n_redo);
    json_write_member_u64(&w, "restores", g->restores);
    json_write_member_u64(&w, "schema", GENERATION_SCHEMA);
    json_write_member_u64(&w, "seq", g->seq);
    json_write_member_u64(&w, "tree", g->tree);
    json_write_object_end(&w);
    return json_write_end(&w);
}

static void read_u32(struct json *j, uint32_t *out)
{
    uint64_t v = 0;

    if (json_u64(j, &v) && v > UINT32_MAX)
        (void)json_fail(j, "the number is too large");
    *out = (uint32_t)v;
}

static void read_package(struct json *j, struct arena *a, struct generation_package *p)
{
    VEC(struct str) extras = { 0 };
    struct str key;

    *p = (struct generation_package){ 0 };
    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("name")))
            (void)json_string(j, &p->name);
        else if (str_eq(key, STR("version")))
            (void)json_string(j, &p->version);
        else if (str_eq(key, STR("sha256")))
            (void)json_string(j, &p->sha256);
        else if (str_eq(key, STR("source")))
            (void)json_string(j, &p->source);
        else if (str_eq(key, STR("direct_url")))
            (void)json_string(j, &p->direct_url);
        else if (str_eq(key, STR("direct")))
            (void)json_bool(j, &p->direct);
        else if (str_eq(key, STR("editable")))
            (void)json_bool(j, &p->editable);
        else if (str_eq(key, STR("extras")) && json_array_begin(j)) {
            while (json_array_next(j)) {
                struct str x = { 0 };

                if (json_string(j, &x))
                    VEC_PUSH_IN(a, &extras, x);
            }
        }
    }
    p->extras = extras.p;
    p->n_extras = extras.n;
}

static void read_packages(struct json *j, struct arena *a, struct generation *g)
{
    VEC(struct generation_package) v = { 0 };

    if (!json_array_begin(j))
        return;
    while (json_array_next(j)) {
        struct generation_package p;

        read_package(j, a, &p);
        VEC_PUSH_IN(a, &v, p);
    }
    g->packages = v.p;
    g->n_packages = v.n;
}

static void read_inputs(struct json *j, struct arena *a, struct generation *g)
{
    VEC(struct generation_input) v = { 0 };
    struct str key;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j)) {
        struct generation_input in = { 0 };

        if (!json_object_begin(j))
            return;
        while (json_object_next(j, &key)) {
            if (str_eq(key, STR("path")))
                (void)json_string(j, &in.path);
            else if (str_eq(key, STR("sha256")))
                (void)json_string(j, &in.sha256);
        }
        VEC_PUSH_IN(a, &v, in);
    }
    g->inputs = v.p;
    g->n_inputs = v.n;
}

static void read_redo(struct json *j, struct arena *a, struct generation *g)
{
    VEC(uint32_t) v = { 0 };

    if (!json_array_begin(j))
        return;
    while (json_array_next(j)) {
        uint32_t n;

        read_u32(j, &n);
        VEC_PUSH_IN(a, &v, n);
    }
    g->redo = v.p;
    g->n_redo = v.n;
}

static void read_python(struct json *j, struct env_python *py)
{
    struct str key;
    uint32_t n = 0;

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("executable")))
            (void)json_string(j, &py->executable);
        else if (str_eq(key, STR("implementation")))
            (void)json_string(j, &py->implementation);
        else if (str_eq(key, STR("version")))
            (void)json_string(j, &py->version);
        else if (str_eq(key, STR("abi_suffix")))
            (void)json_string(j, &py->abi_suffix);
        else if (str_eq(key, STR("major")))
            read_u32(j, &n), py->major = n;
        else if (str_eq(key, STR("minor")))
            read_u32(j, &n), py->minor = n;
    }
}

static void read_reason(struct json *j, struct generation_reason *r)
{
    struct str key;

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("actor")))
            (void)json_string(j, &r->actor);
        else if (str_eq(key, STR("command")))
            (void)json_string(j, &r->command);
        else if (str_eq(key, STR("why")))
            (void)json_string(j, &r->why);
    }
}

static void read_kind(struct json *j, enum generation_kind *out)
{
    struct str word = { 0 };

    if (!json_string(j, &word))
        return;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (str_eq(word, str_of(kinds[i]))) {
            *out = (enum generation_kind)i;
            return;
        }
    }
    (void)json_fail(j, "'" STR_FMT "' is no kind of generation", STR_ARG(word));
}

static void read_member(struct json *j, struct str key, struct arena *a, struct generation *g, uint32_t *schema)
{
    static const struct {
        const char *name;
        size_t at;
    } numbers[] = {
        { "seq", offsetof(struct generation, seq) },           { "parent", offsetof(struct generation, parent) },
        { "position", offsetof(struct generation, position) }, { "restores", offsetof(struct generation, restores) },
        { "tree", offsetof(struct generation, tree) },         { "content", offsetof(struct generation, content) },
    };

    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (str_eq(key, str_of(numbers[i].name))) {
            read_u32(j, (uint32_t *)(void *)((char *)g + numbers[i].at));
            return;
        }
    }
    if (str_eq(key, STR("schema")))
        read_u32(j, schema);
    else if (str_eq(key, STR("created")))
        (void)json_i64(j, &g->created);
    else if (str_eq(key, STR("only_here")))
        (void)json_bool(j, &g->only_here);
    else if (str_eq(key, STR("mode")))
        (void)json_string(j, &g->mode);
    else if (str_eq(key, STR("kind")))
        read_kind(j, &g->kind);
    else if (str_eq(key, STR("packages")))
        read_packages(j, a, g);
    else if (str_eq(key, STR("inputs")))
        read_inputs(j, a, g);
    else if (str_eq(key, STR("redo")))
        read_redo(j, a, g);
    else if (str_eq(key, STR("python")))
        read_python(j, &g->python);
    else if (str_eq(key, STR("reason")))
        read_reason(j, &g->reason);
}

bool generation_parse(struct str text, struct arena *a, struct generation *out, struct err *e)
{
    struct generation g = { 0 };
    uint32_t schema = 0;
    struct json j;
    struct str key;

    json_init(&j, text, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            read_member(&j, key, a, &g, &schema);
    if (!json_end(&j))
        return err_as(e, ERR_ENVIRONMENT, "read a generation's manifest");
    if (schema != GENERATION_SCHEMA)
        return err_set(e, ERR_ENVIRONMENT, "the manifest has schema %u, this Blast reads %u", schema,
                       GENERATION_SCHEMA);
    if (g.seq == 0 || g.tree == 0 || g.position == 0)
        return err_set(e, ERR_ENVIRONMENT, "the manifest has no sequence number");
    *out = g;
    return true;
}
