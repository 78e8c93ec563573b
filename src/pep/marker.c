/* Markers: the parser, the printer and the ways to combine trees. marker_eval.c evaluates them.
 *
 * A recursive descent over
 *     or     := and ("or" and)*
 *     and    := atom ("and" atom)*
 *     atom   := "(" or ")" | side op side
 * which is the grammar of the specification with precedence made explicit. Parentheses that were written are kept as a
 * flag of the node they hold, so that printing gives back what was read: `a and (b or c)`; `a and (b)` is `a and b`.
 */
#include "pep/marker.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "pep/name.h"
#include "pep/spec.h"

struct parser {
    struct arena *a;
    struct str whole; /* what columns are counted in */
    size_t at;
    unsigned depth;
    struct err *e;
};

typedef VEC(const struct marker *) parts_vec;

static const struct {
    enum marker_var var;
    struct str name; /* as printed */
    struct str old;  /* an older spelling, n == 0 for none */
} variables[] = {
    { MARKER_OS_NAME, STR_INIT("os_name"), STR_INIT("os.name") },
    { MARKER_SYS_PLATFORM, STR_INIT("sys_platform"), STR_INIT("sys.platform") },
    { MARKER_PLATFORM_MACHINE, STR_INIT("platform_machine"), STR_INIT("platform.machine") },
    { MARKER_PLATFORM_PYTHON_IMPLEMENTATION, STR_INIT("platform_python_implementation"),
      STR_INIT("platform.python_implementation") },
    { MARKER_PLATFORM_PYTHON_IMPLEMENTATION, STR_INIT("platform_python_implementation"),
      STR_INIT("python_implementation") },
    { MARKER_PLATFORM_RELEASE, STR_INIT("platform_release"), STR_INIT("") },
    { MARKER_PLATFORM_SYSTEM, STR_INIT("platform_system"), STR_INIT("") },
    { MARKER_PLATFORM_VERSION, STR_INIT("platform_version"), STR_INIT("platform.version") },
    { MARKER_PYTHON_VERSION, STR_INIT("python_version"), STR_INIT("") },
    { MARKER_PYTHON_FULL_VERSION, STR_INIT("python_full_version"), STR_INIT("") },
    { MARKER_IMPLEMENTATION_NAME, STR_INIT("implementation_name"), STR_INIT("") },
    { MARKER_IMPLEMENTATION_VERSION, STR_INIT("implementation_version"), STR_INIT("") },
    { MARKER_EXTRA, STR_INIT("extra"), STR_INIT("") },
    { MARKER_EXTRAS, STR_INIT("extras"), STR_INIT("") },
    { MARKER_DEPENDENCY_GROUPS, STR_INIT("dependency_groups"), STR_INIT("") },
};

/* Longer operators before their prefixes. */
static const struct {
    enum marker_op op;
    struct str text;
} operators[] = {
    { MARKER_ARBITRARY, STR_INIT("===") }, { MARKER_EQ, STR_INIT("==") }, { MARKER_COMPATIBLE, STR_INIT("~=") },
    { MARKER_NE, STR_INIT("!=") },         { MARKER_LE, STR_INIT("<=") }, { MARKER_GE, STR_INIT(">=") },
    { MARKER_LT, STR_INIT("<") },          { MARKER_GT, STR_INIT(">") },  { MARKER_IN, STR_INIT("in") },
    { MARKER_NOT_IN, STR_INIT("not in") },
};

static struct str op_text(enum marker_op op)
{
    for (size_t i = 0; i < COUNT(operators); i++)
        if (operators[i].op == op)
            return operators[i].text;
    BUG("marker operator %d", (int)op);
}

static struct str var_name(enum marker_var var)
{
    for (size_t i = 0; i < COUNT(variables); i++)
        if (variables[i].var == var)
            return variables[i].name;
    BUG("marker variable %d", (int)var);
}

static enum marker_var find_var(struct str word, bool old_spellings)
{
    for (size_t i = 0; i < COUNT(variables); i++)
        if (str_eq(word, variables[i].name) ||
            (old_spellings && variables[i].old.n && str_eq(word, variables[i].old)))
            return variables[i].var;
    return MARKER_NO_VAR;
}

static bool fail_at(struct parser *p, size_t at, const char *what)
{
    size_t column = 1;

    for (size_t i = 0; i < at; i++)
        column += ((unsigned char)p->whole.p[i] & 0xc0) != 0x80;
    return err_set(p->e, ERR_PACKAGE, "%s at column %zu in '" STR_FMT "'", what, column, STR_ARG(p->whole));
}

static char peek(const struct parser *p)
{
    return p->at < p->whole.n ? p->whole.p[p->at] : '\0';
}

