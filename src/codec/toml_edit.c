/* Where an edit goes.
 *
 * A new key stands behind the last statement of its table. When the table has no header of its own it follows how the
 * table was written: `a.b = 1` gets a neighbour `a.c = 2`, `a = {b = 1}` becomes `a = {b = 1, c = 2}`. A new header
 * goes behind the last table below the nearest ancestor that exists, else to the end:
 *
 *     [tool.black]            [tool.black]
 *     x = 1             ->    x = 1
 *                                            <- toml_set("tool.blast.cooldown", "3")
 *     [other]                 [tool.blast]
 *                             cooldown = 3
 *
 *                             [other]
 */
#include "codec/toml_edit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "codec/toml.h"
#include "codec/toml_splice.h"

bool toml_edit_open(const struct toml_edit *ed, struct str path, struct toml_doc **d, struct toml_path *out,
                    struct err *e)
{
    return toml_path_parse(path, ed->a, out->part, TOML_PATH_MAX, &out->n, e) &&
           toml_parse(ed->text, ed->name, ed->a, d, e);
}

const struct toml_node *toml_walk(const struct toml_doc *d, const struct toml_path *path, size_t parts, size_t *done)
{
    const struct toml_node *n = d->root, *next;

    for (*done = 0; *done < parts && (next = toml_get(d, n, path->part[*done])); ++*done)
        n = next;
    return n;
}

struct str toml_splice(struct arena *a, struct str text, uint32_t from, uint32_t to, struct str with)
{
    size_t n = from + with.n + (text.n - to);
    char *p = arena_alloc(a, n + 1), *at = p;

    if (from)
        memcpy(at, text.p, from);
    at += from;
    if (with.n)
        memcpy(at, with.p, with.n);
    at += with.n;
    if (text.n > to)
        memcpy(at, text.p + to, text.n - to);
    p[n] = '\0';
    return (struct str){ p, n };
}

struct str toml_eol(struct str text)
{
    size_t lf = str_find(text, '\n');

    return lf < text.n && lf > 0 && text.p[lf - 1] == '\r' ? STR("\r\n") : STR("\n");
}

uint32_t toml_line_start(struct str text, uint32_t at)
{
    while (at > 0 && text.p[at - 1] != '\n')
        at--;
    if (at == 0 && str_starts(text, STR("\xef\xbb\xbf")))
        at = 3;
    return at;
}

uint32_t toml_line_end(struct str text, uint32_t at)
{
    while (at < text.n && text.p[at] != '\n')
        at++;
    return at < text.n ? at + 1 : at;
}

struct str toml_indent(struct str text, uint32_t at)
{
    uint32_t from = toml_line_start(text, at), to = from;

    while (to < at && (text.p[to] == ' ' || text.p[to] == '\t'))
        to++;
    return str_sub(text, from, to);
}

bool toml_begins_line(struct str text, uint32_t at)
{
    return toml_line_start(text, at) + toml_indent(text, at).n == at;
}

struct str toml_quote(struct arena *a, struct str s)
{
    static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
    VEC(char) out = { 0 };
    uint32_t c;

    VEC_PUSH_IN(a, &out, '"');
    while (utf8_next(&s, &c)) {
        const char *found = c && c < 0x80 ? strchr(bytes, (int)c) : NULL;
        char text[12];
        size_t n;

        if (found)
            n = (size_t)snprintf(text, sizeof text, "\\%c", letters[found - bytes]);
        else if (c < 0x20 || c == 0x7f)
            n = (size_t)snprintf(text, sizeof text, "\\u%04X", c);
        else
            n = utf8_encode(c, text);
        for (size_t i = 0; i < n; i++)
            VEC_PUSH_IN(a, &out, text[i]);
    }
    VEC_PUSH_IN(a, &out, '"');
    return arena_str(a, (struct str){ out.p, out.n });
}

struct str toml_quote_like(struct arena *a, struct str s, char quote)
{
    bool plain = utf8_is_valid(s, &(size_t){ 0 });
    bool single = false, hard = false;

