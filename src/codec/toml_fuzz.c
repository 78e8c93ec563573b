/* Any bytes: parsed or refused with a place; what was parsed can be edited, and the edit taken back. */
#include <stdint.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/toml.h"
#include "codec/toml_edit.h"
#include "codec/toml_tagged.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok, const char *what, const struct err *e)
{
    if (!ok)
        BUG("%s: %s", what, e->text);
}

/* The first array of strings below a chain of tables, as a path. */
static bool find_array(struct arena *a, const struct toml_node *n, struct str path, struct str *out)
{
    for (const struct toml_node *c = n->first; c; c = c->next) {
        struct str key = toml_quote_key(a, c->key);
        struct str sub = path.n ? arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(key)) : key;

        if (c->type == TOML_ARRAY && c->made == TOML_VALUE && c->depth < 12) {
            *out = sub;
            return true;
        }
        if (c->type == TOML_TABLE && find_array(a, c, sub, out))
            return true;
    }
    return false;
}

static void edit(struct arena *a, const struct toml_doc *d)
{
    struct toml_edit ed = { a, d->text, NULL };
    struct str path;
    struct err e = { 0 };

    if (!toml_get(d, d->root, STR("zz")) && toml_set(&ed, STR("zz.new"), STR("1"), &e)) {
        expect(toml_remove(&ed, STR("zz"), NULL, &e), "remove the table that was added", &e);
        if (d->text.n && d->text.p[d->text.n - 1] == '\n')
            expect(str_eq(ed.text, d->text), "the text as it was", &e);
    }
    ed.text = d->text;
    if (find_array(a, d->root, STR(""), &path)) {
        if (toml_array_add(&ed, path, STR("a\\\"b"), &e) && !toml_array_remove(&ed, path, 0, &e))
            expect(e.kind == ERR_CONFIG, "an error with a kind", &e);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF out = { 0 };
    struct toml_doc *d;
    struct err e = { 0 };

    if (size > 1 << 16)
        return 0;
    buf_init(&out, 1 << 22);
    if (!toml_parse((struct str){ (const char *)data, size }, NULL, &a, &d, &e)) {
        expect(e.kind == ERR_CONFIG && e.n > 0, "an error with a kind", &e);
        return 0;
    }
    expect(toml_tagged(d, &out) || out.full, "the whole document or a full buffer", &e);
    edit(&a, d);
    return 0;
}