static bool skip_blank(struct parser *p)
{
    size_t from = p->at;

    while (peek(p) == ' ' || peek(p) == '\t')
        p->at++;
    return p->at > from;
}

static bool is_word_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The word at the cursor, which stays before it; dots count when a dotted name may stand here. */
static struct str peek_word(const struct parser *p, bool dots)
{
    size_t n = p->at;

    while (n < p->whole.n && (is_word_char(p->whole.p[n]) || (dots && p->whole.p[n] == '.')))
        n++;
    return str_sub(p->whole, p->at, n);
}

static bool take_word(struct parser *p, struct str word)
{
    if (!str_eq(peek_word(p, false), word))
        return false;
    p->at += word.n;
    return true;
}

static bool read_hex(struct str s, size_t at, size_t digits, uint32_t *out)
{
    uint32_t v = 0;

    if (s.n - at < digits)
        return false;
    for (size_t i = at; i < at + digits; i++) {
        char c = char_lower(s.p[i]);

        if (!char_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        v = v << 4 | (uint32_t)(char_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return true;
}

/* The number behind a backslash, in Python's spelling: x41, u0041, U00000041, up to three octal digits. */
static bool read_numeric_escape(struct str s, size_t *at, uint32_t *out)
{
    char c = s.p[*at];
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t v = 0;

    if (digits) {
        if (!read_hex(s, *at + 1, digits, &v) || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
            return false;
        *at += digits + 1;
    } else {
        size_t end = MIN(*at + 3, s.n);

        while (*at < end && s.p[*at] >= '0' && s.p[*at] <= '7')
            v = v * 8 + (uint32_t)(s.p[(*at)++] - '0');
    }
    *out = v;
    return true;
}

/* Resolves the escapes of a Python string literal; the reference evaluates the text as one. */
static bool unescape(struct parser *p, struct str s, struct str *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char *text = arena_alloc(p->a, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n;) {
        uint32_t code;

        if (s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == '\0')
            return false;
        if (s.p[i] != '\\') {
            text[n++] = s.p[i++];
            continue;
        }
        if (++i == s.n || s.p[i] == 'N' || s.p[i] == '\0')
            return false;
        const char *simple = strchr(from, s.p[i]);

        if (simple) {
            text[n++] = to[simple - from];
            i++;
        } else if (strchr("xuU01234567", s.p[i])) {
            if (!read_numeric_escape(s, &i, &code))
                return false;
            n += utf8_encode(code, text + n);
        } else {
            text[n++] = '\\'; /* an unknown escape stands for itself */
        }
    }
    text[n] = '\0';
    *out = (struct str){ text, n };
    return true;
}

/* One side of a comparison: a variable, or a quoted text and *var = MARKER_NO_VAR. */
static bool parse_side(struct parser *p, enum marker_var *var, struct str *text)
{
    char quote = peek(p);

    *var = MARKER_NO_VAR;
    *text = STR("");
    if (quote == '"' || quote == '\'') {
        struct str rest = str_sub(p->whole, p->at + 1, p->whole.n);
        size_t n = str_find(rest, quote);

        if (n == rest.n)
            return fail_at(p, p->at, "a quoted text without its end");
        if (!unescape(p, str_sub(rest, 0, n), text))
            return fail_at(p, p->at, "a quoted text that is not a valid string");
        p->at += n + 2;
        return true;
    }
    struct str word = peek_word(p, true);

    *var = find_var(word, true);
    if (*var == MARKER_NO_VAR && word.n && !char_is_digit(word.p[0])) {
        fail_at(p, p->at, "unknown marker name");
        return err_hint(p->e, "the names are python_version, python_full_version, os_name, sys_platform, "
                              "platform_machine, platform_python_implementation, platform_release, platform_system, "
                              "platform_version, implementation_name, implementation_version, extra");
    }
    if (*var == MARKER_NO_VAR)
        return fail_at(p, p->at, "expected a marker name or a quoted text");
    p->at += word.n;
    return true;
}

static bool parse_op(struct parser *p, enum marker_op *op)
{
    if (take_word(p, STR("in"))) {
        *op = MARKER_IN;
        return true;
    }
    if (take_word(p, STR("not"))) {
        if (!skip_blank(p) || !take_word(p, STR("in")))
            return fail_at(p, p->at, "expected 'in' after 'not'");
        *op = MARKER_NOT_IN;
        return true;
    }
    for (size_t i = 0; i < COUNT(operators) && operators[i].op != MARKER_IN; i++) {
        if (str_starts(str_sub(p->whole, p->at, p->whole.n), operators[i].text)) {
            p->at += operators[i].text.n;
            *op = operators[i].op;
            return true;
        }
    }
    return fail_at(p, p->at, "expected one of <=, <, !=, ==, >=, >, ~=, ===, in, not in");
}

static bool is_version_var(enum marker_var var)
{
    return var == MARKER_PYTHON_VERSION || var == MARKER_PYTHON_FULL_VERSION || var == MARKER_IMPLEMENTATION_VERSION ||
           var == MARKER_PLATFORM_RELEASE;
}

/* `op text` as one clause, or NULL where the reference falls back to comparing text. */
static const struct spec *clause_of(struct arena *a, enum marker_op op, struct str text)
{
    struct err unused = { 0 };

    if (op == MARKER_IN || op == MARKER_NOT_IN || str_find(text, ',') < text.n || str_find(text, '\0') < text.n)
        return NULL;
    struct spec *s = ARENA_NEW(a, struct spec);
    struct str all = arena_printf(a, STR_FMT STR_FMT, STR_ARG(op_text(op)), STR_ARG(text));

    return spec_parse(all, a, s, &unused) && s->n == 1 ? s : NULL;
}

static bool parse_comparison(struct parser *p, const struct marker **out)
{
    enum marker_var left, right;
    struct str left_text, right_text;
    struct marker *m = ARENA_NEW(p->a, struct marker);

    if (!parse_side(p, &left, &left_text))
        return false;
    skip_blank(p);
    if (!parse_op(p, &m->op))
        return false;
    skip_blank(p);
    if (!parse_side(p, &right, &right_text))
        return false;

    m->kind = MARKER_ATOM;
    if (left != MARKER_NO_VAR) {
        m->var = left;
        m->two_names = right != MARKER_NO_VAR;
        m->text = m->two_names ? var_name(right) : right_text;
        if (left == MARKER_EXTRA && !m->two_names)
            m->text = name_normalize(p->a, m->text);
        if (is_version_var(left))
            m->spec = clause_of(p->a, m->op, m->text);
    } else {
        m->reversed = true;
        m->two_texts = right == MARKER_NO_VAR;
        m->name = right_text;
        m->var = m->two_texts ? find_var(right_text, false) : right;
        m->text = left_text;
        if (!m->two_texts && (right == MARKER_EXTRA || right == MARKER_EXTRAS || right == MARKER_DEPENDENCY_GROUPS))
            m->text = name_normalize(p->a, m->text);
    }
    *out = m;
    return true;
}

static const struct marker *join(struct arena *a, enum marker_kind kind, const parts_vec *parts)
{
    if (parts->n == 1)
        return parts->p[0];
    struct marker *m = ARENA_NEW(a, struct marker);

    *m = (struct marker){ .kind = kind, .n = (unsigned)parts->n, .part = parts->p };
    return m;
}

static bool parse_or(struct parser *p, const struct marker **out);

static bool parse_atom(struct parser *p, const struct marker **out)
{
    skip_blank(p);
    if (peek(p) != '(')
        return parse_comparison(p, out) && (skip_blank(p), true);

    size_t open = p->at++;
    const struct marker *inner = NULL;

    if (++p->depth > MARKER_DEPTH)
        return fail_at(p, open, "parentheses too deep");
    if (!parse_or(p, &inner))
        return false;
    if (peek(p) != ')')
        return fail_at(p, p->at, "expected 'and', 'or' or ')'");
    p->at++;
    p->depth--;
    skip_blank(p);
    *out = inner;
    if (inner->kind != MARKER_ATOM) {
        struct marker *m = ARENA_NEW(p->a, struct marker);

        *m = *inner;
        m->paren = true;
        *out = m;
    }
    return true;
}

static bool parse_and(struct parser *p, const struct marker **out)
{
    parts_vec parts = { 0 };

    do {
        const struct marker *m = NULL;

        if (!parse_atom(p, &m))
            return false;
        VEC_PUSH_IN(p->a, &parts, m);
    } while (take_word(p, STR("and")));
    *out = join(p->a, MARKER_AND, &parts);
    return true;
}

static bool parse_or(struct parser *p, const struct marker **out)
{
    parts_vec parts = { 0 };

    do {
        const struct marker *m = NULL;

        if (!parse_and(p, &m))
            return false;
        VEC_PUSH_IN(p->a, &parts, m);
    } while (take_word(p, STR("or")));
    *out = join(p->a, MARKER_OR, &parts);
    return true;
}

bool marker_parse_tail(struct arena *a, struct str whole, struct str *rest, const struct marker **out, struct err *e)
{
    struct parser p = { .a = a, .whole = whole, .at = whole.n - rest->n, .e = e };

    if (rest->n > MARKER_TEXT)
        return err_set(e, ERR_PACKAGE, "a marker of %zu bytes, at most %d are read", rest->n, MARKER_TEXT);
    if (!parse_or(&p, out))
        return false;
    *rest = str_sub(whole, p.at, whole.n);
    return true;
}

bool marker_parse(struct arena *a, struct str text, const struct marker **out, struct err *e)
{
    struct str rest = text;
    const struct marker *m;

    if (!marker_parse_tail(a, text, &rest, &m, e))
        return false;
    if (rest.n) {
        struct parser p = { .whole = text, .e = e };

        return fail_at(&p, text.n - rest.n, "expected 'and', 'or' or the end");
    }
    *out = m;
    return true;
}

static void format_text(struct str s, struct buf *out)
{
    bool has_double = str_find(s, '"') < s.n;
    char quote = has_double && str_find(s, '\'') == s.n ? '\'' : '"';

    buf_char(out, quote);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == quote)
            buf_str(out, STR("\\x22")); /* both quotes: the grammar has no other way */
        else
            buf_char(out, s.p[i]);
    }
    buf_char(out, quote);
}

static void format_atom(const struct marker *m, struct buf *out)
{
    if (m->reversed)
        format_text(m->text, out);
    else
        buf_str(out, var_name(m->var));
    buf_char(out, ' ');
    buf_str(out, op_text(m->op));
    buf_char(out, ' ');
    if (m->two_texts)
        format_text(m->name, out);
    else if (m->reversed)
        buf_str(out, var_name(m->var));
    else if (m->two_names)
        buf_str(out, m->text);
    else
        format_text(m->text, out);
}

static void format_node(const struct marker *m, bool top, struct buf *out)
{
    if (m->kind == MARKER_ATOM) {
        format_atom(m, out);
        return;
    }
    if (m->paren && !top)
        buf_char(out, '(');
    for (unsigned i = 0; i < m->n; i++) {
        if (i)
            buf_str(out, m->kind == MARKER_AND ? STR(" and ") : STR(" or "));
        format_node(m->part[i], false, out);
    }
    if (m->paren && !top)
        buf_char(out, ')');
}

bool marker_format(const struct marker *m, struct buf *out)
{
    if (m)
        format_node(m, true, out);
    return !out->full;
}

struct str marker_text(struct arena *a, const struct marker *m)
{
    AUTO_BUF b = { 0 };

    if (!m)
        return STR("");
    buf_init(&b, SIZE_MAX / 2);
    (void)marker_format(m, &b); /* the limit cannot be reached */
    return arena_str(a, buf_done(&b));
}

static const struct marker *in_parentheses(struct arena *a, const struct marker *m)
{
    if (m->kind == MARKER_ATOM || m->paren)
        return m;
    struct marker *copy = ARENA_NEW(a, struct marker);

    *copy = *m;
    copy->paren = true;
    return copy;
}

static const struct marker *combine(struct arena *a, enum marker_kind kind, const struct marker *x,
                                    const struct marker *y)
{
    parts_vec parts = { 0 };

    VEC_PUSH_IN(a, &parts, in_parentheses(a, x));
    VEC_PUSH_IN(a, &parts, in_parentheses(a, y));
    return join(a, kind, &parts);
}

const struct marker *marker_and(struct arena *a, const struct marker *x, const struct marker *y)
{
    if (!x || !y)
        return x ? x : y;
    return combine(a, MARKER_AND, x, y);
}

const struct marker *marker_or(struct arena *a, const struct marker *x, const struct marker *y)
{
    if (!x || !y)
        return NULL;
    return combine(a, MARKER_OR, x, y);
}

bool marker_eq(const struct marker *x, const struct marker *y)
{
    if (x == y)
        return true;
    if (!x || !y || x->kind != y->kind)
        return false;
    if (x->kind == MARKER_ATOM)
        return x->var == y->var && x->op == y->op && x->reversed == y->reversed && x->two_names == y->two_names &&
               x->two_texts == y->two_texts && str_eq(x->text, y->text) && str_eq(x->name, y->name);
    if (x->n != y->n)
        return false;
    for (unsigned i = 0; i < x->n; i++)
        if (!marker_eq(x->part[i], y->part[i]))
            return false;
    return true;
}

bool marker_mentions(const struct marker *m, enum marker_var var)
{
    if (!m || m->kind == MARKER_ATOM)
        return m && m->var == var;
    for (unsigned i = 0; i < m->n; i++)
        if (marker_mentions(m->part[i], var))
            return true;
    return false;
}

bool marker_is_only_extra(const struct marker *m)
{
    if (!m || m->kind == MARKER_ATOM)
        return m && m->var == MARKER_EXTRA;
    for (unsigned i = 0; i < m->n; i++)
        if (!marker_is_only_extra(m->part[i]))
            return false;
    return true;
}
