/* `blast debug requirement R` */
#include "base/arena.h"
#include "base/err.h"
#include "cli/debug.h"
#include "codec/json_write.h"
#include "pep/marker.h"
#include "pep/req.h"

static void write_specifier(const struct spec *s, struct json_write *w)
{
    json_write_key(w, STR("specifier"));
    json_write_array_begin(w);
    for (uint32_t i = 0; i < s->n; i++) {
        json_write_array_begin(w);
        json_write_cstr(w, spec_op_text(s->clause[i].op));
        json_write_str(w, s->clause[i].text);
        json_write_array_end(w);
    }
    json_write_array_end(w);
}

static void write_or_null(struct json_write *w, const char *name, bool present, struct str text)
{
    json_write_key(w, str_of(name));
    if (present)
        json_write_str(w, text);
    else
        json_write_null(w);
}

bool debug_requirement(struct debug_call *c, struct err *e)
{
    struct req r;
    struct err wrong = { 0 };
    struct json_write w;

    if (c->n != 1)
        return err_set(e, ERR_CONFIG, "debug requirement wants one requirement, not %zu", c->n);

    bool valid = req_parse(c->a, c->word[0], &r, &wrong);

    json_write_init(&w, c->out, false);
    json_write_object_begin(&w);
    json_write_member_bool(&w, "valid", valid);
    if (valid) {
        json_write_member(&w, "name", r.name);
        json_write_key(&w, STR("extras"));
        json_write_array_begin(&w);
        for (size_t i = 0; i < r.n_extra_text; i++)
            json_write_str(&w, r.extra_text[i]);
        json_write_array_end(&w);
        write_or_null(&w, "url", r.url.n > 0, r.url);
        write_specifier(&r.spec, &w);
        write_or_null(&w, "marker", r.marker != NULL, marker_text(c->a, r.marker));
    }
    json_write_object_end(&w);
    return json_write_end(&w) || err_set(e, ERR_IO, "the answer is longer than the buffer");
}
