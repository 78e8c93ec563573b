/* HTTP/2 against nginx, where it is installed: one connection carries all. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/test_server.h"

#define MANY 600
#define FILE_BYTES (3u << 20)

static char folder[] = "/tmp/blast-http2-XXXXXX";
static char url[64];
static int dir = -1;
static pid_t nginx;

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        return 0;
    return ntohs(a.sin_port);
}

static bool write_files(int port, struct err *e)
{
    AUTO_ARENA a = { 0 };
    char *large = arena_alloc(&a, FILE_BYTES);
    struct str config = arena_printf(&a,
        "daemon off; master_process off; pid %s/pid; error_log %s/log;\nevents {}\nhttp {\n access_log off;\n"
        " client_body_temp_path %s/t; proxy_temp_path %s/t; fastcgi_temp_path %s/t; uwsgi_temp_path %s/t;"
        " scgi_temp_path %s/t;\n server { listen 127.0.0.1:%d ssl http2; root %s/www;\n"
        "  ssl_certificate %s/crt; ssl_certificate_key %s/key; }\n}\n",
        folder, folder, folder, folder, folder, folder, folder, port, folder, folder, folder);

    for (size_t i = 0; i < FILE_BYTES; i++)
        large[i] = (char)(i * 2654435761u >> 13);
    AUTO_FD www = -1;

    return chmod(folder, 0755) == 0 && file_make_dirs(dir, "www", 0755, e) && fd_open_dir(dir, "www", &www, e) &&
           file_replace(dir, "nginx.conf", config, 0644, FILE_NO_SYNC, e) &&
           file_replace(www, "small", STR("a small file\n"), 0644, FILE_NO_SYNC, e) &&
           file_replace(www, "large", (struct str){ large, FILE_BYTES }, 0644, FILE_NO_SYNC, e);
}

static bool make_certificate(void)
{
    char command[512];

    (void)snprintf(command, sizeof command,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
                   "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key -out %s/crt 2>/dev/null", folder, folder);
    return system(command) == 0; /* NOLINT: a fixed text in a test */
}

/* A child that becomes nginx; false when it ends at once. */
static bool start_nginx(void)
{
    char config[64];

    (void)snprintf(config, sizeof config, "%s/nginx.conf", folder);
    nginx = fork();
    if (nginx == 0) {
        (void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin", 1);
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
        (void)execlp("nginx", "nginx", "-p", folder, "-c", config, (char *)NULL);
        _exit(127);
    }
    return nginx > 0;
}

static struct http *open_trusting(struct http_config *config)
{
    static char certificate[64];
    struct http *h = NULL;
    struct err e = { 0 };

    (void)snprintf(certificate, sizeof certificate, "%s/crt", folder);
    config->ca_file = certificate;
    if (!http_open(config, &h, &e))
        fail_msg("%s", e.text);
    return h;
}

static void one_connection_carries_all(void **state)
{
    AUTO_HTTP h = open_trusting(&(struct http_config){ 0 });
    struct http_request *r = mem_zero(MANY, sizeof *r);
    struct buf *body = mem_zero(MANY, sizeof *body);
    struct err e = { 0 };
    struct http_figures f;
    char small[96];

    (void)state;
    (void)snprintf(small, sizeof small, "%s/small", url);
    for (size_t i = 0; i < MANY; i++) {
        buf_init(&body[i], 100);
        r[i] = (struct http_request){ .url = str_of(small), .body = &body[i] };
        http_start(h, &r[i]);
    }
    while (http_outstanding(h) > 0) {
        assert_true(http_step(h, -1, -1, &e));
        for (struct http_request *one; (one = http_done(h));)
            if (one->status != 200 || !str_eq(buf_done(one->body), STR("a small file\n")))
                fail_msg("status %d: %s", one->status, one->err.text);
    }
    http_figures(h, &f);
    assert_int_equal(f.connections, 1);
    for (size_t i = 0; i < MANY; i++) {
        http_request_clear(&r[i]);
        buf_clear(&body[i]);
    }
    free(r);
    free(body);
}

#define FILES 20

static void streams_of_large_files_do_not_mix(void **state)
{
    AUTO_HTTP h = open_trusting(&(struct http_config){ 0 });
    struct http_request *r = mem_zero(FILES, sizeof *r);
    unsigned char want[HASH_SHA256], got[HASH_MAX];
    struct err e = { 0 };
    char large[96], name[16];
    AUTO_FD original = -1;
    size_t n;

    (void)state;
    assert_true(fd_open(dir, "www/large", O_RDONLY, 0, &original, &e));
    assert_true(hash_sha256_file(original, "large", want, &e));
    (void)snprintf(large, sizeof large, "%s/large", url);
    for (size_t i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof name, "got-%zu", i);
        r[i] = (struct http_request){ .url = str_of(large), .to_file = true };
        assert_true(fd_open(dir, name, O_RDWR | O_CREAT, 0600, &r[i].file, &e));
        assert_true(digest_new(STR("sha256"), &r[i].digest, &e));
        http_start(h, &r[i]);
    }
    while (http_outstanding(h) > 0) {
        assert_true(http_step(h, -1, -1, &e));
        for (struct http_request *one; (one = http_done(h));) {
            if (one->status != 200 || one->file_n != FILE_BYTES)
                fail_msg("status %d: %s", one->status, one->err.text);
            digest_finish(one->digest, got, &n);
            assert_memory_equal(got, want, HASH_SHA256);
        }
    }
    for (size_t i = 0; i < FILES; i++) {
        fd_close(&r[i].file);
        digest_free(r[i].digest);
        http_request_clear(&r[i]);
    }
    free(r);
}

