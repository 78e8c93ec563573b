#include "codec/toml_tagged.h"

#include <math.h>
#include "base/buf.h"
#include "codec/toml.h"

static void put_string(struct buf *out, struct str s)
{
    (void)buf_char(out, '"'); /* here and below: the caller looks at out->full once */
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\')
            (void)buf_char(out, '\\');
        if (c < 0x20 || c == 0x7f)
            (void)buf_printf(out, "\\u%04x", c);
        else
            (void)buf_char(out, (char)c);
    }
    (void)buf_char(out, '"');
}

static void put_float(struct buf *out, double v)
{
    char text[40];

    if (isnan(v) || isinf(v)) {
        (void)buf_printf(out, "\"%s\"", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    (void)buf_printf(out, "\"%s%s\"", text, strpbrk(text, ".e") ? "" : ".0");
}

static void put_moment(struct buf *out, struct str s)
{
    (void)buf_char(out, '"');
    for (size_t i = 0; i < s.n; i++)
        (void)buf_char(out, s.p[i] == ' ' || s.p[i] == 't' ? 'T' : s.p[i] == 'z' ? 'Z' : s.p[i]);
    (void)buf_char(out, '"');
}

static void put_value(struct buf *out, const struct toml_node *n)
{
    static const char *const names[] = {
        [TOML_STRING] = "string",
        [TOML_INTEGER] = "integer",
        [TOML_FLOAT] = "float",
        [TOML_BOOL] = "bool",
        [TOML_DATETIME] = "datetime",
        [TOML_DATETIME_LOCAL] = "datetime-local",
        [TOML_DATE] = "date-local",
        [TOML_TIME] = "time-local",
        [TOML_ARRAY] = "",
        [TOML_TABLE] = "",
    };

    (void)buf_printf(out, "{\"type\":\"%s\",\"value\":", names[n->type]);
    if (n->type == TOML_STRING)
        put_string(out, n->text);
    else if (n->type == TOML_INTEGER)
        (void)buf_printf(out, "\"%lld\"", (long long)n->integer);
    else if (n->type == TOML_FLOAT)
        put_float(out, n->real);
    else if (n->type == TOML_BOOL)
        (void)buf_printf(out, "\"%s\"", n->yes ? "true" : "false");
    else
        put_moment(out, n->text);
    (void)buf_char(out, '}');
}

/* The recursion is as deep as the document, which TOML_DEPTH_MAX bounds. */
static void put_node(struct buf *out, const struct toml_node *n)
{
    bool table = n->type == TOML_TABLE;

    if (!table && n->type != TOML_ARRAY) {
        put_value(out, n);
        return;
    }
    (void)buf_char(out, table ? '{' : '[');
    for (const struct toml_node *child = n->first; child; child = child->next) {
        if (child != n->first)
            (void)buf_char(out, ',');
        if (table) {
            put_string(out, child->key);
            (void)buf_char(out, ':');
        }
        put_node(out, child);
    }
    (void)buf_char(out, table ? '}' : ']');
}

bool toml_tagged(const struct toml_doc *d, struct buf *out)
{
    put_node(out, d->root);
    return !out->full;
}
