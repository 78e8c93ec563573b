/* Specifiers of published metadata that nobody can correct any more.
 *
 * The mistakes and their order are those seen on the public index; each is mended alone and the strict parser asked
 * again, so that no more is changed than it takes:
 *
 *     >=7.2.0<8.0.0   a comma is put in           >=1.9.*, >= 3.5.*   the star goes
 *     !=~5.0          the tilde goes              !=3.0*              becomes !=3.0.*
 *     >=1.0,          (the strict parser agrees)  >dev                becomes >0.0.0dev
 *     >=9.0.0a1.0     the zeros behind go         >='2.7', ">=3"      the quotes go
 */
#include "pep/spec.h"

#include "base/arena.h"
#include "base/err.h"

#define LENIENT_MAX 4096 /* bytes of a specifier that is worth mending */
#define GROWTH 6         /* a repair puts at most five bytes behind one */

struct edit {
    char *p; /* room for GROWTH times what is read */
    size_t n;
    bool changed;
};

static void put(struct edit *to, struct str s)
{
    memcpy(to->p + to->n, s.p, s.n);
    to->n += s.n;
}

static bool is_op(char c)
{
    return c == '<' || c == '>' || c == '=' || c == '~' || c == '!' || c == '^';
}

static void insert_comma(struct str s, struct edit *to)
{
    for (size_t i = 0; i < s.n; i++) {
        size_t before = i;

        while (before > 0 && char_is_space(s.p[before - 1]))
            before--;
        if (is_op(s.p[i]) && before > 0 && (char_is_digit(s.p[before - 1]) || s.p[before - 1] == '*')) {
            to->p[to->n++] = ',';
            to->changed = true;
        }
        to->p[to->n++] = s.p[i];
    }
}

static void drop_tilde(struct str s, struct edit *to)
{
    for (size_t i = 0; i < s.n; i++) {
        to->p[to->n++] = s.p[i];
        if (i > 0 && s.p[i - 1] == '!' && s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '~') {
            to->changed = true;
            i++;
        }
    }
}

/* ".*" in a clause whose operator is an ordering or "~=". */
static void drop_star(struct str s, struct edit *to)
{
    bool ordering = false;

    for (size_t i = 0; i < s.n; i++) {
        if (is_op(s.p[i]) && (i == 0 || !is_op(s.p[i - 1])))
            ordering = s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '~';
        if (ordering && s.p[i] == '.' && i + 1 < s.n && s.p[i + 1] == '*') {
            to->changed = true;
            i++;
            continue;
        }
        to->p[to->n++] = s.p[i];
    }
}

static void dot_before_star(struct str s, struct edit *to)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '*' && i > 0 && char_is_digit(s.p[i - 1])) {
            to->p[to->n++] = '.';
            to->changed = true;
        }
        to->p[to->n++] = s.p[i];
    }
}

static void number_before_dev(struct str s, struct edit *to)
{
    for (size_t i = 0; i < s.n; i++) {
        to->p[to->n++] = s.p[i];
        if (is_op(s.p[i]) && i + 3 < s.n && str_eq_nocase((struct str){ s.p + i + 1, 3 }, STR("dev"))) {
            put(to, STR("0.0.0"));
            to->changed = true;
        }
    }
}

/* ".0" behind the number of a pre, post or dev release, as often as it comes. */
static void drop_zeros(struct str s, struct edit *to)
{
    for (size_t i = 0; i < s.n; i++) {
        size_t word = i;

        while (word > 0 && char_is_digit(s.p[word - 1]))
            word--;
        if (s.p[i] == '.' && word < i && word > 0 && char_is_alpha(s.p[word - 1]) && char_lower(s.p[word - 1]) != 'v' &&
            i + 1 < s.n && s.p[i + 1] == '0') {
            while (i + 1 < s.n && s.p[i] == '.' && s.p[i + 1] == '0' &&
                   (i + 2 == s.n || !char_is_digit(s.p[i + 2]))) {
                to->changed = true;
                i += 2;
            }
        }
        if (i < s.n)
            to->p[to->n++] = s.p[i];
    }
}

static void drop_quotes(struct str s, struct edit *to)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '"')
            to->changed = true;
        else
            to->p[to->n++] = s.p[i];
    }
}

bool spec_parse_lenient(struct str text, struct arena *a, struct spec *out, bool *repaired, struct err *e)
{
    static void (*const repair[])(struct str, struct edit *) = {
        insert_comma, drop_tilde, drop_star, dot_before_star, number_before_dev, drop_zeros, drop_quotes,
    };
    struct err ignored = { 0 }; /* the user is told what the strict parser said of the text as published */
    struct str at = text;

    *repaired = false;
    if (spec_parse(text, a, out, e))
        return true;
    if (text.n > LENIENT_MAX)
        return false;
    for (size_t i = 0; i < COUNT(repair) && at.n > 0; i++) {
        struct edit to = { .p = arena_alloc(a, GROWTH * at.n) };

        repair[i](at, &to);
        if (!to.changed)
            continue;
        at = (struct str){ to.p, to.n };
        if (spec_parse(at, a, out, &ignored)) {
            *repaired = true;
            err_clear(e);
            return true;
        }
    }
    return false;
}
