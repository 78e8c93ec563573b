#include "codec/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Every helper below takes the place `p` where it begins and returns the place behind what it read, or NULL when
 * the reader has failed. j->at moves only when a whole step succeeded. */

/* --- failing ----------------------------------------------------------------------------------------------- */

static void fail_at(struct json *j, const char *at, const char *what)
{
    size_t line = 1, column = 1;

    for (const char *p = j->start; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else {
            column += (*p & 0xC0) != 0x80;
        }
    }
    j->failed = true;
    (void)err_set(j->e, ERR_PACKAGE, "line %zu, column %zu: %s", line, column, what);
}

/* The bytes at `at` are not what the grammar wants there. */
static const char *wrong(struct json *j, const char *at, const char *want)
{
    char what[128], found[32];
    unsigned char c = at < j->end ? (unsigned char)*at : 0;

    if (at >= j->end)
        (void)snprintf(found, sizeof found, "the end of the text");
    else if (at == j->start && j->end - at >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
        (void)snprintf(found, sizeof found, "a byte order mark");
    else if (c > ' ' && c < 0x7F)
        (void)snprintf(found, sizeof found, "'%c'", c);
    else
        (void)snprintf(found, sizeof found, "byte 0x%02x", c);
    (void)snprintf(what, sizeof what, "expected %s, found %s", want, found);
    fail_at(j, at, what);
    return NULL;
}

bool json_fail(struct json *j, const char *fmt, ...)
{
    char what[1024];
    va_list ap;

    if (j->failed)
        return false;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    fail_at(j, j->value, what);
    return false;
}

/* --- grammar ----------------------------------------------------------------------------------------------- */

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The first quote, backslash or control character, or end. *high is not 0 when a byte before it is not ASCII. */
static inline const char *plain_run(const char *p, const char *end, unsigned *high)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i last_control = _mm_set1_epi8(0x1F);

    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                                   _mm_cmpeq_epi8(_mm_min_epu8(v, last_control), v));
        unsigned hits = (unsigned)_mm_movemask_epi8(hit);
        unsigned not_ascii = (unsigned)_mm_movemask_epi8(v);

        if (hits) {
            *high |= not_ascii & ((hits & -hits) - 1);
            return p + __builtin_ctz(hits);
        }
        *high |= not_ascii;
        p += 16;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        *high |= (unsigned char)*p++ & 0x80u;
    return p;
}

/* Four hexadecimal digits, or more than 0xFFFF. */
static uint32_t hex4(const char *p, const char *end)
{
    uint32_t v = 0;

    if (end - p < 4)
        return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        char c = char_lower(p[i]);

        if (char_is_digit(c))
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else
            return UINT32_MAX;
    }
    return v;
}

/* p is behind "\u" and the digits were checked to be there: reads one or two of these. */
static const char *decode_unicode(const char *p, const char *end, uint32_t *c)
{
    *c = hex4(p, end);
    p += 4;
    if (*c >= 0xD800 && *c < 0xDC00) {
        *c = 0x10000 + ((*c - 0xD800) << 10) + (hex4(p + 2, end) - 0xDC00);
        p += 6;
    }
    return p;
}

/* p is at a backslash. */
static const char *check_escape(struct json *j, const char *p)
{
    if (j->end - p < 2)
        return wrong(j, j->end, "the end of the string");
    if (p[1] != 'u')
        return memchr("\"\\/bfnrt", p[1], 8) ? p + 2 : wrong(j, p + 1, "one of \" \\ / b f n r t u");

    uint32_t c = hex4(p + 2, j->end);

    if (c > 0xFFFF)
        return wrong(j, p + 2, "four hexadecimal digits");
    if (c < 0xD800 || c >= 0xE000)
        return p + 6;
    uint32_t low = j->end - p >= 8 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, j->end) : 0;

    if (c >= 0xDC00 || low < 0xDC00 || low > 0xDFFF) {
        fail_at(j, p, "half of a surrogate pair is no character");
        return NULL;
    }
    return p + 12;
}

