/* Strings, numbers, dates and times of TOML 1.0. */
#include "codec/toml_scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "codec/toml.h"

void toml_scan_blank(struct toml_scan *s)
{
    while (s->at < s->n && (s->p[s->at] == ' ' || s->p[s->at] == '\t'))
        s->at++;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* Finds the end of a string's content that starts at s->at; the scan stays. */
static bool find_end(struct toml_scan *s, char quote, bool lines, uint32_t *end)
{
    for (uint32_t i = s->at; i < s->n; i++) {
        char c = s->p[i];

        if (c == quote && !lines) {
            *end = i;
            return true;
        }
        if (c == quote && s->n - i >= 3 && s->p[i + 1] == quote && s->p[i + 2] == quote) {
            uint32_t before = 0; /* one or two quotes may stand directly before the closing three */

            while (before < 2 && s->n - i - before > 3 && s->p[i + before + 3] == quote)
                before++;
            *end = i + before;
            return true;
        }
        if (c == '\\' && quote == '"' && s->n - i > 1 && s->p[i + 1] != '\n' && s->p[i + 1] != '\r')
            i++;
        else if (lines && (c == '\n' || (c == '\r' && s->n - i > 1 && s->p[i + 1] == '\n')))
            continue;
        else if (c == '\n' || c == '\r')
            return toml_scan_error(s, i, lines ? "a carriage return without a line feed" :
                                                 "a line ends inside a string");
        if (is_control(c))
            return toml_scan_error(s, i, "control character 0x%02x in a string", (unsigned char)c);
    }
    return toml_scan_error(s, s->n, "the string is not closed");
}

/* \uXXXX or \UXXXXXXXX at *i, which stands on the letter; leaves *i on the last digit. */
static bool decode_unicode(struct toml_scan *s, uint32_t *i, uint32_t end, char **to)
{
    uint32_t digits = s->p[*i] == 'u' ? 4 : 8, c = 0;

    for (uint32_t k = 1; k <= digits; k++) {
        char x = *i + k < end ? char_lower(s->p[*i + k]) : '\0';

        if (!char_is_digit(x) && !(x >= 'a' && x <= 'f'))
            return toml_scan_error(s, *i - 1, "\\%c needs %u hexadecimal digits", s->p[*i], digits);
        c = c << 4 | (uint32_t)(char_is_digit(x) ? x - '0' : x - 'a' + 10);
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return toml_scan_error(s, *i - 1, "U+%04X is not a character", c);
    *to += utf8_encode(c, *to);
    *i += digits;
    return true;
}

/* A backslash before the end of a line: skips white space up to the next visible character. *i stands behind the
 * backslash; left on the last byte skipped. False without an error when no line end follows. */
static bool skip_line_end(const struct toml_scan *s, uint32_t *i, uint32_t end)
{
    uint32_t k = *i;

    while (k < end && (s->p[k] == ' ' || s->p[k] == '\t'))
        k++;
    if (k == end || (s->p[k] != '\n' && s->p[k] != '\r'))
        return false;
    while (k < end && char_is_space(s->p[k]))
        k++;
    *i = k - 1;
    return true;
}

static bool decode_escape(struct toml_scan *s, uint32_t *i, uint32_t end, bool lines, char **to)
{
    static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
    uint32_t at = *i;

    if (++*i < end) {
        const char *found = memchr(letters, s->p[*i], sizeof letters - 1);

        if (found) {
            *(*to)++ = bytes[found - letters];
            return true;
        }
        if (s->p[*i] == 'u' || s->p[*i] == 'U')
            return decode_unicode(s, i, end, to);
        if (lines && skip_line_end(s, i, end))
            return true;
    }
    return toml_scan_error(s, at, "'\\%.*s' is no escape; write \\\\ for a backslash",
                           *i < end && (unsigned char)s->p[*i] < 0x80 && !is_control(s->p[*i]) ? 1 : 0, s->p + *i);
}

bool toml_scan_string(struct toml_scan *s, bool lines, struct str *out)
{
    char quote = s->p[s->at];
    bool three = toml_scan_peek(s, 1) == quote && toml_scan_peek(s, 2) == quote;
    uint32_t end = 0;

    if (three && !lines)
        return toml_scan_error(s, s->at, "a key cannot be a multi-line string");
    s->at += three ? 3 : 1;
    if (three && toml_scan_peek(s, 0) == '\r' && toml_scan_peek(s, 1) == '\n')
        s->at++;
    if (three && toml_scan_peek(s, 0) == '\n')
        s->at++;
    if (!find_end(s, quote, three, &end))
        return false;

    char *text = arena_text(s->a, s->p + s->at, end - s->at), *to = text; /* decoding never makes it longer */

    for (uint32_t i = s->at; i < end; i++) {
        if (s->p[i] == '\\' && quote == '"') {
            if (!decode_escape(s, &i, end, three, &to))
                return false;
        } else if (s->p[i] != '\r') { /* only before \n: line ends become \n */
            *to++ = s->p[i];
        }
    }
    *to = '\0';
    *out = (struct str){ text, (size_t)(to - text) };
    s->at = end + (three ? 3 : 1);
    return true;
}

/* Exactly `digits` digits at *t as a number from lo to hi, taken off the front. */
static bool take_number(struct str *t, size_t digits, unsigned lo, unsigned hi, unsigned *out)
{
    unsigned v = 0;

    if (t->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!char_is_digit(t->p[i]))
            return false;
        v = v * 10 + (unsigned)(t->p[i] - '0');
    }
    *t = str_sub(*t, digits, t->n);
    *out = v;
    return v >= lo && v <= hi;
}

static bool take_char(struct str *t, const char *any)
{
    if (t->n == 0 || !strchr(any, t->p[0]))
        return false;
    *t = str_sub(*t, 1, t->n);
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct str *t)
{
    unsigned year, month, day;

    return take_number(t, 4, 0, 9999, &year) && take_char(t, "-") && take_number(t, 2, 1, 12, &month) &&
           take_char(t, "-") && take_number(t, 2, 1, days_in_month(year, month), &day);
}

/* RFC 3339: the second may be 60. */
static bool take_time(struct str *t)
{
    unsigned x;

    if (!take_number(t, 2, 0, 23, &x) || !take_char(t, ":") || !take_number(t, 2, 0, 59, &x) || !take_char(t, ":") ||
        !take_number(t, 2, 0, 60, &x))
        return false;
    if (!take_char(t, "."))
        return true;
    size_t n = 0;

    while (n < t->n && char_is_digit(t->p[n]))
        n++;
    *t = str_sub(*t, n, t->n);
    return n > 0;
}

static bool take_offset(struct str *t)
{
    unsigned x;

    return take_char(t, "zZ") || (take_char(t, "+-") && take_number(t, 2, 0, 23, &x) && take_char(t, ":") &&
                                  take_number(t, 2, 0, 59, &x));
}

static bool read_moment(struct str t, enum toml_type *type)
{
    if (t.n > 2 && t.p[2] == ':') {
        *type = TOML_TIME;
        return take_time(&t) && t.n == 0;
    }
    *type = TOML_DATE;
    if (!take_date(&t))
        return false;
    if (t.n == 0)
        return true;
    *type = TOML_DATETIME_LOCAL;
    if (!take_char(&t, "tT ") || !take_time(&t))
        return false;
    if (t.n == 0)
        return true;
    *type = TOML_DATETIME;
    return take_offset(&t) && t.n == 0;
}

/* Digits of a base with single underscores between them, copied without these; NULL when the form is wrong. */
static char *copy_digits(struct str t, unsigned base, char *to)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = char_lower(t.p[i]);
        bool digit = char_is_digit(c) ? (unsigned)(c - '0') < base : base == 16 && c >= 'a' && c <= 'f';

        if (digit)
            *to++ = c;
        else if (c != '_' || i == 0 || i + 1 == t.n || t.p[i - 1] == '_')
            return NULL;
    }
    *to = '\0';
    return t.n ? to : NULL;
}

