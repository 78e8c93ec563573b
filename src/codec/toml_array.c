/* Edits in an array of strings or numbers.
 *
 * The gaps between elements hold the commas, line ends and comments. An element that begins its line, in an array of
 * several lines, is added and removed as a line; any other as ", value" or "value, " inside its line. A comment behind
 * an element on its line belongs to it, a comment on a line of its own to the element below it.
 */
#include <inttypes.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/toml.h"
#include "codec/toml_edit.h"
#include "codec/toml_splice.h"

#define NO_COMMA UINT32_MAX

struct element {
    uint32_t from, to;
    uint32_t comma; /* of the one behind it, or NO_COMMA */
    struct str text;
    bool string;
};

struct array {
    struct toml_edit *ed;
    struct str text; /* the document */
    struct str path;
    uint32_t from, to; /* with its brackets */
    struct element *el;
    size_t n;
    bool lines; /* line ends stand between its brackets */
};

/* The next byte that is no blank, line end or comment. */
static uint32_t skip_gap(struct str text, uint32_t at)
{
    for (; at < text.n; at++) {
        if (text.p[at] == '#')
            while (at < text.n && text.p[at] != '\n')
                at++;
        else if (!char_is_space(text.p[at]))
            break;
    }
    return at;
}

static bool has_newline(struct str text, uint32_t from, uint32_t to)
{
    return to > from && memchr(text.p + from, '\n', to - from) != NULL;
}

static bool open_array(struct toml_edit *ed, struct str path, struct array *out, bool *found, struct err *e)
{
    struct toml_doc *d;
    struct toml_path p;
    size_t done, i = 0;

    if (!toml_edit_open(ed, path, &d, &p, e))
        return false;
    const struct toml_node *n = toml_walk(d, &p, p.n, &done);

    *found = done == p.n;
    if (!*found)
        return true;
    if (n->type != TOML_ARRAY || n->made != TOML_VALUE)
        return toml_error(d, n, e, "'" STR_FMT "' is %s, not an array of strings", STR_ARG(path),
                          n->made == TOML_TABLES ? "an array of tables" : toml_type_name(n->type));
    *out = (struct array){ ed, ed->text, path, n->from, n->to, ARENA_ARRAY(ed->a, struct element, n->n), n->n, false };
    uint32_t gap = n->from;

    for (const struct toml_node *c = n->first; c; c = c->next, i++) {
        uint32_t comma = skip_gap(ed->text, c->to);

        out->lines |= has_newline(ed->text, gap, c->from);
        gap = c->to;
        out->el[i] = (struct element){ c->from, c->to, ed->text.p[comma] == ',' ? comma : NO_COMMA, c->text,
                                       c->type == TOML_STRING };
    }
    out->lines |= has_newline(ed->text, gap, n->to);
    return true;
}

static bool must_open(struct toml_edit *ed, struct str path, size_t index, struct array *out, struct err *e)
{
    bool found;

    if (!open_array(ed, path, out, &found, e))
        return false;
    if (!found || index >= out->n)
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' has no element %zu", STR_ARG(path), index);
    return true;
}

struct value {
    struct str text; /* of a string what it means, else as it is written */
    bool string;
};

/* Reads the array back: the old elements, but `skip` of them at `index` replaced by the value when there is one. */
static bool accept(struct array *a, struct str text, size_t index, size_t skip, const struct value *value,
                   struct err *e)
{
    struct toml_edit next = *a->ed;
    struct array now;
    bool found, same;

    next.text = text;
    if (!open_array(&next, a->path, &now, &found, e))
        return err_wrap(e, "edit '" STR_FMT "'", STR_ARG(a->path));
    same = found && now.n == a->n - skip + (value ? 1 : 0);
    for (size_t i = 0; same && i < now.n; i++) {
        size_t old = i < index ? i : i + skip - (value ? 1 : 0);

        if (value && i == index)
            same = now.el[i].string == value->string &&
                   str_eq(value->string ? now.el[i].text : str_sub(text, now.el[i].from, now.el[i].to), value->text);
        else
            same = str_eq(str_sub(text, now.el[i].from, now.el[i].to),
                          str_sub(a->text, a->el[old].from, a->el[old].to));
    }
    if (!same)
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' is written in a way that cannot be edited", STR_ARG(a->path));
    a->ed->text = text;
    return true;
}

