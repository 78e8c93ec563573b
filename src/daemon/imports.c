/* Walks from statement to statement. A logical line that begins in column 0 is at the top level; what is indented is in
 * some block, hence conditional, or in a function. Behind a ';' stands one more statement of the same line, unless the
 * line began with a keyword of a block ("if x: a; b").
 *
 *     import a; x = "import b"; import \
 *         c.d                                -> a, c.d
 */
#include "daemon/imports.h"

#include "base/utf8.h"

#define TEXT_MAX (16u << 20)

static bool is_name_byte(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* PEP 263: a comment in one of the first two lines that matches coding[:=]\s*([-\w.]+). */
static bool is_declared_otherwise(struct str text)
{
    struct str line;

    for (unsigned i = 0; i < 2 && str_next_line(&text, &line); i++) {
        struct str s = str_trim(line), name;

        if (!str_starts(s, STR("#")))
            continue;
        size_t at = str_search(s, STR("coding"));

        if (at == s.n || at + 6 >= s.n || (s.p[at + 6] != ':' && s.p[at + 6] != '='))
            continue;
        name = str_trim(str_sub(s, at + 7, s.n));
        size_t n = 0;

        while (n < name.n && (is_name_byte(name.p[n]) || name.p[n] == '-' || name.p[n] == '.'))
            n++;
        name.n = n;
        return !str_eq_nocase(name, STR("utf-8")) && !str_eq_nocase(name, STR("utf8")) &&
               !str_eq_nocase(name, STR("utf_8")) && !str_eq_nocase(name, STR("ascii")) &&
               !str_eq_nocase(name, STR("us-ascii"));
    }
    return false;
}

void imports_init(struct imports *it, struct str text)
{
    size_t bad;

    (void)str_cut_prefix(&text, STR("\xEF\xBB\xBF"));
    if (text.n > TEXT_MAX || !utf8_is_valid(text, &bad) || (text.n && memchr(text.p, 0, text.n)) ||
        is_declared_otherwise(text))
        text.n = 0;
    *it = (struct imports){ .at = text.p, .end = text.p + text.n, .line = 1 };
}

/* ------------------------------------------------------------ walking */

static bool at_end(const struct imports *it)
{
    return it->at >= it->end;
}

static char peek(const struct imports *it, size_t ahead)
{
    return (size_t)(it->end - it->at) > ahead ? it->at[ahead] : 0;
}

/* One line end: \n, \r\n or \r. */
static bool take_line_end(struct imports *it)
{
    if (at_end(it) || (*it->at != '\n' && *it->at != '\r'))
        return false;
    it->at += *it->at == '\r' && peek(it, 1) == '\n' ? 2 : 1;
    it->line++;
    return true;
}

static bool take_joined_line(struct imports *it)
{
    if (peek(it, 0) != '\\' || (peek(it, 1) != '\n' && peek(it, 1) != '\r'))
        return false;
    it->at++;
    return take_line_end(it);
}

static void skip_blanks(struct imports *it)
{
    while (!at_end(it) && (*it->at == ' ' || *it->at == '\t' || *it->at == '\f' || take_joined_line(it)))
        if (!at_end(it) && (*it->at == ' ' || *it->at == '\t' || *it->at == '\f'))
            it->at++;
}

static void skip_comment(struct imports *it)
{
    while (!at_end(it) && *it->at != '\n' && *it->at != '\r')
        it->at++;
}

/* At an opening quote. A string in single quotes that is not closed ends with its line. */
static void skip_string(struct imports *it)
{
    char quote = *it->at;
    bool triple = peek(it, 1) == quote && peek(it, 2) == quote;

    it->at += triple ? 3 : 1;
    while (!at_end(it)) {
        if (*it->at == '\\') {
            it->at++;
            if (!take_line_end(it) && !at_end(it))
                it->at++;
        } else if (*it->at == quote && (!triple || (peek(it, 1) == quote && peek(it, 2) == quote))) {
            it->at += triple ? 3 : 1;
            return;
        } else if (*it->at == '\n' || *it->at == '\r') {
            if (!triple)
                return;
            (void)take_line_end(it);
        } else
            it->at++;
    }
}

/* To behind the end of the logical line, or, if `statement`, to behind a ';' on the way. True: it was a ';'. */
static bool skip_rest(struct imports *it, bool statement)
{
    unsigned depth = 0;

    while (!at_end(it)) {
        char c = *it->at;

        if (c == '"' || c == '\'') {
            skip_string(it);
        } else if (c == '#') {
            skip_comment(it);
        } else if (c == '\n' || c == '\r') {
            (void)take_line_end(it);
            if (depth == 0)
                return false;
        } else if (!take_joined_line(it)) {
            depth += c == '(' || c == '[' || c == '{';
            depth -= depth > 0 && (c == ')' || c == ']' || c == '}');
            it->at++;
            if (c == ';' && depth == 0 && statement)
                return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------ statements */

static struct str take_name(struct imports *it)
{
    const char *from = it->at;

    while (!at_end(it) && is_name_byte(*it->at))
        it->at++;
    return (struct str){ from, (size_t)(it->at - from) };
}

static bool is_block_keyword(struct str word)
{
    static const struct str words[] = { STR_INIT("if"),    STR_INIT("elif"),  STR_INIT("else"),   STR_INIT("try"),
                                        STR_INIT("for"),   STR_INIT("while"), STR_INIT("except"), STR_INIT("finally"),
                                        STR_INIT("with"),  STR_INIT("def"),   STR_INIT("class"),  STR_INIT("async"),
                                        STR_INIT("match"), STR_INIT("case") };

    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq(word, words[i]))
            return true;
    return false;
}

/* A dotted name; an "as x" is passed over. What is written with blanks around a dot is cut there. */
static bool take_module(struct imports *it, struct str *out)
{
    skip_blanks(it);
    struct str name = take_name(it);

    if (!name.n || char_is_digit(name.p[0]))
        return false;
    for (skip_blanks(it); peek(it, 0) == '.'; skip_blanks(it)) {
        bool together = it->at == name.p + name.n;

        it->at++;
        together = together && !at_end(it) && is_name_byte(*it->at);
        skip_blanks(it);
        (void)take_name(it);
        if (together)
            name.n = (size_t)(it->at - name.p);
    }
    struct imports before = *it;

    if (str_eq(take_name(it), STR("as"))) {
        skip_blanks(it);
        (void)take_name(it);
        skip_blanks(it);
    } else
        *it = before;
    *out = name;
    return true;
}

/* At the first word of a statement at the top level. True: *module was found, and more may follow behind a comma. */
static bool take_statement(struct imports *it, struct str *module)
{
    struct str word = take_name(it);
    bool from = str_eq(word, STR("from"));

    if (is_block_keyword(word)) {
        (void)skip_rest(it, false);
        return false;
    }
    it->skip_line = true;
    if (!from && !str_eq(word, STR("import")))
        return false;
    char next = peek(it, 0);

    if (next != ' ' && next != '\t' && next != '\f' && next != '\\')
        return false;
    if (!take_module(it, module))
        return false;
    if (from)
        return str_eq(take_name(it), STR("import"));
    it->in_import = true;
    return true;
}

bool imports_next(struct imports *it, struct str *module, unsigned *line)
{
    for (;;) {
        *line = it->line;
        if (it->in_import) {
            it->in_import = peek(it, 0) == ',';
            it->skip_line = true;
            if (it->in_import) {
                it->at++;
                if (take_module(it, module))
                    return true;
                it->in_import = false;
            }
        }
        if (it->skip_line) {
            it->skip_line = false;
            if (!skip_rest(it, true))
                continue;
            skip_blanks(it);
        }
        if (at_end(it))
            return false;
        if (take_line_end(it))
            continue;
        if (!is_name_byte(*it->at)) {
            /* An indented line, a comment, a decorator; or an expression, behind which a statement may stand. */
            it->skip_line = *it->at != ' ' && *it->at != '\t' && *it->at != '\f' && *it->at != '@';
            if (!it->skip_line)
                (void)skip_rest(it, false);
            continue;
        }
        *line = it->line;
        if (take_statement(it, module))
            return true;
    }
}
