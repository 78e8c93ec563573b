#include "net/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/auth.h"
#include "net/test_server.h"
#include "net/url.h"

#define PAGE_MAX (1u << 20)
#define LARGE "/files/large-1.0-py3-none-any.whl"
#define DEMO "/files/demo-1.0-py3-none-any.whl"

static struct test_server server;
static char folder[] = "/tmp/blast-http-XXXXXX";

static struct http *open_http(const struct http_config *config)
{
    struct http *h = NULL;
    struct err e = { 0 };

    if (!http_open(config, &h, &e))
        fail_msg("open: %s", e.text);
    return h;
}

/* One request for a path of the server into memory; the answer's body in *body. */
static bool get_path(struct http *h, const char *path, struct http_request *r, struct buf *body, struct err *e)
{
    static char url[4096];

    (void)snprintf(url, sizeof url, "%s%s", server.url, path);
    r->url = str_of(url);
    buf_init(body, PAGE_MAX);
    r->body = body;
    return http_get(h, r, e);
}

static void each_misbehaviour_gives_its_own_clear_error(void **state)
{
    static const struct {
        const char *path, *why;
        unsigned tries;
        int status; /* of an answer; then `why` is from http_check_status() */
    } cases[] = {
        { "/x/status=404/simple/", "answers 404 (not found)", 1, 404 },
        { "/x/status=401/simple/", "answers 401 (credentials wanted)", 1, 401 },
        { "/x/status=403/simple/", "answers 403 (forbidden)", 1, 403 },
        { "/x/status=500/simple/", "answers 500 (internal error)", 2, 500 },
        { "/x/status=503/simple/", "(tried 2 times)", 2, 503 },
        { "/x/status=429,retry-after=99999/simple/", "answers 429 (too many requests)", 1, 429 },
        { "/x/truncate=10" DEMO, "broke: transfer closed with", 2, 200 },
        { "/x/reset=10" DEMO, "broke: ", 2, 200 },
        { "/x/garbage/simple/", "HTTP/0.9", 1, 0 },
        { "/x/endless/simple/", "sends more than 1048576 bytes", 1, 200 },
        { "/x/bomb=4/simple/", "sends more than 1048576 bytes", 1, 200 },
        { "/x/huge-headers/simple/", "Too large response headers", 2, 200 },
        { "/x/loop/simple/", "redirects more than 10 times", 1, 302 },
        { "/x/redirect=11/simple/", "redirects more than 10 times", 1, 302 },
        { "/x/to=file:%2F%2F%2Fetc%2Fpasswd/simple/", "leads from the network to a local file", 1, 302 },
        { "/x/to=ftp:%2F%2Fh%2F/simple/", "is neither http nor https", 1, 302 },
    };
    struct http_config config = { .timeout_s = 20, .tries = 2 };
    AUTO_HTTP h = open_http(&config);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_request r = { .compressed = true };
        struct err e = { 0 };
        AUTO_BUF body;

        if (get_path(h, cases[i].path, &r, &body, &e))
            fail_msg("%s: succeeds", cases[i].path);
        if (e.kind != ERR_NETWORK || !strstr(e.text, cases[i].why) || r.tries != cases[i].tries ||
            r.status != cases[i].status)
            fail_msg("%s: kind %d, tries %u, status %d: %s", cases[i].path, (int)e.kind, r.tries, r.status, e.text);
        http_request_clear(&r);
    }
}

static void a_server_that_says_nothing_is_given_up(void **state)
{
    static const char *const paths[] = { "/x/silent/simple/", "/x/drip" DEMO };
    struct http_config config = { .timeout_s = 1, .tries = 1 };
    AUTO_HTTP h = open_http(&config);

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct http_request r = { 0 };
        struct err e = { 0 };
        AUTO_BUF body;

        assert_false(get_path(h, paths[i], &r, &body, &e));
        if (!strstr(e.text, "sent (almost) nothing for 1 s") || !strstr(e.hint, "request_timeout"))
            fail_msg("%s: %s", paths[i], e.text);
        http_request_clear(&r);
    }
}

