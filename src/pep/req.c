#include "pep/req.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "pep/marker.h"
#include "pep/name.h"

struct reader {
    struct arena *a;
    struct str whole;
    size_t at;
    bool lenient;
    struct err *e;
};

static bool fail_at(struct reader *r, size_t at, const char *what)
{
    size_t column = 1;

    for (size_t i = 0; i < at; i++)
        column += ((unsigned char)r->whole.p[i] & 0xc0) != 0x80;
    return err_set(r->e, ERR_PACKAGE, "expected %s at column %zu in '" STR_FMT "'", what, column, STR_ARG(r->whole));
}

static char peek(const struct reader *r)
{
    return r->at < r->whole.n ? r->whole.p[r->at] : '\0';
}

static void skip_blank(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static bool at_end(const struct reader *r)
{
    return r->at == r->whole.n;
}

/* Letters, digits, '.', '_', '-'; first a letter or digit, last not '.' or '-'. An '_' at the end is taken, as the
 * reference implementation does. Empty when there is none. */
static struct str take_identifier(struct reader *r)
{
    size_t n = r->at;

    if (!char_is_alpha(peek(r)) && !char_is_digit(peek(r)))
        return STR("");
    while (n < r->whole.n && (char_is_alpha(r->whole.p[n]) || char_is_digit(r->whole.p[n]) ||
                              memchr("._-", r->whole.p[n], 3)))
        n++;
    while (r->whole.p[n - 1] == '.' || r->whole.p[n - 1] == '-')
        n--;
    struct str word = str_sub(r->whole, r->at, n);

    r->at = n;
    return word;
}

/* Sorts and drops doubles; returns how many are left. */
static size_t sort_unique(struct str *s, size_t n)
{
    size_t kept = 0;

    if (n)
        qsort(s, n, sizeof *s, str_order);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(s[kept - 1], s[i]))
            s[kept++] = s[i];
    return kept;
}

static bool read_extras(struct reader *r, struct req *out)
{
    VEC(struct str) text = { 0 };

    if (peek(r) != '[')
        return true;
    r->at++;
    skip_blank(r);
    while (peek(r) != ']' || text.n) {
        struct str extra = take_identifier(r);

        if (!extra.n)
            return fail_at(r, r->at, text.n ? "an extra's name after ','" : "an extra's name or ']'");
        VEC_PUSH_IN(r->a, &text, extra);
        skip_blank(r);
        if (peek(r) == ']')
            break;
        if (peek(r) != ',')
            return fail_at(r, r->at, "',' or ']'");
        r->at++;
        skip_blank(r);
    }
    r->at++;

    struct str *normal = ARENA_ARRAY(r->a, struct str, text.n);

    for (size_t i = 0; i < text.n; i++)
        normal[i] = name_normalize(r->a, text.p[i]);
    out->n_extra_text = sort_unique(text.p, text.n);
    out->n_extra = sort_unique(normal, text.n);
    out->extra_text = text.p;
    out->extra = normal;
    return true;
}

static bool read_url(struct reader *r, struct req *out)
{
    r->at++;
    skip_blank(r);
    size_t from = r->at;

    while (!at_end(r) && peek(r) != ' ' && peek(r) != '\t') {
        if ((unsigned char)peek(r) < 0x20 || peek(r) == 0x7f)
            return fail_at(r, r->at, "a URL without control characters");
        r->at++;
    }
    if (r->at == from)
        return fail_at(r, from, "a URL after '@'");
    out->url = str_sub(r->whole, from, r->at);
    skip_blank(r);
    if (at_end(r) || peek(r) == ';')
        return true;
    fail_at(r, r->at, "';' or the end behind the URL");
    if (out->url.p[out->url.n - 1] == ';')
        return err_hint(r->e, "put a space before the ';': without it, it belongs to the URL");
    return false;
}

/* The reference reads clauses with single commas between; one at the end is allowed. */
static bool check_commas(struct reader *r, size_t from, size_t to)
{
    bool clause = false;

    for (size_t i = from; i < to; i++) {
        char c = r->whole.p[i];

        if (c == ',' && !clause)
            return fail_at(r, i, "a version specifier");
        if (c == '\n' || c == '\r')
            return fail_at(r, i, "one line");
        if (c != ' ' && c != '\t')
            clause = c != ',';
    }
    return true;
}

