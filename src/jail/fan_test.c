/* Needs root: a child makes a mount namespace with a directory mounted in it, and is watched from outside of that. */
#include "jail/fan.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/test_dir.h"
#include "jail/policy.h"

#define CANNOT 77

static bool wait_for_word(int link)
{
    char c;

    return read(link, &c, 1) == 1;
}

/* In the child: `dir` becomes a mount of its own namespace's, seen by nobody else. */
NORETURN static void be_watched(int link, const char *dir)
{
    char inside[300];
    bool ok = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount(dir, dir, NULL, MS_BIND, NULL) == 0 && chdir(dir) == 0;

    if (!ok || write(link, "r", 1) != 1 || !wait_for_word(link))
        _exit(ok ? 1 : CANNOT);
    (void)snprintf(inside, sizeof inside, "%s/read", dir);
    int r = open(inside, O_RDONLY | O_CLOEXEC), w = open("written", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    int none = open("absent", O_RDONLY | O_CLOEXEC), outside = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

    _exit(r < 0 || w < 0 || none >= 0 || outside < 0 || close(w) < 0);
}

static void note(void *ctx, const struct asked_item *item)
{
    (void)asked_add(ctx, item);
}

static bool has(const struct asked *s, enum asked_how how, const char *dir, const char *name)
{
    char path[300];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return asked_find(s, how, str_of(path)) != NULL;
}

static void tells_what_is_opened_on_the_mounts_of_a_sandbox(void **state)
{
    const struct test_dir *t = *state;
    struct jail_path path[] = {
        { .path = str_of(t->path), .access = JAIL_WRITE },
        { .path = STR("/no/such/path"), .access = JAIL_READ, .may_lack = true },
    };
    struct jail_policy p = { .path = path, .n_paths = COUNT(path) };
    AUTO_ASKED told = { 0 };
    AUTO_FAN f = FAN_NONE;
    struct err e = { 0 };
    int pair[2], status;

    AUTO_FD made = openat(t->fd, "read", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    if (!fan_is_there()) {
        print_message("SKIP: fanotify on mounts is for root\n");
        skip();
    }
    asked_init(&told);
    assert_true(made >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();

    if (pid == 0) {
        (void)close(pair[0]);
        be_watched(pair[1], t->path);
    }
    (void)close(pair[1]);
    if (!wait_for_word(pair[0])) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), CANNOT);
        print_message("SKIP: no mount namespace can be made here\n");
        skip();
    }
    if (!fan_open(&f, pid, &p, &e))
        fail_msg("%s", e.text);
    assert_int_equal(write(pair[0], "g", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid); /* what is read only now is told by its path all the same */
    fan_serve(&f, pair[0], note, &told);
    (void)close(pair[0]);
    assert_int_equal(status, 0);
    assert_true(has(&told, ASKED_READ, t->path, "read"));
    assert_true(has(&told, ASKED_WRITE, t->path, "written"));
    assert_false(has(&told, ASKED_READ, t->path, "absent")); /* nothing was opened */
    assert_null(asked_find(&told, ASKED_READ, STR("/etc/passwd"))); /* on another mount */
    assert_int_equal(f.lost, 0);
}

static void fails_where_no_mount_is_found(void **state)
{
    struct jail_path path = { .path = STR("/no/such/path"), .access = JAIL_READ };
    struct jail_policy p = { .path = &path, .n_paths = 1 };
    AUTO_FAN f = FAN_NONE;
    struct err e = { 0 };

    (void)state;
    if (!fan_is_there()) {
        print_message("SKIP: fanotify on mounts is for root\n");
        skip();
    }
    assert_false(fan_open(&f, getpid(), &p, &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_non_null(strstr(e.text, "no mount of the sandbox was found"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST_IN_DIR(tells_what_is_opened_on_the_mounts_of_a_sandbox),
        cmocka_unit_test(fails_where_no_mount_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