static void passing_trouble_is_retried(void **state)
{
    static const struct {
        const char *path;
        unsigned tries;
    } cases[] = {
        { "/x/status=500!1/simple/demo/", 2 },
        { "/x/status=503!2/simple/demo/", 3 },
        { "/x/status=429!1,retry-after=0!1/simple/demo/", 2 },
        { "/x/status=429!1,retry-after=date:-5!1/simple/demo/", 2 },
        { "/x/status=408!1/simple/demo/", 2 },
        { "/x/truncate=10!1/simple/demo/", 2 },
        { "/x/reset=10!1/simple/demo/", 2 },
        { "/x/close10/simple/demo/", 1 },
        { "/x/gzip/simple/demo/", 1 },
        { "/x/redirect=9/simple/demo/", 1 },
    };
    struct http_config config = { .timeout_s = 10 };
    AUTO_HTTP h = open_http(&config);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_request r = { .compressed = true };
        struct err e = { 0 };
        AUTO_BUF body;

        if (!get_path(h, cases[i].path, &r, &body, &e) || r.tries != cases[i].tries)
            fail_msg("%s: %u tries: %s", cases[i].path, r.tries, e.text);
        assert_true(str_ends(buf_done(&body), STR("</body></html>\n")));
        assert_true(str_starts(r.final_url, str_of(server.url)));
        http_request_clear(&r);
    }
}

static void says_what_can_be_done_about_it(void **state)
{
    static const struct {
        const char *url, *why, *hint;
    } cases[] = {
        { "http://127.0.0.1:1/", "connect to '127.0.0.1:1': Connection refused", "HTTPS_PROXY" },
        { "ftp://index.example/", "neither http nor https", "" },
        { "https://me:geheim@/", "has no host", "" },
        { "nothing", "has no scheme", "" },
    };
    struct http_config config = { .timeout_s = 5, .tries = 1 };
    AUTO_HTTP h = open_http(&config);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_request r = { .url = str_of(cases[i].url) };
        struct err e = { 0 };

        assert_false(http_get(h, &r, &e));
        if (e.kind != ERR_NETWORK || !strstr(e.text, cases[i].why) || !strstr(e.hint, cases[i].hint) ||
            strstr(e.text, "geheim"))
            fail_msg("%s: %s (%s)", cases[i].url, e.text, e.hint);
        http_request_clear(&r);
    }
}

static void offline_fails_at_once(void **state)
{
    struct http_config config = { .offline = true };
    AUTO_HTTP h = open_http(&config);
    struct http_request r = { .url = STR("https://index.example/simple/") };
    struct err e = { 0 };

    (void)state;
    assert_false(http_get(h, &r, &e));
    assert_int_equal(e.kind, ERR_NETWORK);
    assert_non_null(strstr(e.text, "offline"));
    http_request_clear(&r);
}

static void a_page_we_have_is_asked_about_with_its_tag(void **state)
{
    AUTO_HTTP h = open_http(&(struct http_config){ 0 });
    struct http_request r = { 0 }, again = { 0 };
    struct err e = { 0 };
    AUTO_BUF body, none;

    (void)state;
    assert_true(get_path(h, "/x/max-age=600/simple/demo/", &r, &body, &e));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.max_age, 600);
    assert_true(r.got_etag.n > 2 && r.got_last_modified.n && r.ranges && r.total_size == body.n);
    again.etag = r.got_etag;
    assert_true(get_path(h, "/x/max-age=600/simple/demo/", &again, &none, &e));
    assert_int_equal(again.status, 304);
    assert_int_equal(none.n, 0);
    http_request_clear(&again);
    again = (struct http_request){ .last_modified = r.got_last_modified };
    buf_clear(&none);
    assert_true(get_path(h, "/x/no-store/simple/demo/", &again, &none, &e));
    assert_int_equal(again.status, 304);
    assert_true(again.no_store);
    http_request_clear(&again);
    http_request_clear(&r);
}

