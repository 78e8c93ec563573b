#include "jail/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "jail/cgroup_place.h"
#include "jail/policy.h"
#include "jail/report.h"

#define PROC_MAX (1u << 20)  /* bytes of mountinfo */
#define PERIOD_US 100000     /* of the processor quota */
#define QUOTA_LEAST_US 1000  /* the kernel takes no less */
#define REMOVE_TRIES 400     /* of 5 ms: how long the kernel may take to let go of the dead */

static const char *const v1_name[] = { "memory", "pids", "cpu", "blkio" };
static const char *const v2_name[] = { "memory", "pids", "cpu", "io" };
static const enum jail_setting setting_of[] = { JAIL_SET_MEMORY, JAIL_SET_PROCESS_LIMIT, JAIL_SET_CPU, JAIL_SET_IOPS };

/* ------------------------------------------------------------ where groups can be made */

struct finder {
    struct arena *a;
    struct str mounts, groups;
};

static bool find_begin(struct finder *f, struct arena *a)
{
    struct err ignored = { 0 }; /* no /proc, no groups */
    AUTO_BUF mounts = { .limit = PROC_MAX }, own = { .limit = PROC_MAX };
    AUTO_FD m = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), c = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

    if (m < 0 || c < 0 || !fd_read_all(m, &mounts, "mountinfo", &ignored) || !fd_read_all(c, &own, "cgroup", &ignored))
        return false;
    *f = (struct finder){ a, arena_str(a, buf_done(&mounts)), arena_str(a, buf_done(&own)) };
    return true;
}

/* The directory of our own group; "" as controller: of version 2. */
static bool find_place(const struct finder *f, const char *controller, struct str *out)
{
    return cgroup_place(f->groups, f->mounts, str_of(controller), f->a, out);
}

/* ------------------------------------------------------------ files of a group */

static bool put(int dir, const char *file, const char *text)
{
    AUTO_FD fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool put_number(int dir, const char *file, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return put(dir, file, text);
}

static bool get(int dir, const char *file, struct arena *a, struct str *out)
{
    struct err ignored = { 0 };
    AUTO_BUF b = { .limit = 65536 };
    AUTO_FD fd = openat(dir, file, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || !fd_read_all(fd, &b, file, &ignored))
        return false;
    *out = arena_str(a, str_trim(buf_done(&b)));
    return true;
}

/* The number behind a word in a file of lines "word number". */
static uint64_t count_in(int dir, const char *file, struct str word)
{
    AUTO_ARENA a = { 0 };
    struct str text, line;
    uint64_t n = 0;

    arena_init(&a);
    if (!get(dir, file, &a, &text))
        return 0;
    while (str_next_line(&text, &line))
        if (str_starts(line, word) && line.n > word.n && line.p[word.n] == ' ' &&
            str_to_u64(str_sub(line, word.n + 1, line.n), &n))
            return n;
    return 0;
}

/* ------------------------------------------------------------ names, and groups left behind */

/* Field 22 of /proc/PID/stat: a process number alone may be somebody else's by now. 0: there is none. */
static uint64_t start_time(pid_t pid)
{
    AUTO_ARENA a = { 0 };
    char path[40];
    struct str text, word, rest;
    uint64_t n = 0;

    arena_init(&a);
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!get(AT_FDCWD, path, &a, &text))
        return 0;
    rest = str_sub(text, str_rfind(text, ')') + 1, text.n); /* the name before it may hold anything */
    for (unsigned i = 2; i <= 22 && str_next(&rest, ' ', &word); i++)
        if (i == 22)
            return str_to_u64(word, &n) ? n : 0;
    return 0;
}

/* A launcher of another process namespace is none that /proc shows; but its lock is seen. */
static bool is_left_behind(int base, const char *name)
{
    struct str part[3];
    uint64_t pid, start;

    if (str_split(str_of(name), '-', part, 3) != 3 || !str_eq(part[0], STR("blast")) || !str_to_u64(part[1], &pid) ||
        !str_to_u64(part[2], &start) || start_time((pid_t)pid) == start)
        return false;
    AUTO_FD dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) == 0;
}

