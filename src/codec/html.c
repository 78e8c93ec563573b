#include "codec/html.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"

void html_init(struct html *h, struct str text, struct arena *arena, struct err *e)
{
    *h = (struct html){ .text = text, .arena = arena, .e = e };
}

const struct str *html_attr(const struct html_tag *tag, struct str name)
{
    for (size_t i = 0; i < tag->n; i++)
        if (str_eq_nocase(tag->attr[i].name, name))
            return &tag->attr[i].value;
    return NULL;
}

static bool fail(struct html *h, size_t at, const char *why)
{
    size_t line = 1;

    for (size_t i = 0; i < at; i++)
        line += h->text.p[i] == '\n';
    h->failed = true;
    return err_set(h->e, ERR_PACKAGE, "line %zu: %s", line, why);
}

/* --- character references ---------------------------------------------------------------------------------- */

/* s begins with "&#". Digits without a semicolon count, as in browsers; what is no character is U+FFFD. Returns how
 * many bytes it takes, 0 when it is none. */
static size_t numeric_reference(struct str s, uint32_t *c)
{
    bool hex = s.n > 2 && char_lower(s.p[2]) == 'x';
    size_t from = hex ? 3 : 2, i = from;
    uint32_t v = 0;

    for (; i < s.n; i++) {
        char d = char_lower(s.p[i]);

        if (!char_is_digit(d) && !(hex && d >= 'a' && d <= 'f'))
            break;
        v = v * (hex ? 16 : 10) + (uint32_t)(char_is_digit(d) ? d - '0' : d - 'a' + 10);
        v = MIN(v, 0x110000u);
    }
    if (i == from)
        return 0;
    *c = v == 0 || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000) ? 0xFFFD : v;
    return i < s.n && s.p[i] == ';' ? i + 1 : i;
}

static size_t reference(struct str s, uint32_t *c)
{
    static const struct {
        const char *name;
        uint32_t c;
    } named[] = { { "&amp;", '&' },  { "&lt;", '<' },    { "&gt;", '>' },
                  { "&quot;", '"' }, { "&apos;", '\'' }, { "&nbsp;", 0xA0 } };

    if (s.n > 1 && s.p[1] == '#')
        return numeric_reference(s, c);
    for (size_t i = 0; i < COUNT(named); i++)
        if (str_starts(s, str_of(named[i].name))) {
            *c = named[i].c;
            return strlen(named[i].name);
        }
    return 0;
}

static struct str decode(struct html *h, struct str raw)
{
    if (raw.n == 0 || str_find(raw, '&') == raw.n)
        return raw;
    char *out = arena_text(h->arena, raw.p, raw.n); /* a reference is never shorter than its character */
    size_t n = 0;
    uint32_t c = 0;

    while (raw.n) {
        size_t taken = raw.p[0] == '&' ? reference(raw, &c) : 0;

        if (taken)
            n += utf8_encode(c, out + n);
        else
            out[n++] = raw.p[0];
        raw = str_sub(raw, taken ? taken : 1, raw.n);
    }
    out[n] = '\0';
    return (struct str){ out, n };
}

/* --- tags -------------------------------------------------------------------------------------------------- */

static bool at_end(const struct html *h)
{
    return h->at == h->text.n;
}

static bool is_one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

/* Up to the first byte of `stop`, or white space. */
static struct str word(struct html *h, const char *stop)
{
    size_t from = h->at;

    while (!at_end(h) && !char_is_space(h->text.p[h->at]) && !is_one_of(h->text.p[h->at], stop))
        h->at++;
    return str_sub(h->text, from, h->at);
}

static void skip_space(struct html *h)
{
    while (!at_end(h) && char_is_space(h->text.p[h->at]))
        h->at++;
}

/* Behind the equals sign. False when the closing quote is missing. */
static bool attr_value(struct html *h, struct str *out)
{
    skip_space(h);
    char quote = at_end(h) ? '\0' : h->text.p[h->at];

    if (quote != '"' && quote != '\'') {
        *out = word(h, ">");
        return true;
    }
    struct str rest = str_sub(h->text, h->at + 1, h->text.n);
    size_t n = str_find(rest, quote);

    if (n == rest.n)
        return false;
    *out = str_sub(rest, 0, n);
    h->at += n + 2;
    return true;
}

/* From behind the tag's name to behind its '>'. out may be NULL. start: where the tag began, for messages. */
static bool attrs(struct html *h, size_t start, struct html_tag *out)
{
    for (;;) {
        while (!at_end(h) && (char_is_space(h->text.p[h->at]) || h->text.p[h->at] == '/'))
            h->at++;
        if (at_end(h))
            return fail(h, start, "the page ends inside a tag");
        if (h->text.p[h->at] == '>') {
            h->at++;
            return true;
        }
        size_t from = h->at++; /* an equals sign that comes first is part of the name */
        struct str value = { 0 };

        (void)word(h, "=/>");
        struct html_attr attr = { .name = str_sub(h->text, from, h->at) };

        skip_space(h);
        if (!at_end(h) && h->text.p[h->at] == '=') {
            h->at++;
            if (!attr_value(h, &value))
                return fail(h, start, "the page ends inside a tag");
        }
        if (!out)
            continue;
        if (out->n == HTML_MAX_ATTRS)
            return fail(h, start, "a tag has more than 32 attributes");
        attr.value = decode(h, value);
        out->attr[out->n++] = attr;
    }
}

