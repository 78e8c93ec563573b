#include "net/exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "build_config.h"
#include "net/auth.h"
#include "net/fault.h"
#include "net/fresh.h"
#include "net/url.h"

#define HOPS_MAX 10
#define DROP_MAX 65536u        /* of an unwanted body is read to keep the connection; more costs more than a new one */
#define PAGE_CHUNK 65536L
#define FILE_CHUNK (256L << 10)
#define SLOWEST 30L            /* bytes a second; slower for timeout_s seconds is silence */

#define SET(s, option, value) (void)(s)->setup->call->curl_easy_setopt((s)->easy, option, value)
#define GET(s, info, out) (void)(s)->setup->call->curl_easy_getinfo((s)->easy, info, out)

/* -- asking ------------------------------------------------------------------------------------------------ */

static curl_socket_t open_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)unused;
    (void)purpose;
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static void add_header(struct http_slot *s, const char *name, struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < 0x20 && value.p[i] != '\t')
            return; /* what a server once sent must not become two headers */
    s->headers = s->setup->call->curl_slist_append(s->headers,
                                                   arena_printf(&s->arena, "%s: " STR_FMT, name, STR_ARG(value)).p);
}

/* What we may go on with a half file by: a strong etag or a date of this very version. */
static struct str resume_tag(const struct http_request *r)
{
    struct str tag = r->tries > 1 && r->got_etag.n ? r->got_etag
                     : r->tries > 1 && r->got_last_modified.n ? r->got_last_modified : r->have_tag;

    return str_starts(tag, STR("W/")) ? STR("") : tag;
}

static void set_range(struct http_slot *s)
{
    const struct http_request *r = s->r;
    struct str range = { 0 };

    s->asked_at = 0;
    if (r->to_file && r->file_n > 0) {
        s->asked_at = r->file_n;
        range = arena_printf(&s->arena, "%" PRIu64 "-", r->file_n);
        if (resume_tag(r).n)
            add_header(s, "If-Range", resume_tag(r));
    } else if (r->range == HTTP_SPAN) {
        range = arena_printf(&s->arena, "%" PRIu64 "-%" PRIu64, r->range_at, r->range_at + r->range_n - 1);
    } else if (r->range == HTTP_TAIL) {
        range = arena_printf(&s->arena, "-%" PRIu64, r->range_n);
    }
    if (range.n)
        SET(s, CURLOPT_RANGE, range.p);
}

static void set_headers(struct http_slot *s)
{
    const struct http_request *r = s->r;

    if (r->accept.n)
        add_header(s, "Accept", r->accept);
    if (r->etag.n)
        add_header(s, "If-None-Match", r->etag);
    else if (r->last_modified.n)
        add_header(s, "If-Modified-Since", r->last_modified);
    if (r->bypass_caches) {
        add_header(s, "Cache-Control", STR("no-cache, no-store"));
        add_header(s, "Pragma", STR("no-cache"));
    }
    bool compressed = r->compressed && r->body && r->range == HTTP_WHOLE;

    if (compressed && r->packed)
        add_header(s, "Accept-Encoding", STR("gzip"));
    else if (compressed)
        SET(s, CURLOPT_ACCEPT_ENCODING, "gzip");
    else
        add_header(s, "Accept-Encoding", STR("identity"));
    if (s->headers)
        SET(s, CURLOPT_HTTPHEADER, s->headers);
}

