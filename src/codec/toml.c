/* The tree of a TOML document.
 *
 * What may be added to a table depends on how it came to be (TOML 1.0, "Table" and "Keys"): [a.b] makes `a` on the way,
 * and [a] may still follow once; a.b = 1 makes `a` in the current section, and only keys of that section may add to
 * it; an inline table is complete when it closes. `made` and `section` of a node say just that.
 */
#include "codec/toml.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "codec/toml_scan.h"

struct key_part {
    struct str text;
    uint32_t from, to;
};

struct toml_place toml_place_of(const struct toml_doc *d, uint32_t offset)
{
    struct toml_place place = { 1, 1 };
    uint32_t end = MIN(offset, (uint32_t)d->text.n);

    for (uint32_t i = 0; i < end; i++) {
        if (d->text.p[i] == '\n')
            place = (struct toml_place){ place.line + 1, 1 };
        else
            place.column += ((unsigned char)d->text.p[i] & 0xc0) != 0x80;
    }
    return place;
}

struct toml_place toml_key_place(const struct toml_doc *d, const struct toml_node *n)
{
    return toml_place_of(d, n->key_from);
}

struct toml_place toml_value_place(const struct toml_doc *d, const struct toml_node *n)
{
    return toml_place_of(d, n->from);
}

static bool PRINTF(4, 0) error_at(const struct toml_doc *d, uint32_t at, struct err *e, const char *fmt, va_list ap)
{
    struct toml_place place = toml_place_of(d, at);
    char text[512];

    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    return err_set(e, ERR_CONFIG, "%s%s%u:%u: %s", d->name ? d->name : "", d->name ? ":" : "", place.line,
                   place.column, text);
}

bool toml_error(const struct toml_doc *d, const struct toml_node *at, struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)error_at(d, at->from, e, fmt, ap);
    va_end(ap);
    return false;
}

bool toml_scan_error(struct toml_scan *s, uint32_t at, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)error_at(s->d, at, s->e, fmt, ap);
    va_end(ap);
    return false;
}

const char *toml_type_name(enum toml_type t)
{
    static const char *const names[] = {
        [TOML_STRING] = "a string",
        [TOML_INTEGER] = "an integer",
        [TOML_FLOAT] = "a float",
        [TOML_BOOL] = "a boolean",
        [TOML_DATETIME] = "a date-time",
        [TOML_DATETIME_LOCAL] = "a local date-time",
        [TOML_DATE] = "a date",
        [TOML_TIME] = "a time",
        [TOML_ARRAY] = "an array",
        [TOML_TABLE] = "a table",
    };

    return names[t];
}

/* The place of (table, key) in the index: its node or the free slot it would take. */
static struct toml_node **slot_of(const struct toml_doc *d, const struct toml_node *table, struct str key)
{
    uint64_t h = hash_fast(key.p, key.n) ^ ((uintptr_t)table >> 4) * 0x9e3779b97f4a7c15u;

    for (uint32_t i = (uint32_t)(h ^ h >> 32);; i++) {
        struct toml_node **slot = &d->slots[i & (d->slot_count - 1)];

        if (!*slot || ((*slot)->parent == table && str_eq((*slot)->key, key)))
            return slot;
    }
}

static void index_add(struct toml_doc *d, struct toml_node *n)
{
    if (d->slots_used * 2 >= d->slot_count) {
        struct toml_node **old = d->slots;
        uint32_t count = d->slot_count;

        d->slot_count = count ? count * 2 : 64;
        d->slots = ARENA_ARRAY(d->arena, struct toml_node *, d->slot_count);
        for (uint32_t i = 0; i < count; i++)
            if (old[i])
                *slot_of(d, old[i]->parent, old[i]->key) = old[i];
    }
    *slot_of(d, n->parent, n->key) = n;
    d->slots_used++;
}

const struct toml_node *toml_get(const struct toml_doc *d, const struct toml_node *table, struct str key)
{
    return table && table->type == TOML_TABLE && d->slot_count ? *slot_of(d, table, key) : NULL;
}

const struct toml_node *toml_find(const struct toml_doc *d, const char *path)
{
    const struct toml_node *n = d->root;

    for (struct str part, rest = str_of(path); n && str_next(&rest, '.', &part);)
        n = toml_get(d, n, part);
    return n;
}

