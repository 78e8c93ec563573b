/* The filter is run here by an interpreter of the few instructions it uses, on calls that a kernel would see. */
#include "jail/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <cmocka.h>
#include "base/sysarch.h"

#define ALLOW SECCOMP_RET_ALLOW
#define ERRNO(n) (SECCOMP_RET_ERRNO | (n))

/* The verdict, or a failure of the test: an instruction that is not known, or a jump past the end. */
static unsigned run(const struct sock_filter *p, size_t n, const struct seccomp_data *d)
{
    unsigned a = 0;

    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *i = &p[pc];

        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k % 4 == 0 && i->k < sizeof *d);
            memcpy(&a, (const char *)d + i->k, sizeof a);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            pc += a > i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += a & i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            fail_msg("instruction %zu has the unknown code %#x", pc, i->code);
        }
    }
    fail_msg("the program runs past its end");
    return 0;
}

struct call {
    const char *what;
    int nr;
    uint64_t a, b, c;
    unsigned verdict;
    uint64_t d; /* the fourth argument, where there is one */
};

static void judge(const struct seccomp_rules *rules, const struct call *calls, size_t n)
{
    struct sock_filter p[SECCOMP_PROGRAM_MAX];
    size_t length = seccomp_program(rules, p);

    for (size_t i = 0; i < n; i++) {
        struct seccomp_data d = {
            .nr = calls[i].nr, .arch = SYSARCH, .args = { calls[i].a, calls[i].b, calls[i].c, calls[i].d }
        };
        unsigned got = run(p, length, &d);

        if (got != calls[i].verdict)
            fail_msg("%s: verdict %#x, wanted %#x", calls[i].what, got, calls[i].verdict);
    }
}

