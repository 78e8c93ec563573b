#include "base/test_dir.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/str.h"
#include "daemon/queue.h"
#include "daemon/record.h"

static struct queue_job *add(struct queue *q, const char *path, enum job_verb verb, enum job_priority priority,
                             const char *reason)
{
    struct queue_new n = { .path = path, .verb = verb, .priority = priority, .reason = str_of(reason) };
    struct queue_job *j = NULL;
    struct err e = { 0 };

    assert_true(queue_add(q, &n, 100, &j, NULL, &e));
    return j;
}

static void what_somebody_waits_for_comes_first(void **state)
{
    struct queue q;

    (void)state;
    queue_init(&q);
    (void)add(&q, "/a", JOB_CHECK, PRIORITY_CHECK, "1");
    (void)add(&q, "/b", JOB_SYNC, PRIORITY_WATCH, "2");
    (void)add(&q, "/c", JOB_SYNC, PRIORITY_WATCH, "3");
    (void)add(&q, "/d", JOB_SYNC, PRIORITY_FOREGROUND, "4");
    (void)add(&q, "/e", JOB_SYNC, PRIORITY_USER, "5");
    static const char *const order[] = { "/d", "/e", "/b", "/c", "/a" };

    for (size_t i = 0; i < COUNT(order); i++) {
        struct queue_job *j = queue_pick(&q, NULL, 100);

        assert_non_null(j);
        assert_string_equal(j->path, order[i]);
        queue_start(&q, j, 100);
    }
    assert_null(queue_pick(&q, NULL, 100));
    queue_clear(&q);
}

static void the_same_work_is_done_once(void **state)
{
    struct queue q;
    struct queue_new n = { .path = "/a", .verb = JOB_SYNC, .priority = PRIORITY_USER, .reason = STR("asked for") };
    struct queue_job *j, *first;
    struct err e = { 0 };
    bool merged;

    (void)state;
    queue_init(&q);
    first = add(&q, "/a", JOB_SYNC, PRIORITY_WATCH, "pyproject.toml changed");
    first->not_before = 500;
    assert_true(queue_add(&q, &n, 100, &j, &merged, &e));
    assert_true(merged);
    assert_ptr_equal(j, first);
    assert_int_equal(j->priority, PRIORITY_USER);
    assert_int_equal(j->not_before, 0);
    assert_string_equal(j->reason, "pyproject.toml changed; asked for");
    assert_true(queue_add(&q, &n, 100, &j, &merged, &e));
    assert_string_equal(j->reason, "pyproject.toml changed; asked for");
    (void)add(&q, "/a", JOB_CHECK, PRIORITY_CHECK, "another verb");
    (void)add(&q, "/b", JOB_SYNC, PRIORITY_WATCH, "another project");
    assert_int_equal(queue_count(&q, NULL, JOB_WAITING), 3);
    queue_clear(&q);
}

static void what_changes_while_a_job_runs_needs_another_one(void **state)
{
    struct queue q;
    struct queue_job *first, *second;

    (void)state;
    queue_init(&q);
    first = add(&q, "/a", JOB_SYNC, PRIORITY_WATCH, "one");
    queue_start(&q, first, 100);
    second = add(&q, "/a", JOB_SYNC, PRIORITY_WATCH, "two");
    assert_ptr_not_equal(first, second);
    assert_null(queue_pick(&q, NULL, 100)); /* one at a time */
    assert_ptr_equal(queue_running(&q, "/a"), first);
    queue_again(&q, first, 0); /* pre-empted: both are one again */
    assert_int_equal(q.jobs.n, 1);
    assert_string_equal(q.jobs.p[0]->reason, "one; two");
    queue_clear(&q);
}

static void a_job_that_waits_is_due_in_time(void **state)
{
    struct queue q;
    struct queue_job *j;

    (void)state;
    queue_init(&q);
    j = add(&q, "/a", JOB_SYNC, PRIORITY_WATCH, "");
    j->not_before = 160;
    assert_null(queue_pick(&q, NULL, 100));
    assert_int_equal(queue_due(&q, NULL, 100), 160);
    assert_ptr_equal(queue_pick(&q, NULL, 160), j);
    assert_int_equal(queue_due(&q, NULL, 160), 0);
    j->not_before = 1000000; /* the clock was set back since */
    assert_ptr_equal(queue_pick(&q, NULL, 100), j);
    queue_clear(&q);
}