static struct toml_node *member(const struct toml_doc *d, struct toml_node *table, struct str key)
{
    return d->slot_count ? *slot_of(d, table, key) : NULL;
}

/* A new last child; part is NULL for an element of an array. */
static bool add_node(struct toml_scan *s, struct toml_node *parent, const struct key_part *part, uint32_t line_from,
                     struct toml_node **out)
{
    if (parent->depth + 1 > TOML_DEPTH_MAX)
        return toml_scan_error(s, s->at, "nested more than %d deep", TOML_DEPTH_MAX);
    if (++s->d->nodes > TOML_NODES_MAX)
        return toml_scan_error(s, s->at, "more than %d keys and values", TOML_NODES_MAX);
    struct toml_node *n = ARENA_NEW(s->a, struct toml_node);

    n->parent = parent;
    n->depth = parent->depth + 1;
    n->line_from = line_from;
    n->from = n->to = s->at;
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->n++;
    if (part) {
        n->key = part->text;
        n->from = n->key_from = part->from;
        n->to = n->key_to = part->to;
        index_add(s->d, n);
    }
    *out = n;
    return true;
}

static bool is_bare(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '-' || c == '_';
}

static bool no_key(struct toml_scan *s)
{
    unsigned char c = (unsigned char)toml_scan_peek(s, 0);

    if (s->at == s->n || c == '\n' || c == '\r')
        return toml_scan_error(s, s->at, "a key is missing");
    if (c < 0x20 || c == 0x7f)
        return toml_scan_error(s, s->at, "control character 0x%02x", c);
    if (c >= 0x80)
        return toml_scan_error(s, s->at, "a key with other characters than A-Z a-z 0-9 _ - needs quotes");
    return toml_scan_error(s, s->at, "'%c' cannot begin a key", c);
}

/* One part of a key; *more says that a dot follows, and the scan stands at the next part. */
static bool take_key(struct toml_scan *s, struct key_part *out, bool *more)
{
    char c = toml_scan_peek(s, 0);

    out->from = s->at;
    if (c == '"' || c == '\'') {
        if (!toml_scan_string(s, false, &out->text))
            return false;
    } else {
        while (is_bare(toml_scan_peek(s, 0)))
            s->at++;
        if (s->at == out->from)
            return no_key(s);
        out->text = arena_str(s->a, (struct str){ s->p + out->from, s->at - out->from });
    }
    out->to = s->at;
    toml_scan_blank(s);
    *more = toml_scan_peek(s, 0) == '.';
    if (*more) {
        s->at++;
        toml_scan_blank(s);
    }
    return true;
}

static bool defined_before(struct toml_scan *s, const struct key_part *part, const struct toml_node *old)
{
    return toml_scan_error(s, part->from, "'" STR_FMT "' is already defined in line %u as %s", STR_ARG(part->text),
                           toml_place_of(s->d, old->line_from).line, toml_type_name(old->type));
}

static bool take_value(struct toml_scan *s, struct toml_node *n);

/* From a table one step along a dotted key. */
static bool step_dotted(struct toml_scan *s, struct toml_node **at, const struct key_part *part, uint32_t section,
                        uint32_t line_from)
{
    struct toml_node *n = member(s->d, *at, part->text);

    if (!n) {
        if (!add_node(s, *at, part, line_from, &n))
            return false;
        n->type = TOML_TABLE;
    } else if (n->type != TOML_TABLE || n->made == TOML_VALUE || n->made == TOML_HEADER ||
               (n->made == TOML_DOTTED && n->section != section)) {
        return defined_before(s, part, n);
    }
    n->made = TOML_DOTTED;
    n->section = section;
    *at = n;
    return true;
}

/* key = value, in the section of a header or inside an inline table. */
static bool take_pair(struct toml_scan *s, struct toml_node *table, uint32_t section)
{
    uint32_t line_from = s->at;
    struct key_part part;
    struct toml_node *n;
    bool more;

    for (;;) {
        if (!take_key(s, &part, &more))
            return false;
        if (!more)
            break;
        if (!step_dotted(s, &table, &part, section, line_from))
            return false;
    }
    if ((n = member(s->d, table, part.text)))
        return defined_before(s, &part, n);
    if (toml_scan_peek(s, 0) != '=')
        return toml_scan_error(s, s->at, "'=' is missing behind the key '" STR_FMT "'", STR_ARG(part.text));
    s->at++;
    toml_scan_blank(s);
    return add_node(s, table, &part, line_from, &n) && take_value(s, n);
}