static bool read_integer(struct toml_scan *s, struct str t, struct toml_node *out)
{
    char *digits = arena_cstr(s->a, t), *to = digits;
    unsigned base = 10;
    struct str rest = t;

    if (rest.n > 2 && rest.p[0] == '0')
        base = rest.p[1] == 'x' ? 16 : rest.p[1] == 'o' ? 8 : rest.p[1] == 'b' ? 2 : 10;
    if (base != 10)
        rest = str_sub(rest, 2, rest.n);
    else if (rest.n && (rest.p[0] == '+' || rest.p[0] == '-'))
        *to++ = rest.p[0], rest = str_sub(rest, 1, rest.n);
    if (!copy_digits(rest, base, to))
        return false;
    if (base == 10 && rest.n > 1 && rest.p[0] == '0')
        return toml_scan_error(s, out->from, "'" STR_FMT "' begins with a zero", STR_ARG(t));
    errno = 0;
    long long v = strtoll(digits, NULL, (int)base);

    if (errno == ERANGE)
        return toml_scan_error(s, out->from, "'" STR_FMT "' does not fit in 64 bits", STR_ARG(t));
    out->type = TOML_INTEGER;
    out->integer = v;
    out->real = (double)v;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one of the two last; or [+-] inf, nan. */
static bool read_float(struct toml_scan *s, struct str t, struct toml_node *out)
{
    char *text = arena_cstr(s->a, t), *to = text;
    struct str rest = t, part;

    if (rest.n && (rest.p[0] == '+' || rest.p[0] == '-'))
        *to++ = rest.p[0], rest = str_sub(rest, 1, rest.n);
    out->type = TOML_FLOAT;
    if (str_eq(rest, STR("inf")) || str_eq(rest, STR("nan"))) {
        double v = rest.p[0] == 'i' ? HUGE_VAL : (double)NAN;

        out->real = to > text && *text == '-' ? -v : v;
        return true;
    }
    size_t stop = 0;

    while (stop < rest.n && (char_is_digit(rest.p[stop]) || rest.p[stop] == '_'))
        stop++;
    part = str_sub(rest, 0, stop);
    if (!(to = copy_digits(part, 10, to)) || (part.n > 1 && part.p[0] == '0') || stop == rest.n)
        return false;
    if (rest.p[stop] == '.') {
        size_t from = ++stop;

        while (stop < rest.n && (char_is_digit(rest.p[stop]) || rest.p[stop] == '_'))
            stop++;
        *to++ = '.';
        if (!(to = copy_digits(str_sub(rest, from, stop), 10, to)))
            return false;
    }
    if (stop < rest.n) {
        if (char_lower(rest.p[stop++]) != 'e')
            return false;
        *to++ = 'e';
        if (stop < rest.n && (rest.p[stop] == '+' || rest.p[stop] == '-'))
            *to++ = rest.p[stop++];
        if (!(to = copy_digits(str_sub(rest, stop, rest.n), 10, to)))
            return false;
    }
    out->real = strtod(text, NULL);
    return true;
}

/* The longest run of bytes that a number, a date or a word may have. A space counts when it stands between a date and a
 * time. */
static struct str take_word(struct toml_scan *s)
{
    uint32_t from = s->at;

    for (; s->at < s->n; s->at++) {
        char c = s->p[s->at];

        if (char_is_digit(c) || char_is_alpha(c) || (c && strchr("+-_.:", c)))
            continue;
        if (c != ' ' || s->at - from != 10 || s->p[from + 4] != '-' || s->p[from + 7] != '-' ||
            !char_is_digit(toml_scan_peek(s, 1)) || !char_is_digit(toml_scan_peek(s, 2)) ||
            toml_scan_peek(s, 3) != ':')
            break;
    }
    return (struct str){ s->p + from, s->at - from };
}

bool toml_scan_scalar(struct toml_scan *s, struct toml_node *out)
{
    struct str t = take_word(s);
    bool plain = t.n > 0 && char_is_digit(t.p[0]);

    if (t.n == 0)
        return toml_scan_error(s, out->from, "a value is missing");
    out->text = arena_str(s->a, t);
    if (str_eq(t, STR("true")) || str_eq(t, STR("false"))) {
        out->type = TOML_BOOL;
        out->yes = t.p[0] == 't';
        return true;
    }
    if (plain && ((t.n > 4 && t.p[4] == '-' && !memchr(t.p, 'e', 4) && !memchr(t.p, 'E', 4)) ||
                  (t.n > 2 && t.p[2] == ':')))
        return read_moment(t, &out->type) ||
               toml_scan_error(s, out->from, "'" STR_FMT "' is not a date or time", STR_ARG(t));
    if (read_integer(s, t, out))
        return true;
    if (s->e->kind) /* it was one, but too large */
        return false;
    return read_float(s, t, out) || toml_scan_error(s, out->from, "'" STR_FMT "' is not a value%s", STR_ARG(t),
                                                    char_is_alpha(t.p[0]) ? "; text needs quotes" : "");
}
