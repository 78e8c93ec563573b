#include "base/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void reads_networks_of_both_families(void **state)
{
    static const struct {
        const char *text, *normal; /* NULL: refused */
    } cases[] = {
        { "203.0.113.7/24", "203.0.113.0/24" },
        { "203.0.113.7", "203.0.113.7/32" },
        { "0.0.0.0/0", "0.0.0.0/0" },
        { "10.1.2.3/15", "10.0.0.0/15" },
        { "2001:DB8::7/32", "2001:db8::/32" },
        { "2001:db8::7", "2001:db8::7/128" },
        { "2001:db8:ffff::/35", "2001:db8:e000::/35" },
        { "::/0", "::/0" },
        { "::1", "::1/128" },
        { "::ffff:203.0.113.7", "203.0.113.7/32" },
        { "::ffff:203.0.113.7/120", "203.0.113.0/24" },
        { "::ffff:0:0/96", "0.0.0.0/0" },
        { "203.0.113.0/33", NULL },
        { "2001:db8::/129", NULL },
        { "2001:db8::/", NULL },
        { "2001:db8::/-1", NULL },
        { "/24", NULL },
        { "10.0.0", NULL },
        { "010.0.0.1", NULL },
        { "fe80::1%eth0", NULL },
        { "[2001:db8::1]", NULL },
        { "good.test", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[IP_TEXT_MAX] = "";
        struct ip_net n;
        bool ok = ip_net_parse(str_of(cases[i].text), &n);

        if (ok)
            ip_net_format(&n, text);
        if (ok != (cases[i].normal != NULL) || (ok && strcmp(text, cases[i].normal) != 0))
            fail_msg("'%s' became '%s'", cases[i].text, text);
    }
}

static void knows_which_address_is_in_which_network(void **state)
{
    static const struct {
        const char *net, *address;
        bool has;
    } cases[] = {
        { "203.0.113.0/24", "203.0.113.255", true },
        { "203.0.113.0/24", "203.0.114.0", false },
        { "203.0.113.0/24", "::ffff:203.0.113.9", true },
        { "0.0.0.0/0", "8.8.8.8", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "8.8.8.8", false }, /* who allows all of IPv6 has not allowed IPv4 */
        { "::/0", "::ffff:8.8.8.8", false },
        { "::ffff:0:0/90", "::ffff:8.8.8.8", false },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "2001:db8::1", "2001:db8::1", true },
        { "2001:db8::1", "2001:db8::2", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_net n;
        struct ip a;

        assert_true(ip_net_parse(str_of(cases[i].net), &n));
        assert_true(ip_parse(str_of(cases[i].address), &a));
        if (ip_net_has(&n, &a) != cases[i].has)
            fail_msg("%s in %s", cases[i].address, cases[i].net);
    }
}

static void tells_what_is_of_one_link(void **state)
{
    static const struct {
        const char *address;
        bool is;
    } cases[] = {
        { "224.0.0.1", true },  { "239.255.255.255", true }, { "255.255.255.255", true }, { "ff02::1", true },
        { "fe80::1", true },    { "febf::1", true },         { "fec0::1", false },        { "fd00::1", false },
        { "::1", false },       { "240.0.0.1", false },      { "169.254.169.254", false }, { "203.0.113.6", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip a;

        assert_true(ip_parse(str_of(cases[i].address), &a));
        if (ip_is_of_link(&a) != cases[i].is)
            fail_msg("%s", cases[i].address);
    }
}

static void keeps_ipv4_as_a_number(void **state)
{
    struct ip a = ip_from_v4(0xcb007106u), none = { { 0 } };
    char text[IP_TEXT_MAX];

    (void)state;
    ip_format(&a, text);
    assert_string_equal(text, "203.0.113.6");
    assert_true(ip_is_v4(&a));
    assert_int_equal(ip_v4(&a), 0xcb007106u);
    assert_false(ip_is_none(&a));
    assert_true(ip_is_none(&none));
    assert_false(ip_is_v4(&none));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_networks_of_both_families),
        cmocka_unit_test(knows_which_address_is_in_which_network),
        cmocka_unit_test(tells_what_is_of_one_link),
        cmocka_unit_test(keeps_ipv4_as_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