    for (size_t i = 0; i < s.n; i++) {
        single |= s.p[i] == '\'';
        hard |= (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f;
    }
    if (quote == '"' && (str_find(s, '"') < s.n || str_find(s, '\\') < s.n))
        quote = '\''; /* easier to read than escapes */
    return quote == '\'' && plain && !single && !hard ? arena_printf(a, "'" STR_FMT "'", STR_ARG(s)) : toml_quote(a, s);
}

struct str toml_quote_key(struct arena *a, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return toml_quote_like(a, s, '"');
    return s.n ? arena_str(a, s) : STR("\"\"");
}

/* The parts from..to as a dotted key. */
static struct str join_path(struct arena *a, const struct toml_path *path, size_t from, size_t to)
{
    struct str out = toml_quote_key(a, path->part[from]);

    for (size_t i = from + 1; i < to; i++) {
        struct str key = toml_quote_key(a, path->part[i]);

        out = arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(out), STR_ARG(key));
    }
    return out;
}

/* The last byte that any value or header below n uses, bodies included when asked. */
static uint32_t subtree_end(const struct toml_node *n, bool bodies)
{
    uint32_t end = MAX(n->to, bodies ? n->body_to : 0);

    if (n->made == TOML_VALUE)
        return end;
    for (const struct toml_node *c = n->first; c; c = c->next)
        end = MAX(end, subtree_end(c, bodies));
    return end;
}

static bool is_statement(const struct toml_node *n)
{
    return n->made == TOML_VALUE || n->made == TOML_DOTTED;
}

/* A line of its own at `at`, which is the start of a line or the end of the text. */
static struct str insert_line(const struct toml_edit *ed, uint32_t at, struct str line)
{
    struct str eol = toml_eol(ed->text);
    bool open = at > 0 && ed->text.p[at - 1] != '\n' && !(at == 3 && (unsigned char)ed->text.p[2] == 0xbf);

    return toml_splice(ed->a, ed->text, at, at,
                       arena_printf(ed->a, STR_FMT STR_FMT STR_FMT, STR_ARG(open ? eol : STR("")), STR_ARG(line),
                                    STR_ARG(eol)));
}

static struct str into_body(const struct toml_edit *ed, const struct toml_node *table, struct str pair)
{
    struct str indent = STR(""), eol = toml_eol(ed->text);

    for (const struct toml_node *c = table->first; c; c = c->next)
        if (is_statement(c))
            indent = toml_indent(ed->text, c->line_from);
    if (!table->parent && table->body_to <= 3 && table->body_to < ed->text.n) /* the first key of all */
        return insert_line(ed, table->body_to, arena_printf(ed->a, STR_FMT STR_FMT, STR_ARG(pair), STR_ARG(eol)));
    return insert_line(ed, table->body_to, arena_printf(ed->a, STR_FMT STR_FMT, STR_ARG(indent), STR_ARG(pair)));
}

static struct str into_inline(const struct toml_edit *ed, const struct toml_node *table, struct str pair)
{
    uint32_t end = table->n ? subtree_end(table->last, false) : table->from + 1;

    if (table->n)
        return toml_splice(ed->a, ed->text, end, end, arena_printf(ed->a, ", " STR_FMT, STR_ARG(pair)));
    return toml_splice(ed->a, ed->text, end, table->to - 1, arena_printf(ed->a, " " STR_FMT " ", STR_ARG(pair)));
}

/* Beside the other statements `a.b.x = ...` of the dotted table a.b. */
static struct str beside_dotted(const struct toml_edit *ed, const struct toml_node *table, struct str pair)
{
    uint32_t at = subtree_end(table, false);
    struct str prefix = str_sub(ed->text, table->line_from, table->key_to);
    const struct toml_node *up = table->parent;

    while (up->made == TOML_DOTTED)
        up = up->parent;
    if (up->made == TOML_VALUE) /* the statement is part of an inline table */
        return toml_splice(ed->a, ed->text, at, at,
                           arena_printf(ed->a, ", " STR_FMT "." STR_FMT, STR_ARG(prefix), STR_ARG(pair)));
    struct str indent = toml_indent(ed->text, table->line_from);

