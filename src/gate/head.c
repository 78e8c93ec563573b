#include "gate/head.h"

#define CHUNK_LINE_MAX 20 /* 16 digits and the line ends around them */

static bool is_token_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

/* Visible characters, bytes above 127, space and tab. */
static bool is_field_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 32 && s.p[i] != '\t') || s.p[i] == 127)
            return false;
    return true;
}

static struct str trim(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_sub(s, 1, s.n);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Only \r\n ends a line. False when there is none in what is left; a \n or \r elsewhere is found by is_field_text(). */
static bool next_line(struct str *rest, struct str *line)
{
    size_t end = str_search(*rest, STR("\r\n"));

    if (end == rest->n)
        return false;
    *line = str_sub(*rest, 0, end);
    *rest = str_sub(*rest, end + 2, rest->n);
    return true;
}

static enum head_state wrong(struct head *out, const char *why)
{
    out->why = why;
    return HEAD_WRONG;
}

static const char *read_request_line(struct str line)
{
    struct str part[4];

    if (!is_field_text(line) || str_split(line, ' ', part, 4) != 3 || !is_token(part[0]))
        return "not a request of HTTP/1";
    if (!str_eq(part[2], STR("HTTP/1.1")) && !str_eq(part[2], STR("HTTP/1.0")))
        return "not a request of HTTP/1";
    if (str_eq(part[0], STR("CONNECT")))
        return "CONNECT leads to other hosts";
    if (part[1].n == 0 || (part[1].p[0] != '/' && !(str_eq(part[0], STR("OPTIONS")) && str_eq(part[1], STR("*")))))
        return "the target of the request is not a path";
    return NULL;
}

static const char *read_host(struct str value, struct head *out)
{
    size_t colon = str_rfind(value, ':');
    uint64_t port = 0;

    if (colon < value.n && (!str_to_u64(str_sub(value, colon + 1, value.n), &port) || port == 0 || port > UINT16_MAX))
        return "a Host field that is none";
    if (out->host[0])
        return "two Host fields";
    if (!host_normalise(str_sub(value, 0, colon), out->host))
        return "a Host field that is none";
    out->port = (uint16_t)port;
    return NULL;
}

static const char *read_field(struct str line, struct head *out, bool *sized)
{
    size_t colon = str_find(line, ':');
    struct str name = str_sub(line, 0, colon), value;

    if (colon == line.n || !is_token(name) || !is_field_text(line)) /* also a line that continues the one before */
        return "a field that is none";
    value = trim(str_sub(line, colon + 1, line.n));
    if (str_eq_nocase(name, STR("host")))
        return read_host(value, out);
    if (str_eq_nocase(name, STR("upgrade")))
        return "Upgrade leads out of HTTP";
    if (str_eq_nocase(name, STR("content-length"))) {
        if (*sized || out->body.chunked || !str_to_u64(value, &out->body.left))
            return "the length of the request is not certain";
        *sized = true;
    }
    if (str_eq_nocase(name, STR("transfer-encoding"))) {
        if (*sized || out->body.chunked || !str_eq_nocase(value, STR("chunked")))
            return "the length of the request is not certain";
        out->body.chunked = out->body.first = true;
    }
    return NULL;
}

/* Complains as early as it can, so that what is no HTTP at all is not waited for. */
static const char *look_ahead(struct str bytes)
{
    for (size_t i = 0; i < MIN(bytes.n, 16u) && bytes.p[i] != ' '; i++)
        if (!is_token_char(bytes.p[i]))
            return "not a request of HTTP/1";
    return NULL;
}

enum head_state head_read(struct str bytes, struct head *out)
{
    struct str rest = bytes, line;
    bool sized = false;
    const char *why;

    *out = (struct head){ 0 };
    if ((why = look_ahead(bytes)) != NULL)
        return wrong(out, why);
    if (str_search(bytes, STR("\r\n\r\n")) == bytes.n)
        return bytes.n >= HEAD_MAX ? wrong(out, "a head of more than 16 KiB") : HEAD_MORE;
    if (!next_line(&rest, &line) || (why = read_request_line(line)) != NULL)
        return wrong(out, why);
    while (next_line(&rest, &line) && line.n)
        if ((why = read_field(line, out, &sized)) != NULL)
            return wrong(out, why);
    out->length = (size_t)(rest.p - bytes.p);
    if (!out->host[0])
        return wrong(out, "no Host field");
    return out->length > HEAD_MAX ? wrong(out, "a head of more than 16 KiB") : HEAD_WHOLE;
}

/* ------------------------------------------------------------ chunks (RFC 9112, 7.1) */

bool body_is_over(const struct body *b)
{
    return b->left == 0 && (!b->chunked || b->last);
}

static int hex(char c)
{
    return char_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* [CRLF of the chunk before] size CRLF, and behind size 0 the CRLF that ends it all: so no trailers. */
enum head_state body_read(struct body *b, struct str bytes, size_t *length)
{
    size_t at = b->first ? 0 : 2, digits = 0;
    uint64_t size = 0;

    if (at && !str_starts(str_sub(STR("\r\n"), 0, MIN(bytes.n, 2u)), str_sub(bytes, 0, MIN(bytes.n, 2u))))
        return HEAD_WRONG;
    for (; at < bytes.n && hex(bytes.p[at]) >= 0; at++, digits++) {
        if (digits == 15)
            return HEAD_WRONG;
        size = size << 4 | (uint64_t)hex(bytes.p[at]);
    }
    struct str want = digits && size == 0 ? STR("\r\n\r\n") : STR("\r\n");
    struct str there = at < bytes.n ? str_sub(bytes, at, MIN(bytes.n, at + want.n)) : STR("");

    if ((digits == 0 && there.n) || !str_eq(there, str_sub(want, 0, there.n)))
        return HEAD_WRONG;
    if (there.n < want.n)
        return HEAD_MORE;
    *length = at + want.n;
    b->first = false;
    b->last = size == 0;
    b->left = size;
    return *length <= CHUNK_LINE_MAX + 4 ? HEAD_WHOLE : HEAD_WRONG;
}
