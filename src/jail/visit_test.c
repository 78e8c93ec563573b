#include "jail/visit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/run.h"

static void an_order_says_the_same_on_the_other_side(void **state)
{
    static const char *const argv[] = { "python", "-c", "", "caf\xe9", NULL }, *const env[] = { "A=1", "B=", NULL };
    struct jail_command c = { .argv = argv, .env = env };
    struct visit_order o;
    struct err e = { 0 };
    AUTO_ARENA a = { 0 };
    AUTO_FD fd = -1;

    (void)state;
    arena_init(&a);
    assert_true(visit_order_make(&c, "/srv/a b", &fd, &e));
    assert_int_equal(write(fd, "x", 1), -1); /* sealed */
    assert_true(visit_order_read(fd, &a, &o, &e));
    assert_string_equal(o.cwd, "/srv/a b");
    for (size_t i = 0; i < 5; i++)
        assert_true(argv[i] ? strcmp(o.argv[i], argv[i]) == 0 : !o.argv[i]);
    assert_string_equal(o.env[0], "A=1");
    assert_string_equal(o.env[1], "B=");
    assert_null(o.env[2]);
}

static void an_order_that_is_cut_off_is_refused(void **state)
{
    static const char *const argv[] = { "sh", NULL }, *const env[] = { "A=1", NULL };
    struct jail_command c = { .argv = argv, .env = env };
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct visit_order o;
    AUTO_FD whole = -1;
    char bytes[256];

    (void)state;
    arena_init(&a);
    assert_true(visit_order_make(&c, "/", &whole, &e));
    ssize_t n = read(whole, bytes, sizeof bytes);

    for (ssize_t k = 0; k < n; k++) {
        AUTO_FD fd = memfd_create("test", MFD_CLOEXEC);

        e = (struct err){ 0 };
        assert_int_equal(write(fd, bytes, (size_t)k), k);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_false(visit_order_read(fd, &a, &o, &e));
        assert_int_equal(e.kind, ERR_ENVIRONMENT);
    }
}

static void a_message_of_another_size_is_none(void **state)
{
    struct visit_message m;
    int pair[2], got;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[0], "short", 5), 5);
    assert_false(visit_receive(pair[1], &m, &got));
    assert_int_equal(got, -1);
    (void)memset(&m, 'x', sizeof m); /* texts without an end */
    assert_true(visit_send(pair[0], &m, -1));
    assert_true(visit_receive(pair[1], &m, &got));
    assert_int_equal(strlen(m.text), sizeof m.text - 1);
    assert_int_equal(strlen(m.hint), sizeof m.hint - 1);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_says_the_same_on_the_other_side),
        cmocka_unit_test(an_order_that_is_cut_off_is_refused),
        cmocka_unit_test(a_message_of_another_size_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
