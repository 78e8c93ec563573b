#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"

#define assert_text(s, want)                                                                                           \
    do {                                                                                                               \
        struct str got_ = (s);                                                                                         \
        AUTO_ARENA text_ = { 0 };                                                                                      \
        assert_string_equal(arena_cstr(&text_, got_), (want));                                                         \
    } while (0)

static void joins_as_rfc_3986_says(void **state)
{
    static const struct {
        const char *base, *ref, *want;
    } cases[] = {
        { "http://a/b/c/d;p?q", "g", "http://a/b/c/g" },
        { "http://a/b/c/d;p?q", "./g", "http://a/b/c/g" },
        { "http://a/b/c/d;p?q", "g/", "http://a/b/c/g/" },
        { "http://a/b/c/d;p?q", "/g", "http://a/g" },
        { "http://a/b/c/d;p?q", "//g", "http://g" },
        { "http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y" },
        { "http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y" },
        { "http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q#s" },
        { "http://a/b/c/d;p?q", "g#s", "http://a/b/c/g#s" },
        { "http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q" },
        { "http://a/b/c/d;p?q", ".", "http://a/b/c/" },
        { "http://a/b/c/d;p?q", "..", "http://a/b/" },
        { "http://a/b/c/d;p?q", "../g", "http://a/b/g" },
        { "http://a/b/c/d;p?q", "../..", "http://a/" },
        { "http://a/b/c/d;p?q", "../../../g", "http://a/g" },
        { "http://a/b/c/d;p?q", "/./g", "http://a/g" },
        { "http://a/b/c/d;p?q", "g..", "http://a/b/c/g.." },
        { "http://a/b/c/d;p?q", "./g/.", "http://a/b/c/g/" },
        { "http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y" },
        { "https://index.example/simple/demo/", "../../files/demo-1.0.whl#sha256=ab",
          "https://index.example/files/demo-1.0.whl#sha256=ab" },
        { "https://index.example/simple/demo", "demo-1.0.whl", "https://index.example/simple/demo-1.0.whl" },
        { "https://index.example", "demo-1.0.whl", "https://index.example/demo-1.0.whl" },
        { "https://index.example/s/", "//files.example/demo-1.0.whl", "https://files.example/demo-1.0.whl" },
        { "https://index.example/s/", "  http://files.example/a b.whl\n", "http://files.example/a%20b.whl" },
        { "https://index.example/s/", "d\xc3\xa9mo-1.0%2Blocal.whl",
          "https://index.example/s/d%C3%A9mo-1.0%2Blocal.whl" },
        { "https://u:p@index.example/s/", "x.whl", "https://u:p@index.example/s/x.whl" },
        { "https://u:p@index.example/s/", "https://index.example:443/x", "https://u:p@index.example:443/x" },
        { "https://u:p@index.example/s/", "https://files.example/x", "https://files.example/x" },
        { "https://u:p@index.example/s/", "http://index.example/x", "http://index.example/x" },
        { "http://[::1]:8080/s/", "x", "http://[::1]:8080/s/x" },
        { "file:///srv/wheels/", "demo.whl", "file:///srv/wheels/demo.whl" },
        { "file:///srv/wheels/index.html", "https://files.example/x", "https://files.example/x" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct str out;

        if (!url_join(&a, str_of(cases[i].base), str_of(cases[i].ref), &out, &e))
            fail_msg("%s + %s: %s", cases[i].base, cases[i].ref, e.text);
        assert_text(out, cases[i].want);
    }
}

static void refuses_links_that_lead_astray(void **state)
{
    static const struct {
        const char *base, *ref, *why;
    } cases[] = {
        { "https://index.example/", "file:///etc/passwd", "leads from the network to a local file" },
        { "https://index.example/", "ftp://files.example/x", "is neither http nor https" },
        { "https://index.example/", "javascript:alert(1)", "is neither http nor https" },
        { "https://index.example/", "https:///x", "has no host" },
        { "https://index.example/", "https://a:99999/x", "port" },
        { "https://index.example/", "https://u:geheim@a\\b/x", "no host name may have" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct str out;

        assert_false(url_join(&a, str_of(cases[i].base), str_of(cases[i].ref), &out, &e));
        assert_int_equal(e.kind, ERR_NETWORK);
        if (!strstr(e.text, cases[i].why) || strstr(e.text, "geheim"))
            fail_msg("%s: %s", cases[i].ref, e.text);
    }
}

static void parses_the_parts(void **state)
{
    struct err e = { 0 };
    struct url u;

    (void)state;
    assert_true(url_parse(STR("https://me:p%40ss@[2001:db8::1]:8443/simple/?a=b#c"), &u, &e));
    assert_text(u.scheme, "https");
    assert_text(u.userinfo, "me:p%40ss");
    assert_text(u.host, "2001:db8::1");
    assert_text(u.port, "8443");
    assert_text(u.path, "/simple/");
    assert_text(u.query, "a=b");
    assert_text(u.fragment, "c");
    assert_true(url_parse(STR("http://index.example"), &u, &e));
    assert_null(u.userinfo.p);
    assert_null(u.port.p);
    assert_int_equal(u.path.n, 0);
    assert_true(url_parse(STR("http://a@b@c/"), &u, &e)); /* the last '@' ends the credentials */
    assert_text(u.host, "c");
}

static void refuses_what_is_no_url(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "index.example/simple", "has no scheme" },
        { "https://", "has no host" },
        { "https://me:geheim@/", "has no host" },
        { "https://a b/", "blank or control" },
        { "https://a/\n", "blank or control" },
        { "https://a:b:c@d:70000/", "port" },
        { "https://geheim:geheim@d:x/", "port" },
        { "https://a%2eb/", "no host name may have" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct url u;

        assert_false(url_parse(str_of(cases[i].text), &u, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why) || strstr(e.text, "geheim"))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void normalizes_to_one_spelling(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "HTTPS://Index.Example:443/a/../%7esimple/%2f%c3?Q=%41#f", "https://index.example/~simple/%2F%C3?Q=A" },
        { "http://u:p@index.example:80", "http://index.example/" },
        { "http://index.example:/x", "http://index.example/x" },
        { "http://index.example:8080/x/./y", "http://index.example:8080/x/y" },
        { "http://[2001:DB8::1]/", "http://[2001:db8::1]/" },
        { "file:///Srv/a%20b", "file:///Srv/a%20b" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct str out;

        assert_true(url_normalize(&a, str_of(cases[i].text), &out, &e));
        assert_text(out, cases[i].want);
    }
}

static void never_shows_a_password(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "https://me:geheim@index.example/x#y", "https://me:****@index.example/x#y" },
        { "https://geheim@index.example/", "https://****@index.example/" },
        { "https://:geheim@index.example/", "https://****@index.example/" },
        { "https://me:ge@heim@index.example/", "https://me:****@index.example/" },
        { "https://me:gehe im@index.example/", "****@index.example/" },
        { "me:geheim@index.example", "****@index.example" },
        { "https://files.example/x?X-Sig=geheim&n=1&token=geheim#f",
          "https://files.example/x?X-Sig=****&n=1&token=****#f" },
        { "https://index.example/?q=1", "https://index.example/?q=1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };

        assert_text(url_redacted(&a, str_of(cases[i].text)), cases[i].want);
    }
}

static void splits_credentials_off(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str bare, user, password;

    (void)state;
    assert_true(url_split_credentials(&a, STR("https://m%3Ae:p%40@h/x"), &bare, &user, &password, &e));
    assert_text(bare, "https://h/x");
    assert_text(user, "m:e");
    assert_text(password, "p@");
    assert_true(url_split_credentials(&a, STR("https://token@h/x"), &bare, &user, &password, &e));
    assert_text(user, "token");
    assert_null(password.p);
    assert_false(url_split_credentials(&a, STR("https://a:%zz@h/x"), &bare, &user, &password, &e));
    assert_non_null(strstr(e.text, "malformed % escape"));
    assert_null(strstr(e.text, "%zz"));
}

static void decodes_a_file_name_once(void **state)
{
    static const struct {
        const char *url, *want; /* NULL: refused */
    } cases[] = {
        { "https://h/a/demo-1.0%2Bcpu-py3-none-any.whl#sha256=00", "demo-1.0+cpu-py3-none-any.whl" },
        { "https://h/a/demo-1.0+cpu.whl?x=/y", "demo-1.0+cpu.whl" },
        { "https://h/a/demo%252F.whl", "demo%2F.whl" },
        { "https://h/a/..%2f..%2fetc%2fpasswd", NULL },
        { "https://h/a/%2e%2e", NULL },
        { "https://h/a/", NULL },
        { "https://h/a/x%00.whl", NULL },
        { "https://h/a/x%0a.whl", NULL },
        { "https://h/a/x%zz.whl", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct str out;
        bool good = url_file_name(&a, str_of(cases[i].url), &out, &e);

        if (good != (cases[i].want != NULL))
            fail_msg("%s: %s", cases[i].url, good ? "accepted" : e.text);
        if (good)
            assert_text(out, cases[i].want);
        else
            assert_int_equal(e.kind, ERR_PACKAGE);
    }
}

static void turns_paths_into_file_urls_and_back(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str out;

    (void)state;
    assert_text(url_from_path(&a, STR("/srv/my wheels/100%")), "file:///srv/my%20wheels/100%25");
    assert_true(url_to_path(&a, STR("file:///srv/my%20wheels/100%25"), &out, &e));
    assert_text(out, "/srv/my wheels/100%");
    assert_true(url_to_path(&a, STR("file://localhost/x"), &out, &e));
    assert_text(out, "/x");
    assert_false(url_to_path(&a, STR("file://other/x"), &out, &e));
    assert_non_null(strstr(e.text, "of another host"));
    assert_false(url_to_path(&a, STR("file:///x%00y"), &out, &e));
}

static void reads_fragments_and_kinds(void **state)
{
    struct str fragment, value;

    (void)state;
    assert_text(url_without_fragment(STR("https://h/x#egg=a&sha256=ff"), &fragment), "https://h/x");
    assert_true(url_fragment_get(fragment, STR("sha256"), &value));
    assert_text(value, "ff");
    assert_false(url_fragment_get(fragment, STR("sha"), &value));
    (void)url_without_fragment(STR("https://h/x"), &fragment);
    assert_false(url_fragment_get(fragment, STR("sha256"), &value));
    assert_true(url_is(STR("https://h")) && url_is(STR("file:/x")) && url_is(STR("git+ssh://h/x")));
    assert_false(url_is(STR("C:/x")) || url_is(STR("name")) || url_is(STR("./x:y")) || url_is(STR("")));
}

static void gives_origins_with_their_port(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str out;

    (void)state;
    assert_true(url_origin(&a, STR("HTTPS://u:p@Index.Example/x"), &out, &e));
    assert_text(out, "https://index.example:443");
    assert_true(url_origin(&a, STR("http://[::1]:81/x"), &out, &e));
    assert_text(out, "http://[::1]:81");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_as_rfc_3986_says),
        cmocka_unit_test(refuses_links_that_lead_astray),
        cmocka_unit_test(parses_the_parts),
        cmocka_unit_test(refuses_what_is_no_url),
        cmocka_unit_test(normalizes_to_one_spelling),
        cmocka_unit_test(never_shows_a_password),
        cmocka_unit_test(splits_credentials_off),
        cmocka_unit_test(decodes_a_file_name_once),
        cmocka_unit_test(turns_paths_into_file_urls_and_back),
        cmocka_unit_test(reads_fragments_and_kinds),
        cmocka_unit_test(gives_origins_with_their_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
