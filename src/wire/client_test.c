#include "wire/client.h"

#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/test_dir.h"
#include "config/dirs.h"
#include "wire/launch.h"
#include "wire/protocol.h"
#include "wire/seat.h"

/* A daemon that says what it is told to, whatever it is asked: a child that ends when the text is sent and the other
 * side has closed. */
static pid_t play(const struct test_dir *t, const char *text, struct dirs *dirs)
{
    static char state[256];
    AUTO_ARENA a = { 0 };
    struct seat s;
    struct err e = { 0 };
    int listener;

    (void)snprintf(state, sizeof state, "%.200s/state", t->path);
    *dirs = (struct dirs){ .home = t->path, .cache = state, .store = state, .state = state, .config = state };
    assert_int_equal(setenv("BLAST_STATE_DIR", state, 1), 0);
    assert_true(seat_find(dirs, &a, &s, &e) && seat_prepare(&s, &e) && seat_listen(s.socket, &listener, &e));
    pid_t pid = fork();

    if (pid == 0) {
        char chunk[4096];

        (void)alarm(60);
        (void)fcntl(listener, F_SETFL, 0);
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
            _exit(1);
        (void)shutdown(fd, SHUT_WR);
        while (read(fd, chunk, sizeof chunk) > 0)
            ;
        _exit(0);
    }
    (void)close(listener);
    return pid;
}

static void await(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void count_event(void *ctx, struct str type, struct str body)
{
    assert_true(str_eq(type, STR("job")));
    assert_true(body.n > 2);
    ++*(unsigned *)ctx;
}

static void gives_events_and_the_result_of_its_own_request(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_WIRE c = { .fd = -1 };
    struct dirs dirs;
    struct str result;
    struct err e = { 0 };
    unsigned events = 0;
    pid_t pid = play(*state, "{\"hello\":{\"proto\":1,\"build\":\"b\",\"pid\":5}}\n"
                             "{\"id\":1,\"event\":{\"type\":\"job\"}}\n{\"id\":9,\"result\":{\"not\":\"ours\"}}\n"
                             "{\"id\":1,\"event\":{\"type\":\"job\"}}\n{\"id\":1,\"result\":{\"is\":\"ours\"}}\n",
                     &dirs);

    if (!wire_connect(&dirs, WIRE_IF_RUNNING, &c, &e))
        fail_msg("%s", e.text);
    assert_int_equal(c.pid, 5);
    assert_string_equal(c.build, "b");
    c.event = count_event;
    c.ctx = &events;
    assert_true(wire_call(&c, "status", STR(""), &a, &result, &e));
    assert_true(str_eq(result, STR("{\"is\":\"ours\"}")));
    assert_int_equal(events, 2);
    wire_close(&c);
    await(pid);
}

static void finds_none_where_none_runs(void **state)
{
    const struct test_dir *t = *state;
    AUTO_WIRE c = { .fd = -1 };
    struct err e = { 0 };
    char path[256];

    (void)snprintf(path, sizeof path, "%.200s/none", t->path);
    const struct dirs dirs = { .home = t->path, .state = path };

    assert_int_equal(setenv("BLAST_STATE_DIR", path, 1), 0);
    assert_true(wire_connect(&dirs, WIRE_IF_RUNNING, &c, &e));
    assert_int_equal(c.fd, -1);
    assert_false(file_exists(AT_FDCWD, path)); /* asking leaves no trace */
}

static void says_what_is_wrong_with_a_daemon(void **state)
{
    static const struct {
        const char *says, *why;
    } cases[] = {
        { "", "closed the connection" },
        { "SSH-2.0-OpenSSH\n", "line 1, column 1" },
        { "{\"id\":0,\"result\":{}}\n", "did not begin with its hello" },
        { "{\"id\":0,\"error\":{\"code\":\"busy\",\"message\":\"too many\",\"data\":null}}\n", "busy: too many" },
        { "{\"hello\":{\"proto\":99,\"build\":\"9.9\",\"pid\":5}}\n", "(blast 9.9) speaks protocol 99" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_WIRE c = { .fd = -1 };
        struct dirs dirs;
        struct err e = { 0 };
        struct test_dir own;
        pid_t pid;

        (void)snprintf(own.path, sizeof own.path, "%.150s/%zu", ((struct test_dir *)*state)->path, i);
        pid = play(&own, cases[i].says, &dirs);
        if (wire_connect(&dirs, WIRE_IF_RUNNING, &c, &e))
            fail_msg("connected to a daemon that says %s", cases[i].says);
        assert_int_equal(e.kind, ERR_DAEMON);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].says, e.text);
        assert_int_equal(c.fd, -1);
        await(pid);
    }
}