/* p is behind the opening quote; returns behind the closing one. */
static inline const char *scan_string(struct json *j, const char *p, bool *escaped)
{
    const char *from = p;
    unsigned high = 0;
    size_t bad = 0;

    *escaped = false;
    for (;;) {
        p = plain_run(p, j->end, &high);
        if (p == j->end)
            return wrong(j, p, "the end of the string");
        if (*p == '"')
            break;
        if (*p != '\\')
            return wrong(j, p, "an escaped control character");
        *escaped = true;
        p = check_escape(j, p);
        if (!p)
            return NULL;
    }
    if (high && !utf8_is_valid((struct str){ from, (size_t)(p - from) }, &bad)) {
        fail_at(j, from + bad, "the text is not UTF-8");
        return NULL;
    }
    return p + 1;
}

static const char *skip_digits(struct json *j, const char *p)
{
    if (p == j->end || !char_is_digit(*p))
        return wrong(j, p, "a digit");
    while (p < j->end && char_is_digit(*p))
        p++;
    return p;
}

static const char *scan_number(struct json *j, const char *p)
{
    if (*p == '-')
        p++;
    if (p < j->end && *p == '0')
        p++;
    else
        p = skip_digits(j, p);
    if (p && p < j->end && *p == '.')
        p = skip_digits(j, p + 1);
    if (p && p < j->end && (*p | 0x20) == 'e') {
        p++;
        if (p < j->end && (*p == '+' || *p == '-'))
            p++;
        p = skip_digits(j, p);
    }
    return p;
}

static const char *scan_literal(struct json *j, const char *p)
{
    struct str word = *p == 't' ? STR("true") : *p == 'f' ? STR("false") : STR("null");

    if ((size_t)(j->end - p) < word.n || memcmp(p, word.p, word.n) != 0)
        return wrong(j, p, "a value");
    return p + word.n;
}

static enum json_type type_at(const char *p, const char *end)
{
    if (p == end)
        return JSON_INVALID;
    switch (*p) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return *p == '-' || char_is_digit(*p) ? JSON_NUMBER : JSON_INVALID;
    }
}

/* --- containers -------------------------------------------------------------------------------------------- */

static bool in_object(const struct json *j)
{
    return j->objects >> (j->depth - 1) & 1;
}

/* p is at the opening bracket. */
static inline const char *push(struct json *j, const char *p)
{
    uint64_t level = (uint64_t)1 << (j->depth & 63);

    if (j->depth == JSON_MAX_DEPTH) {
        fail_at(j, p, "more than 64 levels of nesting");
        return NULL;
    }
    j->objects = *p == '{' ? j->objects | level : j->objects & ~level;
    j->depth++;
    return p + 1;
}

/* p is behind the opening bracket or a whole element; j->first says which. The place of the next element, or behind
 * the closing bracket: then *closed, and the level is left. */
static inline const char *next_element(struct json *j, const char *p, bool *closed)
{
    char close = in_object(j) ? '}' : ']';

    p = skip_space(p, j->end);
    *closed = p < j->end && *p == close;
    if (*closed) {
        j->depth--;
        j->first = false;
        return p + 1;
    }
    if (!j->first) {
        if (p == j->end || *p != ',')
            return wrong(j, p, close == '}' ? "',' or '}'" : "',' or ']'");
        p = skip_space(p + 1, j->end);
    }
    j->first = false;
    return p;
}

/* p is where a member's name has to begin; returns where its value has to. */
static inline const char *scan_key(struct json *j, const char *p, bool *escaped, struct str *raw)
{
    if (p == j->end || *p != '"')
        return wrong(j, p, "a name in quotes");
    const char *from = p + 1;

    p = scan_string(j, from, escaped);
    if (!p)
        return NULL;
    *raw = (struct str){ from, (size_t)(p - 1 - from) };
    p = skip_space(p, j->end);
    if (p == j->end || *p != ':')
        return wrong(j, p, "':'");
    return skip_space(p + 1, j->end);
}

static inline const char *skip_scalar(struct json *j, const char *p)
{
    bool escaped = false;

    switch (type_at(p, j->end)) {
    case JSON_STRING:
        return scan_string(j, p + 1, &escaped);
    case JSON_NUMBER:
        return scan_number(j, p);
    case JSON_BOOL:
    case JSON_NULL:
        return scan_literal(j, p);
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_INVALID:
        break;
    }
    return wrong(j, p, "a value");
}

