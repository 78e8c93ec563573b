#include "jail/asked.h"

#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"

static const char *const words[] = {
#define X(id, word) [ASKED_##id] = word,
    ASKED_HOWS(X)
#undef X
};

const char *asked_word(enum asked_how how)
{
    return words[how];
}

/* ------------------------------------------------------------ the table */

void asked_init(struct asked *s)
{
    *s = (struct asked){ 0 };
    arena_init(&s->a);
}

void asked_clear(struct asked *s)
{
    map_clear(&s->index);
    arena_clear(&s->a);
    *s = (struct asked){ 0 };
}

/* One map for all: the way in front of the name. */
static struct str key_of(enum asked_how how, struct str what, char out[ASKED_WHAT_MAX + 1])
{
    out[0] = (char)('a' + how);
    memcpy(out + 1, what.p, what.n);
    return (struct str){ out, what.n + 1 };
}

const struct asked_item *asked_find(const struct asked *s, enum asked_how how, struct str what)
{
    char key[ASKED_WHAT_MAX + 1];
    uint32_t i = what.n && what.n <= ASKED_WHAT_MAX ? map_find(&s->index, key_of(how, what, key)) : MAP_NONE;

    return i == MAP_NONE ? NULL : &s->items.p[i];
}

bool asked_add(struct asked *s, const struct asked_item *item)
{
    struct asked_item *known = (struct asked_item *)(uintptr_t)asked_find(s, item->how, item->what);
    size_t bytes = item->what.n + item->by.n + item->why.n;
    uint32_t count = item->count ? item->count : 1;
    char key[ASKED_WHAT_MAX + 1];

    if (known) {
        known->count += MIN(count, UINT32_MAX - known->count);
        if (!known->by.n && item->by.n && s->bytes + item->by.n <= ASKED_BYTES) {
            known->by = arena_str(&s->a, item->by);
            s->bytes += item->by.n;
        }
        return false;
    }
    if (item->what.n == 0 || item->what.n > ASKED_WHAT_MAX || s->items.n == ASKED_MAX ||
        s->bytes + bytes > ASKED_BYTES) {
        s->left_out += count;
        return false;
    }
    struct str kept = arena_str(&s->a, key_of(item->how, item->what, key));
    struct asked_item copy = {
        .how = item->how,
        .what = str_sub(kept, 1, kept.n),
        .by = arena_str(&s->a, item->by),
        .why = arena_str(&s->a, item->why),
        .count = count,
    };

    map_put(&s->index, kept, (uint32_t)s->items.n);
    VEC_PUSH_IN(&s->a, &s->items, copy);
    s->bytes += bytes;
    return true;
}

/* ------------------------------------------------------------ JSON */

void asked_write(const struct asked_item *item, struct json_write *w)
{
    json_write_object_begin(w);
    json_write_member_cstr(w, "how", words[item->how]);
    json_write_member(w, "what", item->what);
    if (item->by.n)
        json_write_member(w, "by", item->by);
    if (item->why.n)
        json_write_member(w, "why", item->why);
    json_write_member_u64(w, "count", item->count);
    json_write_object_end(w);
}

static bool read_how(struct json *j, enum asked_how *out)
{
    struct str v;

    if (!json_string(j, &v))
        return false;
    for (unsigned i = 0; i < ASKED_HOW_COUNT; i++)
        if (str_eq(v, str_of(words[i]))) {
            *out = (enum asked_how)i;
            return true;
        }
    return json_fail(j, "'" STR_FMT "' is no way to ask for something", STR_ARG(v));
}

/* A name goes to system calls: no NUL in it. */
static bool read_text(struct json *j, struct str *out)
{
    struct str v;

    if (!json_string(j, &v))
        return false;
    if (v.n > ASKED_WHAT_MAX || (v.n && memchr(v.p, '\0', v.n)))
        return json_fail(j, "a text of %zu bytes, or with a NUL in it; at most %d are possible", v.n, ASKED_WHAT_MAX);
    *out = v;
    return true;
}

bool asked_parse(struct str json, struct arena *a, struct asked_item *out, struct err *e)
{
    struct asked_item item = { .how = ASKED_HOW_COUNT, .count = 1 };
    struct json j;
    struct str key;

    json_init(&j, json, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            uint64_t n;

            if (str_eq(key, STR("how")))
                (void)read_how(&j, &item.how);
            else if (str_eq(key, STR("what")))
                (void)read_text(&j, &item.what);
            else if (str_eq(key, STR("by")))
                (void)read_text(&j, &item.by);
            else if (str_eq(key, STR("why")))
                (void)read_text(&j, &item.why);
            else if (str_eq(key, STR("count"))) {
                if (json_u64(&j, &n))
                    item.count = (uint32_t)MIN(n, (uint64_t)UINT32_MAX);
            } else
                (void)json_fail(&j, "unknown member '" STR_FMT "' of what was asked for", STR_ARG(key));
        }
    }
    if (!json_end(&j))
        return err_wrap(e, "read what was asked for in a sandbox");
    if (item.how == ASKED_HOW_COUNT || item.what.n == 0)
        return err_set(e, ERR_PACKAGE, "something asked for without a way or a name");
    *out = item;
    return true;
}

bool asked_parse_gate(struct str json, struct arena *a, struct asked_item *out, struct err *e)
{
    struct str key, verdict = STR(""), protocol = STR(""), to = STR(""), name = STR(""), why = STR("");
    bool inbound = false;
    struct json j;

    json_init(&j, json, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("verdict")))
                (void)read_text(&j, &verdict);
            else if (str_eq(key, STR("protocol")))
                (void)read_text(&j, &protocol);
            else if (str_eq(key, STR("to")))
                (void)read_text(&j, &to);
            else if (str_eq(key, STR("name")))
                (void)read_text(&j, &name);
            else if (str_eq(key, STR("why")))
                (void)read_text(&j, &why);
            else if (str_eq(key, STR("inbound")))
                (void)json_bool(&j, &inbound);
        }
    }
    if (!json_end(&j))
        return err_wrap(e, "read what blast-gate says");
    if (!str_eq(verdict, STR("denied")) || inbound)
        return false;
    bool dns = str_eq(protocol, STR("dns")) && name.n, tcp = str_eq(protocol, STR("tcp")) && !name.n;

    *out = (struct asked_item){
        .how = dns ? ASKED_NAME : tcp ? ASKED_DENIED : ASKED_BROKEN,
        .what = name.n ? name : to,
        .why = why,
        .count = 1,
    };
    return out->what.n != 0;
}
