#include "net/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

static char folder[] = "/tmp/blast-auth-XXXXXX";

/* Opens with $NETRC set to a file with this text and mode. */
static bool open_with(const char *text, unsigned mode, struct auth **out, struct err *e)
{
    AUTO_FD dir = -1;
    char path[64];

    assert_true(fd_open_dir(-1, folder, &dir, e));
    assert_true(file_replace(dir, "netrc", str_of(text), mode, FILE_NO_SYNC, e));
    assert_int_equal(fchmodat(dir, "netrc", mode, 0), 0);
    (void)snprintf(path, sizeof path, "%s/netrc", folder);
    (void)setenv("NETRC", path, 1);
    return auth_open(out, e);
}

static void assert_login(const struct auth *a, const char *url, const char *user, const char *password)
{
    struct str u = { 0 }, p = { 0 };

    if (auth_find(a, str_of(url), &u, &p) != (user != NULL))
        fail_msg("%s: %s", url, user ? "no credentials" : "credentials where none belong");
    if (user) {
        assert_string_equal(u.p, user);
        assert_string_equal(p.p, password);
    }
}

static void reads_netrc_in_all_its_spellings(void **state)
{
    AUTO_AUTH a = NULL;
    struct err e = { 0 };

    (void)state;
    assert_true(open_with("# comment\nmachine one.example login me password #geheim\n"
                          "machine two.example\n\tlogin \"a b\"\n\tpassword \"x\\\"y\"\n\taccount z\n"
                          "macdef init\ncd /pub\nmachine no.example login x password y\n\n"
                          "machine three.example password only\n",
                          0600, &a, &e));
    assert_login(a, "https://one.example/simple/", "me", "#geheim");
    assert_login(a, "http://ONE.example:8080/", "me", "#geheim");
    assert_login(a, "https://two.example/", "a b", "x\"y");
    assert_login(a, "https://three.example/", "", "only");
    assert_login(a, "https://no.example/", NULL, NULL);
    assert_login(a, "https://sub.one.example/", NULL, NULL);
}

static void an_index_url_goes_before_netrc_and_counts_for_its_origin(void **state)
{
    AUTO_AUTH a = NULL;
    struct err e = { 0 };

    (void)state;
    assert_true(open_with("machine index.example login n password n\ndefault login d password d\n", 0600, &a, &e));
    assert_true(auth_add_url(a, STR("https://me:s%40fe@index.example/simple/"), &e));
    assert_true(auth_add_url(a, STR("https://plain.example/simple/"), &e));
    assert_login(a, "https://index.example:443/files/x.whl", "me", "s@fe");
    assert_login(a, "http://index.example/files/x.whl", "n", "n");
    assert_login(a, "https://plain.example/", "d", "d");
}

static void refuses_a_netrc_that_others_may_read(void **state)
{
    AUTO_AUTH a = NULL;
    struct err e = { 0 };

    (void)state;
    assert_false(open_with("machine h login me password geheim\n", 0644, &a, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "has mode 644"));
    assert_non_null(strstr(e.hint, "chmod 600"));
    err_clear(&e);
    assert_true(open_with("machine h login anonymous\n", 0644, &a, &e));
}

static void says_which_line_is_wrong_without_showing_it(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "machine h\nlogin me\npasswort geheim\n", "netrc:3: neither machine" },
        { "login geheim", "netrc:1: a login or password before the first machine" },
        { "machine h login me password \"geheim\n", "netrc:1: a value is missing or a quote is not closed" },
        { "machine h login me password", "a value is missing" },
        { "machine", "'machine' without a host name" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_AUTH a = NULL;
        struct err e = { 0 };

        assert_false(open_with(cases[i].text, 0600, &a, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why) || strstr(e.text, "geheim"))
            fail_msg("'%s': %s", cases[i].text, e.text);
    }
}

static void does_without_a_netrc(void **state)
{
    AUTO_AUTH a = NULL;
    struct err e = { 0 };

    (void)state;
    (void)setenv("NETRC", "", 1);
    assert_true(auth_open(&a, &e));
    assert_login(a, "https://one.example/", NULL, NULL);
    assert_login(a, "no url", NULL, NULL);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    struct err e = { 0 };

    (void)state;
    return file_remove_tree(-1, folder, &e) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_netrc_in_all_its_spellings),
        cmocka_unit_test(an_index_url_goes_before_netrc_and_counts_for_its_origin),
        cmocka_unit_test(refuses_a_netrc_that_others_may_read),
        cmocka_unit_test(says_which_line_is_wrong_without_showing_it),
        cmocka_unit_test(does_without_a_netrc),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
