/* The program, in order: the architecture (a foreign one kills: its numbers mean other calls), x32 and numbers from the
 * future, the few calls whose arguments matter, then the list. Jumps reach 255 instructions, so each refusal stands
 * right behind its test. The kernel caches what is allowed whatever the arguments, so the length costs nothing. */
#include "jail/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/err.h"
#include "base/sysarch.h"

/* The newest call that was looked at, file_setattr of Linux 6.17: the numbers are the same everywhere from 403 on. */
#define NEWEST 469

/* Calls that are newer than the headers of the oldest distribution we build on. */
#define NR_FCHMODAT2 452
#define NR_STATMOUNT 457
#define NR_LISTMOUNT 458
#define NR_LSM_SET_SELF_ATTR 460
#define NR_OPEN_TREE_ATTR 467

#define PROTOCOL_MPTCP 262  /* passes Landlock's rules for TCP */
#define IOCTL_TIOCSTI 0x5412
#define IOCTL_TIOCLINUX 0x541c
#define NEW_NAMESPACES                                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define PERSONALITY_ASK 0xffffffff

static const int refused[] = {
    /* key rings belong to the user's session, not to a namespace */
    SYS_add_key, SYS_request_key, SYS_keyctl,
    /* large, privileged or historic surfaces of the kernel */
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    SYS_vmsplice, SYS_fanotify_init, SYS_lookup_dcookie, SYS_nfsservctl,
    /* other processes */
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_process_madvise, SYS_kcmp,
    /* mounts, roots, namespaces */
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_open_tree, SYS_move_mount,
    SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, NR_STATMOUNT, NR_LISTMOUNT,
    NR_OPEN_TREE_ATTR, SYS_open_by_handle_at, SYS_name_to_handle_at,
    /* the machine */
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct,
    SYS_quotactl, SYS_quotactl_fd, SYS_syslog, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
    SYS_vhangup, SYS_sethostname, SYS_setdomainname, NR_LSM_SET_SELF_ATTR,
    /* where memory lies: can be used to stall others */
    SYS_mbind, SYS_move_pages, SYS_migrate_pages, SYS_set_mempolicy,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_set_mempolicy_home_node
    SYS_set_mempolicy_home_node,
#endif
#if defined __x86_64__
    SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl, SYS_create_module,
    SYS_get_kernel_syms, SYS_query_module,
#endif
};

struct program {
    struct sock_filter *p;
    size_t n;
};

static void emit(struct program *b, unsigned code, unsigned k, unsigned yes, unsigned no)
{
    if (b->n == SECCOMP_PROGRAM_MAX)
        BUG("the filter of system calls is longer than %d", SECCOMP_PROGRAM_MAX);
    b->p[b->n++] = (struct sock_filter){ (unsigned short)code, (unsigned char)yes, (unsigned char)no, k };
}

static void load(struct program *b, size_t offset)
{
    emit(b, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void answer(struct program *b, unsigned what)
{
    emit(b, BPF_RET | BPF_K, what, 0, 0);
}

static void refuse(struct program *b, int error)
{
    answer(b, SECCOMP_RET_ERRNO | (unsigned)error);
}

static void refuse_if(struct program *b, unsigned test, unsigned k, int error)
{
    emit(b, BPF_JMP | test | BPF_K, k, 0, 1);
    refuse(b, error);
}

/* Begins the part for one call: what follows is run for it alone, until case_end(). */
static size_t case_begin(struct program *b, int nr)
{
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 0);
    return b->n - 1;
}

static void case_end(struct program *b, size_t begin)
{
    answer(b, SECCOMP_RET_ALLOW);
    if (b->n - begin - 1 > 255)
        BUG("one call takes %zu instructions", b->n - begin);
    b->p[begin].jf = (unsigned char)(b->n - begin - 1);
}

static void judge_socket(struct program *b, const struct seccomp_rules *r)
{
    size_t at = case_begin(b, SYS_socket);

    load(b, sysarch_low_word(2));
    refuse_if(b, BPF_JEQ, PROTOCOL_MPTCP, EPROTONOSUPPORT);
    load(b, sysarch_low_word(0));
    if (r->no_inet) {
        refuse_if(b, BPF_JEQ, AF_INET, EACCES);
        refuse_if(b, BPF_JEQ, AF_INET6, EACCES);
    }
    if (r->no_unix)
        refuse_if(b, BPF_JEQ, AF_UNIX, EACCES);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 4); /* its types, raw and datagram, are the same to it */
    load(b, sysarch_low_word(2)); /* the family of netlink: 0 is routes */
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    refuse(b, EPROTONOSUPPORT);
    answer(b, SECCOMP_RET_ALLOW);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 3, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
    refuse(b, EAFNOSUPPORT);
    load(b, sysarch_low_word(1));
    emit(b, BPF_ALU | BPF_AND | BPF_K, 0xf, 0, 0); /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
    refuse_if(b, BPF_JEQ, SOCK_RAW, EPERM);
    refuse_if(b, BPF_JEQ, SOCK_PACKET, EPERM);
    case_end(b, at);
}

