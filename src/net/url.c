#include "net/url.h"

#include "base/arena.h"
#include "base/err.h"

#define UNRESERVED_MARKS "-._~"

static bool is_scheme_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '+' || c == '-' || c == '.';
}

static bool is_unreserved(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || (c && strchr(UNRESERVED_MARKS, c));
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static int hex_digit(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char hex_char(unsigned v)
{
    return "0123456789ABCDEF"[v & 15];
}

/* The byte that the escape at s.p[at] stands for, or -1. */
static int escape_at(struct str s, size_t at)
{
    if (s.p[at] != '%' || at + 2 >= s.n)
        return -1;
    int hi = hex_digit(s.p[at + 1]), lo = hex_digit(s.p[at + 2]);

    return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* Takes "scheme:" off the front; false, and *s as it was, when there is none. */
static bool cut_scheme(struct str *s, struct str *scheme)
{
    size_t colon = str_find(*s, ':');

    if (colon == 0 || colon == s->n || !char_is_alpha(s->p[0]))
        return false;
    for (size_t i = 1; i < colon; i++)
        if (!is_scheme_char(s->p[i]))
            return false;
    *scheme = str_sub(*s, 0, colon);
    *s = str_sub(*s, colon + 1, s->n);
    return true;
}

/* Splits "user:pw@host:port". The last '@' counts, as it does for those who connect. */
static void split_authority(struct str s, struct url *u)
{
    size_t at = str_rfind(s, '@');

    if (at < s.n) {
        u->userinfo = str_sub(s, 0, at);
        s = str_sub(s, at + 1, s.n);
    }
    size_t close = s.n && s.p[0] == '[' ? str_find(s, ']') : s.n;
    size_t from = close < s.n ? close : 0;
    size_t colon = str_rfind(str_sub(s, from, s.n), ':') + from;

    if (colon < s.n)
        u->port = str_sub(s, colon + 1, s.n);
    u->host = close < s.n ? str_sub(s, 1, close) : str_sub(s, 0, colon);
}

/* RFC 3986, appendix B; `s` is what follows the scheme. */
static void split_parts(struct str s, struct url *u)
{
    size_t at = str_find(s, '#');

    if (at < s.n) {
        u->fragment = str_sub(s, at + 1, s.n);
        s = str_sub(s, 0, at);
    }
    at = str_find(s, '?');
    if (at < s.n) {
        u->query = str_sub(s, at + 1, s.n);
        s = str_sub(s, 0, at);
    }
    if (str_cut_prefix(&s, STR("//"))) {
        at = str_find(s, '/');
        split_authority(str_sub(s, 0, at), u);
        s = str_sub(s, at, s.n);
    }
    u->path = s;
}

/* What is wrong with the authority, or NULL. */
static const char *authority_fault(const struct url *u)
{
    uint64_t port;

    if (u->port.n && (!str_to_u64(u->port, &port) || port > 65535))
        return "has a port that is no number below 65536";
    for (size_t i = 0; i < u->host.n; i++)
        if (strchr(" \\\"<>^`{|}%@", u->host.p[i]))
            return "has a host with a character that no host name may have";
    return NULL;
}

static const char *parse_fault(struct str text, struct url *u)
{
    struct str rest = text;

    if (text.n > URL_MAX)
        return "is too long";
    for (size_t i = 0; i < text.n; i++)
        if (is_control(text.p[i]) || text.p[i] == ' ')
            return "has a blank or control character";
    if (!cut_scheme(&rest, &u->scheme))
        return "has no scheme such as 'https:'";
    split_parts(rest, u);
    if ((str_eq_nocase(u->scheme, STR("http")) || str_eq_nocase(u->scheme, STR("https"))) && u->host.n == 0)
        return "has no host";
    return authority_fault(u);
}

bool url_parse(struct str text, struct url *out, struct err *e)
{
    struct url u = { 0 };
    const char *fault = parse_fault(text, &u);

    if (fault) {
        AUTO_ARENA a = { 0 };
        struct str shown = url_redacted(&a, text);

        return err_set(e, ERR_CONFIG, "URL '" STR_FMT "%s' %s", (int)MIN(shown.n, (size_t)200), shown.p,
                       shown.n > 200 ? "..." : "", fault);
    }
    *out = u;
    return true;
}

static bool starts_nocase(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_sub(s, 0, prefix.n), prefix);
}

bool url_is_http(struct str text)
{
    return starts_nocase(text, STR("http://")) || starts_nocase(text, STR("https://"));
}

bool url_is_file(struct str text)
{
    return starts_nocase(text, STR("file:"));
}

bool url_is(struct str text)
{
    struct str scheme, rest = text;

    if (url_is_file(text))
        return true;
    return cut_scheme(&rest, &scheme) && str_starts(rest, STR("//"));
}

/* -- putting together ------------------------------------------------------------------------------------- */

/* A text that is being built in an arena; its place is reserved for the worst case beforehand. */
struct out {
    char *p;
    size_t n;
};

static struct out out_open(struct arena *a, size_t worst)
{
    return (struct out){ arena_alloc(a, worst + 1), 0 };
}

static struct str out_done(struct out *o)
{
    o->p[o->n] = '\0';
    return (struct str){ o->p, o->n };
}

static void put(struct out *o, struct str s)
{
    if (s.n)
        memcpy(o->p + o->n, s.p, s.n);
    o->n += s.n;
}

static void put_lower(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        o->p[o->n++] = char_lower(s.p[i]);
}

static void put_escape(struct out *o, char c)
{
    o->p[o->n++] = '%';
    o->p[o->n++] = hex_char((unsigned char)c >> 4);
    o->p[o->n++] = hex_char((unsigned char)c & 15);
}

/* As it stands, but blanks, quotes and bytes above ASCII escaped; line ends and tabs are dropped as browsers do. */
static void put_escaped(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '\t' || c == '\n' || c == '\r')
            continue;
        if (c == ' ' || c == '"' || c == '<' || c == '>' || (unsigned char)c >= 0x80 || is_control(c))
            put_escape(o, c);
        else
            o->p[o->n++] = c;
    }
}

