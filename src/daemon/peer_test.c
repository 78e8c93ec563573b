#include "daemon/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test_dir.h"
#include "codec/json_write.h"
#include "wire/seat.h"

#define TURNS 10000 /* of the loop until something that must come is taken for lost */

/* A server that says `{"id":1,"result":{}}` to each line, and counts. */
struct echo {
    uv_loop_t loop;
    struct peers *peers;
    int listen_fd;
    char socket[256];
    unsigned lines, gone;
    struct peer *last;
};

static void on_line(void *ctx, struct peer *p, struct str line)
{
    struct echo *e = ctx;
    struct json_write w;

    (void)line;
    e->lines++;
    e->last = p;
    p->greeted = true;
    wire_write_result(peer_begin(p), 1, &w);
    wire_write_end(&w);
    assert_true(peer_commit(p));
}

static void on_gone(void *ctx, struct peer *p)
{
    struct echo *e = ctx;

    e->gone++;
    if (e->last == p)
        e->last = NULL;
}

static void begin(struct echo *e, const struct test_dir *t)
{
    struct err why = { 0 };

    *e = (struct echo){ 0 };
    (void)snprintf(e->socket, sizeof e->socket, "%.200s/s", t->path);
    assert_true(seat_listen(e->socket, &e->listen_fd, &why));
    assert_int_equal(uv_loop_init(&e->loop), 0);
    const struct peers_config config = { &e->loop, e->listen_fd, e, on_line, on_gone };

    assert_true(peers_open(&config, &e->peers, &why));
}

static void end(struct echo *e)
{
    peers_close(e->peers);
    (void)uv_run(&e->loop, UV_RUN_DEFAULT);
    peers_free(e->peers);
    assert_int_equal(uv_loop_close(&e->loop), 0);
    (void)close(e->listen_fd);
}

static int connect_to(const struct echo *e)
{
    struct err why = { 0 };
    int fd;

    assert_true(seat_connect(e->socket, &fd, &why));
    assert_true(fd >= 0);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void run_until(struct echo *e, const unsigned *count, unsigned want)
{
    for (int i = 0; *count < want; i++) {
        if (i == TURNS)
            fail_msg("%u of %u came", *count, want);
        (void)uv_run(&e->loop, UV_RUN_NOWAIT);
    }
}

static void turn(struct echo *e, int times)
{
    while (times-- > 0)
        (void)uv_run(&e->loop, UV_RUN_NOWAIT);
}

/* All that the other side has for us. */
static size_t take(int fd, struct buf *into)
{
    static char chunk[65536];
    ssize_t n;
    size_t all = 0;

    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        all += (size_t)n;
        if (into)
            (void)buf_add(into, chunk, (size_t)n);
    }
    return all;
}

static void answers_every_line_in_order(void **state)
{
    struct echo e;
    AUTO_BUF got = { .limit = 65536 };

    begin(&e, *state);
    int fd = connect_to(&e);

    assert_int_equal(write(fd, "a\nb\nc\nd", 7), 7);
    run_until(&e, &e.lines, 3);
    (void)take(fd, &got);
    assert_non_null(strstr(buf_done(&got).p, "{\"hello\":{\"proto\":1"));
    assert_non_null(strstr(got.p, "{\"id\":1,\"result\":{}}\n{\"id\":1,\"result\":{}}\n{\"id\":1,\"result\":{}}\n"));
    (void)close(fd);
    run_until(&e, &e.gone, 1);
    end(&e);
}

static void holds_a_bounded_queue_for_a_client_that_does_not_read(void **state)
{
    struct echo e;
    char lines[8192];
    ssize_t n;
    size_t sent = 0;

    begin(&e, *state);
    int fd = connect_to(&e);

    memset(lines, '\n', sizeof lines);
    for (int i = 0; i < TURNS; i++) {
        n = write(fd, lines, sizeof lines);
        sent += n > 0 ? (size_t)n : 0;
        turn(&e, 3);
    }
    assert_true(peers_figures(e.peers)->memory < 3 * PEER_PAUSE);
    assert_true(e.lines < sent);
    for (int i = 0; i < TURNS && e.lines < sent; i++) { /* once it reads, nothing is lost */
        (void)take(fd, NULL);
        turn(&e, 3);
    }
    assert_int_equal(e.lines, sent);
    (void)close(fd);
    end(&e);
}

