#include "net/http.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/trace.h"
#include "net/exchange.h"
#include "net/queue.h"
#include "net/url.h"

#define EVENTS 64
#define ADVANCE 65536u /* bytes of a file that make a try worth while */
#define IDLE_CONNECTIONS 64L
#define FIRST_PAUSE_MS 200u /* before the second try; doubles, and each is shortened by up to half at random */

enum where { NOWHERE, READY, LATER, RUNNING, OVER };

struct http {
    struct exchange_setup setup;
    CURLM *multi;               /* NULL until the first request runs */
    int epoll;
    uint64_t timer_ms;          /* when libcurl wants to be called; UINT64_MAX: never */
    struct queue ready, later;
    struct http_slot *free_slots;
    unsigned running;
    size_t outstanding;
    uint64_t seq;
    struct http_request *done_first, *done_last;  /* for http_done() */
    struct http_request *call_first, *call_last;  /* with a function of their own, to be called from http_step() */
    bool news;                  /* something came into the done queue that no http_step() has returned for */
    struct http_figures figures;
    struct http_slot **slots;
    size_t n_slots;
};

/* -- opening ----------------------------------------------------------------------------------------------- */

static struct http_config with_defaults(const struct http_config *c)
{
    struct http_config d = *c;
    const char *cert = getenv("SSL_CLIENT_CERT");

    d.max_requests = d.max_requests ? MIN(d.max_requests, 1000u) : 50;
    d.max_connections = d.max_connections ? d.max_connections : 16;
    d.timeout_s = d.timeout_s ? MIN(d.timeout_s, 86400u) : 30;
    d.tries = d.tries ? d.tries : 3;
    d.deadline_s = d.deadline_s ? d.deadline_s : MIN(10 * d.timeout_s, 300u);
    if (!d.client_cert && cert && *cert)
        d.client_cert = cert;
    return d;
}

bool http_open(const struct http_config *config, struct http **out, struct err *e)
{
    struct exchange_setup setup = { .config = with_defaults(config), .proxy = proxy_from_env() };

    if (!config->offline && !config->insecure && !roots_find(config->ca_file, config->ca_dir, &setup.roots, e))
        return false;
    struct http *h = mem_zero(1, sizeof *h);

    h->setup = setup;
    h->epoll = -1;
    h->timer_ms = UINT64_MAX;
    h->later.by_time = true;
    *out = h;
    return true;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *http, void *known)
{
    struct http *h = http;
    struct epoll_event event = { .data.fd = fd };

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(h->epoll, EPOLL_CTL_DEL, fd, NULL); /* a closed descriptor has left by itself */
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(h->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0 &&
        errno == (known ? ENOENT : EEXIST))
        (void)epoll_ctl(h->epoll, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event); /* the number was used again */
    if (!known)
        (void)h->setup.call->curl_multi_assign(h->multi, fd, h);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *http)
{
    struct http *h = http;

    (void)multi;
    h->timer_ms = ms < 0 ? UINT64_MAX : clock_ms() + (uint64_t)ms;
    return 0;
}

/* Loads libcurl and makes the multi handle; at the first request. */
static bool open_multi(struct http *h, struct err *e)
{
    if (h->multi)
        return true;
    const struct curl_calls *c = curl_open(e);

    if (!c)
        return false;
    if (h->epoll < 0 && (h->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return err_sys(e, "make an epoll descriptor");
    h->setup.call = c;
    h->multi = c->curl_multi_init();
    h->setup.share = c->curl_share_init();
    if (!h->multi || !h->setup.share)
        return err_set(e, ERR_NETWORK, "start libcurl");
    (void)c->curl_share_setopt(h->setup.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)h->setup.config.max_connections);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
    (void)c->curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)h->setup.config.max_requests);
    return true;
}

void http_close(struct http *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_slots; i++) {
        struct http_slot *s = h->slots[i];

        if (s->r) {
            (void)h->setup.call->curl_multi_remove_handle(h->multi, s->easy);
            exchange_drop(s);
        }
        h->setup.call->curl_easy_cleanup(s->easy);
        free(s);
    }
    free(h->slots);
    if (h->multi)
        (void)h->setup.call->curl_multi_cleanup(h->multi);
    if (h->setup.share)
        (void)h->setup.call->curl_share_cleanup(h->setup.share);
    queue_clear(&h->ready);
    queue_clear(&h->later);
    fd_close(&h->epoll);
    free(h);
}