/* RFC 3986, section 5.2.4, in place on the path that starts at o->p[from]. */
static void remove_dots(struct out *o, size_t from)
{
    struct str in = { o->p + from, o->n - from };
    size_t n = 0; /* of what is kept; never ahead of what is read */
    char *to = o->p + from;

    for (size_t at = 0; at < in.n;) {
        size_t end = at + (in.p[at] == '/');

        while (end < in.n && in.p[end] != '/')
            end++;
        struct str segment = str_sub(in, at + (in.p[at] == '/'), end);
        bool up = str_eq(segment, STR(".."));

        if (up || str_eq(segment, STR("."))) {
            while (up && n > 0 && to[--n] != '/')
                ;
            if (end == in.n)
                to[n++] = '/';
        } else {
            memmove(to + n, in.p + at, end - at);
            n += end - at;
        }
        at = end;
    }
    o->n = from + n;
}

static struct str default_port(struct str scheme)
{
    if (str_eq_nocase(scheme, STR("http")))
        return STR("80");
    return str_eq_nocase(scheme, STR("https")) ? STR("443") : STR("");
}

static struct str port_of(const struct url *u)
{
    return u->port.n ? u->port : default_port(u->scheme);
}

static bool same_origin(const struct url *a, const struct url *b)
{
    return str_eq_nocase(a->scheme, b->scheme) && str_eq_nocase(a->host, b->host) &&
           str_eq(port_of(a), port_of(b));
}

static void put_authority(struct out *o, const struct url *u)
{
    bool literal = str_find(u->host, ':') < u->host.n;

    put(o, STR("//"));
    if (u->userinfo.p) {
        put(o, u->userinfo);
        put(o, STR("@"));
    }
    put(o, literal ? STR("[") : STR(""));
    put(o, u->host);
    put(o, literal ? STR("]") : STR(""));
    if (u->port.p) {
        put(o, STR(":"));
        put(o, u->port);
    }
}

