#include "jail/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "jail/fan.h"
#include "jail/landlock.h"
#include "jail/outlet.h"
#include "jail/policy.h"
#include "jail/report.h"
#include "jail/seccomp.h"
#include "jail/track.h"

#define LOOPBACK_ALONE "network namespace with loopback alone"

static bool has_access(const struct jail_policy *p, enum jail_access access)
{
    for (size_t i = 0; i < p->n_paths; i++)
        if (p->path[i].access == access)
            return true;
    return false;
}

/* Landlock's rules only add: what is writable stays so further down, but where a denied path splits the directory. */
static bool has_nested_read(const struct jail_policy *p)
{
    for (size_t i = 0; i < p->n_paths; i++)
        for (size_t k = i + 1; p->path[i].access == JAIL_WRITE && k < p->n_paths; k++)
            if (p->path[k].access == JAIL_READ && jail_path_within(p->path[k].path, p->path[i].path))
                return true;
    return false;
}

static bool has_seccomp(const struct jail_policy *p)
{
    return !p->no_seccomp && seccomp_is_there();
}

static int abi_of(const struct jail_policy *p)
{
    return p->no_landlock ? 0 : landlock_abi();
}

static const char *landlock_text(int abi)
{
    static const char *const text[] = {
        "no Landlock",    "Landlock ABI 1", "Landlock ABI 2", "Landlock ABI 3",
        "Landlock ABI 4", "Landlock ABI 5", "Landlock ABI 6", "Landlock ABI 7",
    };

    return text[abi];
}

static void judge_system_calls(const struct jail_policy *p, struct jail_report *r)
{
    jail_report_set(r, JAIL_SET_SYSCALLS, JAIL_HARD, "seccomp");
    if (!has_seccomp(p))
        jail_report_lower(r, JAIL_SET_SYSCALLS, JAIL_NOT_ENFORCED,
                          p->no_seccomp ? "seccomp is switched off"
                                        : "the kernel takes no filters, or there is none for this architecture",
                          NULL);
}

static void judge_network(const struct jail_policy *p, struct jail_report *r)
{
    switch (p->network) {
    case JAIL_NET_HOST:
        if (p->limits.bandwidth)
            jail_report_lower(r, JAIL_SET_BANDWIDTH, JAIL_NOT_ENFORCED, "the network is the host's own",
                              "network_policy = \"allowlist\"");
        return;
    case JAIL_NET_NONE:
        jail_report_set(r, JAIL_SET_NETWORK, JAIL_HARD, "network namespace without loopback, seccomp");
        return;
    case JAIL_NET_ISOLATED:
        jail_report_set(r, JAIL_SET_NETWORK, JAIL_HARD, LOOPBACK_ALONE);
        return;
    case JAIL_NET_ALLOWLIST:
        break;
    }
    bool gate = outlet_is_wanted(p);

    jail_report_set(r, JAIL_SET_NETWORK, JAIL_HARD, gate ? "two network namespaces, blast-gate" : LOOPBACK_ALONE);
    if (p->outbound)
        jail_report_set(r, JAIL_SET_OUTBOUND, JAIL_HARD,
                        !gate            ? "nothing is allowed out"
                        : p->n_udp_ports ? "blast-gate: address, port, name in DNS, TLS and HTTP, not in UDP"
                                         : "blast-gate: address, port, name in DNS, TLS and HTTP");
    if (p->n_inbound_ports)
        jail_report_set(r, JAIL_SET_INBOUND, JAIL_HARD, "blast-gate: ports of 127.0.0.1");
    if (p->limits.bandwidth)
        jail_report_set(r, JAIL_SET_BANDWIDTH, JAIL_HARD, "blast-gate: one allowance for all connections");
}