void http_auto(struct http **h)
{
    http_close(*h);
}

/* -- requests ---------------------------------------------------------------------------------------------- */

/* What is asked for shows in the name; one that ends in '/' is a page. */
static void trace_request(const struct http_request *r)
{
    struct str url = str_sub(r->url, 0, MIN(str_find(r->url, '?'), str_find(r->url, '#'))), name = url;
    bool page = !str_ends(url, STR(".whl")) && !str_ends(url, STR(".tar.gz")) && !str_ends(url, STR(".zip"));

    if (!trace_on || !r->traced_us)
        return;
    (void)str_cut_suffix(&name, STR("/"));
    name = str_sub(name, str_rfind(name, '/') == name.n ? 0 : str_rfind(name, '/') + 1, name.n);
    if (str_ends(url, STR(".metadata")) || (!page && !r->to_file))
        trace_add(TRACE_METADATA, name, r->traced_us, r->body ? r->body->n : 0);
    else
        trace_add(page ? TRACE_PAGE : TRACE_FETCH, name, r->traced_us, page && r->body ? r->body->n : r->file_n);
}

static void finish(struct http *h, struct http_request *r)
{
    struct http_request **first = r->done ? &h->call_first : &h->done_first;
    struct http_request **last = r->done ? &h->call_last : &h->done_last;

    if (r->err.kind != ERR_NONE) {
        AUTO_ARENA a = { 0 };
        struct str shown = url_redacted(&a, r->url);

        (void)err_wrap(&r->err, "get '" STR_FMT "'%s", STR_ARG(shown),
                       r->tries > 1 ? arena_printf(&a, " (tried %u times)", r->tries).p : "");
    }
    trace_request(r);
    r->where = OVER;
    r->next = NULL;
    if (*first)
        (*last)->next = r;
    else
        *first = r;
    *last = r;
    h->news = h->news || !r->done;
}

static void reset_result(struct http_request *r)
{
    r->err = (struct err){ 0 };
    r->status = 0;
    r->final_url = r->content_type = r->encoding = r->got_etag = r->got_last_modified = r->cache_control = STR("");
    r->max_age = -1;
    r->no_store = r->no_cache = r->ranges = false;
    r->body_at = 0;
    r->total_size = UINT64_MAX;
    r->tries = r->hops = r->stalled = 0;
    r->file_mark = 0;
}

/* Each try begins where the first did: what a redirect led to may have been good for one time. */
static void to_first_place(struct http_request *r)
{
    struct str fragment;

    r->at_url = url_without_fragment(r->url, &fragment); /* no copy: a request that waits takes no memory */
    r->hops = 0;
}

void http_start(struct http *h, struct http_request *r)
{
    arena_clear(&r->arena);
    reset_result(r);
    r->file_n = r->file_mark = r->to_file ? r->have : 0;
    r->slot = NULL;
    r->seq = h->seq++;
    r->begun_ms = r->due_ms = 0;
    if (r->body)
        buf_reset(r->body);
    h->outstanding++;
    h->figures.requests++;
    to_first_place(r);
    if (h->setup.config.offline) {
        (void)err_set(&r->err, ERR_NETWORK, "offline, and not in the cache");
        (void)err_hint(&r->err, "run once without --offline");
        finish(h, r);
        return;
    }
    r->where = READY;
    queue_add(&h->ready, r);
}

static bool slot_take(struct http *h, struct http_slot **out, struct err *e)
{
    struct http_slot *s = h->free_slots;

    if (s) {
        h->free_slots = s->next_free;
    } else {
        s = mem_zero(1, sizeof *s);
        s->setup = &h->setup;
        s->easy = h->setup.call->curl_easy_init();
        if (!s->easy) {
            free(s);
            return err_set(e, ERR_NETWORK, "make a request handle");
        }
        h->slots = mem_grow(h->slots, h->n_slots + 1, sizeof *h->slots);
        h->slots[h->n_slots++] = s;
    }
    *out = s;
    return true;
}

