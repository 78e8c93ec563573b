/* Trackers are real processes. Where what they follow does not matter, their listener is a pipe: with a writer nothing
 * ever comes, as from memory that is never handed out; without one it is at its end, as after the last process. */
#include "jail/trackers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/test_dir.h"
#include "jail/asked.h"
#include "jail/test_child.h"

/* What was told; the last of each thing is what counts. */
static void hear(void *ctx, struct str json)
{
    AUTO_ARENA a = { 0 };
    struct asked_item item;
    struct err e = { 0 };

    arena_init(&a);
    if (!asked_parse(json, &a, &item, &e))
        fail_msg("%s", e.text);
    (void)asked_add(ctx, &item);
}

/* How much was told of as unread, for a reason with these words in it. */
static unsigned unread(const struct asked *told, const char *words)
{
    unsigned n = 0;

    for (size_t i = 0; i < told->items.n; i++)
        if (told->items.p[i].how == ASKED_UNREAD && strstr(told->items.p[i].what.p, words))
            n += told->items.p[i].count;
    return n;
}

/* A tracker of this visit that only ends when the writer, which is returned, is closed. */
static int follow_pipe(struct trackers *t, uint32_t visit)
{
    int end[2];

    assert_int_equal(pipe2(end, O_CLOEXEC), 0);
    trackers_follow(t, visit, end[0]);
    return end[1];
}

/* As blast-jail does, until the tracker is gone. */
static void take_until_gone(struct trackers *t)
{
    static struct pollfd p[TRACKERS_POLL_MAX];

    while (t->n) {
        size_t n = trackers_poll(t, p);

        assert_true(poll(p, n, -1) > 0);
        trackers_take(t, p, n);
    }
}

/* ------------------------------------------------------------ a command */

static int read_a_file(const char *dir)
{
    (void)dir;
    return open("file", O_RDONLY | O_CLOEXEC) < 0 && errno == ENOENT ? 0 : 1;
}

static int read_from_nowhere(const char *dir)
{
    (void)dir;
    for (int i = 0; i < 3; i++)
        if (syscall(SYS_openat, AT_FDCWD, (char *)(uintptr_t)1, O_RDONLY) >= 0 || errno != EFAULT)
            return 1;
    return 0;
}

/* Follows a real command to its end. */
static void follow(test_child_act *what, const char *dir, struct asked *told)
{
    static struct trackers t;
    struct test_child c;

    test_child_start(&c, what, dir);
    test_child_or_skip(&c);
    trackers_init(&t, hear, told);
    trackers_follow(&t, 7, c.listener);
    assert_int_equal(t.n, 1);
    assert_int_equal(write(c.link, "g", 1), 1);
    assert_int_equal(test_child_end(&c), 0);
    trackers_over(&t, 7);
    assert_int_equal(t.n, 0);
    trackers_close(&t);
}

static void all_is_told_when_a_command_is_over(void **state)
{
    const char *dir = ((const struct test_dir *)*state)->path;
    AUTO_ASKED told = { 0 };
    char path[256];

    asked_init(&told);
    follow(read_a_file, dir, &told);
    (void)snprintf(path, sizeof path, "%s/file", dir);
    assert_non_null(asked_find(&told, ASKED_READ, str_of(path)));
    assert_int_equal(told.items.n, 1);
}

static void calls_that_cannot_be_looked_at_are_counted(void **state)
{
    AUTO_ASKED told = { 0 };

    asked_init(&told);
    follow(read_from_nowhere, ((const struct test_dir *)*state)->path, &told);
    assert_int_equal(unread(&told, "could not be looked at"), 3);
    assert_int_equal(told.items.n, 1);
}

/* ------------------------------------------------------------ trackers that do not end, or end too early */

