#include "install/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/test_server.h"

#define LARGE "large-1.0-py3-none-any.whl"
#define DEMO "demo-1.0-py3-none-any.whl"

static struct test_server server;
static char folder[] = "/tmp/blast-fetch-XXXXXX";
static int dir = -1;
static struct str content;          /* of LARGE */
static char sha256[HASH_HEX256 + 1]; /* of LARGE */
static struct arena kept;

static struct str url_of(const char *behaviour, const char *file)
{
    return arena_printf(&kept, "%s%s/files/%s", server.url, behaviour, file);
}

static struct fetch_item large_item(const char *behaviour)
{
    return (struct fetch_item){
        .url = url_of(behaviour, LARGE),
        .name = STR(LARGE),
        .hash_name = STR("sha256"),
        .hash = str_of(sha256),
        .size = content.n,
        .dir = dir,
    };
}

static bool exists(const char *name)
{
    return file_exists(dir, name);
}

static const char *part_name(void)
{
    return arena_printf(&kept, "%s.part", sha256).p;
}

/* Fetches one item with fresh connections; *requests says how many it took, retries included. */
static bool fetch_one(struct fetch_item *item, unsigned tries, uint64_t *requests, struct err *e)
{
    AUTO_HTTP h = NULL;
    struct http_figures f;

    assert_true(http_open(&(struct http_config){ .tries = tries, .timeout_s = 10 }, &h, e));
    *e = (struct err){ 0 };
    bool good = fetch_all(h, item, 1, e);

    http_figures(h, &f);
    *requests = f.requests + f.retries;
    return good;
}

static void assert_right_file(const char *name)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str got;

    assert_true(fd_read_file(dir, name, 64 << 20, &a, &got, &e));
    assert_true(str_eq(got, content));
    assert_false(exists(part_name()));
}

static void remove_all(void)
{
    (void)unlinkat(dir, LARGE, 0);
    (void)unlinkat(dir, part_name(), 0);
}

static void put_part(struct str data)
{
    struct err e = { 0 };

    assert_true(file_replace(dir, part_name(), data, 0600, FILE_NO_SYNC, &e));
}

static void a_file_there_already_is_hashed_and_not_fetched(void **state)
{
    struct fetch_item item = large_item("");
    uint64_t requests;
    struct err e;

    (void)state;
    remove_all();
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(requests, 1);
    assert_false(item.was_there);
    assert_right_file(LARGE);
    item = large_item("");
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(requests, 0);
    assert_true(item.was_there);
    assert_string_equal(item.sha256, sha256);
    assert_true(file_replace(dir, LARGE, STR("something else"), 0600, FILE_NO_SYNC, &e));
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(requests, 1);
    assert_right_file(LARGE);
}

static void an_interrupted_download_goes_on(void **state)
{
    struct fetch_item item = large_item("/x/truncate=1000000");
    uint64_t requests;
    struct stat st;
    struct err e;

    (void)state;
    remove_all();
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(e.kind, ERR_NETWORK);
    assert_non_null(strstr(e.text, "fetch '" LARGE "'"));
    assert_false(exists(LARGE));
    assert_int_equal(fstatat(dir, part_name(), &st, 0), 0);
    assert_int_equal(st.st_size, 1000000);
    item = large_item("");
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(item.resumed, 1000000);
    assert_right_file(LARGE);
}

