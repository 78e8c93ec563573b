#include "index/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

#define BASE "https://index.example/simple/demo/"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static struct page parse(struct arena *a, const char *body, const char *type)
{
    struct page p;
    struct err e = { 0 };

    if (!page_parse(str_of(body), str_of(type), STR(BASE), a, &p, &e))
        fail_msg("%s: %s", body, e.text);
    return p;
}

static void refuse(const char *body, const char *type, const char *why)
{
    AUTO_ARENA a = { 0 };
    struct page p;
    struct err e = { 0 };

    if (page_parse(str_of(body), str_of(type), STR(BASE), &a, &p, &e))
        fail_msg("accepted: %s", body);
    if (e.kind != ERR_PACKAGE || !strstr(e.text, why))
        fail_msg("%s\nsays '%s', want '%s'", body, e.text, why);
}

static void is_text(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("'" STR_FMT "', want '%s'", STR_ARG(got), want);
}

/* One file of a JSON page with these members besides name and URL. */
static struct page_link json_file(struct arena *a, const char *members)
{
    struct str body = arena_printf(a,
                                   "{\"meta\":{\"api-version\":\"1.1\"},\"name\":\"demo\",\"files\":[{\"filename\":"
                                   "\"demo-1.tar.gz\",\"url\":\"demo-1.tar.gz\"%s%s}]}",
                                   *members ? "," : "", members);
    struct page p = parse(a, body.p, "application/vnd.pypi.simple.v1+json");

    assert_int_equal(p.n, 1);
    return p.link[0];
}

static struct page_link html_link(struct arena *a, const char *attributes)
{
    struct page p = parse(a, arena_printf(a, "<html><body><a %s>x</a></body></html>", attributes).p, "text/html");

    assert_int_equal(p.n, 1);
    return p.link[0];
}

static void takes_every_field_of_a_json_file(void **state)
{
    AUTO_ARENA a = { 0 };
    struct page_link l = json_file(&a, "\"hashes\":{\"md5\":\"00\",\"sha256\":\"" ONES "\"},"
                                       "\"requires-python\":\">=3.8\",\"size\":1234,"
                                       "\"upload-time\":\"2026-01-02T03:04:05.678Z\",\"yanked\":\"broken \\u00e9\","
                                       "\"core-metadata\":{\"sha256\":\"" ZEROS "\"},\"gpg-sig\":true,"
                                       "\"provenance\":null,\"unknown\":[1,{\"x\":[]}]");

    (void)state;
    is_text(l.name, "demo-1.tar.gz");
    is_text(l.url, BASE "demo-1.tar.gz");
    is_text(l.requires_python, ">=3.8");
    is_text(l.yanked_reason, "broken \xc3\xa9");
    assert_true(l.yanked && l.has_sha256 && l.has_metadata && l.has_metadata_sha256 && l.has_size && l.has_uploaded);
    assert_int_equal(l.sha256[0], 0x11);
    assert_int_equal(l.sha256[31], 0x11);
    assert_int_equal(l.metadata_sha256[31], 0);
    assert_int_equal(l.size, 1234);
    assert_int_equal(l.uploaded, 1767323045);
}

static void tells_what_a_json_file_leaves_out(void **state)
{
    static const char *const members[] = { "", "\"requires-python\":null,\"size\":null,\"upload-time\":null,"
                                               "\"yanked\":false,\"core-metadata\":false,\"hashes\":{}" };

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        AUTO_ARENA a = { 0 };
        struct page_link l = json_file(&a, members[i]);

        assert_false(l.yanked || l.has_sha256 || l.has_metadata || l.has_metadata_sha256 || l.has_size ||
                     l.has_uploaded);
        assert_int_equal(l.requires_python.n, 0);
        assert_int_equal(l.other_hash.n, 0);
    }
}

