/* JSON (RFC 8259), pulled: the caller asks for the value it expects, everything else is skipped.
 *
 *     struct json j;
 *     struct str key;
 *
 *     json_init(&j, text, arena, e);
 *     if (json_object_begin(&j))
 *         while (json_object_next(&j, &key))
 *             if (str_eq(key, STR("name")))
 *                 (void)json_string(&j, &name);
 *     if (!json_end(&j))
 *         return err_wrap(e, "read the page of '%s'", project);
 *
 * Promise: all of the text is validated, also what is skipped: grammar, UTF-8, escapes, numbers. No byte order
 * mark, no comments, no trailing commas, no lone surrogates. Strings are views into the text where they hold no
 * escape, else copies in the arena; they live as long as both. A string may hold NUL (written \u0000).
 *
 * Failure is sticky: the first one is put into the `struct err` given to json_init() as ERR_PACKAGE with line and
 * column (counted from 1, columns in characters); from then on every call returns false and nothing changes.
 * So it is enough to look once, at json_end() or json_ok(). Results are written only on success.
 *
 * A value that was announced (by json_object_next or json_array_next) and not taken is skipped by the next call
 * of these. Members of one name: each is reported, in order; whoever assigns keeps the last, as most readers do.
 * Asking for the members of an array, or leaving a loop early without json_leave(), is a BUG() or an error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define JSON_MAX_DEPTH 64
#define JSON_MAX_TEXT (1u << 28) /* bytes: 256 MiB */

enum json_type {
    JSON_INVALID, /* nothing that can start a value, or failed before */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/* The fields are the reader's own; callers read `failed` at most. */
struct json {
    const char *at, *end, *start;
    const char *value;     /* where the value last asked for begins */
    struct arena *arena;
    struct err *e;
    uint64_t objects;      /* bit i: level i is an object, else an array */
    unsigned depth;
    bool first;            /* nothing of the current container was read yet */
    bool pending;          /* a value was announced and not taken yet */
    bool failed;
};

/* Reads nothing yet. A text over JSON_MAX_TEXT fails here; the next calls say so. */
void json_init(struct json *j, struct str text, struct arena *arena, struct err *e);

/* Only white space is left and every container was read to its end. */
MUST_USE bool json_end(struct json *j);
static inline bool json_ok(const struct json *j)
{
    return !j->failed;
}

/* What the next value is; takes nothing. Judged by the first byte: the value may still turn out to be wrong. */
MUST_USE enum json_type json_type(struct json *j);
const char *json_type_word(enum json_type type); /* "a string", for messages */

/* The next value must be an object (array). */
MUST_USE bool json_object_begin(struct json *j);
MUST_USE bool json_array_begin(struct json *j);
/* True: *key is the next member's name and its value comes. False: the object is closed, or failure. */
MUST_USE bool json_object_next(struct json *j, struct str *key);
/* True: one more element comes. False: the array is closed, or failure. */
MUST_USE bool json_array_next(struct json *j);
/* Skips what is left of the innermost open container and closes it: to leave its loop early. */
bool json_leave(struct json *j);

bool json_string(struct json *j, struct str *out);
bool json_bool(struct json *j, bool *out);
/* Integers: no fraction, no exponent, in range, otherwise failure. */
bool json_u64(struct json *j, uint64_t *out);
bool json_i64(struct json *j, int64_t *out);
/* Any number, as written: a view into the text. */
bool json_number(struct json *j, struct str *out);
/* Takes a null, fails when it is anything else. */
bool json_null(struct json *j);
/* Takes a null if one comes, and says whether; fails at nothing. For `"requires-python": null`. */
MUST_USE bool json_take_null(struct json *j);
/* Passes over a value of any kind. Validated, nothing decoded or copied. */
bool json_skip(struct json *j);
/* The same, and gives the value's text as written: a view, without surrounding white space. */
bool json_raw(struct json *j, struct str *out);

/* The caller's own complaint about the value last asked for; "line 3, column 7: " is put before it. Always
 * false, and the reader has failed. */
bool json_fail(struct json *j, const char *fmt, ...) PRINTF(2, 3);