static void what_passes_by_itself_is_tried_again(void **state)
{
    static const struct {
        const char *word;
        int exit_code;
        unsigned attempts, wait;
    } cases[] = {
        { "failed", 1, 1, 0 },    { "failed", 2, 1, 0 },    { "denied", 5, 1, 0 },   { "locked", 7, 1, 2 },
        { "failed", 7, 2, 4 },    { "failed", 6, 1, 30 },   { "failed", 6, 2, 60 },  { "failed", 6, 9, 3600 },
        { "failed", 6, 99, 3600 }, { "failed", 139, 1, 5 }, { "failed", 139, 3, 20 }, { "failed", 139, 4, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned wait = queue_retry(str_of(cases[i].word), cases[i].exit_code, cases[i].attempts);

        if (wait != cases[i].wait)
            fail_msg("%s, exit %d, attempt %u: %u s, wanted %u", cases[i].word, cases[i].exit_code, cases[i].attempts,
                     wait, cases[i].wait);
    }
}

static void the_queue_has_an_end(void **state)
{
    struct queue q;
    struct queue_job *j;
    struct err e = { 0 };
    char path[32];

    (void)state;
    queue_init(&q);
    for (unsigned i = 0; i <= QUEUE_MAX; i++) {
        (void)snprintf(path, sizeof path, "/p%u", i);
        struct queue_new n = { .path = path, .verb = JOB_SYNC, .priority = PRIORITY_WATCH };

        if (queue_add(&q, &n, 100, &j, NULL, &e) != (i < QUEUE_MAX))
            fail_msg("job %u", i);
    }
    assert_int_equal(e.kind, ERR_DAEMON);
    assert_non_null(strstr(e.text, "the limit is 4096"));
    queue_clear(&q);
}

static void long_reasons_are_cut_between_characters(void **state)
{
    struct queue q;
    char reason[600];
    struct queue_job *j;

    (void)state;
    for (size_t i = 0; i < sizeof reason - 3; i += 3)
        memcpy(reason + i, "\xE2\x82\xAC", 4);
    queue_init(&q);
    j = add(&q, "/a", JOB_SYNC, PRIORITY_WATCH, reason);
    assert_int_equal(strlen(j->reason), 498);
    queue_clear(&q);
}

/* ------------------------------------------------------------ the file */

static void fill(struct queue *q, unsigned n)
{
    char path[32];

    queue_init(q);
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(path, sizeof path, "/p%u \"x\"", i);
        (void)add(q, path, JOB_SYNC, PRIORITY_WATCH, "pyproject.toml changed");
    }
}

static void the_queue_survives_the_daemon(void **state)
{
    const struct test_dir *t = *state;
    struct queue q, r;
    struct err e = { 0 };
    bool damaged;

    fill(&q, 3);
    queue_start(&q, q.jobs.p[1], 100);
    q.jobs.p[2]->not_before = 1234;
    q.jobs.p[2]->attempts = 2;
    (void)add(&q, "/waits", JOB_SYNC, PRIORITY_FOREGROUND, "its waiter dies with the daemon");
    assert_true(queue_save(&q, t->fd, "queue", &e));
    queue_init(&r);
    assert_true(queue_load(&r, t->fd, "queue", &damaged, &e));
    assert_false(damaged);
    assert_int_equal(r.jobs.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(r.jobs.p[i]->path, q.jobs.p[i]->path);
        assert_string_equal(r.jobs.p[i]->reason, "pyproject.toml changed");
        assert_int_equal(r.jobs.p[i]->state, JOB_WAITING);
        assert_int_equal(r.jobs.p[i]->id, q.jobs.p[i]->id);
    }
    assert_int_equal(r.jobs.p[2]->not_before, 1234);
    assert_int_equal(r.jobs.p[2]->attempts, 2);
    assert_int_equal(r.next, q.next);
    queue_clear(&q);
    queue_clear(&r);
}