static void slot_give(struct http *h, struct http_slot *s)
{
    s->next_free = h->free_slots;
    h->free_slots = s;
    h->running--;
}

/* Hands the request in the slot to libcurl, or ends it when it can never work. */
static void run(struct http *h, struct http_slot *s, struct http_request *r)
{
    r->where = RUNNING;
    if (!exchange_begin(s, r)) {
        finish(h, r);
        slot_give(h, s);
        return;
    }
    CURLMcode code = h->setup.call->curl_multi_add_handle(h->multi, s->easy);

    if (code != CURLM_OK) {
        (void)err_set(&r->err, ERR_NETWORK, "start a request: %s", h->setup.call->curl_multi_strerror(code));
        exchange_drop(s);
        finish(h, r);
        slot_give(h, s);
    }
}

/* Starts what may run: first what waited for another try, then by priority. */
static bool launch(struct http *h, struct err *e)
{
    while (h->running < h->setup.config.max_requests) {
        struct http_request *r = queue_peek(&h->later);
        struct queue *from = &h->later;
        struct http_slot *s;

        if (!r || r->due_ms > clock_ms()) {
            from = &h->ready;
            r = queue_peek(from);
        }
        if (!r)
            break;
        if (!open_multi(h, e) || !slot_take(h, &s, e))
            return err_as(e, ERR_NETWORK, "make requests");
        queue_remove(from, r);
        h->running++;
        if (!r->begun_ms) {
            r->begun_ms = clock_ms();
            r->traced_us = trace_now();
        }
        r->tries++;
        run(h, s, r);
    }
    return true;
}

static uint64_t pause_before_try(unsigned tries)
{
    uint64_t full = (uint64_t)FIRST_PAUSE_MS << MIN(tries - 1, 6u);
    uint32_t random = 0;

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_us(); /* good enough to spread the tries of several clients */
    return full - random % (full / 2 + 1);
}

/* Puts the request off to its next try; false when it has had its tries or its time. */
static bool postpone(struct http *h, struct http_request *r, int64_t retry_after)
{
    r->stalled++;
    if (h->setup.config.tries > 1 && r->to_file && r->file_n > r->file_mark + ADVANCE) {
        r->file_mark = r->file_n; /* only grows: a server that gives the same piece again and again gains nothing */
        r->stalled = 1;
        r->begun_ms = clock_ms();
    }
    if (r->stalled >= h->setup.config.tries)
        return false;
    uint64_t pause = pause_before_try(r->stalled);

    if (retry_after >= 0)
        pause = MAX(pause, (uint64_t)retry_after * 1000);
    if (clock_ms() + pause > r->begun_ms + (uint64_t)h->setup.config.deadline_s * 1000) {
        if (retry_after > 0)
            (void)err_hint(&r->err, "the server asks to wait for %lld s", (long long)retry_after);
        return false;
    }
    h->figures.retries++;
    to_first_place(r);
    r->due_ms = clock_ms() + pause;
    r->where = LATER;
    queue_add(&h->later, r);
    return true;
}

