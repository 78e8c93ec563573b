#include "cli/debug.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"
#include "pep/spec.h"

struct words {
    bool filter;
    enum spec_pre pre;
    struct str spec;
    const struct str *version; /* what follows the specifier, options taken out */
    size_t n;
};

static bool read_pre(struct str word, enum spec_pre *out, struct err *e)
{
    static const char *const names[] = { "default", "allow", "deny" };

    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq(word, str_of(names[i]))) {
            *out = (enum spec_pre)i;
            return true;
        }
    return err_set(e, ERR_CONFIG, "--pre takes default, allow or deny, not '" STR_FMT "'", STR_ARG(word));
}

static bool read_words(const struct debug_call *c, struct words *out, struct err *e)
{
    struct str *rest = ARENA_ARRAY(c->a, struct str, c->n + 1);
    struct words w = { .version = rest + 1 };
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (str_eq(c->word[i], STR("--filter"))) {
            w.filter = true;
        } else if (str_eq(c->word[i], STR("--pre"))) {
            if (i + 1 == c->n)
                return err_set(e, ERR_CONFIG, "--pre needs a value");
            if (!read_pre(c->word[++i], &w.pre, e))
                return false;
        } else {
            rest[n++] = c->word[i];
        }
    }
    if (n == 0 || (!w.filter && n > 2))
        return err_set(e, ERR_CONFIG, "specifier takes a specifier and at most one version");
    w.spec = rest[0];
    w.n = n - 1;
    *out = w;
    return true;
}

/* A text that is no version passes where only its text is compared, is no final release, and is no pre-release to be
 * left out either. */
static void write_filtered(struct json_write *w, const struct spec *s, const struct words *in, struct arena *a)
{
    struct version *v = ARENA_ARRAY(a, struct version, in->n + 1);
    uint32_t *match = ARENA_ARRAY(a, uint32_t, in->n + 1);
    uint32_t *word = ARENA_ARRAY(a, uint32_t, in->n + 1); /* of each version */
    size_t n = 0, matches, at = 0;

    for (size_t i = 0; i < in->n; i++)
        if (version_parse(in->version[i], a, &v[n]))
            word[n++] = (uint32_t)i;
    matches = spec_filter(s, v, n, in->pre, match);
    json_write_key(w, STR("filtered"));
    json_write_array_begin(w);
    for (size_t i = 0, k = 0; i < in->n; i++) {
        bool is_version = k < n && word[k] == i;

        if (is_version && at < matches && match[at] == k) {
            json_write_str(w, in->version[i]);
            at++;
        } else if (!is_version && spec_contains_text(s, in->version[i])) {
            json_write_str(w, in->version[i]);
        }
        k += is_version;
    }
    json_write_array_end(w);
}

static void write_clauses(struct json_write *w, const struct spec *s)
{
    json_write_key(w, STR("clauses"));
    json_write_array_begin(w);
    for (uint32_t i = 0; i < s->n; i++) {
        json_write_array_begin(w);
        json_write_cstr(w, spec_op_text(s->clause[i].op));
        json_write_str(w, s->clause[i].text);
        json_write_array_end(w);
    }
    json_write_array_end(w);
}

bool debug_specifier(struct debug_call *c, struct err *e)
{
    struct err why = { 0 }; /* an invalid specifier is an answer */
    struct json_write w;
    struct words in;
    struct spec s;
    struct version v;
    bool valid;

    if (!read_words(c, &in, e))
        return false;
    valid = spec_parse(in.spec, c->a, &s, &why);
    json_write_init(&w, c->out, false);
    json_write_object_begin(&w);
    json_write_member_bool(&w, "valid", valid);
    if (valid) {
        write_clauses(&w, &s);
        if (in.filter) {
            write_filtered(&w, &s, &in, c->a);
        } else if (in.n == 1) {
            json_write_key(&w, STR("contains"));
            if (version_parse(in.version[0], c->a, &v))
                json_write_bool(&w, spec_contains(&s, &v, in.pre));
            else
                json_write_null(&w);
        }
    }
    json_write_object_end(&w);
    return json_write_end(&w) || err_set(e, ERR_IO, "the answer is too long");
}