    return insert_line(ed, toml_line_end(ed->text, at),
                       arena_printf(ed->a, STR_FMT STR_FMT "." STR_FMT, STR_ARG(indent), STR_ARG(prefix),
                                    STR_ARG(pair)));
}

static struct str new_table(const struct toml_edit *ed, const struct toml_node *near, struct str header,
                            struct str pair)
{
    struct str eol = toml_eol(ed->text);
    uint32_t end = near->parent ? subtree_end(near, true) : 0;
    uint32_t at = end ? toml_line_end(ed->text, end - 1) : (uint32_t)ed->text.n;
    bool open = at > 0 && ed->text.p[at - 1] != '\n';
    struct str lines = arena_printf(ed->a, STR_FMT STR_FMT "[" STR_FMT "]" STR_FMT STR_FMT STR_FMT,
                                    STR_ARG(open ? eol : STR("")), STR_ARG(at ? eol : STR("")), STR_ARG(header),
                                    STR_ARG(eol), STR_ARG(pair), STR_ARG(eol));

    return toml_splice(ed->a, ed->text, at, at, lines);
}

bool toml_insert(const struct toml_edit *ed, const struct toml_doc *d, const struct toml_path *path, struct str value,
                 struct str *out, struct err *e)
{
    size_t done;
    const struct toml_node *table = toml_walk(d, path, path->n - 1, &done);
    bool whole = done == path->n - 1; /* the table itself is there */

    if (table->type != TOML_TABLE)
        return toml_error(d, table, e, "'" STR_FMT "' is %s, no table to add a key to", STR_ARG(table->key),
                          toml_type_name(table->type));
    struct str pair = arena_printf(ed->a, STR_FMT " = " STR_FMT, STR_ARG(join_path(ed->a, path, done, path->n)),
                                   STR_ARG(value));
    struct str last = arena_printf(ed->a, STR_FMT " = " STR_FMT,
                                   STR_ARG(join_path(ed->a, path, path->n - 1, path->n)), STR_ARG(value));

    if (table->made == TOML_VALUE)
        *out = into_inline(ed, table, pair);
    else if (table->made == TOML_DOTTED)
        *out = beside_dotted(ed, table, pair);
    else if (whole && table->made == TOML_HEADER)
        *out = into_body(ed, table, last);
    else
        *out = new_table(ed, table, join_path(ed->a, path, 0, path->n - 1), last);
    return true;
}

/* The value at the path in the new text reads as the value alone does. */
static bool verify_set(const struct toml_edit *ed, struct str text, const struct toml_path *path, struct str value,
                       struct err *e)
{
    struct toml_doc *now, *alone;
    size_t done;

    if (!toml_parse(arena_printf(ed->a, "x = " STR_FMT "\n", STR_ARG(value)), NULL, ed->a, &alone, e))
        return err_wrap(e, "read the value '" STR_FMT "'", STR_ARG(value));
    if (!toml_parse(text, ed->name, ed->a, &now, e))
        return err_wrap(e, "set '" STR_FMT "'", STR_ARG(path->part[path->n - 1]));
    const struct toml_node *n = toml_walk(now, path, path->n, &done), *want = alone->root->first;

    if (alone->root->n != 1 || done != path->n || n->type != want->type || n->n != want->n ||
        !str_eq(str_sub(text, n->from, n->to), str_sub(alone->text, want->from, want->to)))
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' is not one value that can be set", STR_ARG(value));
    return true;
}

bool toml_set(struct toml_edit *ed, struct str path, struct str value, struct err *e)
{
    struct toml_doc *d;
    struct toml_path p;
    struct str out;
    size_t done;

    if (!toml_edit_open(ed, path, &d, &p, e))
        return false;
    const struct toml_node *n = toml_walk(d, &p, p.n, &done);

    if (done < p.n) {
        if (!toml_insert(ed, d, &p, value, &out, e))
            return false;
    } else if (n->made == TOML_VALUE) {
        out = toml_splice(ed->a, ed->text, n->from, n->to, value);
    } else {
        return toml_error(d, n, e, "'" STR_FMT "' is a table, which cannot become a value", STR_ARG(path));
    }
    if (!verify_set(ed, out, &p, value, e))
        return false;
    ed->text = out;
    return true;
}

