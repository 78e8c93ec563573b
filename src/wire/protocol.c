#include "wire/protocol.h"

#include <limits.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "build_config.h"
#include "codec/json.h"
#include "codec/json_write.h"

struct message {
    const char *word, *params;
};

static const struct message messages[WIRE_METHODS] = {
#define MESSAGE(id, method, params, result, text) [WIRE_##id] = { method, params },
#include "wire/messages.def"
};

static const char *const events[WIRE_EVENTS] = {
#define EVENT(id, type, fields, text) [WIRE_EVENT_##id] = type,
#include "wire/messages.def"
};

static const char *const faults[WIRE_FAULTS] = {
#define FAULT(id, code, text) [WIRE_FAULT_##id] = code,
#include "wire/messages.def"
};

const char *wire_method_word(enum wire_method method)
{
    return messages[method].word;
}

const char *wire_event_word(enum wire_event event)
{
    return events[event];
}

const char *wire_fault_word(enum wire_fault fault)
{
    return faults[fault];
}

/* One `name:type?` of a table's line. */
struct field {
    struct str name, type;
    bool optional;
    unsigned place;
};

static bool next_field(struct str *rest, struct field *f)
{
    struct str part;

    do {
        if (!rest->p || !str_next(rest, ' ', &part))
            return false;
    } while (part.n == 0);
    size_t colon = str_find(part, ':');

    f->name = str_sub(part, 0, colon);
    f->type = str_sub(part, colon + 1, part.n);
    f->optional = str_cut_suffix(&f->type, STR("?"));
    return true;
}

static bool find_field(const char *line, struct str name, struct field *out)
{
    struct str rest = str_of(line);

    for (out->place = 0; next_field(&rest, out); out->place++)
        if (str_eq(out->name, name))
            return true;
    return false;
}

static bool is_word(struct str words, struct str text)
{
    for (struct str part; str_next(&words, '|', &part);)
        if (str_eq(part, text))
            return true;
    return false;
}

/* One spelling of a path only, so that it can be compared: no ".", "..", "//" or slash at the end. */
static bool is_plain_path(struct str path)
{
    struct str part;

    if (path.n == 0 || path.p[0] != '/' || str_find(path, '\0') != path.n)
        return false;
    for (struct str rest = str_sub(path, 1, path.n); path.n > 1 && str_next(&rest, '/', &part);)
        if (part.n == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return false;
    return true;
}

static bool take_text(struct json *j, struct str type, struct str *out)
{
    if (!json_string(j, out))
        return false;
    if (str_eq(type, STR("text")))
        return true;
    if (!str_eq(type, STR("path")))
        return is_word(type, *out) || json_fail(j, "'" STR_FMT "' is none of " STR_FMT, STR_ARG(*out), STR_ARG(type));
    if (!is_plain_path(*out))
        return json_fail(j, "'" STR_FMT "' is not an absolute path in its plain spelling", STR_ARG(*out));
    return out->n < PATH_MAX || json_fail(j, "the path has %zu bytes, the limit is %d", out->n, PATH_MAX - 1);
}

static bool take_value(struct json *j, const struct field *f, struct wire_value *out)
{
    struct wire_value v = { .given = true };
    bool flag = false;

    if (f->optional && json_take_null(j)) {
        *out = (struct wire_value){ 0 };
        return true;
    }
    if (str_eq(f->type, STR("count")) || str_eq(f->type, STR("pid"))) {
        bool pid = f->type.p[0] == 'p';
        uint64_t max = pid ? INT_MAX : WIRE_COUNT_MAX;

        if (!json_u64(j, &v.count))
            return false;
        if (v.count > max || (pid && v.count == 0))
            return json_fail(j, "'" STR_FMT "' is not between %d and %llu", STR_ARG(f->name), pid,
                             (unsigned long long)max);
    } else if (str_eq(f->type, STR("flag"))) {
        if (!json_bool(j, &flag))
            return false;
        v.count = flag;
    } else if (str_eq(f->type, STR("json"))) {
        if (!json_raw(j, &v.text))
            return false;
    } else if (!take_text(j, f->type, &v.text)) {
        return false;
    }
    *out = v;
    return true;
}

static bool take_params(struct json *j, const char *line, struct wire_value *values)
{
    struct str key;
    struct field f;

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key))
        if (find_field(line, key, &f) && !take_value(j, &f, &values[f.place]))
            return false;
    return json_ok(j);
}

