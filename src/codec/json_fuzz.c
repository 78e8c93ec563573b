/* Pulling every value, skipping all, and minifying must judge the text alike; minified text is a fixed point. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy(struct json *j, struct json_write *w);

static void copy_object(struct json *j, struct json_write *w)
{
    struct str key;

    if (!json_object_begin(j))
        return;
    json_write_object_begin(w);
    while (json_object_next(j, &key)) {
        json_write_key(w, key);
        copy(j, w);
    }
    if (json_ok(j))
        json_write_object_end(w);
}

static void copy_array(struct json *j, struct json_write *w)
{
    if (!json_array_begin(j))
        return;
    json_write_array_begin(w);
    while (json_array_next(j))
        copy(j, w);
    if (json_ok(j))
        json_write_array_end(w);
}

/* Copies the next value through the writer. Depth is bounded by JSON_MAX_DEPTH. */
static void copy(struct json *j, struct json_write *w)
{
    struct str s;
    bool b;

    switch (json_type(j)) {
    case JSON_OBJECT:
        copy_object(j, w);
        break;
    case JSON_ARRAY:
        copy_array(j, w);
        break;
    case JSON_STRING:
        if (json_string(j, &s))
            json_write_str(w, s);
        break;
    case JSON_NUMBER:
        if (json_number(j, &s))
            json_write_raw(w, s);
        break;
    case JSON_BOOL:
        if (json_bool(j, &b))
            json_write_bool(w, b);
        break;
    case JSON_NULL:
        if (json_null(j))
            json_write_null(w);
        break;
    case JSON_INVALID:
        (void)json_skip(j);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF pulled, minified, again;
    struct str text = { (const char *)data, size };
    struct err e = { 0 };
    struct json j;
    struct json_write w;

    buf_init(&pulled, 1 << 26);
    buf_init(&minified, 1 << 26);
    buf_init(&again, 1 << 26);
    bool valid = json_write_minified(text, &minified, &e);

    json_init(&j, text, &a, &e);
    json_write_init(&w, &pulled, false);
    copy(&j, &w);
    if (json_end(&j) != valid)
        abort();
    if (!valid)
        return 0;
    (void)json_write_end(&w);
    if (!json_write_minified(buf_done(&minified), &again, &e) || !str_eq(buf_done(&minified), buf_done(&again)))
        abort();
    buf_reset(&again);
    if (!json_write_minified(buf_done(&pulled), &again, &e) || !str_eq(buf_done(&pulled), buf_done(&again)))
        abort();
    return 0;
}