static void sweep(const char *place)
{
    AUTO_FILE_LIST list = { 0 };
    AUTO_FD base = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = { 0 };
    const struct dirent *d;

    if (base < 0 || !file_list_open(base, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored))
        if (is_left_behind(base, d->d_name))
            (void)unlinkat(base, d->d_name, AT_REMOVEDIR); /* busy: its processes are still ending; next time */
}

/* ------------------------------------------------------------ making it */

static bool make_in(struct cgroup *g, enum cgroup_kind k, const char *base)
{
    g->base[k] = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->base[k] < 0)
        return false;
    if (mkdirat(g->base[k], g->name, 0755) < 0 ||
        (g->dir[k] = openat(g->base[k], g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        (void)unlinkat(g->base[k], g->name, AT_REMOVEDIR);
        fd_close(&g->base[k]);
        return false;
    }
    (void)flock(g->dir[k], LOCK_EX | LOCK_NB); /* until the last of us has closed it: see is_left_behind() */
    return true;
}

/* Is it the root of the hierarchy, which alone may have processes beside groups with limits? */
static bool is_root(int base)
{
    return faccessat(base, "cgroup.type", F_OK, 0) < 0;
}

/* A group with processes may not limit groups below it: `memory` and `io` refuse, `cpu` and `pids` take it and leave
 * groups that no process can enter. Ours move aside first, into a leaf. */
static bool move_aside(int base)
{
    AUTO_ARENA a = { 0 };
    struct str text, line;

    arena_init(&a);
    if (!get(base, "cgroup.procs", &a, &text) || text.n == 0)
        return true;
    if (mkdirat(base, "supervisor", 0755) < 0 && errno != EEXIST)
        return false;
    AUTO_FD leaf = openat(base, "supervisor", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    while (leaf >= 0 && str_next_line(&text, &line))
        (void)put(leaf, "cgroup.procs", arena_cstr(&a, line)); /* it may have ended */
    return leaf >= 0;
}

static bool enable(int base, const char *controller)
{
    char word[32];

    (void)snprintf(word, sizeof word, "+%s", controller);
    return put(base, "cgroup.subtree_control", word);
}

/* Else nothing can be put into it. */
static bool takes_processes(int dir)
{
    AUTO_ARENA a = { 0 };
    struct str type;

    arena_init(&a);
    return get(dir, "cgroup.type", &a, &type) && str_eq(type, STR("domain"));
}

static bool is_ours(const char *dir)
{
    struct stat st;

    return stat(dir, &st) == 0 && st.st_uid == geteuid() && access(dir, W_OK) == 0;
}

/* Version 2: beside our own group where that directory is ours too, else in it. */
static const char *v2_base(struct finder *f, struct str own)
{
    size_t cut = str_rfind(own, '/');
    const char *beside = arena_cstr(f->a, str_sub(own, 0, cut < own.n ? cut : 0));

    return str_starts(str_of(beside), STR("/sys/fs/cgroup/")) && is_ours(beside) ? beside
           : is_ours(own.p)                                                      ? own.p
                                                                                 : NULL;
}

static bool make_v2(struct finder *f, struct cgroup *g, const bool *wanted)
{
    struct str own = STR("");
    const char *base = find_place(f, "", &own) ? v2_base(f, own) : NULL;
    AUTO_FD dir = base ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct str there = STR("");
    bool any = false, has[CGROUP_KINDS] = { false };

    if (dir < 0 || !get(dir, "cgroup.controllers", f->a, &there))
        return false;
    if (str_eq(str_of(base), own) && !is_root(dir) && !move_aside(dir))
        return false;
    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        struct str list = there, word;

        while (wanted[k] && str_next(&list, ' ', &word))
            if (str_eq(word, str_of(v2_name[k])))
                any |= has[k] = enable(dir, v2_name[k]);
    }
    if (!any || !make_in(g, CGROUP_PIDS, base))
        return false;
    int made = g->dir[CGROUP_PIDS], from = g->base[CGROUP_PIDS];

    g->v2 = true;
    if (!takes_processes(made)) {
        cgroup_remove(g);
        g->v2 = false;
        return false;
    }
    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        g->dir[k] = has[k] ? made : -1;
        g->base[k] = has[k] ? from : -1;
    }
    return true;
}

