#include "gate/confine.h"

#include <errno.h>
#include <grp.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/sysarch.h"
#include "gate/rules.h"

/* Next to the numbers that sandboxes run as (jail/userns.c): 4,194,304 of those, and as many of these. */
#define SPARE_BASE 1883308032u
#define FS_ALL(abi) ((UINT64_C(1) << ((abi) >= 5 ? 16 : (abi) >= 3 ? 15 : (abi) >= 2 ? 14 : 13)) - 1)
#define FS_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define NET_TCP UINT64_C(3)   /* bind, connect */
#define NET_CONNECT UINT64_C(2)
#define SCOPE_ALL UINT64_C(3) /* abstract sockets, signals */
#define RULE_NET_PORT 2

/* ------------------------------------------------------------ who it is */

bool confine_begin(struct err *e)
{
    uid_t spare = SPARE_BASE + (uid_t)getpid();
    struct rlimit none = { 0 }, files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || syscall(SYS_setresgid, spare, spare, spare) < 0 ||
                           syscall(SYS_setresuid, spare, spare, spare) < 0)) /* all capabilities go with it */
        return err_sys(e, "become user %u", spare);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(e, "give up rights");
    return true;
}

/* ------------------------------------------------------------ files and ports */

struct attributes { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t fs, net, scoped;
};

struct port_rule { /* struct landlock_net_port_attr */
    uint64_t allowed, port;
};

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

static int new_ruleset(int abi)
{
    struct attributes at = {
        .fs = FS_ALL(abi), .net = abi >= 4 ? NET_TCP : 0, .scoped = abi >= 6 ? SCOPE_ALL : 0
    };
    size_t size = abi >= 6 ? sizeof at : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);

    return (int)syscall(SYS_landlock_create_ruleset, &at, size, 0);
}

static bool restrict_files(const struct rules *r, struct err *e)
{
    int abi = landlock_abi();
    AUTO_FD set = -1;

    if (abi == 0)
        return true; /* the filter of system calls has no open() either */
    set = new_ruleset(abi);
    if (set < 0)
        return err_sys(e, "make the rules of Landlock");
    for (size_t i = 0; abi >= 4 && i < r->n_ports; i++) {
        struct port_rule one = { NET_CONNECT, r->port[i] };

        if (syscall(SYS_landlock_add_rule, set, RULE_NET_PORT, &one, 0) < 0)
            return err_sys(e, "allow port %u by Landlock", r->port[i]);
    }
    return syscall(SYS_landlock_restrict_self, set, 0) == 0 || err_sys(e, "take the rules of Landlock");
}

void confine_to_reading(void)
{
    int abi = MIN(landlock_abi(), 3); /* no rules for its sockets: it asks name servers, and local services that do */
    AUTO_FD set = -1, root = -1;

    if (abi == 0)
        return;
    set = new_ruleset(abi);
    root = open("/", O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr read = { .allowed_access = FS_READ, .parent_fd = root };

    if (set >= 0 && root >= 0 && syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &read, 0) == 0)
        (void)!syscall(SYS_landlock_restrict_self, set, 0);
}

/* ------------------------------------------------------------ system calls */

static const int allowed[] = {
    SYS_epoll_pwait, SYS_epoll_ctl, SYS_accept4, SYS_connect, SYS_close, SYS_shutdown, SYS_splice, SYS_pipe2,
    SYS_recvfrom, SYS_recvmsg, SYS_sendto, SYS_sendmsg, SYS_read, SYS_write, SYS_getsockname, SYS_getsockopt,
    SYS_setsockopt, SYS_fcntl, SYS_clock_gettime, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_futex,
    SYS_getpid, SYS_gettid, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack, SYS_sched_yield,
    SYS_getrandom, SYS_restart_syscall, SYS_exit, SYS_exit_group, SYS_tgkill,
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
};

struct program {
    struct sock_filter p[2 * COUNT(allowed) + 40];
    size_t n;
};

static void emit(struct program *b, unsigned code, size_t k, unsigned yes, unsigned no)
{
    if (b->n == COUNT(b->p))
        BUG("the filter of system calls is longer than %zu", COUNT(b->p));
    b->p[b->n++] = (struct sock_filter){ (unsigned short)code, (unsigned char)yes, (unsigned char)no, (unsigned)k };
}

/* Memory that is not to be executed, and sockets of the Internet: of TCP, and of UDP if a port of it is allowed. */
static void judge_arguments(struct program *b, const struct rules *r)
{
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4);
    emit(b, BPF_LD | BPF_W | BPF_ABS, sysarch_low_word(2), 0, 0);
    emit(b, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
    emit(b, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    emit(b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 9);
    emit(b, BPF_LD | BPF_W | BPF_ABS, sysarch_low_word(0), 0, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 5);
    emit(b, BPF_LD | BPF_W | BPF_ABS, sysarch_low_word(1), 0, 0);
    emit(b, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, SOCK_STREAM, 1, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, r->n_udp_ports ? SOCK_DGRAM : SOCK_STREAM, 0, 1);
    emit(b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit(b, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

/* A call that is not in the list fails: what went wrong is then seen where it went wrong. */
static bool restrict_calls(const struct rules *r, struct err *e)
{
    struct program b = { .n = 0 };

    emit(&b, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    emit(&b, BPF_JMP | BPF_JEQ | BPF_K, SYSARCH, 1, 0);
    emit(&b, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    emit(&b, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    judge_arguments(&b, r);
    for (size_t i = 0; i < COUNT(allowed); i++) {
        emit(&b, BPF_JMP | BPF_JEQ | BPF_K, (size_t)allowed[i], 0, 1);
        emit(&b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    }
    emit(&b, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    struct sock_fprog p = { .len = (unsigned short)b.n, .filter = b.p };

    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0)
        return err_sys(e, "load the filter of system calls");
    return true;
}

bool confine_loop(const struct rules *r, struct err *e)
{
    return restrict_files(r, e) && (SYSARCH == 0 || restrict_calls(r, e));
}