/* RFC 3986, section 5.2.2: *r, a reference without a scheme, becomes absolute. *dir is what goes before its path. */
static void resolve_reference(const struct url *base, struct url *r, struct str *dir)
{
    r->scheme = base->scheme;
    if (r->host.p)
        return;
    r->host = base->host;
    r->port = base->port;
    r->userinfo = base->userinfo;
    if (r->path.n == 0) {
        r->path = base->path;
        if (!r->query.p)
            r->query = base->query;
    } else if (r->path.p[0] != '/') {
        size_t slash = str_rfind(base->path, '/');

        *dir = base->host.p && base->path.n == 0 ? STR("/")
                                                 : str_sub(base->path, 0, slash < base->path.n ? slash + 1 : 0);
    }
}

static void put_url(struct out *o, const struct url *u, struct str dir)
{
    put(o, u->scheme);
    put(o, STR(":"));
    if (u->host.p)
        put_authority(o, u);
    size_t path = o->n;

    put_escaped(o, dir);
    put_escaped(o, u->path);
    remove_dots(o, path);
    if (u->query.p) {
        put(o, STR("?"));
        put_escaped(o, u->query);
    }
    if (u->fragment.p) {
        put(o, STR("#"));
        put_escaped(o, u->fragment);
    }
}

/* What a link may lead to: the web, and from a local page to local files. */
static const char *link_fault(const struct url *base, const struct url *r)
{
    bool file = str_eq_nocase(r->scheme, STR("file"));

    if (file && !str_eq_nocase(base->scheme, STR("file")))
        return "leads from the network to a local file";
    if (!file && !str_eq_nocase(r->scheme, STR("http")) && !str_eq_nocase(r->scheme, STR("https")))
        return "is neither http nor https";
    if (!file && r->host.n == 0)
        return "has no host";
    return authority_fault(r);
}

bool url_join(struct arena *a, struct str base, struct str ref, struct str *out, struct err *e)
{
    struct url b = { 0 }, r = { 0 };
    struct str dir = STR(""), rest = str_trim(ref);

    if (!url_parse(base, &b, e))
        return err_as(e, ERR_NETWORK, "resolve a link");
    if (rest.n > URL_MAX)
        return err_set(e, ERR_NETWORK, "a link of %zu bytes is longer than %d", rest.n, URL_MAX);
    bool absolute = cut_scheme(&rest, &r.scheme);

    split_parts(rest, &r);
    if (!absolute)
        resolve_reference(&b, &r, &dir);
    const char *fault = link_fault(&b, &r);

    if (fault) {
        struct str shown = url_redacted(a, str_sub(str_trim(ref), 0, MIN(str_trim(ref).n, (size_t)200)));

        return err_set(e, ERR_NETWORK, "link '" STR_FMT "' %s", STR_ARG(shown), fault);
    }
    if (!r.userinfo.p && same_origin(&b, &r))
        r.userinfo = b.userinfo;

    struct out o = out_open(a, 3 * (b.scheme.n + dir.n + rest.n + base.n) + 16);

    put_url(&o, &r, dir);
    if (o.n > URL_MAX)
        return err_set(e, ERR_NETWORK, "a link of %zu bytes is longer than %d", o.n, URL_MAX);
    *out = out_done(&o);
    return true;
}

/* Escapes of unreserved characters decoded, others with upper-case digits. */
static void put_normal_escapes(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int c = escape_at(s, i);

        if (c < 0) {
            put_escaped(o, str_sub(s, i, i + 1));
            continue;
        }
        if (is_unreserved((char)c))
            o->p[o->n++] = (char)c;
        else
            put_escape(o, (char)c);
        i += 2;
    }
}