static bool take_comment(struct toml_scan *s)
{
    for (; s->at < s->n && s->p[s->at] != '\n'; s->at++) {
        unsigned char c = (unsigned char)s->p[s->at];

        if (c == '\r' && toml_scan_peek(s, 1) == '\n')
            return true;
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return toml_scan_error(s, s->at, "control character 0x%02x in a comment", c);
    }
    return true;
}

/* Blanks, comments and line ends. */
static bool skip_space(struct toml_scan *s)
{
    for (;;) {
        char c = toml_scan_peek(s, 0);

        if (c == ' ' || c == '\t' || c == '\n')
            s->at++;
        else if (c == '\r' && toml_scan_peek(s, 1) == '\n')
            s->at += 2;
        else if (c != '#')
            return true;
        else if (!take_comment(s))
            return false;
    }
}

static bool take_array(struct toml_scan *s, struct toml_node *array)
{
    array->type = TOML_ARRAY;
    s->at++;
    for (bool comma = true;;) {
        struct toml_node *n = NULL;

        if (!skip_space(s))
            return false;
        if (toml_scan_peek(s, 0) == ']') {
            s->at++;
            return true;
        }
        if (!comma || toml_scan_peek(s, 0) == ',')
            return toml_scan_error(s, s->at, comma ? "a value is missing before ','" :
                                                     "',' or ']' is missing in the array");
        if (!add_node(s, array, NULL, s->at, &n) || !take_value(s, n) || !skip_space(s))
            return false;
        comma = toml_scan_peek(s, 0) == ',';
        s->at += comma;
    }
}

static bool take_inline_table(struct toml_scan *s, struct toml_node *table)
{
    uint32_t section = ++s->d->sections;

    table->type = TOML_TABLE;
    s->at++;
    toml_scan_blank(s);
    if (toml_scan_peek(s, 0) == '}') {
        s->at++;
        return true;
    }
    for (;;) {
        if (!take_pair(s, table, section))
            return false;
        toml_scan_blank(s);
        char c = toml_scan_peek(s, 0);

        if (c != ',' && c != '}')
            return toml_scan_error(s, s->at, "',' or '}' is missing in the inline table");
        s->at++;
        if (c == '}')
            return true;
        toml_scan_blank(s);
    }
}

static bool take_value(struct toml_scan *s, struct toml_node *n)
{
    char c = toml_scan_peek(s, 0);
    bool ok;

    n->from = s->at;
    n->made = TOML_VALUE;
    if (c == '"' || c == '\'') {
        n->type = TOML_STRING;
        ok = toml_scan_string(s, true, &n->text);
    } else if (c == '[') {
        ok = take_array(s, n);
    } else if (c == '{') {
        ok = take_inline_table(s, n);
    } else {
        ok = toml_scan_scalar(s, n);
    }
    n->to = s->at;
    return ok;
}

/* From a table one step along a header's key that is not the last. */
static bool step_header(struct toml_scan *s, struct toml_node **at, const struct key_part *part, uint32_t line_from)
{
    struct toml_node *n = member(s->d, *at, part->text);

    if (!n) {
        if (!add_node(s, *at, part, line_from, &n))
            return false;
        n->type = TOML_TABLE;
        n->made = TOML_IMPLICIT;
    } else if (n->made == TOML_TABLES) {
        n = n->last;
    } else if (n->made == TOML_VALUE) {
        return defined_before(s, part, n);
    }
    *at = n;
    return true;
}

/* The table that [..] or [[..]] names, new or until now only on the way of others. */
static bool open_table(struct toml_scan *s, struct toml_node *parent, const struct key_part *part, bool many,
                       uint32_t line_from, struct toml_node **out)
{
    struct toml_node *n = member(s->d, parent, part->text);

    if (n && (many ? n->made != TOML_TABLES : n->made != TOML_IMPLICIT))
        return defined_before(s, part, n);
    if (!n) {
        if (!add_node(s, parent, part, line_from, &n))
            return false;
        n->type = many ? TOML_ARRAY : TOML_TABLE;
        n->made = many ? TOML_TABLES : TOML_HEADER;
    }
    if (many && !add_node(s, n, NULL, line_from, &n))
        return false;
    n->type = TOML_TABLE;
    n->made = TOML_HEADER;
    n->key_from = part->from;
    n->key_to = part->to;
    n->line_from = line_from;
    *out = n;
    return true;
}