static void judge_mode(struct program *b, int nr, unsigned mode)
{
    size_t at = case_begin(b, nr);

    load(b, sysarch_low_word(mode));
    refuse_if(b, BPF_JSET, S_ISUID, EPERM);
    case_end(b, at);
}

/* Without these flags the mode is whatever the register held. */
static void judge_open(struct program *b, int nr, unsigned flags, unsigned mode)
{
    size_t at = case_begin(b, nr);

    load(b, sysarch_low_word(flags));
    emit(b, BPF_JMP | BPF_JSET | BPF_K, O_CREAT | (O_TMPFILE & ~O_DIRECTORY), 1, 0);
    answer(b, SECCOMP_RET_ALLOW);
    load(b, sysarch_low_word(mode));
    refuse_if(b, BPF_JSET, S_ISUID, EPERM);
    case_end(b, at);
}

/* The mounts are nosuid, but a set-user-ID file in the project stays when the sandbox has ended, and is root's own when
 * root runs it: whoever runs the file outside would hand its author the owner's rights. The bit that sets the group is
 * left alone: on directories it is inherited, and programs write it back with the rest of a mode. */
static void judge_set_user_id(struct program *b)
{
#ifdef SYS_chmod
    judge_mode(b, SYS_chmod, 1);
    judge_mode(b, SYS_creat, 1);
    judge_mode(b, SYS_mknod, 1);
    judge_open(b, SYS_open, 1, 2);
#endif
    judge_mode(b, SYS_fchmod, 1);
    judge_mode(b, SYS_fchmodat, 2);
    judge_mode(b, NR_FCHMODAT2, 2);
    judge_mode(b, SYS_mknodat, 2);
    judge_open(b, SYS_openat, 2, 3);
}

/* Limits of another process: pid 1, which watches over memory and processor time, must keep its own, and at the level
 * process all programs of the user are within reach. To read them is harmless. */
static void judge_prlimit(struct program *b)
{
    size_t at = case_begin(b, SYS_prlimit64);

    load(b, sysarch_low_word(0));
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    answer(b, SECCOMP_RET_ALLOW);
    load(b, sysarch_low_word(2)); /* the new limit, a pointer: both halves */
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    refuse(b, EPERM);
    load(b, sysarch_high_word(2));
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    refuse(b, EPERM);
    case_end(b, at);
}

static void judge_arguments(struct program *b, const struct seccomp_rules *r)
{
    size_t at = case_begin(b, SYS_clone);

    load(b, sysarch_low_word(0));
    refuse_if(b, BPF_JSET, (unsigned)NEW_NAMESPACES, EPERM);
    case_end(b, at);

    at = case_begin(b, SYS_ioctl); /* the kernel looks at the low 32 bits only, and so do we (CVE-2019-10063) */
    load(b, sysarch_low_word(1));
    refuse_if(b, BPF_JEQ, IOCTL_TIOCSTI, EPERM);
    refuse_if(b, BPF_JEQ, IOCTL_TIOCLINUX, EPERM);
    case_end(b, at);

    at = case_begin(b, SYS_personality);
    load(b, sysarch_low_word(0));
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
    emit(b, BPF_JMP | BPF_JEQ | BPF_K, PERSONALITY_ASK, 1, 0);
    refuse(b, EPERM);
    case_end(b, at);

    judge_socket(b, r);
    judge_set_user_id(b);
    judge_prlimit(b);
}

size_t seccomp_program(const struct seccomp_rules *r, struct sock_filter *out)
{
    struct program b = { out, 0 };

    load(&b, offsetof(struct seccomp_data, arch));
    emit(&b, BPF_JMP | BPF_JEQ | BPF_K, SYSARCH, 1, 0);
    answer(&b, SECCOMP_RET_KILL_PROCESS);
    load(&b, offsetof(struct seccomp_data, nr));
    refuse_if(&b, BPF_JGT, NEWEST, ENOSYS);         /* the x32 calls are above it as well */
    refuse_if(&b, BPF_JEQ, SYS_clone3, ENOSYS);     /* its flags lie in memory; the C library falls back to clone */
    refuse_if(&b, BPF_JEQ, SYS_openat2, ENOSYS);    /* its mode lies in memory; who uses it falls back to openat */
    judge_arguments(&b, r);
    for (size_t i = 0; i < COUNT(refused); i++)
        refuse_if(&b, BPF_JEQ, (unsigned)refused[i], EPERM);
    answer(&b, SECCOMP_RET_ALLOW);
    return b.n;
}

bool seccomp_is_known(void)
{
    return SYSARCH != 0;
}

bool seccomp_is_there(void)
{
    unsigned action = SECCOMP_RET_KILL_PROCESS;

    return seccomp_is_known() && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool seccomp_load(const struct sock_filter *program, size_t n, struct err *e)
{
    struct sock_fprog p = { .len = (unsigned short)n, .filter = (struct sock_filter *)(uintptr_t)program };

    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0)
        return err_sys(e, "load the filter of system calls");
    return true;
}