/* From an element boundary in level j->depth up to where the level `down_to` is reached. */
static const char *skip_levels(struct json *j, const char *p, unsigned down_to)
{
    struct str key;
    bool escaped, closed = false;

    while (j->depth > down_to) {
        p = next_element(j, p, &closed);
        if (!p)
            return NULL;
        if (closed)
            continue;
        if (in_object(j) && !(p = scan_key(j, p, &escaped, &key)))
            return NULL;
        if (p < j->end && (*p == '{' || *p == '[')) {
            p = push(j, p);
            j->first = true;
        } else {
            p = skip_scalar(j, p);
        }
        if (!p)
            return NULL;
    }
    return p;
}

static const char *skip_value(struct json *j, const char *p)
{
    unsigned depth = j->depth;

    if (p == j->end || (*p != '{' && *p != '['))
        return skip_scalar(j, p);
    p = push(j, p);
    if (!p)
        return NULL;
    j->first = true;
    return skip_levels(j, p, depth);
}

/* --- the reader -------------------------------------------------------------------------------------------- */

void json_init(struct json *j, struct str text, struct arena *arena, struct err *e)
{
    const char *start = text.n ? text.p : "";

    *j = (struct json){ .start = start, .at = start, .end = start + text.n, .value = start, .arena = arena, .e = e,
                        .pending = true };
    if (text.n > JSON_MAX_TEXT) {
        j->failed = true;
        (void)err_set(e, ERR_PACKAGE, "a JSON text of %zu bytes, the limit is %u", text.n, JSON_MAX_TEXT);
    }
}

