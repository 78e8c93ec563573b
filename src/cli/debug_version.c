#include "cli/debug.h"

#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"
#include "pep/version.h"

static void write_pre(struct json_write *w, const struct version_parts *p)
{
    static const char *const word[] = { "", "a", "b", "rc" };

    json_write_key(w, STR("pre"));
    if (p->pre == VERSION_NOT_PRE) {
        json_write_null(w);
        return;
    }
    json_write_array_begin(w);
    json_write_cstr(w, word[p->pre]);
    json_write_u64(w, p->pre_number);
    json_write_array_end(w);
}

static void write_number(struct json_write *w, struct str name, bool there, uint64_t number)
{
    json_write_key(w, name);
    if (there)
        json_write_u64(w, number);
    else
        json_write_null(w);
}

static void write_version(struct json_write *w, const struct version *v, struct arena *a)
{
    uint64_t room[VERSION_INLINE];
    struct version_parts p;

    version_split(v, room, &p);
    json_write_member(w, "normalized", version_format(v, a));
    json_write_member_u64(w, "epoch", p.epoch);
    json_write_key(w, STR("release"));
    json_write_array_begin(w);
    for (uint32_t i = 0; i < p.n_release; i++)
        json_write_u64(w, p.release[i]);
    json_write_array_end(w);
    write_pre(w, &p);
    write_number(w, STR("post"), p.has_post, p.post_number);
    write_number(w, STR("dev"), p.has_dev, p.dev_number);
    if (p.local.n > 0)
        json_write_member(w, "local", p.local);
    else
        json_write_member_cstr(w, "local", NULL);
}

bool debug_version_compare(struct debug_call *c, struct err *e)
{
    struct json_write w;
    struct version v[2];
    bool valid;

    if (c->n != 1 && c->n != 2)
        return err_set(e, ERR_CONFIG, "version-compare takes one or two versions, not %zu", c->n);
    valid = version_parse(c->word[0], c->a, &v[0]) && (c->n == 1 || version_parse(c->word[1], c->a, &v[1]));
    json_write_init(&w, c->out, false);
    json_write_object_begin(&w);
    json_write_member_bool(&w, "valid", valid);
    if (valid && c->n == 2) {
        json_write_key(&w, STR("cmp"));
        json_write_i64(&w, version_cmp(&v[0], &v[1]));
    } else if (valid) {
        write_version(&w, &v[0], c->a);
    }
    json_write_object_end(&w);
    return json_write_end(&w) || err_set(e, ERR_IO, "the answer is too long");
}