/* Behind the next `mark`, or failure. */
static bool skip_past(struct html *h, size_t from, struct str mark, const char *why)
{
    size_t n = str_search(str_sub(h->text, from, h->text.n), mark);

    if (from + n >= h->text.n)
        return fail(h, h->at, why);
    h->at = from + n + mark.n;
    return true;
}

/* Markup begins with '<' and one of these; another '<' is text. */
static bool is_markup(struct str rest)
{
    return rest.n > 1 && (char_is_alpha(rest.p[1]) || is_one_of(rest.p[1], "/!?"));
}

/* Passes over the comment, declaration or tag at h->at, where `rest` begins. */
static bool skip_markup(struct html *h, struct str rest)
{
    size_t start = h->at;

    if (str_starts(rest, STR("<!--")))
        return skip_past(h, start + 2, STR("-->"), "the page ends inside a comment");
    if (!char_is_alpha(rest.p[1]))
        return skip_past(h, start, STR(">"), "the page ends inside a tag");
    h->at++;
    (void)word(h, "/>");
    return attrs(h, start, NULL);
}

/* "<name" or "</name" stands at the front of s, and the name ends there. */
static bool is_tag(struct str s, struct str lead, struct str name)
{
    size_t n = lead.n + name.n;

    return s.n > n && str_starts(s, lead) && str_eq_nocase(str_sub(s, lead.n, n), name) &&
           (char_is_space(s.p[n]) || s.p[n] == '>' || s.p[n] == '/');
}

/* Elements whose content is no markup: moves to their end tag. */
static bool skip_raw(struct html *h, size_t start, struct str name)
{
    static const char *const raw[] = { "script", "style", "textarea", "title" };
    bool is_raw = false;

    for (size_t i = 0; i < COUNT(raw); i++)
        is_raw |= str_eq_nocase(name, str_of(raw[i]));
    for (; is_raw && !is_tag(str_sub(h->text, h->at, h->text.n), STR("</"), name); h->at++)
        if (at_end(h))
            return fail(h, start, "the page ends inside of what is no markup");
    return true;
}

/* The text of a link up to its end tag, or the next link. Tags in it are left out. */
static bool link_text(struct html *h, size_t start, struct str *out)
{
    AUTO_BUF joined;
    struct str text = { 0 };

    buf_init(&joined, h->text.n);
    for (;;) {
        size_t from = h->at;

        while (!at_end(h) && h->text.p[h->at] != '<')
            h->at++;
        if (at_end(h))
            return fail(h, start, "the page ends inside a link");
        struct str piece = str_sub(h->text, from, h->at), rest = str_sub(h->text, h->at, h->text.n);

        if (!is_markup(rest)) {
            piece.n++;
            h->at++;
        }
        if (text.n == 0) {
            text = piece;
        } else if (piece.n) {
            if (joined.n == 0)
                (void)buf_str(&joined, text);
            (void)buf_str(&joined, piece);
        }
        if (is_tag(rest, STR("</"), STR("a")) || is_tag(rest, STR("<"), STR("a")))
            break;
        if (is_markup(rest) && !skip_markup(h, rest))
            return false;
    }
    if (joined.n)
        text = arena_str(h->arena, buf_done(&joined));
    *out = str_trim(decode(h, text));
    return true;
}

/* A start tag at h->at. *wanted: it is of a kind that is reported, in out. */
static bool start_tag(struct html *h, struct html_tag *out, bool *wanted)
{
    static const char *const kinds[] = { [HTML_A] = "a", [HTML_BASE] = "base", [HTML_META] = "meta" };
    size_t start = h->at++;
    struct str name = word(h, "/>");

    *wanted = false;
    for (unsigned i = 0; i < COUNT(kinds) && !*wanted; i++) {
        *wanted = str_eq_nocase(name, str_of(kinds[i]));
        out->kind = (enum html_kind)i;
    }
    out->n = 0;
    out->text = STR("");
    if (!attrs(h, start, *wanted ? out : NULL))
        return false;
    if (*wanted && out->kind == HTML_A)
        return link_text(h, start, &out->text);
    return skip_raw(h, start, name);
}

bool html_next(struct html *h, struct html_tag *out)
{
    bool wanted = false;

    while (!h->failed && !wanted) {
        struct str rest = str_sub(h->text, h->at, h->text.n);
        size_t n = str_find(rest, '<');

        h->at += n;
        rest = str_sub(rest, n, rest.n);
        if (rest.n == 0)
            break;
        if (rest.n == 1)
            return fail(h, h->at, "the page ends inside a tag");
        if (!is_markup(rest))
            h->at++;
        else if (char_is_alpha(rest.p[1]) ? !start_tag(h, out, &wanted) : !skip_markup(h, rest))
            return false;
    }
    return wanted;
}