static void ranges_come_from_where_they_were_asked(void **state)
{
    static const struct {
        const char *path;
        enum http_range range;
        uint64_t at, n;
        int status;
        uint64_t got;
        const char *why; /* NULL: good */
    } cases[] = {
        { DEMO, HTTP_SPAN, 0, 4, 206, 4, NULL },
        { DEMO, HTTP_SPAN, 10, 20, 206, 20, NULL },
        { DEMO, HTTP_TAIL, 0, 22, 206, 22, NULL },
        { "/x/no-ranges" DEMO, HTTP_TAIL, 0, 22, 200, 1159, NULL },
        { "/x/elsewhere" DEMO, HTTP_SPAN, 10, 20, 206, 0, "sends bytes from 11 on where others were asked for (10)" },
        { DEMO, HTTP_SPAN, 1u << 20, 20, 416, 0, "answers 416 (no such range)" },
    };
    AUTO_HTTP h = open_http(&(struct http_config){ 0 });

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_request r = { .range = cases[i].range, .range_at = cases[i].at, .range_n = cases[i].n };
        struct err e = { 0 };
        AUTO_BUF body;
        bool good = get_path(h, cases[i].path, &r, &body, &e);

        if (good != !cases[i].why || r.status != cases[i].status || (!good && !strstr(e.text, cases[i].why)))
            fail_msg("%s: status %d: %s", cases[i].path, r.status, e.text);
        if (good)
            assert_int_equal(body.n, cases[i].got);
        if (good && cases[i].range == HTTP_TAIL && r.status == 206)
            assert_int_equal(r.body_at + 22, r.total_size);
        http_request_clear(&r);
    }
}

static void credentials_stay_with_their_host(void **state)
{
    AUTO_HTTP plain = open_http(&(struct http_config){ 0 });
    AUTO_AUTH auth = NULL;
    char url[256];
    struct err e = { 0 };
    struct http_request r = { 0 };
    AUTO_BUF body;

    (void)state;
    buf_init(&body, PAGE_MAX);
    r.body = &body;
    (void)snprintf(url, sizeof url, "http://me:geheim@%s/x/echo/", server.url + 7);
    r.url = str_of(url);
    assert_true(http_get(plain, &r, &e));
    assert_non_null(strstr(buf_done(&body).p, "Basic bWU6Z2VoZWlt"));
    http_request_clear(&r);

    (void)snprintf(url, sizeof url, "http://me:geheim@%s/x/echo,to-localhost/", server.url + 7);
    r.url = str_of(url);
    assert_true(http_get(plain, &r, &e));
    assert_true(str_starts(r.final_url, STR("http://localhost:")));
    assert_null(strstr(buf_done(&body).p, "Authorization"));
    http_request_clear(&r);

    (void)setenv("NETRC", "", 1);
    assert_true(auth_open(&auth, &e));
    (void)snprintf(url, sizeof url, "http://me:geheim@%s/simple/", server.url + 7);
    assert_true(auth_add_url(auth, str_of(url), &e));
    AUTO_HTTP known = open_http(&(struct http_config){ .auth = auth });

    (void)snprintf(url, sizeof url, "%s/x/auth=me:geheim/simple/", server.url);
    r.url = str_of(url);
    assert_true(http_get(known, &r, &e));
    http_request_clear(&r);
    assert_false(http_get(plain, &r, &e));
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(e.hint, "netrc"));
    http_request_clear(&r);
}

static void goes_through_the_proxy_of_the_environment(void **state)
{
    struct http_request r = { .url = STR("http://index.example/x/status=404/via-proxy") };
    struct err e = { 0 };
    char proxy[128];

    (void)state;
    (void)setenv("http_proxy", server.url, 1);
    AUTO_HTTP through = open_http(&(struct http_config){ .tries = 1 });

    assert_false(http_get(through, &r, &e));
    assert_int_equal(r.status, 404); /* from the test server: the name exists nowhere */
    http_request_clear(&r);
    (void)setenv("http_proxy", "http://me:geheim@127.0.0.1:1", 1);
    AUTO_HTTP dead = open_http(&(struct http_config){ .tries = 1 });

    assert_false(http_get(dead, &r, &e));
    assert_non_null(strstr(e.text, "proxy 'http://me:****@127.0.0.1:1' for 'index.example': Connection refused"));
    assert_null(strstr(e.text, "geheim"));
    http_request_clear(&r);
    (void)setenv("no_proxy", "127.0.0.0/8", 1);
    AUTO_HTTP straight = open_http(&(struct http_config){ .tries = 1 });
    AUTO_BUF body;

    struct http_request direct = { 0 };

    if (!get_path(straight, "/simple/", &direct, &body, &e))
        fail_msg("no_proxy: %s", e.text);
    http_request_clear(&direct);
    (void)unsetenv("no_proxy");
    (void)snprintf(proxy, sizeof proxy, "%s", server.url);
    (void)setenv("https_proxy", proxy, 1);
    AUTO_HTTP tunnel = open_http(&(struct http_config){ .tries = 3 });
    struct http_request tls = { .url = STR("https://index.example/") };

    assert_false(http_get(tunnel, &tls, &e)); /* the server knows no CONNECT */
    assert_non_null(strstr(e.text, "it answers 501 to CONNECT"));
    assert_int_equal(tls.tries, 1);
    http_request_clear(&tls);
    (void)unsetenv("http_proxy");
    (void)unsetenv("https_proxy");
}