const char *json_type_word(enum json_type type)
{
    static const char *const word[] = {
        [JSON_INVALID] = "no value", [JSON_NULL] = "null",       [JSON_BOOL] = "true or false",
        [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };

    return word[type];
}

/* Where the next value begins, or NULL. */
static const char *value_at(struct json *j)
{
    if (j->failed)
        return NULL;
    if (!j->pending)
        BUG("a JSON value was asked for where none was announced");
    j->value = j->at = skip_space(j->at, j->end);
    return j->at;
}

/* The value has been read up to p, unless p is NULL. */
static bool taken(struct json *j, const char *p)
{
    if (!p)
        return false;
    j->at = p;
    j->pending = false;
    return true;
}

static const char *value_of_type(struct json *j, enum json_type want)
{
    const char *p = value_at(j);
    enum json_type type = p ? type_at(p, j->end) : JSON_INVALID;

    if (!p || type == want)
        return p;
    if (type == JSON_INVALID)
        return wrong(j, p, json_type_word(want));
    (void)json_fail(j, "expected %s, found %s", json_type_word(want), json_type_word(type));
    return NULL;
}

enum json_type json_type(struct json *j)
{
    const char *p = value_at(j);

    return p ? type_at(p, j->end) : JSON_INVALID;
}

static bool begin(struct json *j, enum json_type want)
{
    const char *p = value_of_type(j, want);

    if (!p || !taken(j, push(j, p)))
        return false;
    j->first = true;
    return true;
}

bool json_object_begin(struct json *j)
{
    return begin(j, JSON_OBJECT);
}

bool json_array_begin(struct json *j)
{
    return begin(j, JSON_ARRAY);
}

/* Steps over what was not taken, then to the next element of the innermost container. NULL: closed, or failure. */
static const char *advance(struct json *j, bool object)
{
    bool closed = false;

    if (j->failed || (j->pending && !json_skip(j)))
        return NULL;
    if (j->depth == 0 || in_object(j) != object)
        BUG("JSON members asked of an array, or elements of an object");
    const char *p = next_element(j, j->at, &closed);

    if (p && closed)
        j->at = p;
    return p && !closed ? p : NULL;
}

static struct str decode(struct json *j, struct str raw)
{
    char *out = arena_text(j->arena, raw.p, raw.n); /* an escape is never shorter than what it stands for */
    const char *p = raw.p, *end = raw.p + raw.n;
    size_t n = 0;

    while (p < end) {
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        uint32_t c;

        if (*p != '\\') {
            out[n++] = *p++;
        } else if (p[1] == 'u') {
            p = decode_unicode(p + 2, end, &c);
            n += utf8_encode(c, out + n);
        } else {
            out[n++] = to[(const char *)memchr(from, p[1], sizeof from - 1) - from];
            p += 2;
        }
    }
    out[n] = '\0';
    return (struct str){ out, n };
}

bool json_object_next(struct json *j, struct str *key)
{
    const char *p = advance(j, true);
    struct str raw;
    bool escaped = false;

    if (!p || !(p = scan_key(j, p, &escaped, &raw)))
        return false;
    *key = escaped ? decode(j, raw) : raw;
    j->at = p;
    j->pending = true;
    return true;
}

bool json_array_next(struct json *j)
{
    const char *p = advance(j, false);

    if (!p)
        return false;
    j->at = p;
    j->pending = true;
    return true;
}

bool json_leave(struct json *j)
{
    if (j->failed || (j->pending && !json_skip(j)))
        return false;
    if (j->depth == 0)
        BUG("no JSON container to leave");
    return taken(j, skip_levels(j, j->at, j->depth - 1));
}

bool json_end(struct json *j)
{
    if (j->failed || (j->pending && j->depth == 0 && !json_skip(j)))
        return false;
    if (j->depth)
        BUG("a JSON container was left open");
    const char *p = skip_space(j->at, j->end);

    if (p < j->end)
        return wrong(j, p, "the end of the text") != NULL;
    return true;
}

/* --- values ------------------------------------------------------------------------------------------------ */

bool json_string(struct json *j, struct str *out)
{
    const char *p = value_of_type(j, JSON_STRING);
    bool escaped = false;

    if (!p || !taken(j, scan_string(j, p + 1, &escaped)))
        return false;
    struct str raw = { p + 1, (size_t)(j->at - p) - 2 };

    *out = escaped ? decode(j, raw) : raw;
    return true;
}

bool json_bool(struct json *j, bool *out)
{
    const char *p = value_of_type(j, JSON_BOOL);

    if (!p || !taken(j, scan_literal(j, p)))
        return false;
    *out = *p == 't';
    return true;
}

bool json_number(struct json *j, struct str *out)
{
    const char *p = value_of_type(j, JSON_NUMBER);

    if (!p || !taken(j, scan_number(j, p)))
        return false;
    *out = (struct str){ p, (size_t)(j->at - p) };
    return true;
}

bool json_u64(struct json *j, uint64_t *out)
{
    struct str text;
    uint64_t v;

    if (!json_number(j, &text))
        return false;
    if (str_eq(text, STR("-0")))
        text = STR("0");
    if (!str_to_u64(text, &v))
        return json_fail(j, "expected a whole number from 0 to %" PRIu64 ", found " STR_FMT, UINT64_MAX,
                         (int)MIN(text.n, 40), text.p);
    *out = v;
    return true;
}

bool json_i64(struct json *j, int64_t *out)
{
    struct str text;
    uint64_t v;

    if (!json_number(j, &text))
        return false;
    struct str digits = text;
    bool negative = str_cut_prefix(&digits, STR("-"));

    if (!str_to_u64(digits, &v) || v > (uint64_t)INT64_MAX + negative)
        return json_fail(j, "expected a whole number from %" PRId64 " to %" PRId64 ", found " STR_FMT, INT64_MIN,
                         INT64_MAX, (int)MIN(text.n, 40), text.p);
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool json_null(struct json *j)
{
    const char *p = value_of_type(j, JSON_NULL);

    return p && taken(j, scan_literal(j, p));
}

bool json_take_null(struct json *j)
{
    const char *p = value_at(j);

    return p && type_at(p, j->end) == JSON_NULL && taken(j, scan_literal(j, p));
}

bool json_skip(struct json *j)
{
    const char *p = value_at(j);

    return p && taken(j, skip_value(j, p));
}

bool json_raw(struct json *j, struct str *out)
{
    const char *p = value_at(j);

    if (!p || !taken(j, skip_value(j, p)))
        return false;
    *out = (struct str){ p, (size_t)(j->at - p) };
    return true;
}