static bool all_given(enum wire_method method, const struct wire_value *values, struct err *e)
{
    struct str rest = str_of(messages[method].params);
    struct field f;

    for (unsigned i = 0; next_field(&rest, &f); i++) {
        if (i >= WIRE_FIELDS_MAX)
            BUG("%s has more than %d parameters", messages[method].word, WIRE_FIELDS_MAX);
        if (!f.optional && !values[i].given)
            return err_set(e, ERR_DAEMON, "%s wants the parameter '" STR_FMT "' (" STR_FMT ")", messages[method].word,
                           STR_ARG(f.name), STR_ARG(f.type));
    }
    return true;
}

static bool check_params(struct str params, struct arena *a, struct wire_request *r, struct err *e)
{
    struct json j;

    if (params.n) {
        json_init(&j, params, a, e);
        if (!take_params(&j, messages[r->method].params, r->value) || !json_end(&j))
            return err_as(e, ERR_DAEMON, "read the parameters of %s", messages[r->method].word);
    }
    return all_given(r->method, r->value, e);
}

static bool find_method(struct str word, enum wire_method *out)
{
    for (unsigned i = 0; i < WIRE_METHODS; i++)
        if (i != WIRE_HELLO && str_eq(word, str_of(messages[i].word))) {
            *out = (enum wire_method)i;
            return true;
        }
    return false;
}

static struct wire_hello hello_of(const struct wire_value *values)
{
    return (struct wire_hello){ .proto = values[0].count, .build = values[1].text, .pid = values[2].count };
}

/* The members of a request; hello.p, method.p and params.p tell which were there. */
struct request_parts {
    struct str hello, method, params;
};

static bool take_request(struct json *j, struct request_parts *parts, uint64_t *id)
{
    struct str key;

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("id")) && (!json_u64(j, id) || *id > WIRE_COUNT_MAX))
            return json_fail(j, "the id is not between 0 and 2^53");
        if (str_eq(key, STR("hello")))
            (void)json_raw(j, &parts->hello); /* failures are sticky */
        else if (str_eq(key, STR("method")))
            (void)json_string(j, &parts->method);
        else if (str_eq(key, STR("params")))
            (void)json_raw(j, &parts->params);
    }
    return json_ok(j);
}

bool wire_request_parse(struct str line, struct arena *a, struct wire_request *out, enum wire_fault *fault,
                        struct err *e)
{
    struct request_parts parts = { 0 };
    struct json j;

    *out = (struct wire_request){ 0 };
    *fault = WIRE_FAULT_PARSE;
    json_init(&j, line, a, e);
    if (!take_request(&j, &parts, &out->id) || !json_end(&j)) {
        out->id = out->id > WIRE_COUNT_MAX ? 0 : out->id;
        return err_as(e, ERR_DAEMON, "read the request");
    }
    if (parts.hello.p) {
        out->method = WIRE_HELLO;
        if (!check_params(parts.hello, a, out, e))
            return false;
        out->hello = hello_of(out->value);
        return true;
    }
    if (!parts.method.p)
        return err_set(e, ERR_DAEMON, "the request has no method");
    *fault = WIRE_FAULT_METHOD;
    if (!find_method(parts.method, &out->method))
        return err_set(e, ERR_DAEMON, "there is no method '" STR_FMT "'", STR_ARG(parts.method));
    *fault = WIRE_FAULT_PARAMS;
    return check_params(parts.params, a, out, e);
}

const struct wire_value *wire_value_get(const struct wire_request *r, const char *name)
{
    struct field f;

    if (!find_field(messages[r->method].params, str_of(name), &f))
        BUG("%s has no parameter %s", messages[r->method].word, name);
    return &r->value[f.place];
}