static void a_damaged_file_counts_as_empty(void **state)
{
    const struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct queue q;
    struct err e = { 0 };
    struct str text;
    bool damaged;

    fill(&q, 2);
    assert_true(queue_save(&q, t->fd, "queue", &e));
    assert_true(fd_read_file(t->fd, "queue", 100000, &a, &text, &e));
    queue_clear(&q);
    for (size_t i = 0; i < text.n; i++) {
        struct str torn = str_sub(arena_str(&a, text), 0, i);

        for (unsigned flip = 0; flip < 2; flip++) {
            if (flip) {
                char *copy = arena_text(&a, text.p, text.n);

                copy[i] ^= 1;
                torn = (struct str){ copy, text.n };
            }
            assert_true(file_replace(t->fd, "queue", torn, 0600, FILE_NO_SYNC, &e));
            queue_init(&q);
            assert_true(queue_load(&q, t->fd, "queue", &damaged, &e));
            if (q.jobs.n || !damaged)
                fail_msg("%s at byte %zu: %zu jobs", flip ? "a bit flipped" : "cut", i, q.jobs.n);
            queue_clear(&q);
        }
    }
}

static void no_file_is_an_empty_queue_and_unknown_verbs_are_passed_over(void **state)
{
    const struct test_dir *t = *state;
    struct queue q;
    struct err e = { 0 };
    bool damaged;

    queue_init(&q);
    assert_true(queue_load(&q, t->fd, "missing", &damaged, &e));
    assert_false(damaged);
    assert_int_equal(q.jobs.n, 0);
    assert_int_equal(q.next, 1);
    assert_true(record_save(&(struct record){ t->fd, "queue", "blast-queue-1" },
                            STR("{\"next\":9,\"new\":[1],\"jobs\":["
                                "{\"id\":7,\"path\":\"/a\",\"verb\":\"fly\",\"priority\":\"watch\"},"
                                "{\"id\":8,\"path\":\"/a\",\"verb\":\"sync\",\"priority\":\"watch\",\"more\":{}},"
                                "{\"id\":5,\"path\":\"a\",\"verb\":\"sync\",\"priority\":\"watch\"}]}"), &e));
    assert_true(queue_load(&q, t->fd, "queue", &damaged, &e));
    assert_false(damaged);
    assert_int_equal(q.jobs.n, 1);
    assert_int_equal(q.jobs.p[0]->id, 8);
    assert_int_equal(q.next, 9);
    queue_clear(&q);
}

/* Lets a child save queues of 1, 2 and 3 jobs and kills it before its n-th system call. False: it ended by itself. */
static bool killed_at(int dir, unsigned nth, bool *possible)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        struct err e = { 0 };

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        (void)raise(SIGSTOP);
        for (unsigned n = 1; n <= 3; n++) {
            struct queue q;

            fill(&q, n);
            if (!queue_save(&q, dir, "queue", &e))
                _exit(1);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) {
        *possible = WEXITSTATUS(status) != 77;
        return false;
    }
    for (unsigned i = 0; i < 2 * nth; i++) { /* entry and exit of each call */
        if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0)
            break;
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return true;
}

static void killing_it_at_any_call_leaves_the_old_or_the_new_queue(void **state)
{
    const struct test_dir *t = *state;
    size_t most = 0;
    bool possible = true;
    unsigned nth = 0;

    while (killed_at(t->fd, nth, &possible)) {
        struct queue q;
        struct err e = { 0 };
        bool damaged;

        queue_init(&q);
        assert_true(queue_load(&q, t->fd, "queue", &damaged, &e));
        if (damaged || q.jobs.n > 3 || q.jobs.n + 1 < most)
            fail_msg("killed at call %u: %zu jobs%s", nth, q.jobs.n, damaged ? ", damaged" : "");
        most = MIN(MAX(most, q.jobs.n), 1u); /* the next child begins with one again */
        queue_clear(&q);
        nth++;
        assert_true(nth < 2000);
    }
    if (!possible) {
        print_message("SKIP: processes cannot be traced here\n");
        skip();
    }
    assert_true(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_somebody_waits_for_comes_first),
        cmocka_unit_test(the_same_work_is_done_once),
        cmocka_unit_test(what_changes_while_a_job_runs_needs_another_one),
        cmocka_unit_test(a_job_that_waits_is_due_in_time),
        cmocka_unit_test(what_passes_by_itself_is_tried_again),
        cmocka_unit_test(the_queue_has_an_end),
        cmocka_unit_test(long_reasons_are_cut_between_characters),
        TEST_IN_DIR(the_queue_survives_the_daemon),
        TEST_IN_DIR(a_damaged_file_counts_as_empty),
        TEST_IN_DIR(no_file_is_an_empty_queue_and_unknown_verbs_are_passed_over),
        TEST_IN_DIR(killing_it_at_any_call_leaves_the_old_or_the_new_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