static bool read_specifiers(struct reader *r, struct req *out)
{
    bool parens = peek(r) == '(';
    size_t from = r->at + parens, to = from;

    while (to < r->whole.n && r->whole.p[to] != ';' && !(parens && r->whole.p[to] == ')'))
        to++;
    if (parens && (to == r->whole.n || r->whole.p[to] != ')'))
        return fail_at(r, to, "')'");

    struct str text = str_trim(str_sub(r->whole, from, to));

    r->at = to + parens;
    skip_blank(r);
    if (!at_end(r) && peek(r) != ';')
        return fail_at(r, r->at, "';' or the end");
    if (text.n && !r->lenient && !memchr("<>=!~", text.p[0], 5))
        return fail_at(r, (size_t)(text.p - r->whole.p), "a version specifier, ';' or the end");
    if (!r->lenient && !check_commas(r, from, to))
        return false;

    out->spec_text = text;
    if (!text.n)
        return true;
    if (r->lenient ? !spec_parse_lenient(text, r->a, &out->spec, &out->repaired, r->e)
                   : !spec_parse(text, r->a, &out->spec, r->e))
        return err_wrap(r->e, "read the requirement '" STR_FMT "' from column %zu", STR_ARG(r->whole),
                        (size_t)(text.p - r->whole.p) + 1);
    return true;
}

static bool read_marker(struct reader *r, struct req *out)
{
    if (at_end(r))
        return true;
    struct str rest = str_sub(r->whole, r->at + 1, r->whole.n);

    if (!marker_parse_tail(r->a, r->whole, &rest, &out->marker, r->e))
        return false;
    if (rest.n)
        return fail_at(r, r->whole.n - rest.n, "'and', 'or' or the end");
    return true;
}

static bool read_req(struct reader *r, struct req *out)
{
    struct req req = { 0 };

    if (r->whole.n > REQ_TEXT)
        return err_set(r->e, ERR_PACKAGE, "a requirement of %zu bytes, at most %d are read", r->whole.n, REQ_TEXT);
    skip_blank(r);
    req.name = take_identifier(r);
    if (!req.name.n)
        return fail_at(r, r->at, "a package name");
    req.key = name_normalize(r->a, req.name);
    skip_blank(r);
    if (!read_extras(r, &req))
        return false;
    skip_blank(r);
    if (peek(r) == '@' ? !read_url(r, &req) : !read_specifiers(r, &req))
        return false;
    if (!read_marker(r, &req))
        return false;
    *out = req;
    return true;
}

bool req_parse(struct arena *a, struct str text, struct req *out, struct err *e)
{
    struct reader r = { .a = a, .whole = text, .e = e };

    return read_req(&r, out);
}

bool req_parse_lenient(struct arena *a, struct str text, struct req *out, struct err *e)
{
    struct reader strict = { .a = a, .whole = text, .e = e };
    struct reader lenient = { .a = a, .whole = str_trim(text), .lenient = true };
    struct err unused = { 0 };

    if (read_req(&strict, out))
        return true;
    lenient.e = &unused;
    if (!read_req(&lenient, out))
        return false;
    err_clear(e);
    out->repaired = true;
    return true;
}

bool req_format(const struct req *r, struct buf *out)
{
    buf_str(out, r->name);
    for (size_t i = 0; i < r->n_extra_text; i++) {
        buf_char(out, i ? ',' : '[');
        buf_str(out, r->extra_text[i]);
    }
    if (r->n_extra_text)
        buf_char(out, ']');
    for (uint32_t i = 0; i < r->spec.n; i++) {
        if (i)
            buf_char(out, ',');
        buf_str(out, str_of(spec_op_text(r->spec.clause[i].op)));
        buf_str(out, r->spec.clause[i].text);
    }
    if (r->url.n) {
        buf_str(out, STR(" @ "));
        buf_str(out, r->url);
        buf_str(out, r->marker ? STR(" ") : STR(""));
    }
    if (r->marker) {
        buf_str(out, STR("; "));
        marker_format(r->marker, out);
    }
    return !out->full;
}

struct str req_text(struct arena *a, const struct req *r)
{
    AUTO_BUF b = { 0 };

    buf_init(&b, SIZE_MAX / 2);
    (void)req_format(r, &b); /* the limit cannot be reached */
    return arena_str(a, buf_done(&b));
}

bool req_has_extra(const struct req *r, struct str extra)
{
    for (size_t i = 0; i < r->n_extra; i++)
        if (str_eq(r->extra[i], extra))
            return true;
    return false;
}