bool url_normalize(struct arena *a, struct str text, struct str *out, struct err *e)
{
    struct url u;

    if (!url_parse(text, &u, e))
        return false;
    struct out o = out_open(a, 3 * text.n + 16);

    put_lower(&o, u.scheme);
    put(&o, STR(":"));
    if (u.host.p) {
        size_t from = o.n;

        u.userinfo = (struct str){ 0 };
        if (u.port.n == 0 || str_eq(u.port, default_port(u.scheme)))
            u.port = (struct str){ 0 };
        put_authority(&o, &u);
        for (size_t i = from; i < o.n; i++)
            o.p[i] = char_lower(o.p[i]);
    }
    size_t path = o.n;

    put_normal_escapes(&o, u.path);
    remove_dots(&o, path);
    if (o.n == path && u.host.p)
        put(&o, STR("/"));
    if (u.query.p) {
        put(&o, STR("?"));
        put_normal_escapes(&o, u.query);
    }
    *out = out_done(&o);
    return true;
}

bool url_origin(struct arena *a, struct str text, struct str *out, struct err *e)
{
    struct url u;

    if (!url_parse(text, &u, e))
        return false;
    struct out o = out_open(a, text.n + 16);

    u.userinfo = (struct str){ 0 };
    u.port = port_of(&u);
    put(&o, u.scheme);
    put(&o, STR(":"));
    put_authority(&o, &u);
    for (size_t i = 0; i < o.n; i++)
        o.p[i] = char_lower(o.p[i]);
    *out = out_done(&o);
    return true;
}

/* -- secrets ---------------------------------------------------------------------------------------------- */

/* Keys of signed URLs and of tokens that stand in queries. */
static bool is_secret_key(struct str key)
{
    static const char *const words[] = { "token", "sig", "secret", "passw", "credential", "auth", "apikey", "api_key" };
    char lower[64];
    size_t n = MIN(key.n, sizeof lower);

    for (size_t i = 0; i < n; i++)
        lower[i] = char_lower(key.p[i]);
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_search((struct str){ lower, n }, str_of(words[i])) < n)
            return true;
    return false;
}

static void put_query_redacted(struct out *o, struct str query)
{
    bool first = true;

    for (struct str part, rest = query; str_next(&rest, '&', &part); first = false) {
        size_t eq = str_find(part, '=');

        put(o, first ? STR("?") : STR("&"));
        if (eq < part.n && is_secret_key(str_sub(part, 0, eq))) {
            put(o, str_sub(part, 0, eq));
            put(o, STR("=****"));
        } else {
            put(o, part);
        }
    }
}

struct str url_redacted(struct arena *a, struct str text)
{
    struct url u = { 0 };
    struct out o = out_open(a, 6 * text.n + 16);

    size_t at = str_rfind(text, '@');

    if (parse_fault(text, &u) || (!u.host.p && at < text.n)) {
        if (at < text.n)
            put(&o, STR("****"));
        put_escaped(&o, str_sub(text, at < text.n ? at : 0, text.n));
    } else {
        struct str user = str_sub(u.userinfo, 0, str_find(u.userinfo, ':'));
        bool named = user.n > 0 && user.n < u.userinfo.n;
        size_t head = u.userinfo.p ? (size_t)(u.userinfo.p - text.p) : 0;
        size_t tail = u.userinfo.p ? head + u.userinfo.n : 0;
        size_t end = u.query.p ? (size_t)(u.query.p - 1 - text.p) : text.n;

        put(&o, str_sub(text, 0, head));
        put(&o, named ? user : STR(""));
        put(&o, named ? STR(":****") : u.userinfo.n ? STR("****") : STR(""));
        put(&o, str_sub(text, tail, end));
        if (u.query.p) {
            put_query_redacted(&o, u.query);
            put(&o, str_sub(text, end + 1 + u.query.n, text.n));
        }
    }
    return out_done(&o);
}

bool url_split_credentials(struct arena *a, struct str text, struct str *bare, struct str *user, struct str *password,
                           struct err *e)
{
    struct url u;

    if (!url_parse(text, &u, e))
        return false;
    *user = *password = (struct str){ 0 };
    *bare = text;
    if (!u.userinfo.p)
        return true;
    size_t colon = str_find(u.userinfo, ':');