/* -- files ------------------------------------------------------------------------------------------------- */

static int file_dir = -1;

/* Fetches a path into a fresh file that begins with `have` bytes of the right file (or of zeros). */
static bool get_file(struct http *h, const char *path, struct str start, struct http_request *r,
                     unsigned char sha256[HASH_SHA256])
{
    AUTO_FD fd = -1;
    AUTO_DIGEST d = NULL;
    struct err e = { 0 };
    char url[512];
    unsigned char all[HASH_MAX];
    size_t n;

    (void)unlinkat(file_dir, "file", 0);
    assert_true(fd_open(file_dir, "file", O_RDWR | O_CREAT, 0600, &fd, &e));
    assert_true(start.n == 0 || fd_write_all(fd, start.p, start.n, "file", &e));
    assert_true(digest_new(STR("sha256"), &d, &e));
    digest_add(d, start.p, start.n);
    (void)snprintf(url, sizeof url, "%s%s", server.url, path);
    r->url = str_of(url);
    r->to_file = true;
    r->file = fd;
    r->digest = d;
    r->have = start.n;
    bool good = http_get(h, r, &e);

    if (good) {
        digest_finish(d, all, &n);
        assert_true(hash_sha256_file(fd, "file", sha256, &e));
        assert_memory_equal(all, sha256, HASH_SHA256);
        assert_int_equal(lseek(fd, 0, SEEK_END), r->file_n);
    } else {
        r->err = e;
    }
    return good;
}

static void files_are_gone_on_with_or_begun_anew(void **state)
{
    static const struct {
        const char *path;
        size_t have;
        unsigned tries;
        bool wrong_start; /* then the file on the server is another version */
        const char *tag;
    } cases[] = {
        { LARGE, 0, 1, false, "" },
        { LARGE, 1000, 1, false, "" },
        { "/x/no-ranges" LARGE, 1000, 1, false, "" },
        { "/x/truncate=500000!1" LARGE, 0, 2, false, "" },
        { "/x/truncate=500000!1" LARGE "?again", 1000, 2, false, "" },
        { "/x/truncate=500000!1,new-etag" LARGE, 0, 2, false, "" },
        { "/x/truncate=500000!1,no-etag" LARGE, 0, 2, false, "" },
        { "/x/reset=500000!2" LARGE, 0, 3, false, "" },
        { "/x/truncate=700000" LARGE, 0, 6, false, "" },
        { LARGE "?version", 1000, 1, true, "\"another\"" },
    };
    AUTO_HTTP h = open_http(&(struct http_config){ .timeout_s = 10 });
    struct http_request whole = { 0 };
    unsigned char want[HASH_SHA256], got[HASH_SHA256];
    AUTO_ARENA a = { 0 };
    struct str content;
    struct err e = { 0 };

    (void)state;
    assert_true(get_file(h, LARGE, STR(""), &whole, want));
    assert_true(fd_read_file(file_dir, "file", 64 << 20, &a, &content, &e));
    assert_true(content.n > (4 << 20));
    http_request_clear(&whole);
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const char zeros[1000];
        uint64_t progress = cases[i].have;
        struct http_request r = { .have_tag = str_of(cases[i].tag), .progress = &progress, .size_limit = content.n };
        struct str start = { cases[i].wrong_start ? zeros : content.p, cases[i].have };

        if (!get_file(h, cases[i].path, start, &r, got))
            fail_msg("%s: %s", cases[i].path, r.err.text);
        if (r.tries != cases[i].tries || progress != content.n)
            fail_msg("%s: %u tries, progress %llu", cases[i].path, r.tries, (unsigned long long)progress);
        assert_memory_equal(got, want, HASH_SHA256);
        http_request_clear(&r);
    }
}

