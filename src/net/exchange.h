/* One try of a request: the options of its handle, what is done with the bytes, and what the end of it means.
 * Internal to net/; http.h decides when, and whether again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "net/curl.h"
#include "net/http.h"
#include "net/proxy.h"
#include "net/roots.h"

struct exchange_setup {
    const struct curl_calls *call;
    struct http_config config; /* zeros replaced by the defaults */
    struct roots roots;
    struct proxy proxy;
    CURLSH *share; /* TLS sessions */
};

struct http_slot {
    const struct exchange_setup *setup;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request *r;
    struct http_slot *next_free;
    struct arena arena;         /* texts of this try */
    uint64_t asked_at;          /* where in the file we asked the server to go on */
    uint64_t dropped;           /* bytes of a body that nobody wants */
    int64_t retry_after;        /* seconds; -1: the server does not say */
    bool answered;              /* the headers were judged */
    bool dropping;
    bool stopped;               /* we ended it; the request's err says why */
    char detail[CURL_ERROR_SIZE];
};

enum exchange_end {
    EXCHANGE_DONE,     /* the request is over, well or not */
    EXCHANGE_AGAIN,    /* worth another try later; r->err says what happened */
    EXCHANGE_RESTART,  /* again at once: a part of a file could not be gone on with */
    EXCHANGE_REDIRECT  /* again at once, at r->at_url */
};

/* Sets the handle up for the request's next try. False with the request's err set: it can never work. */
MUST_USE bool exchange_begin(struct http_slot *s, struct http_request *r);
/* Judges the end, fills in the request's result, and lets go of it. */
MUST_USE enum exchange_end exchange_end(struct http_slot *s, CURLcode code);
/* Lets go of the request without a result. */
void exchange_drop(struct http_slot *s);