static void set_security(struct http_slot *s)
{
    const struct exchange_setup *setup = s->setup;

    if (setup->config.insecure) {
        SET(s, CURLOPT_SSL_VERIFYPEER, 0L);
        SET(s, CURLOPT_SSL_VERIFYHOST, 0L);
        SET(s, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        SET(s, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    } else if (setup->roots.own) {
        SET(s, CURLOPT_CAINFO, setup->roots.file);
        SET(s, CURLOPT_CAPATH, setup->roots.dir);
        SET(s, CURLOPT_PROXY_CAINFO, setup->roots.file);
        SET(s, CURLOPT_PROXY_CAPATH, setup->roots.dir);
    }
    if (setup->config.client_cert) {
        SET(s, CURLOPT_SSLCERT, setup->config.client_cert);
        SET(s, CURLOPT_SSLKEY, setup->config.client_cert);
    }
}

static bool set_place(struct http_slot *s)
{
    struct http_request *r = s->r;
    struct str bare, user, password;
    struct url u;

    if (!url_split_credentials(&s->arena, r->at_url, &bare, &user, &password, &r->err) ||
        !url_parse(bare, &u, &r->err))
        return err_as(&r->err, ERR_NETWORK, "start a request");
    if (!url_is_http(bare))
        return err_set(&r->err, ERR_NETWORK, "'" STR_FMT "' is neither http nor https",
                       STR_ARG(url_redacted(&s->arena, bare)));
    if (user.p || password.p || auth_find(s->setup->config.auth, bare, &user, &password)) {
        SET(s, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(s, CURLOPT_USERNAME, arena_cstr(&s->arena, user));
        SET(s, CURLOPT_PASSWORD, arena_cstr(&s->arena, password));
    }
    struct str fragment;

    SET(s, CURLOPT_URL, arena_cstr(&s->arena, url_without_fragment(bare, &fragment)));
    SET(s, CURLOPT_PROXY, arena_cstr(&s->arena, proxy_find(&s->setup->proxy, &u)));
    SET(s, CURLOPT_NOPROXY, "");
    /* Over TLS wait for the first connection: it may carry all of them. Plain http is 1.1 here. */
    SET(s, CURLOPT_PIPEWAIT, str_eq_nocase(u.scheme, STR("https")) && !s->setup->config.http1 ? 1L : 0L);
    return true;
}

static void set_limits(struct http_slot *s)
{
    const struct http_request *r = s->r;
    long seconds = (long)s->setup->config.timeout_s;

    SET(s, CURLOPT_CONNECTTIMEOUT, seconds);
    SET(s, CURLOPT_LOW_SPEED_LIMIT, SLOWEST);
    SET(s, CURLOPT_LOW_SPEED_TIME, seconds);
    if (!r->to_file)
        SET(s, CURLOPT_TIMEOUT, seconds * 10); /* pages and metadata are small; files may take as long as they move */
    SET(s, CURLOPT_BUFFERSIZE, r->to_file ? FILE_CHUNK : PAGE_CHUNK);
    SET(s, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(s, CURLOPT_FOLLOWLOCATION, 0L); /* ours: see follow() */
    SET(s, CURLOPT_NOSIGNAL, 1L);
    SET(s, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(s, CURLOPT_HTTP_VERSION,
        (long)(s->setup->config.http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
}

static size_t take_body(char *p, size_t size, size_t count, void *slot);

bool exchange_begin(struct http_slot *s, struct http_request *r)
{
    s->setup->call->curl_easy_reset(s->easy);
    s->r = r;
    s->headers = NULL;
    s->answered = s->dropping = s->stopped = false;
    s->dropped = 0;
    s->retry_after = -1;
    s->detail[0] = '\0';
    r->slot = s;
    r->err = (struct err){ 0 };
    if (r->body) {
        if (r->progress)
            *r->progress -= r->body->n;
        buf_reset(r->body);
    }
    if (!set_place(s)) {
        exchange_drop(s);
        return false;
    }
    set_limits(s);
    set_security(s);
    set_range(s);
    set_headers(s);
    SET(s, CURLOPT_SHARE, s->setup->share);
    SET(s, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(s, CURLOPT_USERAGENT, "blast/" BLAST_VERSION);
    SET(s, CURLOPT_ERRORBUFFER, s->detail);
    SET(s, CURLOPT_WRITEFUNCTION, take_body);
    SET(s, CURLOPT_WRITEDATA, s);
    SET(s, CURLOPT_PRIVATE, s);
    if (r->head)
        SET(s, CURLOPT_NOBODY, 1L);
    return true;
}

/* -- the answer -------------------------------------------------------------------------------------------- */

static struct str header(struct http_slot *s, const char *name)
{
    struct curl_header *h;

    if (s->setup->call->curl_easy_header(s->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return STR("");
    return arena_str(&s->r->arena, str_trim(str_of(h->value)));
}

/* A header that may come in several lines; they count as one with commas between. */
static struct str header_joined(struct http_slot *s, const char *name)
{
    struct str all = header(s, name);
    size_t amount = 1;

    for (size_t i = 0; i < MIN(amount, (size_t)16); i++) {
        struct curl_header *h;

        if (s->setup->call->curl_easy_header(s->easy, name, i, CURLH_HEADER, -1, &h) != CURLHE_OK)
            break;
        amount = h->amount;
        if (amount > 1)
            all = i == 0 ? arena_str(&s->r->arena, str_of(h->value))
                         : arena_printf(&s->r->arena, STR_FMT ", %s", STR_ARG(all), h->value);
    }
    return all;
}

/* "bytes 200-1000/67589", "bytes 0-9/" and a star. */
static bool content_range_parse(struct str text, uint64_t *at, uint64_t *total)
{
    uint64_t to;

    if (!str_cut_prefix(&text, STR("bytes ")))
        return false;
    size_t dash = str_find(text, '-'), slash = str_find(text, '/');

    if (slash == text.n || dash > slash)
        return false;
    struct str all = str_sub(text, slash + 1, text.n);

    *total = UINT64_MAX;
    return str_to_u64(str_sub(text, 0, dash), at) && str_to_u64(str_sub(text, dash + 1, slash), &to) && *at <= to &&
           (str_eq(all, STR("*")) || (str_to_u64(all, total) && to < *total));
}

static void note_freshness(struct http_slot *s)
{
    struct http_request *r = s->r;

    r->cache_control = header_joined(s, "cache-control");
    struct fresh f = fresh_parse(r->cache_control, header(s, "age"), header(s, "expires"), header(s, "date"),
                                 clock_now());

    r->max_age = f.max_age;
    r->no_store = f.no_store;
    r->no_cache = f.no_cache;
}

static void note_answer(struct http_slot *s)
{
    struct http_request *r = s->r;
    long status = 0;
    curl_off_t length = -1;

    GET(s, CURLINFO_RESPONSE_CODE, &status);
    GET(s, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->status = (int)status;
    r->final_url = r->at_url;
    r->content_type = header(s, "content-type");
    r->encoding = r->packed ? header(s, "content-encoding") : STR("");
    r->got_etag = header(s, "etag");
    r->got_last_modified = header(s, "last-modified");
    r->ranges = status == 206 || str_eq_nocase(header(s, "accept-ranges"), STR("bytes"));
    r->body_at = 0;
    bool plain = length >= 0 && status == 200 && header(s, "content-encoding").n == 0;

    r->total_size = plain ? (uint64_t)length : UINT64_MAX;
    note_freshness(s);
    if (!fresh_retry_after(header(s, "retry-after"), clock_now(), &s->retry_after))
        s->retry_after = -1;
}

static bool stop(struct http_slot *s)
{
    s->stopped = true;
    return false;
}

/* A 206 must be what was asked for: a part that starts elsewhere would be glued in the wrong place. */
static bool check_part(struct http_slot *s)
{
    struct http_request *r = s->r;
    struct str text = header(s, "content-range");
    uint64_t at = 0;

    if (!content_range_parse(text, &at, &r->total_size)) {
        (void)err_set(&r->err, ERR_NETWORK, "'%s' sends a part of a file without saying which: '" STR_FMT "'",
                      fault_host(s), STR_ARG(text));
        return stop(s);
    }
    bool asked = r->to_file ? s->asked_at > 0 && at == s->asked_at
                 : r->range == HTTP_SPAN ? at == r->range_at
                 : r->range == HTTP_TAIL && (r->total_size == UINT64_MAX || at + r->range_n >= r->total_size);

    if (!asked) {
        (void)err_set(&r->err, ERR_NETWORK,
                      "'%s' sends bytes from %" PRIu64 " on where others were asked for (%" PRIu64 ")", fault_host(s),
                      at, r->to_file ? s->asked_at : r->range_at);
        return stop(s);
    }
    r->body_at = at;
    return true;
}

/* The file begins anew: what was there is another version, or the server cannot go on in the middle. */
static bool restart_file(struct http_slot *s)
{
    struct http_request *r = s->r;
    unsigned char unused[HASH_MAX];
    size_t n;

    if (ftruncate(r->file, 0) < 0) {
        (void)err_sys(&r->err, "empty a partial file");
        return stop(s);
    }
    if (r->digest)
        digest_finish(r->digest, unused, &n);
    if (r->progress)
        *r->progress -= r->file_n;
    r->file_n = 0;
    return true;
}

/* Before the first byte of the body, or at the end when there is none. False: the try is over. */
static bool answer_begins(struct http_slot *s)
{
    struct http_request *r = s->r;

    s->answered = true;
    note_answer(s);
    if (r->status == 206)
        return check_part(s);
    if (r->status < 200 || r->status > 299) {
        s->dropping = true;
        return true;
    }
    return !r->to_file || r->file_n == 0 || restart_file(s);
}

static bool write_file(struct http_slot *s, const char *p, size_t n)
{
    struct http_request *r = s->r;

    if (r->size_limit && r->file_n + n > r->size_limit) {
        (void)err_set(&r->err, ERR_PACKAGE, "'%s' sends more than the %" PRIu64 " bytes that the file has",
                      fault_host(s), r->size_limit);
        (void)err_exit(&r->err, 5);
        return stop(s);
    }
    for (size_t at = 0; at < n;) {
        ssize_t k = pwrite(r->file, p + at, n - at, (off_t)(r->file_n + at));

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            (void)err_sys(&r->err, "write a downloaded file");
            return stop(s);
        }
        at += (size_t)k;
    }
    if (r->digest)
        digest_add(r->digest, p, n);
    r->file_n += n;
    return true;
}

static bool keep_body(struct http_slot *s, const char *p, size_t n)
{
    struct http_request *r = s->r;

    if (r->to_file)
        return write_file(s, p, n);
    if (r->body && !buf_add(r->body, p, n)) {
        (void)err_set(&r->err, ERR_NETWORK, "'%s' sends more than %zu bytes", fault_host(s), r->body->limit);
        return stop(s);
    }
    return true;
}

/* libcurl's write function: fewer bytes taken than given ends the try. */
static size_t take_body(char *p, size_t size, size_t count, void *slot)
{
    struct http_slot *s = slot;
    size_t n = size * count;

    if (!s->answered && !answer_begins(s))
        return 0;
    if (s->dropping) {
        s->dropped += n;
        return s->dropped > DROP_MAX ? 0 : n;
    }
    if (!keep_body(s, p, n))
        return 0;
    if (s->r->progress && (s->r->body || s->r->to_file))
        *s->r->progress += n;
    return n;
}

/* -- the end ----------------------------------------------------------------------------------------------- */

static enum exchange_end follow(struct http_slot *s, struct str location)
{
    struct http_request *r = s->r;
    struct str to;

    if (++r->hops > HOPS_MAX) {
        (void)err_set(&r->err, ERR_NETWORK, "'%s' redirects more than %d times", fault_host(s), HOPS_MAX);
        return EXCHANGE_DONE;
    }
    if (!url_join(&r->arena, r->at_url, location, &to, &r->err)) {
        (void)err_wrap(&r->err, "follow a redirect of '%s'", fault_host(s));
        return EXCHANGE_DONE;
    }
    if (str_eq_nocase(str_sub(r->at_url, 0, 6), STR("https:")) && !str_eq_nocase(str_sub(to, 0, 6), STR("https:"))) {
        (void)err_set(&r->err, ERR_NETWORK, "'%s' redirects from https to '" STR_FMT "'", fault_host(s),
                      STR_ARG(url_redacted(&s->arena, to)));
        return EXCHANGE_DONE;
    }
    r->at_url = to;
    return EXCHANGE_REDIRECT;
}

static enum exchange_end judge_status(struct http_slot *s)
{
    struct http_request *r = s->r;
    struct str location = header(s, "location");
    bool moved = r->status == 301 || r->status == 302 || r->status == 303 || r->status == 307 || r->status == 308;

    if (moved && location.n)
        return follow(s, location);
    if (r->status == 416 && s->asked_at)
        return restart_file(s) ? EXCHANGE_RESTART : EXCHANGE_DONE;
    if (r->status >= 500 || r->status == 408 || r->status == 429) {
        return http_check_status(r, &r->err) ? EXCHANGE_DONE : EXCHANGE_AGAIN;
    }
    return EXCHANGE_DONE;
}

static enum exchange_end judge(struct http_slot *s, CURLcode code)
{
    if (s->stopped)
        return EXCHANGE_DONE;
    if (code == CURLE_OK && !s->answered && !answer_begins(s))
        return EXCHANGE_DONE;
    if (code == CURLE_OK || s->dropping) /* how the body of a 404 ends does not matter */
        return judge_status(s);
    if (!s->answered)
        note_answer(s);
    return fault_describe(s, code) ? EXCHANGE_AGAIN : EXCHANGE_DONE;
}

enum exchange_end exchange_end(struct http_slot *s, CURLcode code)
{
    enum exchange_end end = judge(s, code);

    exchange_drop(s);
    return end;
}

void exchange_drop(struct http_slot *s)
{
    if (!s->r)
        return;
    s->setup->call->curl_slist_free_all(s->headers);
    s->headers = NULL;
    s->r->slot = NULL;
    s->r = NULL;
    arena_clear(&s->arena);
}