static void whatever_stands_in_the_part_file_the_result_is_right(void **state)
{
    static char zeros[2000];
    const struct {
        struct str part;
        const char *behaviour;
        uint64_t requests, resumed;
    } cases[] = {
        { str_sub(content, 0, 1000), "", 1, 1000 },
        { str_sub(content, 0, 1000), "/x/no-ranges", 1, 1000 },
        { content, "", 0, content.n },
        { { zeros, sizeof zeros }, "", 2, 0 },
        { str_sub(content, 0, 1), "/x/truncate=300000!2", 3, 1 },
        { str_sub(content, 0, content.n - 1), "", 1, content.n - 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetch_item item = large_item(cases[i].behaviour);
        uint64_t requests;
        struct err e;

        remove_all();
        put_part(cases[i].part);
        if (!fetch_one(&item, 5, &requests, &e))
            fail_msg("case %zu: %s", i, e.text);
        if (requests != cases[i].requests || item.resumed != cases[i].resumed)
            fail_msg("case %zu: %llu requests, %llu resumed", i, (unsigned long long)requests,
                     (unsigned long long)item.resumed);
        assert_right_file(LARGE);
    }
}

static void a_part_longer_than_the_file_is_thrown_away(void **state)
{
    struct fetch_item item = large_item("");
    struct str longer = arena_printf(&kept, "%0*d", (int)content.n + 10, 0);
    uint64_t requests;
    struct err e;

    (void)state;
    remove_all();
    put_part(longer);
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(item.resumed, 0);
    assert_right_file(LARGE);
}

static void wrong_content_is_fetched_once_more_and_then_refused(void **state)
{
    static const struct {
        const char *behaviour, *why; /* NULL: right the second time */
        uint64_t requests;
    } cases[] = {
        { "/x/flip!1", NULL, 2 },
        { "/x/longer=5!1", NULL, 2 },
        { "/x/shorter=5!1", NULL, 2 },
        { "/x/flip", "the sha256 of '" LARGE "' is ", 2 },
        { "/x/longer=5", "bytes that the file has", 2 },
        { "/x/shorter=5", "the sha256 of '" LARGE "' is ", 2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetch_item item = large_item(cases[i].behaviour);
        uint64_t requests;
        struct err e;

        remove_all();
        bool good = fetch_one(&item, 1, &requests, &e);

        if (good != !cases[i].why || requests != cases[i].requests)
            fail_msg("%s: %llu requests: %s", cases[i].behaviour, (unsigned long long)requests, e.text);
        if (good) {
            assert_right_file(LARGE);
            continue;
        }
        if (e.kind != ERR_PACKAGE || err_exit_code(&e) != 5 || !strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].behaviour, e.text);
        assert_false(exists(LARGE) || exists(part_name()));
    }
}

static void the_error_names_what_was_expected_and_what_came(void **state)
{
    struct fetch_item item = large_item("");
    char other[HASH_HEX256 + 1];
    uint64_t requests;
    struct err e;

    (void)state;
    remove_all();
    memset(other, 'a', HASH_HEX256);
    other[HASH_HEX256] = '\0';
    item.hash = str_of(other);
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_non_null(strstr(e.text, other));
    assert_non_null(strstr(e.text, sha256));
    item = large_item("");
    item.size = content.n + 1;
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_non_null(strstr(e.text, "bytes, expected"));
    assert_int_equal(err_exit_code(&e), 5);
}

static void answers_that_are_no_file_leave_nothing_behind(void **state)
{
    static const struct {
        const char *behaviour, *why;
    } cases[] = {
        { "/x/status=404", "answers 404 (not found)" },
        { "/x/status=403", "answers 403 (forbidden)" },
        { "/x/status=500", "answers 500 (internal error)" },
        { "/x/loop", "redirects more than 10 times" },
        { "/x/garbage", "HTTP/0.9" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetch_item item = large_item(cases[i].behaviour);
        uint64_t requests;
        struct err e;

        remove_all();
        assert_false(fetch_one(&item, 1, &requests, &e));
        if (e.kind != ERR_NETWORK || !strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].behaviour, e.text);
        assert_false(exists(LARGE) || exists(part_name()));
    }
}

static void unfit_items_are_refused_without_a_request(void **state)
{
    static const struct {
        const char *name, *hash_name, *hash, *why;
    } cases[] = {
        { "../x.whl", "", "", "is no fit file name" },
        { "..", "", "", "is no fit file name" },
        { "", "", "", "is no fit file name" },
        { "a\nb", "", "", "is no fit file name" },
        { "x.whl", "md5", "d41d8cd98f00b204e9800998ecf8427e", "only a md5 hash" },
        { "x.whl", "sha256", "abc", "malformed sha256 hash" },
        { "x.whl", "sha999", "d41d8cd98f00b204e9800998ecf8427e", "unknown hash 'sha999'" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fetch_item item = { .url = url_of("", DEMO), .name = str_of(cases[i].name),
                                   .hash_name = str_of(cases[i].hash_name), .hash = str_of(cases[i].hash), .dir = dir };
        uint64_t requests;
        struct err e;

        assert_false(fetch_one(&item, 1, &requests, &e));
        if (e.kind != ERR_PACKAGE || !strstr(e.text, cases[i].why) || requests)
            fail_msg("'%s': %s", cases[i].name, e.text);
    }
}

static void other_digests_are_verified_and_the_sha256_told(void **state)
{
    struct fetch_item item = large_item("");
    unsigned char bytes[HASH_MAX];
    char hex[2 * HASH_MAX + 1];
    AUTO_DIGEST d = NULL;
    uint64_t requests;
    struct err e = { 0 };
    size_t n;

    (void)state;
    remove_all();
    assert_true(digest_new(STR("sha512"), &d, &e));
    digest_add(d, content.p, content.n);
    digest_finish(d, bytes, &n);
    hash_hex(bytes, n, hex);
    item.hash_name = STR("sha512");
    item.hash = str_of(hex);
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_string_equal(item.sha256, sha256);
    assert_right_file(LARGE);
    hex[0] = hex[0] == '0' ? '1' : '0';
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_non_null(strstr(e.text, "the sha512 of"));
}

static void local_files_are_copied_and_verified(void **state)
{
    struct fetch_item item = { .name = STR("copy.whl"), .dir = dir };
    uint64_t requests;
    struct err e = { 0 };

    (void)state;
    assert_true(file_replace(dir, "my wheel.whl", content, 0600, FILE_NO_SYNC, &e));
    item.url = arena_printf(&kept, "file://%s/my%%20wheel.whl#sha256=x", folder);
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_string_equal(item.sha256, sha256);
    assert_right_file("copy.whl");
    item.url = arena_printf(&kept, "%s/my wheel.whl", folder);
    item.hash_name = STR("sha256");
    item.hash = str_of(sha256);
    assert_int_equal(unlinkat(dir, "copy.whl", 0), 0);
    assert_true(fetch_one(&item, 1, &requests, &e));
    assert_right_file("copy.whl");
    assert_int_equal(unlinkat(dir, "copy.whl", 0), 0);
    assert_true(file_replace(dir, "my wheel.whl", STR("edited"), 0600, FILE_NO_SYNC, &e));
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_int_equal(err_exit_code(&e), 5);
    item.url = arena_printf(&kept, "%s/nothing.whl", folder);
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_non_null(strstr(e.text, "No such file"));
    item.url = str_of(folder);
    assert_false(fetch_one(&item, 1, &requests, &e));
    assert_non_null(strstr(e.text, "is no regular file"));
    assert_false(exists("copy.whl") || exists(part_name()));
}

static void two_fetchers_of_one_file_do_not_meet(void **state)
{
    struct fetch_item item[2] = { large_item(""), large_item("") };
    struct fetch_progress progress = { 0 };
    AUTO_HTTP h = NULL;
    struct err e = { 0 };

    (void)state;
    remove_all();
    assert_true(http_open(&(struct http_config){ 0 }, &h, &e));
    AUTO_FETCH a = fetch_new(h, &progress);
    AUTO_FETCH b = fetch_new(h, &progress);

    fetch_add(a, &item[0]);
    fetch_add(b, &item[1]);
    while (progress.files_done < 2) {
        assert_true(fetch_step(a, 10, -1, &e));
        assert_true(fetch_step(b, 10, -1, &e));
        assert_true(!item[0].err.kind && !item[1].err.kind);
    }
    assert_right_file(LARGE);
    assert_int_equal(progress.bytes_done, 2 * content.n);
}

static void what_is_given_up_can_be_gone_on_with(void **state)
{
    struct fetch_item item = large_item("/x/drip"), again = large_item("");
    struct fetch_progress progress = { 0 };
    AUTO_HTTP h = NULL;
    uint64_t requests;
    struct stat st;
    struct err e = { 0 };

    (void)state;
    remove_all();
    assert_true(http_open(&(struct http_config){ 0 }, &h, &e));
    struct fetch *f = fetch_new(h, &progress);

    fetch_add(f, &item);
    while (progress.bytes_done == 0)
        assert_true(fetch_step(f, 10, -1, &e));
    fetch_free(f);
    assert_int_equal(http_outstanding(h), 0);
    assert_int_equal(fstatat(dir, part_name(), &st, 0), 0);
    assert_int_equal(st.st_size, progress.bytes_done);
    assert_true(fetch_one(&again, 1, &requests, &e));
    assert_int_equal(again.resumed, st.st_size);
    assert_right_file(LARGE);
}

static void a_full_disk_is_told_as_such(void **state)
{
    struct fetch_item item = large_item("");
    struct rlimit old, tight;
    uint64_t requests;
    struct err e;

    (void)state;
    remove_all();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){ 100000, old.rlim_max };
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    bool good = fetch_one(&item, 3, &requests, &e);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_false(good);
    assert_int_equal(e.kind, ERR_IO);
    assert_non_null(strstr(e.text, "File too large"));
    assert_int_equal(requests, 1);
}

#define MANY 200

static void many_files_come_with_their_counts(void **state)
{
    struct fetch_item *item = mem_zero(MANY, sizeof *item);
    struct fetch_progress progress = { 0 };
    AUTO_HTTP h = NULL;
    struct err e = { 0 };
    size_t done = 0;
    uint64_t bytes = 0;

    (void)state;
    remove_all();
    assert_true(http_open(&(struct http_config){ .max_connections = 8 }, &h, &e));
    AUTO_FETCH f = fetch_new(h, &progress);

    for (size_t i = 0; i < MANY; i++) {
        struct str name = arena_printf(&kept, "many_%zu-1.0-py3-none-any.whl", i);

        item[i] = (struct fetch_item){ .url = url_of("", name.p), .name = name, .dir = dir };
        if (i == MANY / 2)
            item[i] = large_item("");
        fetch_add(f, &item[i]);
    }
    while (fetch_outstanding(f) > 0) {
        assert_true(fetch_step(f, -1, -1, &e));
        for (struct fetch_item *one; (one = fetch_next(f)); done++) {
            if (one->err.kind)
                fail_msg("%s: %s", one->url.p, one->err.text);
            assert_true(file_exists(dir, arena_cstr(&kept, one->name)) && strlen(one->sha256) == HASH_HEX256);
            bytes += one->got;
        }
    }
    assert_int_equal(done, MANY);
    assert_int_equal(progress.files_done, MANY);
    assert_int_equal(progress.files_total, MANY);
    assert_int_equal(progress.bytes_done, bytes);
    assert_int_equal(progress.bytes_total, bytes);
    free(item);
}

static int set_up(void **state)
{
    static const char *const names[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_FILE",
                                         "SSL_CERT_DIR", "SSL_CLIENT_CERT" };
    struct err e = { 0 };
    struct fetch_item item = { .name = STR(LARGE) };
    uint64_t requests;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        (void)unsetenv(names[i]);
    test_server_start(&server, NULL);
    if (!mkdtemp(folder) || !fd_open_dir(-1, folder, &dir, &e))
        return -1;
    item.dir = dir;
    item.url = url_of("", LARGE);
    if (!fetch_one(&item, 1, &requests, &e) || !fd_read_file(dir, LARGE, 64 << 20, &kept, &content, &e)) {
        print_error("%s\n", e.text);
        return -1;
    }
    memcpy(sha256, item.sha256, sizeof sha256);
    return 0;
}

static int tear_down(void **state)
{
    struct err e = { 0 };

    (void)state;
    test_server_stop(&server);
    fd_close(&dir);
    arena_clear(&kept);
    return file_remove_tree(-1, folder, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_there_already_is_hashed_and_not_fetched),
        cmocka_unit_test(an_interrupted_download_goes_on),
        cmocka_unit_test(whatever_stands_in_the_part_file_the_result_is_right),
        cmocka_unit_test(a_part_longer_than_the_file_is_thrown_away),
        cmocka_unit_test(wrong_content_is_fetched_once_more_and_then_refused),
        cmocka_unit_test(the_error_names_what_was_expected_and_what_came),
        cmocka_unit_test(answers_that_are_no_file_leave_nothing_behind),
        cmocka_unit_test(unfit_items_are_refused_without_a_request),
        cmocka_unit_test(other_digests_are_verified_and_the_sha256_told),
        cmocka_unit_test(local_files_are_copied_and_verified),
        cmocka_unit_test(two_fetchers_of_one_file_do_not_meet),
        cmocka_unit_test(what_is_given_up_can_be_gone_on_with),
        cmocka_unit_test(a_full_disk_is_told_as_such),
        cmocka_unit_test(many_files_come_with_their_counts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
