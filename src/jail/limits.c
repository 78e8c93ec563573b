#include "jail/limits.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/err.h"
#include "jail/policy.h"
#include "jail/report.h"

bool limits_drop_privileges(struct err *e)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

    for (unsigned cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EPERM)
            break; /* without CAP_SETPCAP there is nothing to drop: no_new_privs keeps the rest from coming back */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return err_sys(e, "clear the ambient capabilities");
    if (syscall(SYS_capset, &header, none) < 0)
        return err_sys(e, "drop all capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_sys(e, "forbid new privileges");
    return true;
}

static bool set(int what, rlim_t value, const char *name, struct err *e)
{
    struct rlimit now, next = { value, value };

    if (getrlimit((__rlimit_resource_t)what, &now) < 0)
        return err_sys(e, "read the limit of %s", name);
    if (now.rlim_max < value)
        next.rlim_cur = next.rlim_max = now.rlim_max; /* the caller's own is tighter */
    if (setrlimit((__rlimit_resource_t)what, &next) < 0)
        return err_sys(e, "limit %s to %llu", name, (unsigned long long)value);
    return true;
}

bool limits_apply(const struct jail_policy *p, bool own_users, struct jail_report *r, struct err *e)
{
    if (!set(RLIMIT_CORE, 0, "core files", e))
        return false;
    if (p->limits.file_size) {
        if (!set(RLIMIT_FSIZE, p->limits.file_size, "the size of files", e))
            return false;
        (void)signal(SIGXFSZ, SIG_IGN); /* survives exec: the write fails with EFBIG instead of ending the program */
        jail_report_set(r, JAIL_SET_FILE_SIZE, JAIL_HARD, "RLIMIT_FSIZE");
    }
    if (!p->limits.processes || r->row[JAIL_SET_PROCESS_LIMIT].state == JAIL_HARD)
        return true; /* a cgroup counts them */
    if (!own_users) {
        jail_report_lower(r, JAIL_SET_PROCESS_LIMIT, JAIL_NOT_ENFORCED,
                          "without a cgroup or user namespace the kernel counts all processes of the user", NULL);
        return true;
    }
    if (!set(RLIMIT_NPROC, p->limits.processes + 2, "processes", e)) /* pid 1, and a leader */
        return false;
    jail_report_set(r, JAIL_SET_PROCESS_LIMIT, JAIL_HARD, "RLIMIT_NPROC in the user namespace");
    return true;
}