static void waits_no_longer_than_it_says_and_says_what_it_did_not_hear(void **state)
{
    static struct trackers t;
    AUTO_ASKED told = { 0 };

    (void)state;
    asked_init(&told);
    trackers_init(&t, hear, &told);
    assert_int_equal(t.last_ms, TRACKERS_LAST_MS);
    t.last_ms = 0;
    AUTO_FD writer = follow_pipe(&t, 1);
    struct pollfd p = { writer, 0, 0 };

    trackers_over(&t, 1);
    assert_int_equal(t.n, 0);
    assert_int_equal(unread(&told, "did not come to its end"), 1);
    assert_int_equal(told.items.n, 1);
    assert_int_equal(poll(&p, 1, -1), 1); /* nobody has the other end: the tracker is dead */
    assert_true(p.revents & POLLERR);
    trackers_close(&t);
}

static void leaves_other_commands_trackers_alone(void **state)
{
    static struct trackers t;
    AUTO_ASKED told = { 0 };

    (void)state;
    asked_init(&told);
    trackers_init(&t, hear, &told);
    int writer[3] = { follow_pipe(&t, 1), follow_pipe(&t, 2), follow_pipe(&t, 3) };

    fd_close(&writer[1]);
    trackers_over(&t, 2);
    assert_int_equal(t.n, 2);
    assert_true((t.one[0].visit == 1 && t.one[1].visit == 3) || (t.one[0].visit == 3 && t.one[1].visit == 1));
    assert_int_equal(kill(t.one[0].pid, 0) | kill(t.one[1].pid, 0), 0);
    assert_int_equal(told.items.n, 0); /* it came to its end: nothing was left out */
    t.last_ms = 0;
    trackers_close(&t);
    assert_int_equal(t.n, 0);
    assert_int_equal(unread(&told, "did not come to its end"), 2);
    fd_close(&writer[0]);
    fd_close(&writer[2]);
}

static void a_tracker_that_is_killed_is_told_of(void **state)
{
    static struct trackers t;
    AUTO_ASKED told = { 0 };

    (void)state;
    asked_init(&told);
    trackers_init(&t, hear, &told);
    int writer = follow_pipe(&t, 1);

    assert_int_equal(kill(t.one[0].pid, SIGKILL), 0);
    take_until_gone(&t);
    assert_int_equal(unread(&told, "did not come to its end"), 1);
    trackers_close(&t);
    fd_close(&writer);
}

static void a_listener_that_cannot_be_followed_is_closed(void **state)
{
    static struct trackers t;
    AUTO_ASKED told = { 0 };

    (void)state;
    asked_init(&told);
    trackers_init(&t, hear, &told);
    t.n = INIT_VISITS_MAX; /* as if so many were there */
    AUTO_FD writer = follow_pipe(&t, 1);
    struct pollfd p = { writer, 0, 0 };

    assert_int_equal(t.n, INIT_VISITS_MAX);
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_true(p.revents & POLLERR);
}

/* ------------------------------------------------------------ fanotify */

static void what_fanotify_lost_is_told_once(void **state)
{
    static struct trackers t;
    AUTO_ASKED told = { 0 };
    int end[2];

    (void)state;
    asked_init(&told);
    trackers_init(&t, hear, &told);
    assert_int_equal(pipe2(end, O_CLOEXEC | O_NONBLOCK), 0);
    t.fan.fd = end[0]; /* nothing comes */
    t.fan.lost = 3;
    t.fan.asked.left_out = 2;
    trackers_over(&t, 1);
    assert_int_equal(unread(&told, "came too fast"), 5);
    trackers_over(&t, 2);
    assert_int_equal(unread(&told, "came too fast"), 5);
    t.fan.lost++;
    (void)close(end[1]); /* no group of fanotify ends: it cannot go on */
    trackers_close(&t);
    assert_int_equal(unread(&told, "came too fast"), 7);
    assert_int_equal(t.fan.fd, -1);
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, test_dir_make, test_dir_remove)
    static const struct CMUnitTest tests[] = {
        WITH_DIR(all_is_told_when_a_command_is_over),
        WITH_DIR(calls_that_cannot_be_looked_at_are_counted),
        cmocka_unit_test(waits_no_longer_than_it_says_and_says_what_it_did_not_hear),
        cmocka_unit_test(leaves_other_commands_trackers_alone),
        cmocka_unit_test(a_tracker_that_is_killed_is_told_of),
        cmocka_unit_test(a_listener_that_cannot_be_followed_is_closed),
        cmocka_unit_test(what_fanotify_lost_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