static void lets_ordinary_programs_work(void **state)
{
    static const struct call calls[] = {
        { "read", SYS_read, 0, 0, 0, ALLOW },
        { "a thread", SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0, 0, ALLOW },
        { "a process", SYS_clone, SIGCHLD, 0, 0, ALLOW },
        { "window size", SYS_ioctl, 0, TIOCGWINSZ, 0, ALLOW },
        { "unix socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0, ALLOW },
        { "tcp", SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6, ALLOW },
        { "udp over v6", SYS_socket, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0, ALLOW },
        { "routes by netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 0, ALLOW },
        { "socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ALLOW },
        { "personality asked", SYS_personality, 0xffffffff, 0, 0, ALLOW },
        { "personality of Linux", SYS_personality, 0, 0, 0, ALLOW },
        { "seccomp of one's own", SYS_seccomp, 0, 0, 0, ALLOW },
    };
    struct seccomp_rules rules = { false, false };

    (void)state;
    judge(&rules, calls, COUNT(calls));
}

static void refuses_ways_out(void **state)
{
    static const struct call calls[] = {
        { "key ring", SYS_keyctl, 0, 0, 0, ERRNO(EPERM) },
        { "bpf", SYS_bpf, 0, 0, 0, ERRNO(EPERM) },
        { "ptrace", SYS_ptrace, 0, 0, 0, ERRNO(EPERM) },
        { "mount", SYS_mount, 0, 0, 0, ERRNO(EPERM) },
        { "new mount interface", SYS_fsopen, 0, 0, 0, ERRNO(EPERM) },
        { "unshare", SYS_unshare, CLONE_NEWUSER, 0, 0, ERRNO(EPERM) },
        { "io_uring", SYS_io_uring_setup, 0, 0, 0, ERRNO(EPERM) },
        { "file handles", SYS_open_by_handle_at, 0, 0, 0, ERRNO(EPERM) },
        { "clone3", SYS_clone3, 0, 0, 0, ERRNO(ENOSYS) },
        { "a call of the future", 1000, 0, 0, 0, ERRNO(ENOSYS) },
        { "the first one that is not known", 470, 0, 0, 0, ERRNO(ENOSYS) },
        { "an x32 number", 0x40000000 | SYS_read, 0, 0, 0, ERRNO(ENOSYS) },
        { "clone with a user namespace", SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, ERRNO(EPERM) },
        { "clone with a mount namespace", SYS_clone, CLONE_NEWNS, 0, 0, ERRNO(EPERM) },
        { "TIOCSTI", SYS_ioctl, 0, TIOCSTI, 0, ERRNO(EPERM) },
        { "TIOCSTI with high bits", SYS_ioctl, 0, UINT64_C(0x100000000) | TIOCSTI, 0, ERRNO(EPERM) },
        { "TIOCLINUX", SYS_ioctl, 0, TIOCLINUX, 0, ERRNO(EPERM) },
        { "another personality", SYS_personality, 8, 0, 0, ERRNO(EPERM) },
        { "raw socket", SYS_socket, AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1, ERRNO(EPERM) },
        { "packet type", SYS_socket, AF_INET, SOCK_PACKET, 0, ERRNO(EPERM) },
        { "packet family", SYS_socket, AF_PACKET, SOCK_DGRAM, 0, ERRNO(EAFNOSUPPORT) },
        { "vsock", SYS_socket, AF_VSOCK, SOCK_STREAM, 0, ERRNO(EAFNOSUPPORT) },
        { "kernel crypto", SYS_socket, AF_ALG, SOCK_SEQPACKET, 0, ERRNO(EAFNOSUPPORT) },
        { "audit by netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 9, ERRNO(EPROTONOSUPPORT) },
        { "mptcp", SYS_socket, AF_INET, SOCK_STREAM, 262, ERRNO(EPROTONOSUPPORT) },
    };
    struct seccomp_rules rules = { false, false };

    (void)state;
    judge(&rules, calls, COUNT(calls));
}

static void lets_nobody_make_set_user_id_files(void **state)
{
    static const struct call calls[] = {
        { "fchmod", SYS_fchmod, 3, 04755, 0, ERRNO(EPERM) },
        { "fchmodat", SYS_fchmodat, 3, 1, 04755, ERRNO(EPERM) },
        { "fchmodat2", 452, 3, 1, 06755, ERRNO(EPERM) },
        { "mknodat", SYS_mknodat, 3, 1, 0104755, ERRNO(EPERM) },
        { "openat to make one", SYS_openat, 3, 1, O_CREAT | O_WRONLY, ERRNO(EPERM), 04755 },
        { "a file without a name, for linkat", SYS_openat, 3, 1, O_TMPFILE | O_WRONLY, ERRNO(EPERM), 04755 },
        { "openat2", SYS_openat2, 3, 1, 1, ERRNO(ENOSYS), 24 },
        { "openat that makes nothing", SYS_openat, 3, 1, O_RDONLY | O_DIRECTORY, ALLOW, 04755 },
        { "openat to make an ordinary one", SYS_openat, 3, 1, O_CREAT | O_WRONLY, ALLOW, 0666 },
        { "an ordinary mode", SYS_fchmod, 3, 0755, 0, ALLOW },
        { "the mode of a shared directory", SYS_fchmodat, 3, 1, 02775, ALLOW },
        { "that of /tmp", SYS_fchmodat, 3, 1, 01777, ALLOW },
#ifdef SYS_chmod
        { "chmod", SYS_chmod, 1, 04755, 0, ERRNO(EPERM) },
        { "creat", SYS_creat, 1, 04755, 0, ERRNO(EPERM) },
        { "mknod", SYS_mknod, 1, 0104755, 0, ERRNO(EPERM) },
        { "open", SYS_open, 1, O_CREAT | O_WRONLY, 04755, ERRNO(EPERM) },
        { "open that makes nothing", SYS_open, 1, O_RDONLY, 04755, ALLOW },
#endif
    };
    struct seccomp_rules rules = { false, false };

    (void)state;
    judge(&rules, calls, COUNT(calls));
}

static void keeps_limits_of_others(void **state)
{
    static const struct call calls[] = {
        { "of pid 1", SYS_prlimit64, 1, 7, 0x1000, ERRNO(EPERM) },
        { "by a pointer whose low half is zero", SYS_prlimit64, 1, 7, UINT64_C(1) << 32, ERRNO(EPERM) },
        { "only read", SYS_prlimit64, 1, 7, 0, ALLOW },
        { "one's own", SYS_prlimit64, 0, 7, 0x1000, ALLOW },
    };
    struct seccomp_rules rules = { false, false };

    (void)state;
    judge(&rules, calls, COUNT(calls));
}

static void keeps_families_out_where_asked(void **state)
{
    static const struct call inet[] = {
        { "tcp", SYS_socket, AF_INET, SOCK_STREAM, 0, ERRNO(EACCES) },
        { "v6", SYS_socket, AF_INET6, SOCK_DGRAM, 0, ERRNO(EACCES) },
        { "unix", SYS_socket, AF_UNIX, SOCK_STREAM, 0, ALLOW },
    };
    static const struct call both[] = {
        { "tcp", SYS_socket, AF_INET, SOCK_STREAM, 0, ERRNO(EACCES) },
        { "unix", SYS_socket, AF_UNIX, SOCK_STREAM, 0, ERRNO(EACCES) },
        { "a pair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ALLOW },
        { "routes by netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 0, ALLOW },
    };
    struct seccomp_rules no_inet = { .no_inet = true }, neither = { .no_inet = true, .no_unix = true };

    (void)state;
    judge(&no_inet, inet, COUNT(inet));
    judge(&neither, both, COUNT(both));
}

static void kills_calls_of_another_architecture(void **state)
{
    struct seccomp_rules rules = { false, false };
    struct sock_filter p[SECCOMP_PROGRAM_MAX];
    size_t n = seccomp_program(&rules, p);
    struct seccomp_data d = { .nr = 20, .arch = AUDIT_ARCH_I386 };

    (void)state;
    assert_int_equal(run(p, n, &d), SECCOMP_RET_KILL_PROCESS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_ordinary_programs_work),
        cmocka_unit_test(refuses_ways_out),
        cmocka_unit_test(lets_nobody_make_set_user_id_files),
        cmocka_unit_test(keeps_limits_of_others),
        cmocka_unit_test(keeps_families_out_where_asked),
        cmocka_unit_test(kills_calls_of_another_architecture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