struct span {
    uint32_t from, to;
};
struct spans {
    VEC(struct span) list;
};

/* A table with a header goes with one blank line before it, which toml_set() put there. */
static struct span section_span(const struct toml_edit *ed, const struct toml_node *n)
{
    uint32_t from = toml_line_start(ed->text, n->line_from), above;

    if (from > 0 && ed->text.p[from - 1] == '\n') {
        above = toml_line_start(ed->text, from - 1);
        if (str_trim(str_sub(ed->text, above, from)).n == 0)
            from = above;
    }
    return (struct span){ from, n->body_to };
}

/* Of a pair in an inline table: with the comma behind it, or for the last one the comma before it. */
static struct span inline_span(const struct toml_edit *ed, const struct toml_node *table, const struct toml_node *n)
{
    uint32_t from = n->line_from, to = n->to, i = to;

    while (i < table->to && (ed->text.p[i] == ' ' || ed->text.p[i] == '\t'))
        i++;
    if (ed->text.p[i] == ',') {
        for (i++; ed->text.p[i] == ' ' || ed->text.p[i] == '\t';)
            i++;
        return (struct span){ from, i };
    }
    while (from > table->from + 1 && (ed->text.p[from - 1] == ' ' || ed->text.p[from - 1] == '\t'))
        from--;
    if (ed->text.p[from - 1] == ',')
        return (struct span){ from - 1, to };
    return (struct span){ n->line_from, to };
}

static bool collect(const struct toml_edit *ed, const struct toml_node *n, struct spans *out)
{
    const struct toml_node *up = n->parent;

    if (n->made == TOML_VALUE) {
        while (up->made == TOML_DOTTED)
            up = up->parent;
        if (up->type == TOML_ARRAY)
            return false;
        struct span s = { toml_line_start(ed->text, n->line_from), toml_line_end(ed->text, n->to) };

        if (up->made == TOML_VALUE)
            s = inline_span(ed, up, n);
        VEC_PUSH_IN(ed->a, &out->list, s);
        return true;
    }
    if (n->made == TOML_HEADER)
        VEC_PUSH_IN(ed->a, &out->list, section_span(ed, n));
    for (const struct toml_node *c = n->first; c; c = c->next)
        if ((n->made != TOML_HEADER || !is_statement(c)) && !collect(ed, c, out))
            return false;
    return true;
}

static int later_first(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return x->from < y->from ? 1 : x->from > y->from ? -1 : 0;
}

bool toml_remove(struct toml_edit *ed, struct str path, bool *removed, struct err *e)
{
    struct spans spans = { 0 };
    struct toml_doc *d;
    struct toml_path p;
    size_t done;

    if (!toml_edit_open(ed, path, &d, &p, e))
        return false;
    const struct toml_node *n = toml_walk(d, &p, p.n, &done);

    if (removed)
        *removed = done == p.n;
    if (done < p.n)
        return true;
    if (!collect(ed, n, &spans))
        return toml_error(d, n, e, "'" STR_FMT "' cannot be removed", STR_ARG(path));
    struct str out = ed->text;

    qsort(spans.list.p, spans.list.n, sizeof *spans.list.p, later_first);
    for (size_t i = 0; i < spans.list.n; i++)
        out = toml_splice(ed->a, out, spans.list.p[i].from, spans.list.p[i].to, STR(""));
    if (!toml_parse(out, ed->name, ed->a, &d, e))
        return err_wrap(e, "remove '" STR_FMT "'", STR_ARG(path));
    n = toml_walk(d, &p, p.n, &done);
    if (done == p.n && n->made != TOML_IMPLICIT)
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' cannot be removed", STR_ARG(path));
    ed->text = out;
    return true;
}