static void an_error_answer_and_a_lost_connection_are_errors(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_WIRE c = { .fd = -1 };
    struct dirs dirs;
    struct str result;
    struct err e = { 0 };
    pid_t pid = play(*state, "{\"hello\":{\"proto\":1,\"build\":\"b\",\"pid\":5}}\n"
                             "{\"id\":1,\"error\":{\"code\":\"unknown\",\"message\":\"no such project\","
                             "\"data\":null}}\n", &dirs);

    assert_true(wire_connect(&dirs, WIRE_IF_RUNNING, &c, &e));
    assert_false(wire_call(&c, "project.status", STR("{\"path\":\"/p\"}"), &a, &result, &e));
    assert_non_null(strstr(e.text, "no such project (unknown)"));
    err_clear(&e);
    assert_false(wire_call(&c, "status", STR(""), &a, &result, &e));
    assert_non_null(strstr(e.text, "the daemon closed the connection"));
    wire_close(&c);
    await(pid);
}

static void keeps_only_the_users_own_environment(void **state)
{
    AUTO_ARENA a = { 0 };
    static const char *const env[] = { "PATH=/v/bin:/usr/bin:/v/bin:/bin", "VIRTUAL_ENV=/v", "HOME=/h", "PYTHONPATH=/x",
                                       "LC_TIME=C", "BLAST_HOME=/b", "BLAST_NO_DAEMON=1", "BLAST_INDEX_URL=u",
                                       "HOMELY=1",
                                       "LD_PRELOAD=/evil", NULL };
    static const char *const kept[] = { "PATH=/usr/bin:/bin", "HOME=/h", "LC_TIME=C", "BLAST_HOME=/b",
                                        "BLAST_INDEX_URL=u" };
    char **got = launch_environment(env, &a);

    (void)state;
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_string_equal(got[i], kept[i]);
    assert_null(got[COUNT(kept)]);
}

static void a_seat_does_not_move_with_the_environment(void **state)
{
    AUTO_ARENA a = { 0 };
    const struct test_dir *t = *state;
    struct dirs dirs = { .home = "/other", .state = "/xdg/blast/0123abcd" };
    struct seat s;
    struct err e = { 0 };

    assert_int_equal(unsetenv("BLAST_STATE_DIR") + unsetenv("BLAST_HOME"), 0);
    assert_true(seat_find_in(&dirs, "/home/u", NULL, &a, &s, &e));
    assert_string_equal(s.state, "/home/u/.local/state/blast/0123abcd");
    assert_string_equal(s.socket, "/home/u/.local/state/blast/0123abcd/daemon/daemon.sock");
    assert_true(seat_find_in(&dirs, "/home/u", t->path, &a, &s, &e)); /* mkdtemp(3): 0700 and ours */
    assert_string_equal(s.socket, arena_printf(&a, "%s/blast/daemon.sock", t->path).p);
    assert_int_equal(chmod(t->path, 0750), 0);
    assert_true(seat_find_in(&dirs, "/home/u", t->path, &a, &s, &e));
    assert_string_equal(s.socket_dir, "/home/u/.local/state/blast/0123abcd/daemon");
    assert_int_equal(setenv("BLAST_HOME", "/b", 1), 0);
    dirs.state = "/b/state";
    assert_true(seat_find_in(&dirs, "/home/u", NULL, &a, &s, &e));
    assert_string_equal(s.state, "/b/state");
    assert_int_equal(unsetenv("BLAST_HOME"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(gives_events_and_the_result_of_its_own_request),
        TEST_IN_DIR(finds_none_where_none_runs),
        TEST_IN_DIR(says_what_is_wrong_with_a_daemon),
        TEST_IN_DIR(an_error_answer_and_a_lost_connection_are_errors),
        cmocka_unit_test(keeps_only_the_users_own_environment),
        TEST_IN_DIR(a_seat_does_not_move_with_the_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
