/* The links of an HTML page: its <a>, <base> and <meta> tags in order, which is all that a simple index page
 * (PEP 503) says.
 *
 *     struct html h;
 *     struct html_tag tag;
 *
 *     html_init(&h, text, arena, e);
 *     while (html_next(&h, &tag))
 *         if (tag.kind == HTML_A && (href = html_attr(&tag, STR("href")))) ...
 *     if (h.failed)
 *         return false;
 *
 * Comments, <script>, <style>, <textarea>, <title> and declarations are passed over. Attribute values may be in
 * double quotes, single quotes or none, and have their character references decoded (&amp; &lt; &gt; &quot; &apos;
 * &nbsp; and numeric ones; others stay as written). Tag and attribute names compare without case. Tags inside a link's
 * text are left out of it. Strings are views where nothing had to be decoded, else copies in the arena. Not a
 * full HTML parser: it never builds a tree and forgives what browsers forgive. A page that ends inside a tag,
 * a comment or a link was cut short and fails (ERR_PACKAGE, with the line).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define HTML_MAX_ATTRS 32

enum html_kind {
    HTML_A,
    HTML_BASE,
    HTML_META,
};

struct html_attr {
    struct str name;  /* as written */
    struct str value; /* decoded; n == 0 also when the attribute stands alone */
};

struct html_tag {
    enum html_kind kind;
    struct str text; /* of a link: decoded, white space trimmed at the ends */
    size_t n;
    struct html_attr attr[HTML_MAX_ATTRS]; /* a tag with more fails */
};

struct html {
    struct str text;
    size_t at;
    struct arena *arena;
    struct err *e;
    bool failed;
};

void html_init(struct html *h, struct str text, struct arena *arena, struct err *e);
/* False at the end or on failure. *out is reused by the next call. */
MUST_USE bool html_next(struct html *h, struct html_tag *out);
/* The first attribute of that name, or NULL: present without a value is not absent. */
MUST_USE const struct str *html_attr(const struct html_tag *tag, struct str name);