static void a_file_that_cannot_be_right_is_refused(void **state)
{
    AUTO_HTTP h = open_http(&(struct http_config){ .tries = 1 });
    struct http_request r = { .size_limit = 1000 };
    unsigned char got[HASH_SHA256];

    (void)state;
    assert_false(get_file(h, LARGE, STR(""), &r, got));
    assert_int_equal(r.err.kind, ERR_PACKAGE);
    assert_int_equal(err_exit_code(&r.err), 5);
    assert_non_null(strstr(r.err.text, "more than the 1000 bytes"));
    http_request_clear(&r);
    r = (struct http_request){ 0 };
    assert_false(get_file(h, "/x/elsewhere" LARGE, STR("PK\3\4"), &r, got));
    assert_non_null(strstr(r.err.text, "sends bytes from 5 on"));
    http_request_clear(&r);
    r = (struct http_request){ 0 };
    assert_false(get_file(h, "/x/status=404" LARGE, STR(""), &r, got));
    assert_int_equal(r.file_n, 0);
    http_request_clear(&r);
}

/* -- many -------------------------------------------------------------------------------------------------- */

#define MANY 1200

static void many_requests_share_few_connections(void **state)
{
    struct http_request *r = mem_zero(MANY, sizeof *r);
    struct buf *body = mem_zero(MANY, sizeof *body);
    char(*url)[96] = mem_zero(MANY, sizeof *url);
    AUTO_HTTP h = open_http(&(struct http_config){ .max_connections = 8 });
    struct err e = { 0 };
    struct http_figures f;
    size_t done = 0;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(url[i], sizeof url[i], "%s/files/many_%zu-1.0-py3-none-any.whl.metadata", server.url, i % 400);
        buf_init(&body[i], PAGE_MAX);
        r[i] = (struct http_request){ .url = str_of(url[i]), .body = &body[i] };
        http_start(h, &r[i]);
    }
    while (http_outstanding(h) > 0 && http_step(h, -1, -1, &e))
        for (struct http_request *one; (one = http_done(h)); done++) {
            if (one->status != 200 || one->err.kind)
                fail_msg("%s: %d %s", one->url.p, one->status, one->err.text);
            assert_true(str_starts(buf_done(one->body), STR("Metadata-Version: 2.1\nName: many-")));
        }
    assert_int_equal(done, MANY);
    http_figures(h, &f);
    assert_int_equal(f.requests, MANY);
    assert_true(f.connections <= 8);
    for (size_t i = 0; i < MANY; i++) {
        http_request_clear(&r[i]);
        buf_clear(&body[i]);
    }
    free(r);
    free(body);
    free(url);
}

static void note_order(struct http_request *r)
{
    char *order = r->user;

    order[strlen(order)] = (char)('a' + r->priority);
}

static void the_greatest_priority_goes_first_and_callbacks_are_called(void **state)
{
    AUTO_HTTP h = open_http(&(struct http_config){ .max_requests = 1 });
    struct http_request r[4] = { 0 };
    static const int priority[] = { 1, 3, 0, 2 };
    char order[8] = "";
    char url[128];
    struct err e = { 0 };

    (void)state;
    (void)snprintf(url, sizeof url, "%s/simple/", server.url);
    for (size_t i = 0; i < COUNT(r); i++) {
        r[i] = (struct http_request){ .url = str_of(url), .priority = priority[i], .user = order, .done = note_order };
        http_start(h, &r[i]);
    }
    while (http_outstanding(h) > 0)
        assert_true(http_step(h, -1, -1, &e));
    assert_string_equal(order, "dcba");
    for (size_t i = 0; i < COUNT(r); i++)
        http_request_clear(&r[i]);
}

