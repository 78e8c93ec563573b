#include "codec/json_write.h"

#include <inttypes.h>
#include <math.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"
#include "codec/json.h"

void json_write_init(struct json_write *w, struct buf *buf, bool indent)
{
    *w = (struct json_write){ .buf = buf, .indent = indent, .first = true };
}

bool json_write_end(struct json_write *w)
{
    if (!w->done || w->depth)
        BUG("a JSON value ended at depth %u, %s", w->depth, w->done ? "too early" : "before it began");
    if (w->indent)
        (void)buf_char(w->buf, '\n');
    return !w->buf->full;
}

static bool in_object(const struct json_write *w)
{
    return w->depth && (w->objects >> (w->depth - 1) & 1);
}

static void line_break(struct json_write *w)
{
    if (!w->indent)
        return;
    (void)buf_char(w->buf, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        (void)buf_str(w->buf, STR("  "));
}

/* The comma and the line break before an element of the current container. */
static void separate(struct json_write *w)
{
    if (!w->first)
        (void)buf_char(w->buf, ',');
    w->first = false;
    line_break(w);
}

/* A value may come here; what has to stand before it is written. */
static void begin_value(struct json_write *w)
{
    if (w->done)
        BUG("a second JSON value at top level");
    if (in_object(w)) {
        if (!w->key)
            BUG("a JSON member without a name");
        w->key = false;
    } else if (w->depth) {
        separate(w);
    }
    w->done = w->depth == 0;
}

static void open_level(struct json_write *w, bool object)
{
    begin_value(w);
    if (w->depth == JSON_WRITE_MAX_DEPTH)
        BUG("more than %d levels of JSON", JSON_WRITE_MAX_DEPTH);
    uint64_t level = (uint64_t)1 << w->depth;

    w->objects = object ? w->objects | level : w->objects & ~level;
    w->depth++;
    w->first = true;
    w->done = false;
    (void)buf_char(w->buf, object ? '{' : '[');
}

static void close_level(struct json_write *w, bool object)
{
    if (w->depth == 0 || in_object(w) != object || w->key)
        BUG("JSON %s ended where none is open", object ? "object" : "array");
    w->depth--;
    if (!w->first)
        line_break(w);
    w->first = false;
    w->done = w->depth == 0;
    (void)buf_char(w->buf, object ? '}' : ']');
}

void json_write_object_begin(struct json_write *w)
{
    open_level(w, true);
}

void json_write_object_end(struct json_write *w)
{
    close_level(w, true);
}

void json_write_array_begin(struct json_write *w)
{
    open_level(w, false);
}

void json_write_array_end(struct json_write *w)
{
    close_level(w, false);
}

static void escaped_char(struct buf *b, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = memchr(from, c, sizeof from - 1);

    if (found)
        (void)buf_printf(b, "\\%c", to[found - from]);
    else
        (void)buf_printf(b, "\\u%04x", c);
}

static void quoted(struct buf *b, struct str s)
{
    (void)buf_char(b, '"');
    while (s.n) {
        size_t run = 0;

        while (run < s.n && (unsigned char)s.p[run] >= 0x20 && s.p[run] != '"' && s.p[run] != '\\')
            run++;
        struct str plain = str_sub(s, 0, run);
        size_t bad = run;

        if (!utf8_is_valid(plain, &bad)) {
            (void)buf_str(b, str_sub(plain, 0, bad));
            (void)buf_str(b, STR("\xEF\xBF\xBD"));
            s = str_sub(s, bad + 1, s.n);
            continue;
        }
        (void)buf_str(b, plain);
        s = str_sub(s, run, s.n);
        if (s.n) {
            escaped_char(b, (unsigned char)s.p[0]);
            s = str_sub(s, 1, s.n);
        }
    }
    (void)buf_char(b, '"');
}

void json_write_key(struct json_write *w, struct str name)
{
    if (!in_object(w) || w->key)
        BUG("a JSON name where none can stand");
    separate(w);
    quoted(w->buf, name);
    (void)buf_str(w->buf, w->indent ? STR(": ") : STR(":"));
    w->key = true;
}

void json_write_str(struct json_write *w, struct str s)
{
    begin_value(w);
    quoted(w->buf, s);
}

void json_write_cstr(struct json_write *w, const char *s)
{
    if (s)
        json_write_str(w, str_of(s));
    else
        json_write_null(w);
}

void json_write_u64(struct json_write *w, uint64_t v)
{
    begin_value(w);
    (void)buf_printf(w->buf, "%" PRIu64, v);
}

void json_write_i64(struct json_write *w, int64_t v)
{
    begin_value(w);
    (void)buf_printf(w->buf, "%" PRId64, v);
}

void json_write_fixed(struct json_write *w, double v, unsigned digits)
{
    if (!isfinite(v)) {
        json_write_null(w);
        return;
    }
    begin_value(w);
    (void)buf_printf(w->buf, "%.*f", (int)MIN(digits, 9), v);
}

void json_write_bool(struct json_write *w, bool v)
{
    begin_value(w);
    (void)buf_str(w->buf, v ? STR("true") : STR("false"));
}

void json_write_null(struct json_write *w)
{
    begin_value(w);
    (void)buf_str(w->buf, STR("null"));
}

void json_write_raw(struct json_write *w, struct str json)
{
    begin_value(w);
    (void)buf_str(w->buf, json);
}

void json_write_member(struct json_write *w, const char *name, struct str value)
{
    json_write_key(w, str_of(name));
    json_write_str(w, value);
}

void json_write_member_cstr(struct json_write *w, const char *name, const char *value)
{
    json_write_key(w, str_of(name));
    json_write_cstr(w, value);
}

void json_write_member_u64(struct json_write *w, const char *name, uint64_t value)
{
    json_write_key(w, str_of(name));
    json_write_u64(w, value);
}

void json_write_member_bool(struct json_write *w, const char *name, bool value)
{
    json_write_key(w, str_of(name));
    json_write_bool(w, value);
}

/* Valid JSON: white space outside of strings is all there is to drop. */
static void add_without_space(struct str json, struct buf *out)
{
    size_t i = 0;

    while (i < json.n) {
        size_t from = i;

        while (i < json.n && !char_is_space(json.p[i])) {
            bool string = json.p[i++] == '"';

            while (string && json.p[i] != '"')
                i += json.p[i] == '\\' ? 2 : 1;
            i += string;
        }
        (void)buf_str(out, str_sub(json, from, i));
        while (i < json.n && char_is_space(json.p[i]))
            i++;
    }
}

bool json_write_minified(struct str text, struct buf *out, struct err *e)
{
    struct json j;
    struct str value;

    json_init(&j, text, NULL, e); /* nothing is decoded, so nothing is allocated */
    if (!json_raw(&j, &value) || !json_end(&j))
        return false;
    add_without_space(value, out);
    if (out->full)
        return err_set(e, ERR_PACKAGE, "the minified JSON passes %zu bytes", out->limit);
    return true;
}
