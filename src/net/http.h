/* HTTP requests, many at once, in one thread: started, driven, and taken from a completion queue.
 *
 *     struct http_request r = { .url = page, .body = &page_bytes };
 *     http_start(h, &r);
 *     while (http_step(h, -1, work_fd(w), e))
 *         for (struct http_request *done; (done = http_done(h));) ...
 *
 * A request belongs to the handle from http_start() until http_done() gives it back. Redirects, retries, resumed
 * bodies, proxies, certificates and credentials are dealt with inside; what comes back is an answer with its
 * status, or an error of kind ERR_NETWORK that names the host, what happened and a way out. A body that is there
 * is complete as far as the server said how long it is: a connection that ends early is never taken for an end.
 *
 * Bounds: max_requests at once, the rest wait in order of priority; over HTTP/2 they share one connection, over
 * HTTP/1.1 max_connections. libcurl is loaded when the first request starts. Nothing is paused, ever (HTTP/2
 * streams of libcurl do not stand it): whoever wants less sends fewer requests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct auth;
struct buf;
struct digest;
struct http;
struct http_slot;

struct http_config {
    unsigned max_requests;    /* at the same time; 0: 50 ([resolver] max_concurrent_requests) */
    unsigned max_connections; /* to one host over HTTP/1.1; 0: 16 */
    unsigned timeout_s;       /* for connecting, and for silence afterwards; 0: 30 (request_timeout) */
    unsigned tries;           /* of one request; 0: 3. Those that bring a file on do not count, unless it is 1 */
    unsigned deadline_s;      /* no retry begins later after the first try; 0: 10 * timeout_s, at most 300 */
    bool insecure;            /* verify_ssl = false */
    bool offline;             /* every request fails at once */
    bool http1;               /* no HTTP/2 */
    const char *ca_file;      /* these replace the system's roots; NULL: SSL_CERT_FILE */
    const char *ca_dir;       /* NULL: SSL_CERT_DIR */
    const char *client_cert;  /* PEM with key, NULL: SSL_CLIENT_CERT */
    const struct auth *auth;  /* credentials by host, must outlive the handle; NULL: only those in URLs */
};

enum http_range {
    HTTP_WHOLE,
    HTTP_SPAN, /* range_n bytes from range_at on */
    HTTP_TAIL  /* the last range_n bytes */
};

struct http_request {
    /* Set by the caller before http_start() and left alone until the request comes back; views must live so long. */
    struct str url;
    struct str accept;                /* n == 0: anything */
    struct str etag, last_modified;   /* of the copy we have: a 304 without body may come back */
    enum http_range range;            /* a server may ignore it: then status is 200 and all of it comes */
    uint64_t range_at, range_n;
    struct buf *body;                 /* into memory, within the buffer's limit, unpacked; emptied first */
    bool to_file;                     /* into `file`, as sent (never a content encoding) */
    int file;                         /* open for writing; written at offsets, the position is not used */
    struct digest *digest;            /* fed with the file's bytes in order; restarted when the file is */
    uint64_t have;                    /* bytes of the file that are there already and are in the digest ... */
    struct str have_tag;              /* ... and the strong etag or date they came with; n == 0: unknown */
    uint64_t size_limit;              /* of the file; 0: none. More bytes end the request */
    bool head;                        /* HEAD: headers only */
    bool compressed;                  /* accept gzip; for pages */
    bool packed;                      /* with compressed: the body stays as it came, `encoding` says how */
    bool bypass_caches;               /* ask the origin, not a cache on the way */
    int priority;                     /* greater first; the same: first started first */
    uint64_t *progress;               /* NULL, or counts body bytes as they arrive; goes back by what is thrown away,
                                       * so the caller counts `have` into it beforehand */
    void *user;
    void (*done)(struct http_request *r); /* NULL, or called from http_step() in place of http_done() giving it back */

    /* The result. Views live until http_request_clear() or the next http_start(); final_url may lie in `url`. */
    struct err err;            /* kind ERR_NONE: an answer came; else no answer or no whole one */
    int status;                /* 200, 206, 304, 404 ...; 0 when no answer came */
    struct str final_url;      /* after redirects; for resolving what the body links to */
    struct str content_type;   /* as sent */
    struct str encoding;       /* of a body that was left packed: "gzip"; n == 0: none */
    struct str got_etag;       /* as sent, with quotes and W/ */
    struct str got_last_modified;
    struct str cache_control;  /* as sent; lines joined by commas */
    int64_t max_age;           /* seconds it stays fresh from now, Age counted; -1: the server does not say */
    bool no_store;
    bool no_cache;             /* ask again each time */
    uint64_t body_at;          /* where the body starts in the whole (206), else 0 */
    uint64_t total_size;       /* of the whole as the server says; UINT64_MAX: unknown */
    uint64_t file_n;           /* bytes in the file when the request ended, whether well or not */
    bool ranges;               /* the server said that it serves byte ranges */
    unsigned tries;            /* how many it took */

    /* The handle's. */
    struct arena arena;
    struct str at_url;        /* where it has got to by redirects */
    struct http_slot *slot;
    struct http_request *next;
    uint64_t seq, due_ms, begun_ms;
    uint64_t traced_us; /* when the first try began, while base/trace.h is on */
    size_t heap_at;
    uint64_t file_mark;
    unsigned hops, stalled;
    int where;
};

/* *config is copied, the strings in it are not. Fails with ERR_CONFIG when a CA file or directory is named but
 * cannot be read or holds no certificate: that never falls back to the system's roots. */
MUST_USE bool http_open(const struct http_config *config, struct http **out, struct err *e);
/* Ends running requests without result; their owners still own them (clear them afterwards). */
void http_close(struct http *h);
void http_auto(struct http **h);
#define AUTO_HTTP AUTO(http_auto) struct http *

/* Never fails: what is wrong with the request comes back in it. */
void http_start(struct http *h, struct http_request *r);
/* Takes a request back that is not done; nothing happens when it is not ours. Its file keeps what arrived. */
void http_cancel(struct http *h, struct http_request *r);

/* Takes back one request after the other that has no `done` function, finished or not; NULL when there is none
 * left. For an owner that goes away: `while ((r = http_take_back(h))) release(r->user);`. */
MUST_USE struct http_request *http_take_back(struct http *h);

/* Drives the requests; returns when one is done (take all of them then), `extra_fd` (-1: none) is readable, or the
 * time is over (0: does not wait, -1: no limit). With no request outstanding and extra_fd -1 it returns at once.
 * False only when the machinery itself fails. A signal also ends the wait. */
MUST_USE bool http_step(struct http *h, int timeout_ms, int extra_fd, struct err *e);
/* The next finished request or NULL. */
MUST_USE struct http_request *http_done(struct http *h);
/* Requests started and not yet given back. */
MUST_USE size_t http_outstanding(const struct http *h);

/* Drives until this request is done, and takes it from the queue; others' results stay queued. False with the
 * request's error, or the refusal of http_check_status(), in *e. For single requests. */
MUST_USE bool http_get(struct http *h, struct http_request *r, struct err *e);

/* True for 2xx and 304. Else sets ERR_NETWORK: "'host' answers 403 (forbidden) for 'url'", with a hint. */
MUST_USE bool http_check_status(const struct http_request *r, struct err *e);

/* Releases the result's memory; the request may be started again. */
void http_request_clear(struct http_request *r);

/* Figures for `-v` and tests. */
struct http_figures {
    uint64_t requests, retries, connections, bytes;
};
void http_figures(const struct http *h, struct http_figures *out);
