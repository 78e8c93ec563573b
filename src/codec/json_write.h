/* Writing JSON into a buffer, minified or indented by two spaces.
 *
 *     struct json_write w;
 *
 *     json_write_init(&w, &buf, false);
 *     json_write_object_begin(&w);
 *     json_write_key(&w, STR("name"));
 *     json_write_str(&w, name);
 *     json_write_object_end(&w);
 *     json_write_end(&w);
 *
 * Promise: what comes out is one valid JSON value whatever the data was. Misuse (a key in an array, a value without
 * a key in an object, the wrong end, two values at top level, an end too early) is a BUG(). Strings: bytes that are
 * not UTF-8 become U+FFFD; only quote, backslash and control characters are escaped. Members appear in the order
 * written; names are not checked for doubles. The buffer's limit holds: look at buf->full once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

#define JSON_WRITE_MAX_DEPTH 64

struct json_write {
    struct buf *buf;
    uint64_t objects; /* bit i: level i is an object */
    unsigned depth;
    bool indent;
    bool first; /* nothing in the current container yet */
    bool key;   /* a name was written, its value is due */
    bool done;  /* the top-level value is complete */
};

/* Appends to what buf already holds; buf stays the caller's. */
void json_write_init(struct json_write *w, struct buf *buf, bool indent);
/* The value must be complete. An indented one gets a final line end. False when the buffer was full. */
bool json_write_end(struct json_write *w);

void json_write_object_begin(struct json_write *w);
void json_write_object_end(struct json_write *w);
void json_write_array_begin(struct json_write *w);
void json_write_array_end(struct json_write *w);
void json_write_key(struct json_write *w, struct str name);

void json_write_str(struct json_write *w, struct str s);
void json_write_cstr(struct json_write *w, const char *s); /* NULL writes null */
void json_write_u64(struct json_write *w, uint64_t v);
void json_write_i64(struct json_write *w, int64_t v);
/* With this many digits behind the point (at most 9); what is not finite becomes null. */
void json_write_fixed(struct json_write *w, double v, unsigned digits);
void json_write_bool(struct json_write *w, bool v);
void json_write_null(struct json_write *w);
/* A JSON value that is known to be valid (from json_raw() or another writer), as it is. */
void json_write_raw(struct json_write *w, struct str json);

/* Key and value in one call. */
void json_write_member(struct json_write *w, const char *name, struct str value);
void json_write_member_cstr(struct json_write *w, const char *name, const char *value);
void json_write_member_u64(struct json_write *w, const char *name, uint64_t value);
void json_write_member_bool(struct json_write *w, const char *name, bool value);

/* The JSON value of `text` without white space, in out: members keep their order, strings and numbers their
 * spelling. Fails as json.h does, or ERR_PACKAGE when out is full. */
MUST_USE bool json_write_minified(struct str text, struct buf *out, struct err *e);