/* The name at the head of a requirement decides before the rest does: "a" before "a-b" although ">" follows "-". */
static int compare(struct str a, struct str b)
{
    struct str s[2] = { a, b };
    size_t n[2];

    for (int k = 0; k < 2; k++)
        for (n[k] = 0; n[k] < s[k].n; n[k]++)
            if (!char_is_alpha(s[k].p[n[k]]) && !char_is_digit(s[k].p[n[k]]) &&
                (s[k].p[n[k]] == 0 || !strchr("-_.", s[k].p[n[k]])))
                break;
    for (size_t i = 0; i < n[0] && i < n[1]; i++)
        if (char_lower(a.p[i]) != char_lower(b.p[i]))
            return (unsigned char)char_lower(a.p[i]) < (unsigned char)char_lower(b.p[i]) ? -1 : 1;
    return n[0] != n[1] ? (n[0] < n[1] ? -1 : 1) : str_cmp(str_sub(a, n[0], a.n), str_sub(b, n[1], b.n));
}

static size_t place_for(const struct array *a, struct str value)
{
    size_t at = 0;

    for (size_t i = 0; i < a->n; i++)
        if (!a->el[i].string || (i > 0 && compare(a->el[i - 1].text, a->el[i].text) > 0))
            return a->n;
    while (at < a->n && compare(a->el[at].text, value) <= 0)
        at++;
    return at;
}

/* What stands between two elements of one line. */
static struct str separator(const struct array *a)
{
    if (a->n >= 2) {
        struct str gap = str_sub(a->text, a->el[0].to, a->el[1].from);

        if (gap.n <= 4 && !memchr(gap.p, '\n', gap.n) && !memchr(gap.p, '#', gap.n))
            return gap;
    }
    return STR(", ");
}

static struct str put(const struct array *a, uint32_t at, struct str x, struct str y, struct str z)
{
    return toml_splice(a->ed->a, a->text, at, at,
                       arena_printf(a->ed->a, STR_FMT STR_FMT STR_FMT, STR_ARG(x), STR_ARG(y), STR_ARG(z)));
}

static struct str add_to_empty(const struct array *a, struct str value)
{
    struct str eol = toml_eol(a->text);
    uint32_t close = a->to - 1, comment = a->from + 1;

    if (!a->lines)
        return toml_splice(a->ed->a, a->text, a->from + 1, close, value);
    while (comment < close && a->text.p[comment] != '#')
        comment++;
    struct str own = toml_indent(a->text, close);
    struct str indent = comment < close && toml_begins_line(a->text, comment) ?
                            toml_indent(a->text, comment) :
                            arena_printf(a->ed->a, STR_FMT "    ", STR_ARG(toml_indent(a->text, a->from)));
    struct str line = arena_printf(a->ed->a, STR_FMT STR_FMT ",", STR_ARG(indent), STR_ARG(value));

    if (toml_begins_line(a->text, close))
        return put(a, close - (uint32_t)own.n, line, eol, STR(""));
    return put(a, close, eol, line, eol);
}

static struct str add_before(const struct array *a, size_t k, struct str value)
{
    struct str eol = toml_eol(a->text), indent = toml_indent(a->text, a->el[k].from);
    uint32_t at = toml_line_start(a->text, a->el[k].from);

    if (!a->lines || !toml_begins_line(a->text, a->el[k].from))
        return put(a, a->el[k].from, value, separator(a), STR(""));
    if (k > 0) /* above the comments of element k */
        at = toml_line_end(a->text, a->el[k - 1].comma);
    return put(a, at, indent, value, arena_printf(a->ed->a, "," STR_FMT, STR_ARG(eol)));
}

static struct str add_last(const struct array *a, struct str value)
{
    const struct element *last = &a->el[a->n - 1];
    struct str eol = toml_eol(a->text), indent = toml_indent(a->text, last->from);
    uint32_t end = last->comma != NO_COMMA ? last->comma + 1 : last->to;
    uint32_t line_end = toml_line_end(a->text, end);

    for (size_t i = a->n; i-- > 0;) /* a line of its own that can be imitated */
        if (toml_begins_line(a->text, a->el[i].from)) {
            indent = toml_indent(a->text, a->el[i].from);
            break;
        }
    if (!a->lines || !toml_begins_line(a->text, a->el[0].from))
        return put(a, last->to, separator(a), value, STR(""));
    if (line_end >= a->to) /* the bracket closes in the last element's line */
        return put(a, last->to, STR(","), eol,
                   arena_printf(a->ed->a, STR_FMT STR_FMT, STR_ARG(indent), STR_ARG(value)));
    if (last->comma != NO_COMMA)
        return put(a, line_end, indent, value, arena_printf(a->ed->a, "," STR_FMT, STR_ARG(eol)));
    struct str text = put(a, line_end, indent, value, eol);

    return toml_splice(a->ed->a, text, last->to, last->to, STR(","));
}

