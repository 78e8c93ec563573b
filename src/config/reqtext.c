#include "config/reqtext.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "config/dirs.h"

#define WORDS_MAX 4096 /* of one line */

static struct str from_latin1(struct str s, struct arena *a)
{
    VEC(char) out = { 0 };
    char one[4];

    for (size_t i = 0; i < s.n; i++) {
        size_t n = utf8_encode((unsigned char)s.p[i], one);

        for (size_t k = 0; k < n; k++)
            VEC_PUSH_IN(a, &out, one[k]);
    }
    return (struct str){ out.p, out.n };
}

/* The mark is taken off already. A lone surrogate or a lone last byte becomes U+FFFD. */
static struct str from_utf16(struct str s, bool big, struct arena *a)
{
    VEC(char) out = { 0 };
    const unsigned char *p = (const unsigned char *)s.p;
    char one[4];

    for (size_t i = 0; i + 1 < s.n; i += 2) {
        uint32_t c = big ? (uint32_t)(p[i] << 8 | p[i + 1]) : (uint32_t)(p[i + 1] << 8 | p[i]);

        if (c >= 0xd800 && c < 0xdc00 && i + 3 < s.n) {
            uint32_t low = big ? (uint32_t)(p[i + 2] << 8 | p[i + 3]) : (uint32_t)(p[i + 3] << 8 | p[i + 2]);

            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        size_t n = utf8_encode(c >= 0xd800 && c < 0xe000 ? 0xfffd : c, one);

        for (size_t k = 0; k < n; k++)
            VEC_PUSH_IN(a, &out, one[k]);
    }
    return (struct str){ out.p, out.n };
}

/* The name behind `coding:` or `coding=` in a comment of the first two lines (PEP 263); n == 0 when there is none. */
static struct str declared_coding(struct str text)
{
    struct str line;

    for (int i = 0; i < 2 && str_next_line(&text, &line); i++) {
        struct str t = str_trim(line);
        size_t at = str_search(t, STR("coding")), n = 0;

        if (!str_starts(t, STR("#")) || at + 7 > t.n || (t.p[at + 6] != ':' && t.p[at + 6] != '='))
            continue;
        t = str_trim(str_sub(t, at + 7, t.n));
        while (n < t.n && (char_is_alpha(t.p[n]) || char_is_digit(t.p[n]) || t.p[n] == '-' || t.p[n] == '_'))
            n++;
        return str_sub(t, 0, n);
    }
    return STR("");
}

bool reqtext_decode(const char *file, struct str *text, struct arena *a, struct err *e)
{
    static const char *const latin[] = { "latin-1", "latin1", "iso-8859-1", "iso8859-1", "iso-latin-1", "l1" };
    static const char *const utf8[] = { "utf-8", "utf8", "ascii", "us-ascii", "utf-8-sig" };
    size_t bad;

    if (str_cut_prefix(text, STR("\xff\xfe")) || str_starts(*text, STR("\xfe\xff"))) {
        bool big = str_cut_prefix(text, STR("\xfe\xff"));

        *text = from_utf16(*text, big, a);
        return true;
    }
    if (!str_cut_prefix(text, STR("\xef\xbb\xbf"))) {
        struct str coding = declared_coding(*text);
        bool known = coding.n == 0;

        for (size_t i = 0; i < COUNT(latin); i++)
            if (str_eq_nocase(coding, str_of(latin[i]))) {
                *text = from_latin1(*text, a);
                return true;
            }
        for (size_t i = 0; i < COUNT(utf8); i++)
            known |= str_eq_nocase(coding, str_of(utf8[i]));
        if (!known)
            return err_set(e, ERR_CONFIG, "%s: the coding '" STR_FMT "' is not known, utf-8 and latin-1 are", file,
                           STR_ARG(coding));
    }
    if (utf8_is_valid(*text, &bad))
        return true;
    unsigned line = 1;

    for (size_t i = 0; i < bad; i++)
        line += text->p[i] == '\n';
    (void)err_set(e, ERR_CONFIG, "%s:%u: byte 0x%02x is not UTF-8", file, line, (unsigned char)text->p[bad]);
    return err_hint(e, "save the file as UTF-8, or begin it with '# -*- coding: latin-1 -*-'");
}

struct str reqtext_without_comment(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '#' && (i == 0 || char_is_space(line.p[i - 1])))
            return str_trim(str_sub(line, 0, i));
    return str_trim(line);
}

bool reqtext_next(struct reqtext *t, struct arena *a, struct str *out)
{
    VEC(char) joined = { 0 };
    struct str line;
    bool more = true, any = false;

    while (more && str_next_line(&t->rest, &line)) {
        bool comment = str_starts(str_trim(line), STR("#"));

        t->number++;
        if (!any)
            t->first = t->number;
        any = true;
        more = line.n > 0 && line.p[line.n - 1] == '\\' && !comment;
        if (more)
            line.n--;
        else if (joined.n == 0) { /* the usual case: nothing to copy */
            *out = line;
            return true;
        }
        if (comment)
            VEC_PUSH_IN(a, &joined, ' '); /* so that it is seen as one */
        for (size_t i = 0; i < line.n; i++)
            VEC_PUSH_IN(a, &joined, line.p[i]);
    }
    *out = (struct str){ joined.p, joined.n };
    return any;
}

static bool is_variable_char(char c)
{
    return (c >= 'A' && c <= 'Z') || char_is_digit(c) || c == '_';
}

struct str reqtext_expand(struct str line, const char *const *env, struct arena *a)
{
    VEC(char) out = { 0 };

    if (str_search(line, STR("${")) == line.n)
        return line;
    for (size_t i = 0; i < line.n; i++) {
        size_t end = i + 2;

        if (line.p[i] == '$' && end < line.n && line.p[i + 1] == '{') {
            while (end < line.n && is_variable_char(line.p[end]))
                end++;
            const char *value = end > i + 2 && end < line.n && line.p[end] == '}' ?
                                    dirs_variable(env, arena_cstr(a, str_sub(line, i + 2, end))) :
                                    NULL;

            if (value) {
                for (; *value; value++)
                    VEC_PUSH_IN(a, &out, *value);
                i = end;
                continue;
            }
        }
        VEC_PUSH_IN(a, &out, line.p[i]);
    }
    return (struct str){ out.p, out.n };
}

bool reqtext_words(struct str line, struct arena *a, struct reqtext_words *out, struct err *e)
{
    for (size_t i = 0; i < line.n;) {
        VEC(char) word = { 0 };
        char quote = '\0';
        size_t from = i;

        if (char_is_space(line.p[i])) {
            i++;
            continue;
        }
        for (; i < line.n && (quote || !char_is_space(line.p[i])); i++) {
            char c = line.p[i];

            if (quote ? c == quote : (c == '"' || c == '\''))
                quote = quote ? '\0' : c;
            else if (c == '\\' && quote != '\'' && i + 1 < line.n)
                VEC_PUSH_IN(a, &word, line.p[++i]);
            else
                VEC_PUSH_IN(a, &word, c);
        }
        if (quote)
            return err_set(e, ERR_CONFIG, "a quote (%c) is not closed", quote);
        if (out->list.n == WORDS_MAX)
            return err_set(e, ERR_CONFIG, "more than %d words", WORDS_MAX);
        VEC_PUSH_IN(a, &out->list, arena_str(a, (struct str){ word.p, word.n }));
        VEC_PUSH_IN(a, &out->raw, str_sub(line, from, i));
    }
    return true;
}