static void a_server_that_dies_is_an_error_for_each_request(void **state)
{
    AUTO_HTTP h = open_trusting(&(struct http_config){ .tries = 1 });
    struct http_request *r = mem_zero(FILES, sizeof *r);
    struct err e = { 0 };
    char large[96], name[16];
    uint64_t progress = 0;
    size_t failed = 0;
    int status;

    (void)state;
    (void)snprintf(large, sizeof large, "%s/large", url);
    for (size_t i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof name, "cut-%zu", i);
        r[i] = (struct http_request){ .url = str_of(large), .to_file = true, .progress = &progress };
        assert_true(fd_open(dir, name, O_RDWR | O_CREAT, 0600, &r[i].file, &e));
        http_start(h, &r[i]);
    }
    while (progress == 0)
        assert_true(http_step(h, 10, -1, &e));
    (void)kill(nginx, SIGKILL);
    (void)waitpid(nginx, &status, 0);
    nginx = 0;
    while (http_outstanding(h) > 0) {
        assert_true(http_step(h, -1, -1, &e));
        for (struct http_request *one; (one = http_done(h));)
            failed += one->err.kind == ERR_NETWORK;
    }
    assert_true(failed > 0);
    for (size_t i = 0; i < FILES; i++) {
        struct stat st;

        assert_int_equal(fstat(r[i].file, &st), 0);
        assert_int_equal(st.st_size, r[i].file_n); /* what is told is what is there */
        fd_close(&r[i].file);
        http_request_clear(&r[i]);
    }
    free(r);
}

static bool answers(void)
{
    AUTO_HTTP h = open_trusting(&(struct http_config){ .tries = 8 }); /* it takes a moment to listen */
    struct http_request r = { .url = str_of(url) };
    struct err e = { 0 };
    bool up = http_get(h, &r, &e) || r.status;

    http_request_clear(&r);
    return up;
}

static int set_up(void **state)
{
    struct err e = { 0 };
    int port = free_port();

    (void)state;
    (void)unsetenv("https_proxy");
    (void)unsetenv("HTTPS_PROXY");
    (void)unsetenv("all_proxy");
    (void)unsetenv("ALL_PROXY");
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%d", port);
    if (!mkdtemp(folder) || !fd_open_dir(-1, folder, &dir, &e) || !write_files(port, &e)) {
        print_error("%s\n", e.text);
        return -1;
    }
    if (!make_certificate() || !start_nginx() || !answers()) {
        if (nginx > 0)
            (void)kill(nginx, SIGKILL);
        if (!file_remove_tree(-1, folder, &e))
            print_error("%s\n", e.text);
        test_server_skip("nginx with HTTP/2, or openssl, does not run here");
    }
    return 0;
}

static int tear_down(void **state)
{
    struct err e = { 0 };
    int status;

    (void)state;
    if (nginx > 0) {
        (void)kill(nginx, SIGKILL);
        (void)waitpid(nginx, &status, 0);
    }
    fd_close(&dir);
    return file_remove_tree(-1, folder, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_connection_carries_all),
        cmocka_unit_test(streams_of_large_files_do_not_mix),
        cmocka_unit_test(a_server_that_dies_is_an_error_for_each_request),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
