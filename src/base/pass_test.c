#include "base/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/test_dir.h"

struct pair {
    int end[2];
};

static struct pair make_pair(void)
{
    struct pair p;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p.end), 0);
    return p;
}

static void close_pair(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++)
        if (p->end[i] >= 0)
            (void)close(p->end[i]);
}

static void messages_keep_their_bounds(void **state)
{
    struct pair p = make_pair();
    char room[16];
    struct str m;
    int got = 5;

    (void)state;
    assert_true(pass_send(p.end[0], STR("one"), -1));
    assert_true(pass_send(p.end[0], STR("second"), -1));
    assert_true(pass_receive(p.end[1], room, sizeof room, &m, &got));
    assert_true(str_eq(m, STR("one")));
    assert_int_equal(got, -1);
    assert_true(pass_receive(p.end[1], room, sizeof room, &m, &got));
    assert_true(str_eq(m, STR("second")));
    close_pair(&p);
}

static void a_descriptor_arrives_open_and_is_closed_by_an_exec(void **state)
{
    struct pair p = make_pair();
    char room[16], byte = 0;
    struct str m;
    int got, ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_true(pass_send(p.end[0], STR("take"), ends[0]));
    assert_true(pass_receive(p.end[1], room, sizeof room, &m, &got));
    assert_true(got >= 0 && got != ends[0]);
    assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(read(got, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(fcntl(ends[0], F_GETFD), 0); /* the sender's stays open */
    (void)close(got);
    (void)close(ends[0]);
    (void)close(ends[1]);
    close_pair(&p);
}

static void the_end_and_an_empty_socket_are_told_apart(void **state)
{
    struct pair p = make_pair();
    char room[16];
    struct str m;
    int got;

    (void)state;
    assert_false(pass_receive(p.end[1], room, sizeof room, &m, &got));
    assert_int_equal(errno, EAGAIN);
    (void)close(p.end[0]);
    p.end[0] = -1;
    assert_false(pass_receive(p.end[1], room, sizeof room, &m, &got));
    assert_int_equal(errno, 0);
    assert_false(pass_send(p.end[1], STR("anyone"), -1)); /* and no signal ends this process */
    assert_int_equal(errno, EPIPE);
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_keep_their_bounds),
        cmocka_unit_test(a_descriptor_arrives_open_and_is_closed_by_an_exec),
        cmocka_unit_test(the_end_and_an_empty_socket_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