static void make_v1(struct finder *f, struct cgroup *g, const bool *wanted)
{
    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        struct str own;

        if (wanted[k] && find_place(f, v1_name[k], &own))
            (void)!make_in(g, (enum cgroup_kind)k, own.p);
    }
}

/* Wherever groups of ours may lie, whichever of them this sandbox wants. The first is of version 2, or NULL. */
static void find_places(struct finder *f, const char *place[1 + CGROUP_KINDS])
{
    struct str own;

    place[0] = find_place(f, "", &own) ? v2_base(f, own) : NULL;
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        place[1 + k] = find_place(f, v1_name[k], &own) ? own.p : NULL;
}

/* ------------------------------------------------------------ limits */

/* The whole disk below a directory: a partition takes no limit. False: none (memory, overlay, btrfs, network). */
static bool disk_of(const char *path, struct arena *a, char out[32])
{
    struct stat st;
    struct str dev;

    if (!path || stat(path, &st) < 0 || major(st.st_dev) == 0)
        return false;
    (void)snprintf(out, 32, "%u:%u", major(st.st_dev), minor(st.st_dev));
    struct str sys = arena_printf(a, "/sys/dev/block/%s", out);

    if (file_exists(AT_FDCWD, arena_printf(a, STR_FMT "/partition", STR_ARG(sys)).p) &&
        get(AT_FDCWD, arena_printf(a, STR_FMT "/../dev", STR_ARG(sys)).p, a, &dev) && dev.n < 32)
        (void)snprintf(out, 32, STR_FMT, STR_ARG(dev));
    return true;
}

static bool limit_memory(const struct cgroup *g, uint64_t bytes)
{
    int dir = g->dir[CGROUP_MEMORY];

    if (!g->v2) {
        bool ok = put_number(dir, "memory.limit_in_bytes", bytes);

        (void)put_number(dir, "memory.memsw.limit_in_bytes", bytes); /* only where swap is counted */
        return ok;
    }
    (void)put(dir, "memory.swap.max", "0"); /* there is none without swap */
    return put_number(dir, "memory.max", bytes);
}

static bool limit_cpu(const struct cgroup *g, uint64_t permille)
{
    uint64_t quota = MAX(permille * PERIOD_US / 1000, QUOTA_LEAST_US);
    int dir = g->dir[CGROUP_CPU];
    char text[64];

    (void)snprintf(text, sizeof text, "%" PRIu64 " %d", quota, PERIOD_US);
    return g->v2 ? put(dir, "cpu.max", text)
                 : put_number(dir, "cpu.cfs_period_us", PERIOD_US) && put_number(dir, "cpu.cfs_quota_us", quota);
}

static bool limit_io(const struct cgroup *g, uint64_t iops, const char *io_path, struct arena *a)
{
    int dir = g->dir[CGROUP_IO];
    char disk[32], text[128];

    if (!disk_of(io_path, a, disk))
        return false;
    if (g->v2) {
        (void)snprintf(text, sizeof text, "%s riops=%" PRIu64 " wiops=%" PRIu64, disk, iops, iops);
        return put(dir, "io.max", text);
    }
    (void)snprintf(text, sizeof text, "%s %" PRIu64, disk, iops);
    return put(dir, "blkio.throttle.read_iops_device", text) && put(dir, "blkio.throttle.write_iops_device", text);
}