static void reads_yanked_as_bool_or_as_reason(void **state)
{
    static const struct {
        const char *members, *reason;
        bool yanked;
    } cases[] = {
        { "\"yanked\":true", "", true },   { "\"yanked\":false", "", false },      { "\"yanked\":null", "", false },
        { "\"yanked\":\"\"", "", true },   { "\"yanked\":\"why\"", "why", true }, { "\"yanked\":{}", "", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct page_link l = json_file(&a, cases[i].members);

        if (l.yanked != cases[i].yanked)
            fail_msg("%s: %d", cases[i].members, l.yanked);
        is_text(l.yanked_reason, cases[i].reason);
    }
}

static void reads_core_metadata_in_all_spellings(void **state)
{
    static const struct {
        const char *members;
        bool there, hash;
    } cases[] = {
        { "\"core-metadata\":true", true, false },
        { "\"core-metadata\":false", false, false },
        { "\"core-metadata\":null", false, false },
        { "\"core-metadata\":{}", true, false },
        { "\"core-metadata\":{\"md5\":\"00\"}", true, false },
        { "\"core-metadata\":{\"sha256\":\"" ONES "\"}", true, true },
        { "\"core-metadata\":{\"sha256\":\"not hex\"}", true, false },
        { "\"dist-info-metadata\":{\"sha256\":\"" ONES "\"}", true, true },
        { "\"dist-info-metadata\":true,\"core-metadata\":true", true, false },
        { "\"data-dist-info-metadata\":true", true, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct page_link l = json_file(&a, cases[i].members);

        if (l.has_metadata != cases[i].there || l.has_metadata_sha256 != cases[i].hash)
            fail_msg("%s: %d %d", cases[i].members, l.has_metadata, l.has_metadata_sha256);
    }
}

static void keeps_another_hash_when_there_is_no_sha256(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    is_text(json_file(&a, "\"hashes\":{\"md5\":\"aa\",\"sha512\":\"bb\"}").other_hash, "sha512=bb");
    is_text(json_file(&a, "\"hashes\":{\"md5\":\"aa\"}").other_hash, "");
    is_text(html_link(&a, "href='demo-1.tar.gz#sha384=cc'").other_hash, "sha384=cc");
    assert_false(html_link(&a, "href='demo-1.tar.gz#sha256=cc'").has_sha256);
}

static void refuses_what_is_no_json_page(void **state)
{
    static const struct {
        const char *body, *why;
    } cases[] = {
        { "", "neither JSON nor HTML" },
        { "hello", "neither JSON nor HTML" },
        { "{\"meta\":{\"api-version\":\"2.0\"},\"files\":[]}", "api-version '2.0' is not known here, only 1.x" },
        { "{\"meta\":{\"api-version\":\"x\"},\"files\":[]}", "api-version 'x' is not known here" },
        { "{\"meta\":{\"api-version\":\"\"},\"files\":[]}", "api-version '' is not known here" },
        { "{\"files\":[{\"url\":\"x\"}]}", "a file without filename or url" },
        { "{\"files\":[{\"filename\":\"x\"}]}", "a file without filename or url" },
        { "{\"files\":[{\"filename\":\"x\",\"url\":\"\"}]}", "a file without filename or url" },
        { "{\"files\":[{\"filename\":1,\"url\":\"x\"}]}", "line 1" },
        { "{\"files\":[[]]}", "line 1" },
        { "{\"files\":[]", "line 1" },
        { "{\"files\":[]}x", "line 1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        refuse(cases[i].body, "", cases[i].why);
    refuse("[]", "application/json", "line 1");
    refuse("x", "text/plain; charset=utf-8", "content type 'text/plain' is neither JSON nor HTML");
}

static void takes_pages_of_any_minor_api_version(void **state)
{
    static const char *const pages[] = {
        "{\"files\":[]}", "{}", "{\"meta\":{\"api-version\":\"1.0\"},\"files\":[]}",
        "{\"meta\":{\"api-version\":\"1.99\",\"new\":1},\"new\":{},\"files\":[]}", "{\"meta\":null}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(pages); i++) {
        AUTO_ARENA a = { 0 };

        assert_int_equal(parse(&a, pages[i], "").n, 0);
    }
}

static void reads_the_status_of_the_project(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    is_text(parse(&a, "{\"project-status\":{\"status\":\"quarantined\",\"reason\":\"x\"},\"files\":[]}", "").status,
            "quarantined");
    is_text(parse(&a, "{\"project-status\":\"archived\",\"files\":[]}", "").status, "archived");
    is_text(parse(&a, "{\"project-status\":null,\"files\":[]}", "").status, "");
    is_text(parse(&a, "<meta name='pypi:project-status' content='archived'>", "text/html").status, "archived");
    is_text(parse(&a, "<html></html>", "text/html").status, "");
}

static void takes_every_attribute_of_an_html_link(void **state)
{
    AUTO_ARENA a = { 0 };
    struct page_link l = html_link(&a, "href=\"../../f/demo-1%2B2.tar.gz#sha256=" ONES "\" "
                                       "data-yanked=\"a &quot;b&quot;\" data-requires-python=\"&gt;=3.8,&lt;4\" "
                                       "data-core-metadata=\"sha256=" ZEROS "\"");

    (void)state;
    is_text(l.name, "demo-1+2.tar.gz");
    is_text(l.url, "https://index.example/f/demo-1%2B2.tar.gz");
    is_text(l.requires_python, ">=3.8,<4");
    is_text(l.yanked_reason, "a \"b\"");
    assert_true(l.yanked && l.has_sha256 && l.has_metadata && l.has_metadata_sha256);
    assert_int_equal(l.sha256[7], 0x11);
    assert_false(l.has_size || l.has_uploaded);
}

static void resolves_the_hrefs_of_html_pages(void **state)
{
    static const struct {
        const char *head, *href, *url;
    } cases[] = {
        { "", "demo-1.whl", BASE "demo-1.whl" },
        { "", "/f/demo-1.whl", "https://index.example/f/demo-1.whl" },
        { "", "//files.example/demo-1.whl", "https://files.example/demo-1.whl" },
        { "", "http://files.example/demo-1.whl", "http://files.example/demo-1.whl" },
        { "", "demo-1.whl?a=b&amp;c=d", BASE "demo-1.whl?a=b&c=d" },
        { "<base href='https://files.example/x/'>", "demo-1.whl", "https://files.example/x/demo-1.whl" },
        { "<base href='../y/'>", "demo-1.whl", "https://index.example/simple/y/demo-1.whl" },
        { "<base target='_top'>", "demo-1.whl", BASE "demo-1.whl" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct str body = arena_printf(&a, "%s<a href=\"%s\">x</a>", cases[i].head, cases[i].href);
        struct page p = parse(&a, body.p, "text/html");

        assert_int_equal(p.n, 1);
        is_text(p.link[0].url, cases[i].url);
        is_text(p.link[0].name, "demo-1.whl");
    }
}

static void reads_the_odd_attributes_of_html_links(void **state)
{
    static const struct {
        const char *attributes;
        bool yanked, there, hash;
    } cases[] = {
        { "", false, false, false },
        { "data-yanked", true, false, false },
        { "data-yanked=\"\"", true, false, false },
        { "DATA-YANKED='x'", true, false, false },
        { "data-core-metadata='true'", false, true, false },
        { "data-core-metadata='false'", false, false, false },
        { "data-dist-info-metadata='true'", false, true, false },
        { "data-dist-info-metadata='sha256=" ONES "'", false, true, true },
        { "data-core-metadata='false' data-dist-info-metadata='true'", false, false, false },
        { "data-core-metadata='sha256=xyz'", false, true, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct page_link l = html_link(&a, arena_printf(&a, "href='demo-1.whl' %s", cases[i].attributes).p);

        if (l.yanked != cases[i].yanked || l.has_metadata != cases[i].there || l.has_metadata_sha256 != cases[i].hash)
            fail_msg("%s: %d %d %d", cases[i].attributes, l.yanked, l.has_metadata, l.has_metadata_sha256);
    }
}

static void passes_over_links_that_lead_to_no_file(void **state)
{
    AUTO_ARENA a = { 0 };
    struct page p = parse(&a, "<a name='top'>x</a><a href='../'>up</a><a href=''>self</a>"
                              "<a href='x/%2e%2e'>dots</a><a href='a%2Fb.whl'>slash</a><a href='demo-1.whl'>x</a>",
                          "text/html; charset=utf-8");

    (void)state;
    assert_int_equal(p.n, 1);
    is_text(p.link[0].name, "demo-1.whl");
}

static void refuses_html_pages_of_another_major_version(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    refuse("<meta name='pypi:repository-version' content='2.0'>", "text/html",
           "repository version '2.0' is not known here, only 1.x");
    refuse("<a href='x", "text/html", "line 1");
    assert_int_equal(parse(&a, "<meta name='pypi:repository-version' content='1.4'>", "text/html").n, 0);
    assert_int_equal(parse(&a, "<meta name='pypi:repository-version'>", "text/html").n, 0);
}

static void finds_out_the_format_when_nobody_says_it(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    assert_int_equal(parse(&a, " \n<!DOCTYPE html><a href='demo-1.whl'>x</a>", "application/octet-stream").n, 1);
    assert_int_equal(parse(&a, " \n{\"files\":[]}", "").n, 0);
    assert_int_equal(parse(&a, "<a href='demo-1.whl'>x</a>", "application/vnd.pypi.simple.v1+html").n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_field_of_a_json_file),
        cmocka_unit_test(tells_what_a_json_file_leaves_out),
        cmocka_unit_test(reads_yanked_as_bool_or_as_reason),
        cmocka_unit_test(reads_core_metadata_in_all_spellings),
        cmocka_unit_test(keeps_another_hash_when_there_is_no_sha256),
        cmocka_unit_test(refuses_what_is_no_json_page),
        cmocka_unit_test(takes_pages_of_any_minor_api_version),
        cmocka_unit_test(reads_the_status_of_the_project),
        cmocka_unit_test(takes_every_attribute_of_an_html_link),
        cmocka_unit_test(resolves_the_hrefs_of_html_pages),
        cmocka_unit_test(reads_the_odd_attributes_of_html_links),
        cmocka_unit_test(passes_over_links_that_lead_to_no_file),
        cmocka_unit_test(refuses_html_pages_of_another_major_version),
        cmocka_unit_test(finds_out_the_format_when_nobody_says_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