static bool take_header(struct toml_scan *s, struct toml_node **out)
{
    uint32_t line_from = s->at;
    bool many = toml_scan_peek(s, 1) == '[', more;
    struct toml_node *at = s->d->root;
    struct key_part part;

    s->at += many ? 2 : 1;
    toml_scan_blank(s);
    for (;;) {
        if (!take_key(s, &part, &more))
            return false;
        if (!more)
            break;
        if (!step_header(s, &at, &part, line_from))
            return false;
    }
    if (toml_scan_peek(s, 0) != ']' || (many && toml_scan_peek(s, 1) != ']'))
        return toml_scan_error(s, s->at, "'%s' is missing behind the table's name", many ? "]]" : "]");
    if (!open_table(s, at, &part, many, line_from, out))
        return false;
    s->at += many ? 2 : 1;
    (*out)->from = line_from;
    (*out)->to = s->at;
    s->d->sections++;
    return true;
}

/* After a statement: blanks, a comment, and the line end, which is taken too. */
static bool end_line(struct toml_scan *s)
{
    toml_scan_blank(s);
    if (toml_scan_peek(s, 0) == '#' && s->at < s->n && !take_comment(s))
        return false;
    if (s->at == s->n)
        return true;
    if (toml_scan_peek(s, 0) == '\r' && toml_scan_peek(s, 1) == '\n')
        s->at++;
    if (toml_scan_peek(s, 0) != '\n')
        return toml_scan_error(s, s->at, "the line should end here");
    s->at++;
    return true;
}

static bool take_document(struct toml_scan *s)
{
    struct toml_node *table = s->d->root;
    uint32_t section = 0;

    for (;;) {
        if (!skip_space(s))
            return false;
        if (s->at == s->n)
            return true;
        if (toml_scan_peek(s, 0) == '[') {
            if (!take_header(s, &table))
                return false;
            section = s->d->sections;
        } else if (!take_pair(s, table, section)) {
            return false;
        }
        if (!end_line(s))
            return false;
        table->body_to = s->at;
    }
}

bool toml_parse(struct str text, const char *name, struct arena *a, struct toml_doc **out, struct err *e)
{
    struct toml_doc *d = ARENA_NEW(a, struct toml_doc);
    size_t bad;

    *d = (struct toml_doc){ .text = text, .name = name, .arena = a };
    if (text.n > TOML_SIZE_MAX)
        return err_set(e, ERR_CONFIG, "%s%s%zu bytes are too many for TOML here, the limit is %u", name ? name : "",
                       name ? ": " : "", text.n, TOML_SIZE_MAX);
    d->root = ARENA_NEW(a, struct toml_node);
    *d->root = (struct toml_node){ .type = TOML_TABLE, .made = TOML_HEADER };
    struct toml_scan s = { .d = d, .p = text.p, .n = (uint32_t)text.n, .a = a, .e = e };

    err_clear(e);
    if (!utf8_is_valid(text, &bad))
        return toml_scan_error(&s, (uint32_t)bad, "not valid UTF-8: byte 0x%02x", (unsigned char)text.p[bad]);
    if (str_starts(text, STR("\xef\xbb\xbf")))
        s.at = d->root->body_to = 3;
    if (!take_document(&s))
        return false;
    *out = d;
    return true;
}

bool toml_path_parse(struct str path, struct arena *a, struct str *part, size_t max, size_t *n, struct err *e)
{
    struct toml_doc d = { .text = path, .arena = a };
    struct toml_scan s = { .d = &d, .p = path.p, .n = (uint32_t)MIN(path.n, TOML_SIZE_MAX), .a = a, .e = e };
    struct key_part one;
    bool more = true;

    for (*n = 0; more; ++*n) {
        if (*n == max)
            return err_set(e, ERR_CONFIG, "'" STR_FMT "' has more than %zu parts", STR_ARG(path), max);
        if (!take_key(&s, &one, &more))
            return err_wrap(e, "read the key '" STR_FMT "'", STR_ARG(path));
        part[*n] = one.text;
    }
    if (s.at != s.n)
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' is not a key", STR_ARG(path));
    return true;
}
