#include "base/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/fd.h"

static void hands_over_a_text_and_a_descriptor(void **state)
{
    int pair[2], ends[2], got;
    char room[16], byte = 0;
    struct str m;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(pass_send(pair[0], STR("first"), ends[1]));
    assert_true(pass_send(pair[0], STR("second"), -1));
    assert_true(pass_receive(pair[1], room, sizeof room, &m, &got));
    assert_true(str_eq(m, STR("first")));
    assert_true(got >= 0 && got != ends[1]);
    assert_int_equal(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(write(got, "x", 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    fd_close(&got);
    assert_true(pass_receive(pair[1], room, sizeof room, &m, &got));
    assert_true(str_eq(m, STR("second")));
    assert_int_equal(got, -1);
    for (int i = 0; i < 2; i++) {
        fd_close(&pair[i]);
        fd_close(&ends[i]);
    }
}

static void tells_the_end_from_nothing_yet(void **state)
{
    int pair[2], got;
    char room[16];
    struct str m;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    assert_false(pass_receive(pair[1], room, sizeof room, &m, &got));
    assert_int_equal(errno, EAGAIN);
    fd_close(&pair[0]);
    assert_false(pass_receive(pair[1], room, sizeof room, &m, &got));
    assert_int_equal(errno, 0);
    assert_false(pass_send(pair[1], STR("x"), -1));
    assert_int_equal(errno, EPIPE);
    fd_close(&pair[1]);
}

static void hands_over_several_descriptors_in_their_order(void **state)
{
    int pair[2], files[3], got[PASS_MAX], one;
    char room[16];
    struct str m;
    size_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    for (int i = 0; i < 3; i++) {
        files[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(fcntl(files[i], F_SETFL, i == 1 ? O_APPEND : 0), 0);
    }
    assert_true(pass_send_all(pair[0], STR("three"), files, 3));
    assert_true(pass_receive_all(pair[1], room, sizeof room, &m, got, &n));
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fcntl(got[i], F_GETFL) & O_APPEND, i == 1 ? O_APPEND : 0);
        fd_close(&got[i]);
    }
    assert_true(pass_send_all(pair[0], STR("three"), files, 3)); /* to one who expects one */
    assert_true(pass_receive(pair[1], room, sizeof room, &m, &one));
    assert_int_equal(fcntl(one, F_GETFD), FD_CLOEXEC);
    fd_close(&one);
    assert_false(pass_send_all(pair[0], STR("many"), files, PASS_MAX + 1));
    for (int i = 0; i < 3; i++)
        fd_close(&files[i]);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_over_a_text_and_a_descriptor),
        cmocka_unit_test(hands_over_several_descriptors_in_their_order),
        cmocka_unit_test(tells_the_end_from_nothing_yet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
