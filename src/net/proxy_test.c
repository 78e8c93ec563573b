#include "net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/err.h"
#include "net/url.h"

static void excepts_hosts_as_no_proxy_says(void **state)
{
    static const struct {
        const char *none, *url;
        bool straight;
    } cases[] = {
        { "", "https://index.example/", false },
        { "*", "https://index.example/", true },
        { "index.example", "https://index.example/", true },
        { "index.example", "https://a.INDEX.example/", true },
        { "index.example", "https://myindex.example/", false },
        { ".index.example", "https://a.index.example/", true },
        { "*.index.example", "https://a.index.example/", true },
        { "other.example, index.example", "https://index.example/", true },
        { "other.example index.example", "https://index.example./", true },
        { "index.example:8443", "https://index.example:8443/", true },
        { "index.example:8443", "https://index.example/", false },
        { "index.example:443", "https://index.example/", true },
        { "10.0.0.0/8", "http://10.1.2.3/", true },
        { "10.0.0.0/8", "http://11.1.2.3/", false },
        { "192.168.1.128/25", "http://192.168.1.200/", true },
        { "192.168.1.128/25", "http://192.168.1.100/", false },
        { "127.0.0.1", "http://127.0.0.1:81/", true },
        { "127.0.0.1:80", "http://127.0.0.1:81/", false },
        { "fd00::/8", "http://[fd12::1]/", true },
        { "fd00::/8", "http://[fe80::1]/", false },
        { "::1", "http://[::1]:8080/", true },
        { "[::1]:8080", "http://[::1]:8080/", true },
        { "[::1]:80", "http://[::1]:8080/", false },
        { "10.0.0.0/33", "http://10.1.2.3/", false },
        { "10.0.0.0/x,,:", "http://10.1.2.3/", false },
        { "0.0.0.0/0", "http://10.1.2.3/", true },
        { "0.0.0.0/0", "http://[2001::1]/", false },
        { "::/0", "http://[2001::1]/", true },
        { "::/0", "http://10.1.2.3/", false }, /* of the other family, though IPv6 has a place for such addresses */
        { "10.1.2.3", "http://[::ffff:10.1.2.3]/", true },
        { "::ffff:10.0.0.0/104", "http://10.1.2.3/", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct proxy p = { .all = STR("http://proxy.example:3128"), .none = str_of(cases[i].none) };
        struct err e = { 0 };
        struct url u;

        assert_true(url_parse(str_of(cases[i].url), &u, &e));
        if ((proxy_find(&p, &u).n == 0) != cases[i].straight)
            fail_msg("NO_PROXY='%s' %s", cases[i].none, cases[i].url);
    }
}

static void takes_the_scheme_s_proxy_before_the_general_one(void **state)
{
    struct proxy p = { .https = STR("s"), .all = STR("a") };
    struct url tls = { .scheme = STR("https"), .host = STR("h") }, plain = { .scheme = STR("http"), .host = STR("h") };

    (void)state;
    assert_true(str_eq(proxy_find(&p, &tls), STR("s")));
    assert_true(str_eq(proxy_find(&p, &plain), STR("a")));
}

static void reads_both_cases_but_not_what_a_web_request_set(void **state)
{
    static const char *const names[] = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                         "ALL_PROXY", "no_proxy", "NO_PROXY", "REQUEST_METHOD" };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        (void)unsetenv(names[i]);
    (void)setenv("HTTP_PROXY", "upper", 1);
    (void)setenv("HTTPS_PROXY", "upper", 1);
    (void)setenv("https_proxy", "lower", 1);
    (void)setenv("NO_PROXY", "x", 1);
    assert_true(str_eq(proxy_from_env().http, STR("upper")));
    assert_true(str_eq(proxy_from_env().https, STR("lower")));
    assert_true(str_eq(proxy_from_env().none, STR("x")));
    (void)setenv("REQUEST_METHOD", "GET", 1);
    assert_int_equal(proxy_from_env().http.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excepts_hosts_as_no_proxy_says),
        cmocka_unit_test(takes_the_scheme_s_proxy_before_the_general_one),
        cmocka_unit_test(reads_both_cases_but_not_what_a_web_request_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
