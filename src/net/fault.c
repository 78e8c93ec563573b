#include "net/fault.h"

#include <string.h>
#include "net/exchange.h"
#include "net/url.h"

const char *fault_host(struct http_slot *s)
{
    struct url u;
    struct err ignored = { 0 };

    if (!url_parse(s->r->at_url, &u, &ignored))
        return "?";
    if (u.port.n)
        return arena_printf(&s->arena, STR_FMT ":" STR_FMT, STR_ARG(u.host), STR_ARG(u.port)).p;
    return arena_cstr(&s->arena, u.host);
}

/* The proxy without its credentials. */
static const char *proxy_shown(struct http_slot *s)
{
    struct url u;
    struct err ignored = { 0 };

    if (!url_parse(s->r->at_url, &u, &ignored))
        return "?";
    return arena_cstr(&s->arena, url_redacted(&s->arena, proxy_find(&s->setup->proxy, &u)));
}

static bool has_proxy(struct http_slot *s)
{
    return *proxy_shown(s) != '\0';
}

/* libcurl's own words, for what has no better ones here. */
static const char *detail(struct http_slot *s, CURLcode code)
{
    return s->detail[0] ? s->detail : s->setup->call->curl_easy_strerror(code);
}

static bool unknown_host(struct http_slot *s)
{
    (void)err_set(&s->r->err, ERR_NETWORK, "the name '%s' cannot be resolved", fault_host(s));
    (void)err_hint(&s->r->err, "check the network, the name servers and the index URL; --offline uses what is cached");
    return true;
}

static bool bad_proxy(struct http_slot *s, const char *what)
{
    (void)err_set(&s->r->err, ERR_NETWORK, "proxy '%s' for '%s': %s", proxy_shown(s), fault_host(s), what);
    (void)err_hint(&s->r->err, "check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY");
    return false;
}

static bool not_connected(struct http_slot *s, CURLcode code)
{
    long sys = 0;

    (void)s->setup->call->curl_easy_getinfo(s->easy, CURLINFO_OS_ERRNO, &sys);
    const char *why = sys ? strerror((int)sys) : detail(s, code);

    if (has_proxy(s)) {
        (void)bad_proxy(s, why);
        return true;
    }
    (void)err_set(&s->r->err, ERR_NETWORK, "connect to '%s': %s", fault_host(s), why);
    (void)err_hint(&s->r->err, "is the index URL right, and is a proxy (HTTPS_PROXY) needed here?");
    s->r->err.sys = (int)sys;
    return true;
}

static bool timed_out(struct http_slot *s)
{
    curl_off_t connected = 0;

    (void)s->setup->call->curl_easy_getinfo(s->easy, CURLINFO_CONNECT_TIME_T, &connected);
    (void)err_set(&s->r->err, ERR_NETWORK,
                  connected ? "'%s' sent (almost) nothing for %u s" : "connect to '%s': no answer within %u s",
                  fault_host(s), s->setup->config.timeout_s);
    (void)err_hint(&s->r->err, "raise request_timeout when the network is slow");
    return true;
}

static bool not_trusted(struct http_slot *s, CURLcode code)
{
    (void)err_set(&s->r->err, ERR_NETWORK, "the certificate of '%s' is not accepted: %s", fault_host(s),
                  detail(s, code));
    (void)err_hint(&s->r->err, "a proxy or index with an authority of its own: name its certificate in SSL_CERT_FILE");
    return false;
}

static bool cut_short(struct http_slot *s, CURLcode code)
{
    (void)err_set(&s->r->err, ERR_NETWORK, "the connection to '%s' broke: %s", fault_host(s), detail(s, code));
    (void)err_hint(&s->r->err, "run the command again; what is already downloaded is kept");
    return true;
}

/* What a proxy said to CONNECT, when it was no. */
static bool refused_by_proxy(struct http_slot *s)
{
    long code = 0;

    (void)s->setup->call->curl_easy_getinfo(s->easy, CURLINFO_HTTP_CONNECTCODE, &code);
    if (code < 300)
        return false;
    (void)bad_proxy(s, code == 407 ? "it wants a user name and a password (407)"
                                   : arena_printf(&s->arena, "it answers %ld to CONNECT", code).p);
    return true;
}

bool fault_describe(struct http_slot *s, CURLcode code)
{
    if (refused_by_proxy(s))
        return false;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum" /* a hundred codes, of which these can happen here */
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return unknown_host(s);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return bad_proxy(s, "its name cannot be resolved");
    case CURLE_PROXY:
        return bad_proxy(s, detail(s, code));
    case CURLE_SSL_CERTPROBLEM:
        (void)err_set(&s->r->err, ERR_NETWORK, "client certificate: %s", detail(s, code));
        (void)err_hint(&s->r->err, "SSL_CLIENT_CERT names a PEM file with certificate and key");
        return false;
    case CURLE_COULDNT_CONNECT:
        return not_connected(s, code);
    case CURLE_OPERATION_TIMEDOUT:
        return timed_out(s);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return not_trusted(s, code);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_CHUNK_FAILED:
        return cut_short(s, code);
    default:
        (void)err_set(&s->r->err, ERR_NETWORK, "ask '%s': %s", fault_host(s), detail(s, code));
        return false;
    }
#pragma GCC diagnostic pop
}