static void a_request_can_be_taken_back_in_any_state(void **state)
{
    AUTO_HTTP h = open_http(&(struct http_config){ .max_requests = 2, .timeout_s = 10 });
    struct http_request r[4] = { 0 };
    char silent[128], fails[128];
    struct err e = { 0 };

    (void)state;
    (void)snprintf(silent, sizeof silent, "%s/x/silent/simple/", server.url);
    (void)snprintf(fails, sizeof fails, "%s/x/status=503,retry-after=5/simple/", server.url);
    for (size_t i = 0; i < 3; i++) {
        r[i].url = str_of(i == 1 ? fails : silent);
        http_start(h, &r[i]); /* 0 runs, 1 runs and then waits for its next try, 2 waits */
    }
    for (struct http_figures f = { 0 }; f.retries == 0; http_figures(h, &f))
        assert_true(http_step(h, 20, -1, &e));
    for (size_t i = 0; i < COUNT(r); i++)
        http_cancel(h, &r[i]); /* the last was never started */
    assert_int_equal(http_outstanding(h), 0);
    assert_null(http_done(h));
    assert_true(http_step(h, -1, -1, &e)); /* nothing to wait for */
    for (size_t i = 0; i < COUNT(r); i++)
        http_request_clear(&r[i]);
}

static void an_owner_that_goes_away_gets_all_of_its_requests_back(void **state)
{
    AUTO_HTTP h = open_http(&(struct http_config){ .max_requests = 2, .timeout_s = 10 });
    struct http_request r[6] = { 0 };
    char silent[128], good[128], order[8] = "";
    struct err e = { 0 };
    unsigned back = 0;

    (void)state;
    (void)snprintf(good, sizeof good, "%s/simple/", server.url);
    (void)snprintf(silent, sizeof silent, "%s/x/silent/simple/", server.url);
    for (size_t i = 0; i < COUNT(r); i++) {
        r[i].url = str_of(i == 0 ? good : silent);
        http_start(h, &r[i]);
        if (i == 0) /* done, and never taken */
            assert_true(http_step(h, -1, -1, &e));
    }
    assert_true(http_step(h, 5, -1, &e));
    struct http_request kept = { .url = str_of(good), .user = order, .done = note_order };

    http_start(h, &kept);
    for (struct http_request *one; (one = http_take_back(h)); back++)
        http_request_clear(one);
    assert_int_equal(back, COUNT(r));
    assert_int_equal(http_outstanding(h), 1);
    while (http_outstanding(h) > 0)
        assert_true(http_step(h, -1, -1, &e));
    assert_string_equal(order, "a");
    http_request_clear(&kept);
}

static void a_readable_descriptor_ends_the_wait(void **state)
{
    AUTO_HTTP h = open_http(&(struct http_config){ 0 });
    struct err e = { 0 };
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(http_step(h, 5, ends[0], &e)); /* the time is over */
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(http_step(h, -1, ends[0], &e));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* -- TLS --------------------------------------------------------------------------------------------------- */

static void roots_that_are_named_but_useless_are_an_error(void **state)
{
    static const struct {
        const char *variable, *value, *why;
    } cases[] = {
        { "SSL_CERT_FILE", "/nowhere/ca.pem", "open /nowhere/ca.pem: No such file" },
        { "SSL_CERT_FILE", "/dev/null", "" },
        { "SSL_CERT_FILE", "EMPTY", "holds no certificate" },
        { "SSL_CERT_DIR", "/nowhere", "/nowhere" },
        { "SSL_CERT_DIR", "FOLDER", "holds no certificate under a hashed name" },
    };
    char empty[64];
    struct err e = { 0 };

    (void)state;
    (void)snprintf(empty, sizeof empty, "%s/empty.pem", folder);
    assert_true(file_replace(file_dir, "empty.pem", STR("\n"), 0600, FILE_NO_SYNC, &e));
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *value = strcmp(cases[i].value, "EMPTY") == 0 ? empty
                            : strcmp(cases[i].value, "FOLDER") == 0 ? folder : cases[i].value;
        struct http *h = NULL;

        e = (struct err){ 0 };
        (void)setenv(cases[i].variable, value, 1);
        if (http_open(&(struct http_config){ 0 }, &h, &e) || e.kind != ERR_CONFIG || !strstr(e.text, cases[i].why))
            fail_msg("%s=%s: %s", cases[i].variable, value, e.text);
        (void)unsetenv(cases[i].variable);
    }
}

