/* A real child under the real filter, where the kernel has it and nothing around us has a listener already. */
#include "jail/track.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "base/sysarch.h"
#include "base/test_dir.h"
#include "jail/test_child.h"

static const char *path_of(void **state)
{
    return ((const struct test_dir *)*state)->path;
}

/* ------------------------------------------------------------ paths */

static void makes_paths_absolute(void **state)
{
    static const struct {
        const char *dir, *path, *whole; /* NULL: refused */
    } cases[] = {
        { "/a/b", "c", "/a/b/c" },       { "/a/b", "/c", "/c" },           { "/a/b", "../c", "/a/c" },
        { "/", "c", "/c" },              { "/a", "./c//d/", "/a/c/d" },    { "/a", "../../../c", "/c" },
        { "/a/b", "..", "/a" },          { "/a", "..", "/" },              { "", "/x/../..", "/" },
        { "a", "c", NULL },              { "", "c", NULL },                { "pipe:[1]", "c", NULL },
        { "/a", "", "/a" },              { "/a/..b", "c..", "/a/..b/c.." },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[ASKED_WHAT_MAX];
        size_t n;
        bool ok = track_path(str_of(cases[i].dir), str_of(cases[i].path), out, &n);

        assert_int_equal(ok, cases[i].whole != NULL);
        if (ok && !str_eq((struct str){ out, n }, str_of(cases[i].whole)))
            fail_msg("'%s' in '%s' gave '%.*s'", cases[i].path, cases[i].dir, (int)n, out);
    }
}

static void refuses_paths_that_do_not_fit(void **state)
{
    char path[ASKED_WHAT_MAX + 1], out[ASKED_WHAT_MAX];
    size_t n;

    (void)state;
    memset(path, 'x', sizeof path);
    assert_true(track_path(STR("/"), (struct str){ path, ASKED_WHAT_MAX - 1 }, out, &n));
    assert_int_equal(n, ASKED_WHAT_MAX);
    assert_false(track_path(STR("/"), (struct str){ path, ASKED_WHAT_MAX }, out, &n));
    assert_false(track_path(STR("/ab"), (struct str){ path, ASKED_WHAT_MAX - 1 }, out, &n));
}

/* ------------------------------------------------------------ the filter */

/* The verdict; the program has loads, equal-jumps and returns alone. */
static unsigned judge(unsigned arch, int nr)
{
    struct sock_filter p[TRACK_PROGRAM_MAX];
    struct seccomp_data d = { .nr = nr, .arch = arch };
    size_t n = track_program(p);
    unsigned a = 0;

    for (size_t pc = 0; pc < n; pc++) {
        if (p[pc].code == (BPF_LD | BPF_W | BPF_ABS))
            memcpy(&a, (const char *)&d + p[pc].k, sizeof a);
        else if (p[pc].code == (BPF_JMP | BPF_JEQ | BPF_K))
            pc += a == p[pc].k ? p[pc].jt : p[pc].jf;
        else
            return p[pc].k;
    }
    fail_msg("the program runs past its end");
    return 0;
}

static void stops_only_calls_that_name_something(void **state)
{
    static const int told[] = { SYS_openat, SYS_openat2, SYS_execve, SYS_execveat, SYS_connect, SYS_bind, SYS_unlinkat,
                                SYS_renameat2, SYS_mkdirat, SYS_linkat, SYS_symlinkat, SYS_truncate };
    static const int quiet[] = { SYS_read, SYS_write, SYS_close, SYS_sendmsg, SYS_recvmsg, SYS_mmap, SYS_exit_group,
                                 SYS_seccomp, SYS_socket, SYS_clone };

    (void)state;
    for (size_t i = 0; i < COUNT(told); i++) {
        assert_int_equal(judge(SYSARCH, told[i]), SECCOMP_RET_USER_NOTIF);
        assert_int_equal(judge(AUDIT_ARCH_I386, told[i]), SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < COUNT(quiet); i++)
        assert_int_equal(judge(SYSARCH, quiet[i]), SECCOMP_RET_ALLOW);
}

/* ------------------------------------------------------------ a child */

static void note(void *ctx, const struct asked_item *item)
{
    (void)asked_add(ctx, item);
}

/* Runs it to its end; what was told is in `told`. */
static int follow(test_child_act *what, const char *dir, struct asked *told)
{
    AUTO_TRACK t = TRACK_NONE;
    struct test_child c;
    struct err e = { 0 };

    test_child_start(&c, what, dir);
    test_child_or_skip(&c);
    assert_true(track_open(&t, c.listener, &e));
    assert_int_equal(write(c.link, "g", 1), 1);
    track_serve(&t, note, told);
    assert_int_equal(t.asked.items.n, told->items.n);
    return test_child_end(&c);
}

static void assert_asked(const struct asked *s, enum asked_how how, const char *dir, const char *name)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s%s", dir, name);
    if (asked_find(s, how, str_of(path)))
        return;
    for (size_t i = 0; i < s->items.n; i++)
        print_message("%s " STR_FMT "\n", asked_word(s->items.p[i].how), STR_ARG(s->items.p[i].what));
    fail_msg("%s of '%s' was not told", asked_word(how), path);
}