static void judge_files(const struct jail_policy *p, struct jail_report *r, const char *mechanism, bool there)
{
    static const struct {
        enum jail_access access;
        enum jail_setting setting;
    } kinds[] = { { JAIL_READ, JAIL_SET_READONLY }, { JAIL_HIDE, JAIL_SET_HIDDEN }, { JAIL_DENY, JAIL_SET_DENIED } };

    if (!p->files)
        return;
    jail_report_set(r, JAIL_SET_FILES, there ? JAIL_HARD : JAIL_NOT_ENFORCED, there ? mechanism : NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (has_access(p, kinds[i].access))
            jail_report_set(r, kinds[i].setting, there ? JAIL_HARD : JAIL_NOT_ENFORCED, there ? mechanism : NULL);
}

static void judge_tracking(const struct jail_policy *p, struct jail_report *r)
{
    switch (p->tracking) {
    case JAIL_TRACK_NONE:
        return;
    case JAIL_TRACK_PACKAGE:
        jail_report_set(r, JAIL_SET_TRACKING, JAIL_ADVISORY, "audit events of the environment's Python");
        jail_report_lower(r, JAIL_SET_TRACKING, JAIL_ADVISORY, "C code and programs other than Python are not seen",
                          "tracking = \"syscall\"");
        return;
    case JAIL_TRACK_SYSCALL:
        jail_report_set(r, JAIL_SET_TRACKING, JAIL_HARD, "seccomp notifications: about 8 us for each open");
        if (!track_is_there())
            jail_report_lower(r, JAIL_SET_TRACKING, JAIL_NOT_ENFORCED,
                              "the kernel does not notify of system calls, or not on this architecture",
                              "tracking = \"package\"");
        return;
    case JAIL_TRACK_FANOTIFY:
        jail_report_set(r, JAIL_SET_TRACKING, JAIL_HARD, "fanotify on the sandbox's mounts: what was opened");
        if (r->level == JAIL_PROCESS)
            jail_report_lower(r, JAIL_SET_TRACKING, JAIL_NOT_ENFORCED, "the level process has no mounts of its own",
                              "tracking = \"syscall\"");
        else if (!fan_is_there())
            jail_report_lower(r, JAIL_SET_TRACKING, JAIL_NOT_ENFORCED, "fanotify on mounts is for root",
                              "tracking = \"syscall\"");
        return;
    }
}

static void judge_common(const struct jail_policy *p, struct jail_report *r)
{
    judge_system_calls(p, r);
    judge_tracking(p, r);
}

void judge_begin(const struct jail_policy *p, struct jail_report *r)
{
    *r = (struct jail_report){ .level = p->level };
    judge_common(p, r);
    jail_report_set(r, JAIL_SET_ISOLATION, JAIL_HARD, "user, mount, pid, ipc, uts and cgroup namespaces");
    jail_report_set(r, JAIL_SET_PROCESSES, JAIL_HARD, "pid namespace");
    jail_report_set(r, JAIL_SET_PRIVILEGES, JAIL_HARD,
                    geteuid() == 0 ? "another kernel id, no capabilities, no_new_privs"
                                   : "no capabilities, no_new_privs");
    judge_network(p, r);
    judge_files(p, r, abi_of(p) ? "mount namespace, Landlock" : "mount namespace", true);
    if (p->files) {
        jail_report_set(r, JAIL_SET_SOCKETS, JAIL_ADVISORY, "mount namespace, sockets covered");
        jail_report_lower(r, JAIL_SET_SOCKETS, JAIL_ADVISORY,
                          "a socket that is made later in a shown directory can be connected to", NULL);
    }
}

/* Pid 1 can look where it has a /proc of its own processes alone. */
static void sampled(struct jail_report *r, enum jail_setting s)
{
    struct jail_row *row = &r->row[s];

    if (row->state != JAIL_NOT_ENFORCED)
        return;
    row->state = JAIL_SAMPLED;
    row->mechanism = "pid 1 of the sandbox";
}

void judge_limits(const struct jail_policy *p, struct jail_report *r)
{
    bool writes = has_access(p, JAIL_WRITE);

    if (p->level == JAIL_CONTAINER && (r->row[JAIL_SET_MEMORY].state == JAIL_NOT_ENFORCED ||
                                       r->row[JAIL_SET_CPU].state == JAIL_NOT_ENFORCED ||
                                       r->row[JAIL_SET_PROCESS_LIMIT].state == JAIL_NOT_ENFORCED))
        jail_report_lower(r, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, "the level container needs a cgroup for its limits",
                          "isolation_level = \"namespace\", or a session in a delegated group: "
                          "systemd-run --user --scope -p Delegate=yes");
    if (p->level != JAIL_PROCESS) {
        sampled(r, JAIL_SET_CPU);
        sampled(r, JAIL_SET_MEMORY);
    }
    if (!p->limit || !p->limits.disk)
        return;
    jail_report_set(r, JAIL_SET_DISK, JAIL_HARD, "file systems in memory");
    if (writes)
        jail_report_lower(r, JAIL_SET_DISK, JAIL_SAMPLED,
                          "the project's own directories are measured every two seconds", NULL);
    if (p->keep.n)
        jail_report_lower(r, JAIL_SET_DISK, JAIL_SAMPLED,
                          "changes that recovery = \"keep\" has on disk are measured every two seconds",
                          "recovery = \"discard\"");
}

static void lower_gate(const struct jail_policy *p, struct jail_report *r, const char *reason, const char *help)
{
    if (p->outbound && (p->n_allowed_ports || p->n_udp_ports))
        jail_report_lower(r, JAIL_SET_OUTBOUND, JAIL_NOT_ENFORCED, reason, help);
    if (p->n_inbound_ports)
        jail_report_lower(r, JAIL_SET_INBOUND, JAIL_NOT_ENFORCED, reason, help);
    /* of nothing there is nothing to limit */
    r->row[JAIL_SET_BANDWIDTH] = (struct jail_row){ .state = JAIL_NOT_ASKED };
}

void judge_no_gate(const struct jail_policy *p, const char *reason, struct jail_report *r)
{
    jail_report_set(r, JAIL_SET_NETWORK, JAIL_HARD, LOOPBACK_ALONE);
    lower_gate(p, r, reason,
               "a kernel with veth, in which network namespaces may be made; or network_policy = \"isolated\"");
}

/* Landlock's rules are found by walking up from the name that was used: another name of the file leads elsewhere. */
static void lower_for_links(const struct jail_policy *p, struct jail_report *r)
{
    for (size_t i = 0; i < p->n_paths; i++) {
        struct stat st;

        if ((p->path[i].access == JAIL_DENY || p->path[i].access == JAIL_HIDE) &&
            lstat(p->path[i].path.p, &st) == 0 && !S_ISDIR(st.st_mode) && st.st_nlink > 1)
            jail_report_lower(r, p->path[i].access == JAIL_DENY ? JAIL_SET_DENIED : JAIL_SET_HIDDEN, JAIL_ADVISORY,
                              "a file of it has further names (hard links), which may be shown", NULL);
    }
}

static void judge_level_process(bool landlock, bool seccomp, struct jail_report *r)
{
    jail_report_set(r, JAIL_SET_ISOLATION, JAIL_HARD,
                    landlock && seccomp ? "Landlock, seccomp"
                    : landlock          ? "Landlock"
                                        : "seccomp");
    if (!landlock && !seccomp)
        jail_report_lower(r, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, "there is neither Landlock nor seccomp here", NULL);
}

void judge_process(const struct jail_policy *p, struct jail_report *r)
{
    int abi = abi_of(p);
    bool seccomp = has_seccomp(p), asked = r->row[JAIL_SET_ISOLATION].state != JAIL_NOT_ENFORCED;

    judge_common(p, r);
    if (asked)
        judge_level_process(abi > 0, seccomp, r);
    jail_report_set(r, JAIL_SET_PROCESSES, JAIL_ADVISORY, abi >= 6 ? "Landlock scope" : NULL);
    jail_report_lower(r, JAIL_SET_PROCESSES, abi >= 6 ? JAIL_ADVISORY : JAIL_NOT_ENFORCED,
                      abi >= 6 ? "other processes can be seen, and descendants outlive a launcher that is killed"
                               : "without Landlock ABI 6 signals reach all processes of the user", "a newer kernel");
    jail_report_set(r, JAIL_SET_PRIVILEGES, JAIL_HARD, "no capabilities, no_new_privs");
    if (geteuid() == 0)
        jail_report_lower(r, JAIL_SET_PRIVILEGES, abi ? JAIL_ADVISORY : JAIL_NOT_ENFORCED,
                          "it runs as root, without capabilities: only Landlock keeps root's own files from it",
                          "isolation_level = \"namespace\"");
    if (p->network == JAIL_NET_ALLOWLIST)
        lower_gate(p, r, "the level process has no network of its own: nothing gets out",
                   "isolation_level = \"namespace\"");
    if (p->network != JAIL_NET_HOST) {
        jail_report_set(r, JAIL_SET_NETWORK, seccomp || abi >= 4 ? JAIL_HARD : JAIL_NOT_ENFORCED,
                        seccomp ? "seccomp: no Internet sockets" : NULL);
        if (!seccomp)
            jail_report_lower(r, JAIL_SET_NETWORK, JAIL_NOT_ENFORCED, "without seccomp UDP gets out", NULL);
    }
    judge_files(p, r, landlock_text(abi), abi > 0);
    if (p->files && abi && has_nested_read(p))
        jail_report_lower(r, JAIL_SET_READONLY, JAIL_ADVISORY,
                          "what lies in a writable directory, such as the environment in the project, is writable too",
                          "isolation_level = \"namespace\"");
    if (p->files && abi == 0)
        jail_report_lower(r, JAIL_SET_FILES, JAIL_NOT_ENFORCED, "this kernel has no Landlock",
                          "the kernel's boot parameter lsm= must name landlock");
    if (p->files && abi)
        lower_for_links(p, r);
    if (has_access(p, JAIL_HIDE) && p->files)
        jail_report_lower(r, JAIL_SET_HIDDEN, JAIL_ADVISORY, "names and sizes can be seen, contents not", NULL);
    if (p->files)
        jail_report_set(r, JAIL_SET_SOCKETS, seccomp ? JAIL_HARD : JAIL_NOT_ENFORCED,
                        seccomp ? "seccomp: no AF_UNIX" : NULL);
}

/* ------------------------------------------------------------ why there are no namespaces */

static bool file_says(const char *path, char first)
{
    char c = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool yes = fd >= 0 && read(fd, &c, 1) == 1 && c == first;

    if (fd >= 0)
        (void)close(fd);
    return yes;
}

void judge_no_namespaces(const struct jail_policy *p, const char *failure, struct jail_report *r)
{
    const char *reason = failure, *help = "a kernel, or a container, in which user namespaces may be made";

    if (p->no_userns) {
        reason = "user namespaces are switched off";
        help = NULL;
    } else if (file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1')) {
        reason = "AppArmor refuses user namespaces to programs without a profile";
        help = "an AppArmor profile for blast-jail with 'userns,', or sysctl "
               "kernel.apparmor_restrict_unprivileged_userns=0";
    } else if (file_says("/proc/sys/kernel/unprivileged_userns_clone", '0')) {
        reason = "user namespaces are kept for root";
        help = "sysctl kernel.unprivileged_userns_clone=1";
    } else if (file_says("/proc/sys/user/max_user_namespaces", '0')) {
        reason = "the number of user namespaces is limited to 0, as in another sandbox";
        help = "sysctl user.max_user_namespaces=10000";
    }
    jail_report_lower(r, JAIL_SET_ISOLATION, JAIL_NOT_ENFORCED, reason, help);
}

bool judge_is_namespace_refusal(int sys)
{
    return sys == EPERM || sys == EACCES || sys == ENOSPC || sys == EUSERS || sys == ENOSYS;
}
