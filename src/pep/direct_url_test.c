#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "pep/direct_url.h"

static void writes_what_it_reads(void **state)
{
    static const char *const texts[] = {
        "{\"url\":\"https://files.example/a.zip\",\"archive_info\":{\"hashes\":{\"sha256\":\"00ff\"}}}",
        "{\"url\":\"https://files.example/a.zip\",\"archive_info\":{},\"subdirectory\":\"sub\"}",
        "{\"url\":\"file:///srv/demo\",\"dir_info\":{\"editable\":true}}",
        "{\"url\":\"file:///srv/demo\",\"dir_info\":{}}",
        "{\"url\":\"ssh://git@git.example/x\",\"vcs_info\":{\"vcs\":\"git\",\"requested_revision\":\"v1\","
        "\"commit_id\":\"abc\"}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b = { 0 };
        struct direct_url d;
        struct err e = { 0 };

        buf_init(&b, 4096);
        if (!direct_url_parse(&a, str_of(texts[i]), &d, &e))
            fail_msg("%s: %s", texts[i], e.text);
        assert_true(direct_url_format(&d, &b));
        assert_string_equal(buf_done(&b).p, texts[i]);
    }
}

static void reads_the_older_form_of_a_hash(void **state)
{
    AUTO_ARENA a = { 0 };
    struct direct_url d;
    struct err e = { 0 };

    (void)state;
    assert_true(direct_url_parse(&a, STR("{\"url\":\"u\",\"archive_info\":{\"hash\":\"md5=aa\"}}"), &d, &e));
    assert_int_equal(d.n_hash, 1);
    assert_true(str_eq(d.hash[0].alg, STR("md5")) && str_eq(d.hash[0].hex, STR("aa")));
    assert_true(direct_url_parse(
        &a, STR("{\"url\":\"u\",\"archive_info\":{\"hashes\":{\"sha256\":\"bb\"},\"hash\":\"md5=aa\"}}"), &d, &e));
    assert_true(str_eq(d.hash[0].alg, STR("sha256")));
}

static void rejects_what_names_no_origin(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "{}", "without a url" },
        { "{\"url\":\"u\"}", "has 0 of archive_info, dir_info and vcs_info" },
        { "{\"url\":\"u\",\"archive_info\":{},\"dir_info\":{}}", "has 2 of" },
        { "{\"url\":\"https://x.example\",\"dir_info\":{}}", "is no file URL" },
        { "{\"url\":\"u\",\"vcs_info\":{\"vcs\":\"git\"}}", "without vcs or commit_id" },
        { "{\"url\":1}", "read direct_url.json" },
        { "{\"url\":\"u\",\"archive_info\":{\"hash\":\"md5\"}}", "'md5' is no hash" },
        { "{\"url\":\"u\"", "read direct_url.json" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct direct_url d;
        struct err e = { 0 };

        assert_false(direct_url_parse(&a, str_of(cases[i].text), &d, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void takes_credentials_out_of_urls(void **state)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "https://user:secret@x.example/a@b", "https://x.example/a@b" },
        { "https://token@x.example/", "https://x.example/" },
        { "https://a@b@x.example?q", "https://x.example?q" },
        { "https://${USER}:${PASS}@x.example/", "https://${USER}:${PASS}@x.example/" },
        { "https://${USER}@x.example/", "https://${USER}@x.example/" },
        { "https://${USER}:secret@x.example/", "https://x.example/" },
        { "ssh://git@x.example/r", "ssh://git@x.example/r" },
        { "ssh://git:pw@x.example/r", "ssh://x.example/r" },
        { "https://x.example/@a", "https://x.example/@a" },
        { "no url", "no url" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct str got = url_without_credentials(&a, str_of(cases[i].url));

        if (!str_eq(got, str_of(cases[i].want)))
            fail_msg("%s became " STR_FMT, cases[i].url, STR_ARG(got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(reads_the_older_form_of_a_hash),
        cmocka_unit_test(rejects_what_names_no_origin),
        cmocka_unit_test(takes_credentials_out_of_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
