#include "codec/csv.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

void csv_init(struct csv *c, struct str text, struct arena *arena, struct err *e)
{
    *c = (struct csv){ .rest = text, .arena = arena, .e = e, .next_line = 1 };
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* Takes one line end off the front of the rest, if one stands there. */
static bool take_line_end(struct csv *c)
{
    if (c->rest.n == 0 || !is_line_end(c->rest.p[0]))
        return false;
    size_t n = c->rest.n > 1 && c->rest.p[0] == '\r' && c->rest.p[1] == '\n' ? 2 : 1;

    c->rest = str_sub(c->rest, n, c->rest.n);
    c->next_line++;
    return true;
}

/* Where a field that begins without a quote ends. */
static size_t plain_end(struct str s, size_t at)
{
    while (at < s.n && s.p[at] != ',' && !is_line_end(s.p[at]))
        at++;
    return at;
}

/* The raw field begins with a quote: what it stands for. Behind the closing quote a quote is an ordinary character. */
static struct str unquote(struct csv *c, struct str raw)
{
    char *out = arena_text(c->arena, raw.p, raw.n);
    size_t n = 0, i = 1;

    for (; i < raw.n; i++) {
        if (raw.p[i] == '"' && (i + 1 == raw.n || raw.p[i + 1] != '"'))
            break;
        i += raw.p[i] == '"';
        out[n++] = raw.p[i];
    }
    for (i++; i < raw.n; i++)
        out[n++] = raw.p[i];
    out[n] = '\0';
    return (struct str){ out, n };
}

static bool quoted_field(struct csv *c, struct str *out)
{
    struct str s = c->rest;
    size_t at = 1;
    bool doubled = false;

    for (; at < s.n; at++) {
        if (s.p[at] == '"') {
            if (at + 1 == s.n || s.p[at + 1] != '"')
                break;
            doubled = true;
            at++;
        } else if (s.p[at] == '\n' || (s.p[at] == '\r' && (at + 1 == s.n || s.p[at + 1] != '\n'))) {
            c->next_line++;
        }
    }
    if (at >= s.n) {
        c->failed = true;
        return err_set(c->e, ERR_PACKAGE, "line %zu: the text ends inside quotes", c->line);
    }
    size_t end = plain_end(s, at + 1);

    *out = doubled || end != at + 1 ? unquote(c, str_sub(s, 0, end)) : str_sub(s, 1, at);
    c->rest = str_sub(s, end, s.n);
    return true;
}

bool csv_next(struct csv *c, struct str *field, size_t max, size_t *n)
{
    size_t count = 0;
    bool more = true;

    if (c->failed)
        return false;
    while (take_line_end(c))
        ;
    if (c->rest.n == 0)
        return false;
    c->line = c->next_line;
    while (more) {
        struct str one;

        if (c->rest.n && c->rest.p[0] == '"') {
            if (!quoted_field(c, &one))
                return false;
        } else {
            size_t end = plain_end(c->rest, 0);

            one = str_sub(c->rest, 0, end);
            c->rest = str_sub(c->rest, end, c->rest.n);
        }
        if (count < max)
            field[count] = one;
        count++;
        more = c->rest.n && c->rest.p[0] == ',';
        if (more)
            c->rest = str_sub(c->rest, 1, c->rest.n);
    }
    (void)take_line_end(c);
    *n = count;
    return true;
}

static void write_quoted(struct buf *out, struct str s)
{
    (void)buf_char(out, '"');
    for (struct str part; str_next(&s, '"', &part);) {
        (void)buf_str(out, part);
        (void)buf_str(out, s.p ? STR("\"\"") : STR("\""));
    }
}

bool csv_write(struct buf *out, const struct str *field, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str s = field[i].n ? field[i] : STR("");
        bool quote = n == 1 && s.n == 0; /* else the row would be an empty line, which is none */

        for (size_t k = 0; k < s.n && !quote; k++)
            quote = s.p[k] == ',' || s.p[k] == '"' || is_line_end(s.p[k]);
        if (i)
            (void)buf_char(out, ',');
        if (quote)
            write_quoted(out, s);
        else
            (void)buf_str(out, s);
    }
    return buf_char(out, '\n') && !out->full;
}