static bool add(struct toml_edit *ed, struct str path, struct value value, struct err *e)
{
    struct array a;
    bool found;

    if (!open_array(ed, path, &a, &found, e))
        return false;
    if (!found) {
        struct str eol = toml_eol(ed->text), one = value.string ? toml_quote_like(ed->a, value.text, '"') : value.text;

        return toml_set(ed, path,
                        arena_printf(ed->a, "[" STR_FMT "    " STR_FMT "," STR_FMT "]", STR_ARG(eol), STR_ARG(one),
                                     STR_ARG(eol)),
                        e);
    }
    size_t k = value.string ? place_for(&a, value.text) : a.n;
    struct str written = value.string ? toml_quote_like(ed->a, value.text, a.n ? a.text.p[a.el[0].from] : '"')
                                      : value.text;
    struct str out = a.n == 0  ? add_to_empty(&a, written)
                     : k < a.n ? add_before(&a, k, written)
                               : add_last(&a, written);

    return accept(&a, out, k, 0, &value, e);
}

bool toml_array_add(struct toml_edit *ed, struct str path, struct str value, struct err *e)
{
    return add(ed, path, (struct value){ value, true }, e);
}

bool toml_array_add_number(struct toml_edit *ed, struct str path, uint64_t value, struct err *e)
{
    return add(ed, path, (struct value){ arena_printf(ed->a, "%" PRIu64, value), false }, e);
}

bool toml_array_replace(struct toml_edit *ed, struct str path, size_t index, struct str value, struct err *e)
{
    struct array a;

    if (!must_open(ed, path, index, &a, e))
        return false;
    struct str quoted = toml_quote_like(ed->a, value, a.text.p[a.el[index].from]);
    struct str out = toml_splice(ed->a, a.text, a.el[index].from, a.el[index].to, quoted);

    return accept(&a, out, index, 1, &(struct value){ value, true }, e);
}

/* Only blanks and a comment, or nothing, stand between `at` and its line's end. */
static bool ends_line(struct str text, uint32_t at)
{
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\t' || text.p[at] == '\r'))
        at++;
    return at == text.n || text.p[at] == '\n' || text.p[at] == '#';
}

static bool bare_gap(const struct array *a, uint32_t from, uint32_t to)
{
    return to >= from && !memchr(a->text.p + from, '#', to - from);
}

static struct str cut(const struct array *a, uint32_t from, uint32_t to)
{
    return toml_splice(a->ed->a, a->text, from, to, STR(""));
}

/* Element i and the line it has for itself; without a comma of its own the one before it goes too. */
static struct str remove_line(const struct array *a, size_t i)
{
    const struct element *el = &a->el[i];
    struct str text = cut(a, toml_line_start(a->text, el->from), toml_line_end(a->text, el->to));

    if (el->comma == NO_COMMA && i > 0)
        text = toml_splice(a->ed->a, text, a->el[i - 1].comma, a->el[i - 1].comma + 1, STR(""));
    return text;
}

/* The element and one comma, whatever stands around them. */
static struct str remove_bare(const struct array *a, size_t i)
{
    const struct element *el = &a->el[i];
    uint32_t comma = el->comma != NO_COMMA ? el->comma : i > 0 ? a->el[i - 1].comma : NO_COMMA;

    if (comma == NO_COMMA)
        return cut(a, el->from, el->to);
    if (comma > el->to) {
        struct str text = cut(a, comma, comma + 1);

        return toml_splice(a->ed->a, text, el->from, el->to, STR(""));
    }
    if (comma == el->to)
        return cut(a, el->from, comma + 1);
    struct str text = cut(a, el->from, el->to);

    return toml_splice(a->ed->a, text, comma, comma + 1, STR(""));
}

static struct str remove_element(const struct array *a, size_t i)
{
    const struct element *el = &a->el[i];
    uint32_t end = el->comma != NO_COMMA ? el->comma + 1 : el->to;

    if (toml_begins_line(a->text, el->from) && ends_line(a->text, end) && !has_newline(a->text, el->to, end))
        return remove_line(a, i);
    if (a->n == 1 && bare_gap(a, a->from, el->from) && bare_gap(a, el->to, a->to))
        return cut(a, a->from + 1, a->to - 1);
    if (i + 1 < a->n && !has_newline(a->text, el->to, a->el[i + 1].from))
        return cut(a, el->from, a->el[i + 1].from);
    if (i > 0 && bare_gap(a, a->el[i - 1].to, el->from))
        return cut(a, a->el[i - 1].to, el->to);
    return remove_bare(a, i);
}

bool toml_array_remove(struct toml_edit *ed, struct str path, size_t index, struct err *e)
{
    struct array a;

    return must_open(ed, path, index, &a, e) && accept(&a, remove_element(&a, index), index, 1, NULL, e);
}
