/* The words of TOML: strings, numbers, dates. Shared by codec/toml.c and codec/toml_value.c; not for others.
 *
 * A scan walks over the document's text; the text is known to be valid UTF-8. Errors carry their place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct toml_doc;
struct toml_node;

struct toml_scan {
    struct toml_doc *d;
    const char *p; /* the document's bytes */
    uint32_t n, at;
    struct arena *a;
    struct err *e;
};

/* ERR_CONFIG at an offset. Returns false. */
bool toml_scan_error(struct toml_scan *s, uint32_t at, const char *fmt, ...) PRINTF(3, 4);

/* The byte `ahead` of the scan, or '\0' past the end; a NUL in the text is refused before it can matter. */
static inline char toml_scan_peek(const struct toml_scan *s, uint32_t ahead)
{
    return ahead < s->n - s->at ? s->p[s->at + ahead] : '\0';
}

/* Spaces and tabs. */
void toml_scan_blank(struct toml_scan *s);
/* A string with its quotes; several lines only when `lines` is set. The text is decoded into the arena. */
MUST_USE bool toml_scan_string(struct toml_scan *s, bool lines, struct str *out);
/* Anything without quotes and brackets: fills type and value of the node. */
MUST_USE bool toml_scan_scalar(struct toml_scan *s, struct toml_node *out);