    if (!url_decode(a, str_sub(u.userinfo, 0, colon), user) ||
        (colon < u.userinfo.n && !url_decode(a, str_sub(u.userinfo, colon + 1, u.userinfo.n), password)))
        return err_set(e, ERR_CONFIG, "the user name or password in URL '" STR_FMT "' has a malformed %% escape",
                       STR_ARG(url_redacted(a, text)));
    size_t at = (size_t)(u.userinfo.p - text.p);

    *bare = arena_printf(a, STR_FMT STR_FMT, STR_ARG(str_sub(text, 0, at)),
                         STR_ARG(str_sub(text, at + u.userinfo.n + 1, text.n)));
    return true;
}

/* -- pieces ----------------------------------------------------------------------------------------------- */

struct str url_without_fragment(struct str text, struct str *fragment)
{
    size_t at = str_find(text, '#');

    *fragment = at < text.n ? str_sub(text, at + 1, text.n) : (struct str){ 0 };
    return str_sub(text, 0, at);
}

bool url_fragment_get(struct str fragment, struct str key, struct str *value)
{
    for (struct str part, rest = fragment; fragment.p && str_next(&rest, '&', &part);) {
        size_t eq = str_find(part, '=');

        if (eq < part.n && str_eq(str_sub(part, 0, eq), key)) {
            *value = str_sub(part, eq + 1, part.n);
            return true;
        }
    }
    return false;
}

bool url_decode(struct arena *a, struct str text, struct str *out)
{
    struct out o = out_open(a, text.n);

    for (size_t i = 0; i < text.n; i++) {
        int c = escape_at(text, i);

        if (text.p[i] == '%' && c < 0)
            return false;
        o.p[o.n++] = c < 0 ? text.p[i] : (char)c;
        i += c < 0 ? 0 : 2;
    }
    *out = out_done(&o);
    return true;
}

struct str url_encode(struct arena *a, struct str text, struct str keep)
{
    struct out o = out_open(a, 3 * text.n + 1);

    for (size_t i = 0; i < text.n; i++) {
        if (is_unreserved(text.p[i]) || str_find(keep, text.p[i]) < keep.n)
            o.p[o.n++] = text.p[i];
        else
            put_escape(&o, text.p[i]);
    }
    return out_done(&o);
}

bool url_file_name(struct arena *a, struct str text, struct str *out, struct err *e)
{
    struct str fragment, name, rest = url_without_fragment(text, &fragment);

    rest = str_sub(rest, 0, str_find(rest, '?'));
    size_t slash = str_rfind(rest, '/');

    rest = str_sub(rest, slash < rest.n ? slash + 1 : 0, rest.n);
    const char *fault = NULL;

    if (!url_decode(a, rest, &name))
        fault = "has a malformed % escape";
    else if (name.n == 0 || str_eq(name, STR(".")) || str_eq(name, STR("..")))
        fault = "names no file";
    for (size_t i = 0; !fault && i < name.n; i++)
        if (is_control(name.p[i]) || name.p[i] == '/')
            fault = "names a file with '/' or a control character in it";
    if (fault)
        return err_set(e, ERR_PACKAGE, "URL '" STR_FMT "' %s", STR_ARG(url_redacted(a, text)), fault);
    *out = name;
    return true;
}

bool url_to_path(struct arena *a, struct str text, struct str *out, struct err *e)
{
    struct url u;

    if (!url_parse(text, &u, e))
        return false;
    const char *fault = NULL;
    struct str path = { 0 };

    if (!str_eq_nocase(u.scheme, STR("file")))
        fault = "is no file: URL";
    else if (u.host.n && !str_eq_nocase(u.host, STR("localhost")))
        fault = "names a file of another host";
    else if (!u.path.n || u.path.p[0] != '/' || !url_decode(a, u.path, &path) || str_find(path, '\0') < path.n)
        fault = "names no absolute path";
    if (fault)
        return err_set(e, ERR_CONFIG, "URL '" STR_FMT "' %s", STR_ARG(url_redacted(a, text)), fault);
    *out = path;
    return true;
}

struct str url_from_path(struct arena *a, struct str path)
{
    return arena_printf(a, "file://" STR_FMT, STR_ARG(url_encode(a, path, STR("/"))));
}