static void end_try(struct http *h, struct http_slot *s, CURLcode code)
{
    struct http_request *r = s->r;
    curl_off_t bytes = 0;
    long connects = 0;

    (void)h->setup.call->curl_easy_getinfo(s->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    (void)h->setup.call->curl_easy_getinfo(s->easy, CURLINFO_NUM_CONNECTS, &connects);
    h->figures.bytes += (uint64_t)bytes;
    h->figures.connections += (uint64_t)connects;
    (void)h->setup.call->curl_multi_remove_handle(h->multi, s->easy);
    enum exchange_end end = exchange_end(s, code);

    if (end == EXCHANGE_REDIRECT || end == EXCHANGE_RESTART) {
        run(h, s, r);
        return;
    }
    if (end == EXCHANGE_DONE || !postpone(h, r, s->retry_after))
        finish(h, r);
    slot_give(h, s);
}

static void collect(struct http *h)
{
    int left;

    for (CURLMsg *m; (m = h->setup.call->curl_multi_info_read(h->multi, &left));) {
        struct http_slot *s = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result; /* the message dies with the removal of its handle */

        (void)h->setup.call->curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
        end_try(h, s, code);
    }
}

/* -- waiting ----------------------------------------------------------------------------------------------- */

static int wait_ms(const struct http *h, int timeout_ms, uint64_t now)
{
    uint64_t due = h->running ? h->timer_ms : UINT64_MAX;
    const struct http_request *later = queue_peek(&h->later);

    if (later && h->running < h->setup.config.max_requests)
        due = MIN(due, later->due_ms);
    if (due == UINT64_MAX)
        return timeout_ms;
    int own = due <= now ? 0 : (int)MIN(due - now, (uint64_t)3600 * 1000);

    return timeout_ms < 0 ? own : MIN(own, timeout_ms);
}

static bool act(struct http *h, curl_socket_t fd, int what, struct err *e)
{
    int running;
    CURLMcode code = h->setup.call->curl_multi_socket_action(h->multi, fd, what, &running);

    if (code != CURLM_OK && code != CURLM_BAD_SOCKET)
        return err_set(e, ERR_NETWORK, "drive requests: %s", h->setup.call->curl_multi_strerror(code));
    return true;
}

static bool act_on_events(struct http *h, struct err *e)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(h->epoll, event, EVENTS, 0);

    if (n < 0 && errno != EINTR)
        return err_sys(e, "wait for the network");
    for (int i = 0; i < n; i++) {
        int what = (event[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                   (event[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (event[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);

        if (!act(h, event[i].data.fd, what, e))
            return false;
    }
    return true;
}

/* One round: start, wait, move bytes, collect. *extra: extra_fd became readable, or a signal came. */
static bool drive(struct http *h, int timeout_ms, int extra_fd, bool *extra, struct err *e)
{
    if (!launch(h, e))
        return false;
    struct pollfd p[2] = { { .fd = extra_fd, .events = POLLIN }, { .fd = h->epoll, .events = POLLIN } };
    bool over = h->news || h->call_first;
    int n = poll(p, 2, wait_ms(h, over ? 0 : timeout_ms, clock_ms()));

    if (n < 0 && errno != EINTR)
        return err_sys(e, "wait for the network");
    *extra = n < 0 || (n > 0 && p[0].revents);
    if (!h->multi)
        return true;
    if (n > 0 && p[1].revents && !act_on_events(h, e))
        return false;
    if (h->timer_ms <= clock_ms()) {
        h->timer_ms = UINT64_MAX; /* libcurl sets it again where it needs to */
        if (!act(h, CURL_SOCKET_TIMEOUT, 0, e))
            return false;
    }
    collect(h);
    return launch(h, e);
}

/* Gives requests with a function of their own back; such a function may start more. */
static bool call_back(struct http *h)
{
    bool any = h->call_first;

    for (struct http_request *r; (r = h->call_first);) {
        h->call_first = r->next;
        r->where = NOWHERE;
        h->outstanding--;
        r->done(r);
    }
    return any;
}

bool http_step(struct http *h, int timeout_ms, int extra_fd, struct err *e)
{
    uint64_t until = timeout_ms < 0 ? UINT64_MAX : clock_ms() + (uint64_t)timeout_ms;

    for (;;) {
        bool idle = h->running == 0 && h->ready.n == 0 && h->later.n == 0 && extra_fd < 0;
        uint64_t now = clock_ms();
        int left = idle || now >= until ? 0 : until == UINT64_MAX ? -1 : (int)(until - now);
        bool extra = false;

        if (!drive(h, left, extra_fd, &extra, e))
            return false;
        bool called = call_back(h);

        if (called || extra || idle || h->news || clock_ms() >= until) {
            h->news = false;
            return true;
        }
    }
}

struct http_request *http_done(struct http *h)
{
    struct http_request *r = h->done_first;

    if (r) {
        h->done_first = r->next;
        r->where = NOWHERE;
        h->outstanding--;
    }
    return r;
}

size_t http_outstanding(const struct http *h)
{
    return h->outstanding;
}

static void unlink_from(struct http_request **first, struct http_request **last, struct http_request *r)
{
    struct http_request *before = NULL;

    for (struct http_request *at = *first; at; before = at, at = at->next)
        if (at == r) {
            *(before ? &before->next : first) = r->next;
            if (*last == r)
                *last = before;
            return;
        }
}

void http_cancel(struct http *h, struct http_request *r)
{
    struct http_slot *s = r->slot;

    switch ((enum where)r->where) {
    case NOWHERE:
        return;
    case READY:
        queue_remove(&h->ready, r);
        break;
    case LATER:
        queue_remove(&h->later, r);
        break;
    case RUNNING:
        (void)h->setup.call->curl_multi_remove_handle(h->multi, s->easy);
        exchange_drop(s);
        slot_give(h, s);
        break;
    case OVER:
        if (r->done)
            unlink_from(&h->call_first, &h->call_last, r);
        else
            unlink_from(&h->done_first, &h->done_last, r);
        break;
    }
    r->where = NOWHERE;
    h->outstanding--;
}

static struct http_request *first_without_function(const struct queue *q)
{
    for (size_t i = 0; i < q->n; i++)
        if (!q->p[i]->done)
            return q->p[i];
    return NULL;
}

struct http_request *http_take_back(struct http *h)
{
    struct http_request *r = http_done(h);

    if (r)
        return r;
    for (size_t i = 0; !r && i < h->n_slots; i++)
        if (h->slots[i]->r && !h->slots[i]->r->done)
            r = h->slots[i]->r;
    if (!r)
        r = first_without_function(&h->ready);
    if (!r)
        r = first_without_function(&h->later);
    if (r)
        http_cancel(h, r);
    return r;
}

bool http_get(struct http *h, struct http_request *r, struct err *e)
{
    bool extra, news = h->news; /* of others: for the next http_step() */

    r->done = NULL;
    http_start(h, r);
    while (r->where != OVER) {
        news = news || h->news;
        h->news = false;
        if (!drive(h, -1, -1, &extra, e)) {
            http_cancel(h, r);
            return false;
        }
        (void)call_back(h);
    }
    http_cancel(h, r); /* off the queue */
    h->news = news || h->done_first;
    if (r->err.kind != ERR_NONE) {
        *e = r->err;
        return false;
    }
    return http_check_status(r, e);
}

static const char *status_word(int status)
{
    static const struct {
        int status;
        const char *word;
    } words[] = {
        { 400, "bad request" },       { 401, "credentials wanted" }, { 403, "forbidden" },
        { 404, "not found" },         { 407, "proxy credentials wanted" }, { 408, "request time-out" },
        { 410, "gone" },              { 416, "no such range" },      { 429, "too many requests" },
        { 500, "internal error" },    { 502, "bad gateway" },        { 503, "service unavailable" },
        { 504, "gateway time-out" },
    };

    for (size_t i = 0; i < COUNT(words); i++)
        if (words[i].status == status)
            return words[i].word;
    return status >= 500 ? "server error" : status >= 400 ? "client error" : "unexpected";
}

bool http_check_status(const struct http_request *r, struct err *e)
{
    if ((r->status >= 200 && r->status <= 299) || r->status == 304)
        return true;
    AUTO_ARENA a = { 0 };
    struct url u = { .host = STR("?") };
    struct err ignored = { 0 };
    bool parsed = url_parse(r->at_url, &u, &ignored);
    struct str url = url_redacted(&a, r->at_url);

    (void)err_set(e, ERR_NETWORK, "'" STR_FMT "%s" STR_FMT "' answers %d (%s) for '" STR_FMT "'", STR_ARG(u.host),
                  parsed && u.port.n ? ":" : "", STR_ARG(u.port), r->status, status_word(r->status), STR_ARG(url));
    if (r->status == 401 || r->status == 403)
        (void)err_hint(e, "give the user name and password in the index URL or in ~/.netrc");
    else if (r->status == 407)
        (void)err_hint(e, "give the proxy's user name and password in HTTPS_PROXY");
    else if (r->status == 429 || r->status >= 500)
        (void)err_hint(e, "the server has trouble; try again later");
    return false;
}

void http_request_clear(struct http_request *r)
{
    arena_clear(&r->arena);
    reset_result(r);
    r->at_url = (struct str){ 0 };
}

void http_figures(const struct http *h, struct http_figures *out)
{
    *out = h->figures;
}
