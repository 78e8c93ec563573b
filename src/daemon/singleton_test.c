#include "daemon/singleton.h"

#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/test_dir.h"
#include "wire/seat.h"

#define RACERS 8

static struct seat seat_in(const struct test_dir *t, struct arena *a)
{
    const char *state = arena_printf(a, "%s/state", t->path).p, *own = arena_printf(a, "%s/daemon", state).p;

    return (struct seat){ .state = state, .own = own, .socket_dir = own, .socket = arena_printf(a, "%s/s", own).p,
                          .log = arena_printf(a, "%s/log", state).p, .crash = arena_printf(a, "%s/crash", state).p };
}

static struct singleton nothing(void)
{
    return (struct singleton){ .lock_fd = -1, .start_fd = -1, .listen_fd = -1 };
}

static void holds_the_lock_until_the_process_ends(void **state)
{
    AUTO_ARENA a = { 0 };
    struct seat seat = seat_in(*state, &a);
    struct singleton s = nothing();
    struct seat_holder h;
    struct err e = { 0 };
    bool taken;

    assert_true(singleton_take(&seat, &a, &s, &taken, &e));
    assert_true(taken);
    assert_true(seat_holder(&seat, &a, &h, &e));
    assert_true(h.held && h.pid == getpid() && str_eq(h.socket, str_of(seat.socket)));
    assert_true(singleton_has_socket(&s));
    singleton_leave(&s);
    assert_false(singleton_has_socket(&s));
    assert_true(seat_holder(&seat, &a, &h, &e));
    assert_true(h.held);
    (void)close(s.lock_fd);
    assert_true(seat_holder(&seat, &a, &h, &e));
    assert_false(h.held);
}

static void takes_over_what_a_dead_one_left(void **state)
{
    AUTO_ARENA a = { 0 };
    struct seat seat = seat_in(*state, &a);
    struct singleton s = nothing();
    struct err e = { 0 };
    bool taken;
    int status;
    pid_t pid = fork();

    if (pid == 0) /* dies with its socket and its lock file in place */
        _exit(singleton_take(&seat, &a, &s, &taken, &e) && taken ? 0 : 1);
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(access(seat.socket, F_OK), 0);
    if (!singleton_take(&seat, &a, &s, &taken, &e))
        fail_msg("%s", e.text);
    assert_true(taken);
    singleton_leave(&s);
    (void)close(s.lock_fd);
}

static void leaves_the_name_that_another_one_took(void **state)
{
    AUTO_ARENA a = { 0 };
    struct seat seat = seat_in(*state, &a);
    struct singleton s = nothing();
    struct err e = { 0 };
    bool taken;
    int other;

    assert_true(singleton_take(&seat, &a, &s, &taken, &e));
    assert_int_equal(unlink(seat.socket), 0);
    assert_true(seat_listen(seat.socket, &other, &e));
    assert_false(singleton_has_socket(&s));
    singleton_leave(&s);
    assert_int_equal(access(seat.socket, F_OK), 0);
    (void)close(other);
    (void)close(s.lock_fd);
}

/* In a child: exit 0 with the place, 1 without, 2 for an error; one that has it keeps it until the pipe is closed. */
static void race(const struct seat *seat, struct arena *a, int start, int keep)
{
    struct singleton s = nothing();
    struct err e = { 0 };
    bool taken = false;
    char c;

    (void)signal(SIGHUP, SIG_IGN); /* others ask the winner whether it still has its socket */
    (void)!read(start, &c, 1);
    if (!singleton_take(seat, a, &s, &taken, &e))
        _exit(2);
    singleton_ready(&s);
    if (taken)
        (void)!read(keep, &c, 1);
    _exit(taken ? 0 : 1);
}

static void lets_one_of_many_racers_win(void **state)
{
    AUTO_ARENA a = { 0 };
    struct seat seat = seat_in(*state, &a);
    struct err e = { 0 };
    int start[2], keep[2], status, won = 0, lost = 0;
    pid_t pids[RACERS];

    assert_true(seat_prepare(&seat, &e));
    assert_int_equal(pipe2(start, O_CLOEXEC), 0);
    assert_int_equal(pipe2(keep, O_CLOEXEC), 0);
    for (size_t i = 0; i < RACERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            (void)close(start[1]);
            (void)close(keep[1]);
            race(&seat, &a, start[0], keep[0]);
        }
    }
    (void)close(start[1]); /* off they go */
    for (size_t done = 0; done < RACERS - 1; done++) {
        pid_t pid = waitpid(-1, &status, 0);

        assert_true(pid > 0 && WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        lost++;
    }
    (void)close(keep[1]);
    assert_true(waitpid(-1, &status, 0) > 0);
    won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    assert_int_equal(won, 1);
    assert_int_equal(lost, RACERS - 1);
    (void)close(start[0]);
    (void)close(keep[0]);
}

static void refuses_directories_that_others_may_write_to(void **state)
{
    AUTO_ARENA a = { 0 };
    struct seat seat = seat_in(*state, &a);
    struct err e = { 0 };

    assert_true(seat_prepare(&seat, &e));
    assert_int_equal(chmod(seat.state, 0777), 0);
    assert_false(seat_prepare(&seat, &e));
    assert_int_equal(e.kind, ERR_DAEMON);
    assert_non_null(strstr(e.text, "is open to other users (mode 0777)"));
    assert_string_equal(e.hint, arena_printf(&a, "chmod go-w '%s'", seat.state).p);
    assert_int_equal(chmod(seat.state, 0700), 0);
    assert_int_equal(chmod(seat.own, 0750), 0);
    err_clear(&e);
    assert_false(seat_prepare(&seat, &e));
    assert_string_equal(e.hint, arena_printf(&a, "chmod 700 '%s'", seat.own).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(holds_the_lock_until_the_process_ends), TEST_IN_DIR(takes_over_what_a_dead_one_left),
        TEST_IN_DIR(leaves_the_name_that_another_one_took), TEST_IN_DIR(lets_one_of_many_racers_win),
        TEST_IN_DIR(refuses_directories_that_others_may_write_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
