#include "cli/debug.h"

#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"
#include "pep/name.h"
#include "pep/sdist_name.h"
#include "pep/tag.h"
#include "pep/version.h"
#include "pep/wheel_name.h"
#include "python/facts.h"
#include "python/probe.h"

struct words {
    bool order;
    struct str python; /* n == 0: not given */
    struct str *file;
    size_t n;
};

struct ranked {
    struct str file, build;
    uint32_t rank;
    size_t place;
};

static bool read_words(const struct debug_call *c, struct words *out, struct err *e)
{
    struct words w = { .file = ARENA_ARRAY(c->a, struct str, c->n + 1) };

    for (size_t i = 0; i < c->n; i++) {
        if (str_eq(c->word[i], STR("--order"))) {
            w.order = true;
        } else if (str_eq(c->word[i], STR("--python"))) {
            if (i + 1 == c->n)
                return err_set(e, ERR_CONFIG, "--python needs a value");
            w.python = c->word[++i];
        } else {
            w.file[w.n++] = c->word[i];
        }
    }
    if (w.order ? w.python.n == 0 : w.n > 1 || (w.n == 0 && w.python.n == 0))
        return err_set(e, ERR_CONFIG, "wheel-tags takes a file, --python EXE, or --order FILE... --python EXE");
    *out = w;
    return true;
}

/* A batch asks for one interpreter again and again; it is asked once. The memory lives as long as the process. */
static bool tags_of(struct str python, struct arena *a, const struct tag_set **out, struct err *e)
{
    static struct arena kept;
    static struct str kept_python;
    static const struct tag_set *kept_tags;
    struct py_facts facts;

    if (!kept_tags || !str_eq(python, kept_python)) {
        if (!probe_python(arena_cstr(a, python), NULL, &kept, &facts, e))
            return false;
        kept_tags = facts_tags(&facts, &kept);
        kept_python = arena_str(&kept, python);
    }
    *out = kept_tags;
    return true;
}

static void write_tag(struct json_write *w, struct arena *a, struct tag t)
{
    json_write_str(w, arena_printf(a, STR_FMT "-" STR_FMT "-" STR_FMT, STR_ARG(t.python), STR_ARG(t.abi),
                                   STR_ARG(t.platform)));
}

static void write_all(struct json_write *w, const struct tag_set *tags, struct arena *a)
{
    json_write_key(w, STR("tags"));
    json_write_array_begin(w);
    for (size_t i = 0; i < tag_set_count(tags); i++)
        write_tag(w, a, tag_set_at(tags, i));
    json_write_array_end(w);
}

static void write_expanded(struct json_write *w, const struct wheel_name *name, struct arena *a)
{
    struct str python = name->python, abi, platform;
    struct tag t;

    json_write_key(w, STR("tags"));
    json_write_array_begin(w);
    while (str_next(&python, '.', &t.python))
        for (abi = name->abi; str_next(&abi, '.', &t.abi);)
            for (platform = name->platform; str_next(&platform, '.', &t.platform);)
                write_tag(w, a, t);
    json_write_array_end(w);
}

static void write_version(struct json_write *w, struct str text, struct arena *a)
{
    struct version v;

    json_write_member(w, "version", version_parse(text, a, &v) ? version_format(&v, a) : text);
}

static void write_wheel(struct json_write *w, const struct wheel_name *name, const struct tag_set *tags,
                        struct arena *a)
{
    struct wheel_build build = wheel_build_of(name->build);
    uint32_t rank;

    json_write_member(w, "name", name_normalize(a, name->project));
    write_version(w, name->version, a);
    json_write_key(w, STR("build"));
    json_write_array_begin(w);
    if (build.present) {
        json_write_u64(w, build.number);
        json_write_str(w, build.text);
    }
    json_write_array_end(w);
    write_expanded(w, name, a);
    if (tags)
        json_write_member_bool(w, "compatible",
                               tag_set_rank(tags, name->python, name->abi, name->platform, &rank, NULL));
}

static void write_file(struct json_write *w, struct str file, const struct tag_set *tags, struct arena *a)
{
    struct err why = { 0 }; /* an invalid name is an answer */
    struct wheel_name wheel;
    struct sdist_name sdist;

    if (wheel_name_parse(file, &wheel, &why)) {
        json_write_member_bool(w, "valid", true);
        write_wheel(w, &wheel, tags, a);
    } else if (sdist_name_parse(file, &sdist, &why)) {
        json_write_member_bool(w, "valid", true);
        json_write_member(w, "name", name_normalize(a, sdist.project));
        write_version(w, sdist.version, a);
    } else {
        json_write_member_bool(w, "valid", false);
    }
}

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;

    int build = wheel_build_cmp(y->build, x->build);

    return build ? build : (x->place > y->place) - (x->place < y->place);
}

static void write_order(struct json_write *w, const struct words *in, const struct tag_set *tags, struct arena *a)
{
    struct ranked *list = ARENA_ARRAY(a, struct ranked, in->n + 1);
    struct err why = { 0 }; /* what is no wheel name does not fit */
    struct wheel_name name;
    size_t n = 0;

    for (size_t i = 0; i < in->n; i++) {
        list[n] = (struct ranked){ .file = in->file[i], .place = i };
        if (!wheel_name_parse(in->file[i], &name, &why) ||
            !tag_set_rank(tags, name.python, name.abi, name.platform, &list[n].rank, NULL))
            continue;
        list[n++].build = name.build;
    }
    qsort(list, n, sizeof *list, by_rank);
    json_write_key(w, STR("order"));
    json_write_array_begin(w);
    for (size_t i = 0; i < n; i++)
        json_write_str(w, list[i].file);
    json_write_array_end(w);
}

bool debug_wheel_tags(struct debug_call *c, struct err *e)
{
    const struct tag_set *tags = NULL;
    struct json_write w;
    struct words in;

    if (!read_words(c, &in, e) || (in.python.n > 0 && !tags_of(in.python, c->a, &tags, e)))
        return false;
    json_write_init(&w, c->out, false);
    json_write_object_begin(&w);
    if (in.order)
        write_order(&w, &in, tags, c->a);
    else if (in.n == 1)
        write_file(&w, in.file[0], tags, c->a);
    else
        write_all(&w, tags, c->a);
    json_write_object_end(&w);
    return json_write_end(&w) || err_set(e, ERR_IO, "the answer is too long");
}