#define MUST(x)                                                                                                        \
    do {                                                                                                               \
        if (!(x))                                                                                                      \
            return __LINE__ % 250 + 1;                                                                                 \
    } while (0)

static bool is_refused(int result, int error)
{
    return result < 0 && errno == error;
}

static int use_files(const char *dir)
{
    char byte = 0;
    int fd = open("file", O_RDONLY | O_CLOEXEC), sub = open("sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)dir;
    MUST(fd >= 0 && sub >= 0 && read(fd, &byte, 1) == 1 && byte == 'x');
    MUST(is_refused(open("/nowhere/at-all", O_RDONLY), ENOENT));
    MUST(is_refused(open("/nowhere/at-all", O_RDONLY), ENOENT));
    MUST(is_refused(open("only-looked-up", O_PATH | O_CLOEXEC), ENOENT));
    MUST(openat(sub, "../sub/made", O_CREAT | O_WRONLY | O_CLOEXEC, 0644) >= 0);
    MUST(mkdirat(sub, "folder", 0755) == 0);
    MUST(renameat(sub, "made", sub, "renamed") == 0);
    MUST(unlinkat(sub, "renamed", 0) == 0);
    MUST(is_refused(truncate("gone", 0), ENOENT));
    return 0;
}

static void tells_of_files(void **state)
{
    AUTO_ASKED s = { 0 };
    const char *dir = path_of(state);

    asked_init(&s);
    assert_int_equal(follow(use_files, dir, &s), 0);
    assert_asked(&s, ASKED_READ, dir, "/file");
    assert_asked(&s, ASKED_READ, dir, "/sub");
    assert_asked(&s, ASKED_READ, "", "/nowhere/at-all");
    assert_asked(&s, ASKED_WRITE, dir, "/sub/made");
    assert_asked(&s, ASKED_WRITE, dir, "/sub/folder");
    assert_asked(&s, ASKED_WRITE, dir, "/sub/renamed");
    assert_asked(&s, ASKED_WRITE, dir, "/gone");
    assert_int_equal(s.items.n, 7);
}

static int use_network(const char *dir)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(0x7f000001) } };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(443), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "no-such-socket" };
    struct sockaddr_un nameless = { .sun_family = AF_UNIX, .sun_path = "\0abstract" };

    (void)dir; /* whether they work is the machine's business: they must be told and must come back */
    (void)connect(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&v4, sizeof v4);
    (void)connect(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&v6, sizeof v6);
    MUST(is_refused(connect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&un, sizeof un),
                    ENOENT));
    MUST(is_refused(connect(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&nameless, 12),
                    ECONNREFUSED));
    v4.sin_port = 0;
    (void)bind(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&v4, sizeof v4);
    MUST(is_refused(connect(-1, NULL, 16), EBADF));
    return 0;
}

static void tells_of_addresses(void **state)
{
    AUTO_ASKED s = { 0 };

    asked_init(&s);
    assert_int_equal(follow(use_network, path_of(state), &s), 0);
    assert_asked(&s, ASKED_CONNECT, "", "127.0.0.1:9");
    assert_asked(&s, ASKED_CONNECT, "", "[::1]:443");
    assert_asked(&s, ASKED_SOCKET, path_of(state), "/no-such-socket");
    assert_asked(&s, ASKED_LISTEN, "", "127.0.0.1:0");
    assert_int_equal(s.items.n, 4);
}

/* posix_spawn() is a clone() with the parent's memory and the parent stopped, as vfork() is. */
static int start_others(const char *dir)
{
    char *argv[] = { (char *)(uintptr_t) "true", NULL }, *env[] = { NULL };
    pid_t pid;
    int status;

    MUST(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env) == 0);
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
    pid = fork();
    if (pid == 0)
        _exit(open("file", O_RDONLY | O_CLOEXEC) < 0);
    MUST(waitpid(pid, &status, 0) == pid && status == 0);
    (void)dir;
    return 0;
}

static void follows_those_that_it_starts(void **state)
{
    AUTO_ASKED s = { 0 };

    asked_init(&s);
    assert_int_equal(follow(start_others, path_of(state), &s), 0);
    assert_asked(&s, ASKED_EXEC, "", "/bin/true");
    assert_asked(&s, ASKED_READ, path_of(state), "/file");
}