static bool limit(const struct cgroup *g, enum cgroup_kind k, const struct jail_limits *l, const char *io_path,
                  struct arena *a)
{
    switch (k) {
    case CGROUP_MEMORY:
        return limit_memory(g, l->memory);
    case CGROUP_PIDS:
        return put_number(g->dir[k], "pids.max", l->processes + 2); /* pid 1, and the leader of a command */
    case CGROUP_CPU:
        return limit_cpu(g, l->cpu_permille);
    case CGROUP_IO:
        return limit_io(g, l->iops, io_path, a);
    case CGROUP_KINDS:
        break;
    }
    return false;
}

static void apply(const struct cgroup *g, const struct jail_policy *p, const char *io_path, struct arena *a,
                  const bool *wanted, struct jail_report *r)
{
    static const char *const delegate = "start the session in a delegated group: "
                                        "systemd-run --user --scope -p Delegate=yes";

    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        enum jail_setting s = setting_of[k];

        if (!wanted[k])
            continue;
        jail_report_set(r, s, JAIL_HARD, g->v2 ? "cgroup v2" : "cgroup v1");
        if (g->dir[k] < 0)
            jail_report_lower(r, s, JAIL_NOT_ENFORCED,
                              p->no_cgroup ? "cgroups are switched off" : "no cgroup with this controller can be made",
                              geteuid() == 0 ? NULL : delegate);
        else if (!limit(g, (enum cgroup_kind)k, &p->limits, io_path, a))
            jail_report_lower(r, s, JAIL_NOT_ENFORCED,
                              k == CGROUP_IO ? "the project lies on no disk that can be limited"
                                             : "the kernel does not take the limit", NULL);
        else if (k == CGROUP_IO && !g->v2)
            jail_report_lower(r, s, JAIL_ADVISORY, "buffered writes escape it under cgroup v1", "cgroup v2");
    }
}

void cgroup_make(const struct jail_policy *p, const char *io_path, struct jail_report *r, struct cgroup *out)
{
    const struct jail_limits *l = &p->limits;
    const bool wanted[CGROUP_KINDS] = {
        p->limit && l->memory, p->limit && l->processes, p->limit && l->cpu_permille, p->limit && l->iops,
    };
    AUTO_ARENA a = { 0 };
    struct finder f;

    arena_init(&a);
    *out = (struct cgroup){ { -1, -1, -1, -1 }, { -1, -1, -1, -1 }, false, "" };
    (void)snprintf(out->name, sizeof out->name, "blast-%d-%" PRIu64, (int)getpid(), start_time(getpid()));
    if (!wanted[0] && !wanted[1] && !wanted[2] && !wanted[3])
        return;
    if (!p->no_cgroup && find_begin(&f, &a)) {
        const char *place[1 + CGROUP_KINDS];

        find_places(&f, place);
        for (size_t i = 0; i < COUNT(place); i++)
            if (place[i])
                sweep(place[i]);
        if (!make_v2(&f, out, wanted))
            make_v1(&f, out, wanted);
    }
    apply(out, p, io_path, &a, wanted, r);
}

/* ------------------------------------------------------------ using and removing it */

static bool is_first(const struct cgroup *g, unsigned k)
{
    for (unsigned i = 0; i < k; i++)
        if (g->dir[i] == g->dir[k])
            return false;
    return g->dir[k] >= 0;
}

int cgroup_birthplace(const struct cgroup *g)
{
    for (unsigned k = 0; g->v2 && k < CGROUP_KINDS; k++)
        if (g->dir[k] >= 0)
            return g->dir[k];
    return -1;
}

bool cgroup_open_doors(const struct cgroup *g, int door[CGROUP_KINDS], struct err *e)
{
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        door[k] = -1;
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        if (!g->v2 && is_first(g, k) && (door[k] = openat(g->dir[k], "tasks", O_WRONLY | O_CLOEXEC)) < 0)
            return err_sys(e, "open cgroup %s", g->name);
    return true;
}