static void drops_a_slow_subscriber_with_a_notice(void **state)
{
    struct echo e;
    AUTO_BUF got = { .limit = 8 << 20 };
    char text[4000];

    begin(&e, *state);
    int fd = connect_to(&e);

    assert_int_equal(write(fd, "\n", 1), 1);
    run_until(&e, &e.lines, 1);
    memset(text, 'x', sizeof text);
    e.last->subscribed = true;
    e.last->subscription = 9;
    for (int i = 0; i < TURNS && e.last && !e.last->closing; i++) {
        struct json_write w;

        wire_write_event(peer_begin(e.last), 9, WIRE_EVENT_NOTICE, &w);
        json_write_member(&w, "text", (struct str){ text, sizeof text });
        wire_write_end(&w);
        peer_commit_event(e.last);
    }
    assert_int_equal(peers_figures(e.peers)->dropped, 1);
    assert_true(peers_figures(e.peers)->memory < PEER_EVENTS_MAX / 4);
    for (int i = 0; i < TURNS && !e.gone; i++) {
        (void)take(fd, &got);
        turn(&e, 3);
    }
    (void)take(fd, &got);
    struct str all = buf_done(&got), line = { 0 }, last = { 0 };

    while (str_next_line(&all, &line)) { /* every line is whole */
        assert_true(line.n > 2 && line.p[0] == '{' && line.p[line.n - 1] == '}');
        last = line;
    }
    assert_true(str_search(last, STR("\"type\":\"dropped\"")) < last.n);
    (void)close(fd);
    end(&e);
}

static void takes_back_an_answer_that_is_too_long(void **state)
{
    struct echo e;
    AUTO_BUF got = { .limit = 65536 };
    struct json_write w;
    char *text = calloc(1, WIRE_LINE_MAX);

    begin(&e, *state);
    int fd = connect_to(&e);

    assert_non_null(text);
    assert_int_equal(write(fd, "\n", 1), 1);
    run_until(&e, &e.lines, 1);
    wire_write_result(peer_begin(e.last), 2, &w);
    json_write_member(&w, "text", (struct str){ memset(text, 'x', WIRE_LINE_MAX), WIRE_LINE_MAX });
    wire_write_end(&w);
    assert_false(peer_commit(e.last));
    wire_write_error(peer_begin(e.last), 2, WIRE_FAULT_FAILED, STR("too much"));
    assert_true(peer_commit(e.last));
    (void)take(fd, &got);
    assert_non_null(strstr(buf_done(&got).p, "\n{\"id\":2,\"error\":{\"code\":\"failed\""));
    free(text);
    (void)close(fd);
    end(&e);
}

static void makes_room_at_the_cost_of_the_silent(void **state)
{
    struct echo e;
    int fds[PEERS_MAX + 8];

    begin(&e, *state);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = connect_to(&e);
        turn(&e, 2);
    }
    assert_int_equal(peers_figures(e.peers)->open, PEERS_MAX);
    assert_int_equal(peers_figures(e.peers)->evicted, 8);
    assert_int_equal(write(fds[COUNT(fds) - 1], "\n", 1), 1);
    run_until(&e, &e.lines, 1);
    for (size_t i = 0; i < COUNT(fds); i++)
        (void)close(fds[i]);
    run_until(&e, &e.gone, COUNT(fds));
    end(&e);
}

static void refuses_when_all_have_work(void **state)
{
    struct echo e;
    AUTO_BUF got = { .limit = 65536 };
    int fds[PEERS_MAX];

    begin(&e, *state);
    for (unsigned i = 0; i < COUNT(fds); i++) {
        fds[i] = connect_to(&e);
        assert_int_equal(write(fds[i], "\n", 1), 1);
        run_until(&e, &e.lines, i + 1);
        e.last->subscribed = true;
    }
    int late = connect_to(&e);

    turn(&e, 3);
    (void)take(late, &got);
    assert_non_null(strstr(buf_done(&got).p, "\"code\":\"busy\""));
    assert_int_equal(peers_figures(e.peers)->refused, 1);
    (void)close(late);
    for (size_t i = 0; i < COUNT(fds); i++)
        (void)close(fds[i]);
    run_until(&e, &e.gone, COUNT(fds));
    end(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(answers_every_line_in_order),
        TEST_IN_DIR(holds_a_bounded_queue_for_a_client_that_does_not_read),
        TEST_IN_DIR(drops_a_slow_subscriber_with_a_notice),
        TEST_IN_DIR(takes_back_an_answer_that_is_too_long),
        TEST_IN_DIR(makes_room_at_the_cost_of_the_silent),
        TEST_IN_DIR(refuses_when_all_have_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
