/* A child under the real filter of jail/track.h, whose listener is handed to the test. For *_test.c only. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/pass.h"
#include "jail/track.h"

#define TEST_CHILD_NO_FILTER 77

struct test_child {
    pid_t pid;
    int link;     /* to it: a byte lets it begin */
    int listener; /* -1: it could not load the filter */
};

/* In the child: what it does once the listener is in other hands; returns its exit code. */
typedef int test_child_act(const char *dir);

NORETURN static inline void test_child_be(int link, test_child_act *what, const char *dir)
{
    int listener = -1;
    struct err e = { 0 };
    char go;

    if (chdir(dir) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || !track_filter(&listener, &e))
        _exit(TEST_CHILD_NO_FILTER);
    if (!pass_send(link, STR("l"), listener))
        _exit(1);
    (void)close(listener);
    if (read(link, &go, 1) != 1)
        _exit(1);
    _exit(what(dir));
}

static inline void test_child_start(struct test_child *c, test_child_act *what, const char *dir)
{
    struct str message;
    int pair[2];
    char room[8];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        (void)close(pair[0]);
        test_child_be(pair[1], what, dir);
    }
    (void)close(pair[1]);
    c->link = pair[0];
    if (!pass_receive(c->link, room, sizeof room, &message, &c->listener))
        c->listener = -1;
}

/* Its exit code, or 128 and the signal. */
static inline int test_child_end(struct test_child *c)
{
    int status;

    (void)close(c->link);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Where the kernel has no such filter, or something around us has a listener already. */
static inline void test_child_or_skip(struct test_child *c)
{
    if (c->listener >= 0)
        return;
    assert_int_equal(test_child_end(c), TEST_CHILD_NO_FILTER);
    print_message("SKIP: no filter with a listener can be loaded here\n");
    skip();
}