bool cgroup_enter(int door[CGROUP_KINDS], struct err *e)
{
    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        if (door[k] >= 0 && write(door[k], "0", 1) != 1)
            return err_sys(e, "enter the %s cgroup of the sandbox", v1_name[k]);
        fd_close(&door[k]);
    }
    return true;
}

bool cgroup_join(const struct cgroup *g, pid_t pid, struct err *e)
{
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        if (is_first(g, k) && !put_number(g->dir[k], "cgroup.procs", (uint64_t)pid))
            return err_sys(e, "put the sandbox into cgroup %s", g->name);
    return true;
}

uint64_t cgroup_hits(const struct cgroup *g, enum cgroup_kind k)
{
    static const struct {
        const char *v1, *v2, *word;
    } file[CGROUP_KINDS] = {
        [CGROUP_MEMORY] = { "memory.oom_control", "memory.events", "oom_kill" },
        [CGROUP_PIDS] = { "pids.events", "pids.events", "max" },
        [CGROUP_CPU] = { "cpu.stat", "cpu.stat", "nr_throttled" },
    };

    if (g->dir[k] < 0 || !file[k].word)
        return 0;
    return count_in(g->dir[k], g->v2 ? file[k].v2 : file[k].v1, str_of(file[k].word));
}

enum jail_setting cgroup_setting(enum cgroup_kind k)
{
    return setting_of[k];
}

static void end_processes(const struct cgroup *g, unsigned k)
{
    AUTO_ARENA a = { 0 };
    struct str text, line;
    uint64_t pid;

    arena_init(&a);
    if (g->v2 && put(g->dir[k], "cgroup.kill", "1"))
        return;
    if (!get(g->dir[k], "cgroup.procs", &a, &text))
        return;
    while (str_next_line(&text, &line))
        if (str_to_u64(line, &pid) && pid > 1)
            (void)kill((pid_t)pid, SIGKILL); /* in our own group, whose only processes are the sandbox's */
}

void cgroup_remove(struct cgroup *g)
{
    for (unsigned k = 0; k < CGROUP_KINDS; k++) {
        if (!is_first(g, k))
            continue;
        for (unsigned i = 0; i < REMOVE_TRIES; i++) {
            struct timespec pause = { 0, 5000000 };

            if (unlinkat(g->base[k], g->name, AT_REMOVEDIR) == 0 || errno != EBUSY)
                break;
            end_processes(g, k);
            (void)nanosleep(&pause, NULL);
        }
    }
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        if (is_first(g, k)) {
            (void)close(g->base[k]);
            (void)close(g->dir[k]);
        }
    for (unsigned k = 0; k < CGROUP_KINDS; k++)
        g->dir[k] = g->base[k] = -1;
}

/* The groups in a directory that have the name of that launcher. */
static void remove_in(const char *base, bool v2, pid_t launcher)
{
    AUTO_FILE_LIST list = { 0 };
    AUTO_FD dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = { 0 };
    const struct dirent *d;
    char prefix[32];

    (void)snprintf(prefix, sizeof prefix, "blast-%d-", (int)launcher);
    if (dir < 0 || !file_list_open(dir, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        struct cgroup g = { { -1, -1, -1, -1 }, { -1, -1, -1, -1 }, v2, "" };

        if (!str_starts(str_of(d->d_name), str_of(prefix)) || strlen(d->d_name) >= sizeof g.name)
            continue;
        (void)snprintf(g.name, sizeof g.name, "%s", d->d_name);
        g.dir[0] = openat(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g.base[0] = g.dir[0] < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 3);
        cgroup_remove(&g);
    }
}

void cgroup_remove_of(pid_t launcher)
{
    AUTO_ARENA a = { 0 };
    struct finder f;

    arena_init(&a);
    if (!find_begin(&f, &a))
        return;
    const char *place[1 + CGROUP_KINDS];

    find_places(&f, place);
    for (size_t i = 0; i < COUNT(place); i++)
        if (place[i])
            remove_in(place[i], i == 0, launcher);
}