static bool take_members(struct str body, struct arena *a, const char *const names[2], struct str out[2], struct err *e)
{
    struct json j;
    struct str key;

    json_init(&j, body, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            for (unsigned i = 0; i < 2; i++)
                if (names[i] && str_eq(key, str_of(names[i])))
                    (void)json_string(&j, &out[i]); /* failures are sticky */
    return json_end(&j);
}

static bool finish_reply(struct str hello, struct str error, struct arena *a, struct wire_reply *r, struct err *e)
{
    static const char *const of_event[2] = { "type" }, *const of_error[2] = { "code", "message" };
    struct str text[2] = { { 0 } };

    if (hello.p) {
        struct wire_request q = { .method = WIRE_HELLO };

        if (!check_params(hello, a, &q, e))
            return false;
        r->kind = WIRE_REPLY_HELLO;
        r->hello = hello_of(q.value);
    } else if (error.p) {
        if (!take_members(error, a, of_error, text, e))
            return false;
        r->code = text[0];
        r->message = text[1];
        r->kind = WIRE_REPLY_ERROR;
    } else if (r->kind == WIRE_REPLY_EVENT) {
        if (!take_members(r->body, a, of_event, text, e))
            return false;
        r->type = text[0];
    }
    return true;
}

bool wire_reply_parse(struct str line, struct arena *a, struct wire_reply *out, struct err *e)
{
    struct wire_reply r = { 0 };
    struct str key, hello = { 0 }, error = { 0 };
    unsigned kinds = 0;
    struct json j;

    json_init(&j, line, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            bool is_event = str_eq(key, STR("event")), is_result = str_eq(key, STR("result"));
            bool is_hello = str_eq(key, STR("hello")), is_error = str_eq(key, STR("error"));

            kinds += is_event || is_result || is_hello || is_error;
            if (is_event || is_result) {
                r.kind = is_event ? WIRE_REPLY_EVENT : WIRE_REPLY_RESULT;
                (void)json_raw(&j, &r.body); /* failures are sticky */
            } else if (is_hello || is_error) {
                (void)json_raw(&j, is_hello ? &hello : &error);
            } else if (str_eq(key, STR("id"))) {
                (void)json_u64(&j, &r.id);
            }
        }
    if (!json_end(&j))
        return err_as(e, ERR_DAEMON, "read the daemon's answer");
    if (kinds != 1)
        return err_set(e, ERR_DAEMON, "the daemon's line is not one of hello, event, result and error");
    if (!finish_reply(hello, error, a, &r, e))
        return err_as(e, ERR_DAEMON, "read the daemon's answer");
    *out = r;
    return true;
}

void wire_write_hello(struct buf *out, uint64_t pid)
{
    (void)buf_printf(out, "{\"hello\":{\"proto\":%d,\"build\":\"%s\",\"pid\":%llu}}\n", WIRE_PROTO, BLAST_VERSION,
                     (unsigned long long)pid);
}

void wire_write_request(struct buf *out, uint64_t id, const char *method, struct str params)
{
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member_u64(&w, "id", id);
    json_write_member_cstr(&w, "method", method);
    json_write_key(&w, STR("params"));
    json_write_raw(&w, params.n ? params : STR("{}"));
    json_write_object_end(&w);
    (void)json_write_end(&w); /* the caller looks at out->full */
    (void)buf_char(out, '\n');
}

void wire_write_error(struct buf *out, uint64_t id, enum wire_fault fault, struct str message)
{
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member_u64(&w, "id", id);
    json_write_key(&w, STR("error"));
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "code", faults[fault]);
    json_write_member(&w, "message", message);
    json_write_key(&w, STR("data"));
    json_write_null(&w);
    json_write_object_end(&w);
    wire_write_end(&w);
}

static void begin(struct buf *out, uint64_t id, const char *member, struct json_write *w)
{
    json_write_init(w, out, false);
    json_write_object_begin(w);
    json_write_member_u64(w, "id", id);
    json_write_key(w, str_of(member));
    json_write_object_begin(w);
}

void wire_write_result(struct buf *out, uint64_t id, struct json_write *w)
{
    begin(out, id, "result", w);
}

void wire_write_event(struct buf *out, uint64_t id, enum wire_event event, struct json_write *w)
{
    begin(out, id, "event", w);
    json_write_member_cstr(w, "type", events[event]);
}

void wire_write_end(struct json_write *w)
{
    struct buf *out = w->buf;

    if (w->depth > 1)
        json_write_object_end(w);
    json_write_object_end(w);
    (void)json_write_end(w); /* the caller looks at out->full */
    (void)buf_char(out, '\n');
}