/* Paths that the program gives are odd: the end of its memory, none at all, longer than the kernel takes. */
static int be_odd(const char *dir)
{
    static char big[2 * PATH_MAX];

    (void)dir;
    memset(big, 'x', sizeof big - 1);
    MUST(is_refused((int)syscall(SYS_openat, AT_FDCWD, NULL, O_RDONLY), EFAULT));
    MUST(is_refused((int)syscall(SYS_openat, AT_FDCWD, (char *)(uintptr_t)1, O_RDONLY), EFAULT));
    MUST(is_refused(open(big, O_RDONLY), ENAMETOOLONG));
    MUST(is_refused(openat(99, "x", O_RDONLY), EBADF));
    MUST(is_refused((int)syscall(SYS_openat2, AT_FDCWD, "x", NULL, 24), EFAULT));
    MUST(is_refused(open("", O_RDONLY), ENOENT));
    return 0;
}

static void lets_odd_calls_fail_as_they_do(void **state)
{
    AUTO_ASKED s = { 0 };

    asked_init(&s);
    assert_int_equal(follow(be_odd, path_of(state), &s), 0);
    assert_int_equal(s.items.n, 0);
}

static int hide(const char *dir)
{
    char name[] = "program", *argv[] = { name, NULL };

    MUST(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    MUST(is_refused(execv("/nowhere/program", argv), ENOENT)); /* as Blast starts a command */
    MUST(open("file", O_RDONLY | O_CLOEXEC) >= 0);
    MUST(is_refused(execv("/nowhere/program", argv), ENOENT));
    (void)dir;
    return 0;
}

static void counts_calls_that_it_may_not_read_but_the_start(void **state)
{
    AUTO_TRACK t = TRACK_NONE;
    AUTO_ASKED s = { 0 };
    struct test_child c;
    struct err e = { 0 };

    asked_init(&s);
    test_child_start(&c, hide, path_of(state));
    test_child_or_skip(&c);
    assert_true(track_open(&t, c.listener, &e));
    assert_int_equal(write(c.link, "g", 1), 1);
    track_serve(&t, note, &s);
    assert_int_equal(test_child_end(&c), 0);
    if (geteuid() == 0) {
        assert_int_equal(t.unread, 0); /* root may read all */
        assert_int_equal(s.items.n, 2);
    } else {
        assert_int_equal(t.unread, 2);
        assert_int_equal(s.items.n, 0);
    }
}

static int open_alone(const char *dir)
{
    (void)dir;
    MUST(is_refused(open("file", O_RDONLY | O_CLOEXEC), ENOSYS));
    return 0;
}

static void does_not_hang_when_nobody_looks_any_more(void **state)
{
    struct test_child c;

    test_child_start(&c, open_alone, path_of(state));
    test_child_or_skip(&c);
    (void)close(c.listener);
    assert_int_equal(write(c.link, "g", 1), 1);
    assert_int_equal(test_child_end(&c), 0);
}

static int wait_in_open(const char *dir)
{
    (void)dir;
    (void)open("file", O_RDONLY | O_CLOEXEC); /* never answered */
    return 1;
}

static void can_be_killed_while_it_waits(void **state)
{
    struct test_child c;
    AUTO_TRACK t = TRACK_NONE;
    struct err e = { 0 };
    AUTO_ASKED s = { 0 };

    asked_init(&s);
    test_child_start(&c, wait_in_open, path_of(state));
    test_child_or_skip(&c);
    assert_true(track_open(&t, c.listener, &e));
    assert_int_equal(write(c.link, "g", 1), 1);
    assert_int_equal(kill(c.pid, SIGKILL), 0);
    assert_int_equal(test_child_end(&c), 128 + SIGKILL);
    track_serve(&t, note, &s); /* and whoever serves comes to an end */
}

static int set_up(void **state)
{
    struct test_dir *t;

    if (test_dir_make(state) < 0)
        return -1;
    t = *state;
    int fd = openat(t->fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, "x", 1) == 1 && mkdirat(t->fd, "sub", 0755) == 0;

    fd_close(&fd);
    return ok ? 0 : -1;
}

int main(void)
{
#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, test_dir_remove)
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_paths_absolute),
        cmocka_unit_test(refuses_paths_that_do_not_fit),
        cmocka_unit_test(stops_only_calls_that_name_something),
        WITH_DIR(tells_of_files),
        WITH_DIR(tells_of_addresses),
        WITH_DIR(follows_those_that_it_starts),
        WITH_DIR(lets_odd_calls_fail_as_they_do),
        WITH_DIR(counts_calls_that_it_may_not_read_but_the_start),
        WITH_DIR(does_not_hang_when_nobody_looks_any_more),
        WITH_DIR(can_be_killed_while_it_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