/* A certificate for the loopback with its key in one file; false when there is no openssl to make it. */
static bool make_certificate(const char *pem)
{
    char command[1024];

    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                   "-subj /CN=blast-test -addext subjectAltName=IP:127.0.0.1 -keyout %s.key -out %s.crt 2>/dev/null "
                   "&& cat %s.key %s.crt > %s", pem, pem, pem, pem, pem);
    return system(command) == 0; /* NOLINT: a fixed text in a test */
}

static void certificates_are_judged(void **state)
{
    struct test_server tls;
    char pem[64], url[256];
    struct http_request r = { 0 };
    struct err e = { 0 };

    (void)state;
    (void)snprintf(pem, sizeof pem, "%s/server.pem", folder);
    if (!make_certificate(pem)) {
        print_message("SKIP: no openssl to make a certificate with\n");
        skip();
    }
    test_server_start(&tls, pem);
    (void)snprintf(url, sizeof url, "%s/simple/", tls.url);
    r.url = str_of(url);

    AUTO_HTTP strict = open_http(&(struct http_config){ 0 });

    assert_false(http_get(strict, &r, &e));
    assert_int_equal(r.tries, 1);
    assert_non_null(strstr(e.text, "the certificate of '127.0.0.1:"));
    assert_non_null(strstr(e.hint, "SSL_CERT_FILE"));
    http_request_clear(&r);
    (void)setenv("SSL_CERT_FILE", pem, 1);
    AUTO_HTTP told = open_http(&(struct http_config){ 0 });

    (void)unsetenv("SSL_CERT_FILE");
    if (!http_get(told, &r, &e))
        fail_msg("SSL_CERT_FILE: %s", e.text);
    http_request_clear(&r);
    AUTO_HTTP blind = open_http(&(struct http_config){ .insecure = true });

    assert_true(http_get(blind, &r, &e));
    http_request_clear(&r);
    (void)snprintf(url, sizeof url, "%s/x/to=http:%%2F%%2F%s%%2Fsimple%%2F/", tls.url, server.url + 7);
    r.url = str_of(url);
    assert_false(http_get(told, &r, &e));
    assert_non_null(strstr(e.text, "redirects from https to 'http://127.0.0.1"));
    http_request_clear(&r);
    test_server_stop(&tls);
}

static int set_up(void **state)
{
    static const char *const names[] = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                         "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
                                         "SSL_CLIENT_CERT" };
    struct err e = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        (void)unsetenv(names[i]);
    test_server_start(&server, NULL);
    return mkdtemp(folder) && fd_open_dir(-1, folder, &file_dir, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct err e = { 0 };

    (void)state;
    test_server_stop(&server);
    fd_close(&file_dir);
    return file_remove_tree(-1, folder, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_misbehaviour_gives_its_own_clear_error),
        cmocka_unit_test(a_server_that_says_nothing_is_given_up),
        cmocka_unit_test(passing_trouble_is_retried),
        cmocka_unit_test(says_what_can_be_done_about_it),
        cmocka_unit_test(offline_fails_at_once),
        cmocka_unit_test(a_page_we_have_is_asked_about_with_its_tag),
        cmocka_unit_test(ranges_come_from_where_they_were_asked),
        cmocka_unit_test(credentials_stay_with_their_host),
        cmocka_unit_test(goes_through_the_proxy_of_the_environment),
        cmocka_unit_test(files_are_gone_on_with_or_begun_anew),
        cmocka_unit_test(a_file_that_cannot_be_right_is_refused),
        cmocka_unit_test(many_requests_share_few_connections),
        cmocka_unit_test(the_greatest_priority_goes_first_and_callbacks_are_called),
        cmocka_unit_test(a_request_can_be_taken_back_in_any_state),
        cmocka_unit_test(an_owner_that_goes_away_gets_all_of_its_requests_back),
        cmocka_unit_test(a_readable_descriptor_ends_the_wait),
        cmocka_unit_test(roots_that_are_named_but_useless_are_an_error),
        cmocka_unit_test(certificates_are_judged),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
