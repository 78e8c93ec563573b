#include "jail/sample.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "jail/policy.h"

#define CPU_MS 10
#define MEMORY_US 50000
#define DISK_US 2000000
#define OPEN_US 500000
#define DEVICES_MAX 64 /* writable directories whose file systems are known */
#define SLACK 0.02 /* seconds of processor that a start may take beyond its share */

void sampler_init(struct sampler *s, const struct jail_policy *p, const struct jail_report *r, int proc)
{
    uint64_t now = clock_us();

    *s = (struct sampler){
        .p = p,
        .proc = proc,
        .cpu = proc >= 0 && r->row[JAIL_SET_CPU].state == JAIL_SAMPLED,
        .memory = proc >= 0 && r->row[JAIL_SET_MEMORY].state == JAIL_SAMPLED,
        .disk = r->row[JAIL_SET_DISK].state == JAIL_SAMPLED,
        .begun_us = now,
        .next_memory = now,
        .next_disk = now,
        .next_open = now,
    };
}

int sampler_wait(const struct sampler *s)
{
    uint64_t now = clock_us(), next = UINT64_MAX;

    if (s->cpu)
        return CPU_MS;
    if (s->memory)
        next = s->next_memory;
    if (s->disk)
        next = MIN(next, s->next_disk);
    return next == UINT64_MAX ? -1 : next <= now ? 1 : (int)((next - now) / 1000 + 1);
}

/* Seconds that a process has used, threads and all; the clock's number is made from the pid as the kernel does it. */
static double cpu_of(uint64_t pid)
{
    clockid_t clock = (clockid_t)((~(unsigned)pid << 3) | 2);
    struct timespec t;

    return clock_gettime(clock, &t) == 0 ? (double)t.tv_sec + (double)t.tv_nsec / 1e9 : 0;
}

/* Resident bytes and the part of them that is of files, also of those in memory: numbers two and three of statm. */
static uint64_t memory_of(int proc, uint64_t pid, uint64_t *of_files)
{
    char path[64], text[128];
    struct str part[4];
    uint64_t pages = 0, shared = 0, page = (uint64_t)sysconf(_SC_PAGESIZE);

    (void)snprintf(path, sizeof path, "%llu/statm", (unsigned long long)pid);
    AUTO_FD fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

    if (n <= 0 || str_split((struct str){ text, (size_t)n }, ' ', part, 4) < 4 || !str_to_u64(part[1], &pages) ||
        !str_to_u64(part[2], &shared))
        return 0;
    *of_files += shared * page;
    return pages * page;
}

/* What lies in the file systems in memory: they are one, whose room /tmp shows. */
static uint64_t pool_used(void)
{
    struct statfs fs;

    return statfs("/tmp", &fs) == 0 && fs.f_type == TMPFS_MAGIC
               ? (uint64_t)(fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize
               : 0;
}

static void sum(struct sampler *s, bool memory, double *cpu, uint64_t *bytes)
{
    AUTO_FILE_LIST list = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;
    uint64_t pid, mapped = 0, files = pool_used() + s->open.memory;

    *cpu = 0;
    *bytes = 0;
    if (!file_list_open(s->proc, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        if (!str_to_u64(str_of(d->d_name), &pid) || pid == 1)
            continue;
        *cpu += cpu_of(pid);
        if (memory)
            *bytes += memory_of(s->proc, pid, &mapped);
    }
    *bytes += files > mapped ? files - mapped : 0; /* what is mapped has been counted with its process */
}

/* Blocks of everything below an open directory, in bytes, on one file system; takes the descriptor. */
static uint64_t blocks_below(int dir, dev_t dev, unsigned depth)
{
    DIR *d = fdopendir(dir);
    uint64_t total = 0;
    struct stat st;

    if (!d) {
        (void)close(dir);
        return 0;
    }
    for (const struct dirent *x; (x = readdir(d));) {
        if (str_eq(str_of(x->d_name), STR(".")) || str_eq(str_of(x->d_name), STR("..")) ||
            fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
            continue;
        total += (uint64_t)st.st_blocks * 512 / (uint64_t)MAX(st.st_nlink, 1u);
        int below = S_ISDIR(st.st_mode) && depth
                        ? openat(dirfd(d), x->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                        : -1;

        if (below >= 0)
            total += blocks_below(below, dev, depth - 1);
    }
    (void)closedir(d);
    return total;
}

static uint64_t disk_used(const struct sampler *s)
{
    uint64_t total = 0;

    for (size_t i = 0; i < s->p->n_paths; i++) {
        struct stat st;
        int fd = s->p->path[i].access == JAIL_WRITE && !jail_path_within(s->p->path[i].path, STR("/dev"))
                     ? open(s->p->path[i].path.p, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                     : -1;

        if (fd >= 0 && fstat(fd, &st) == 0)
            total += blocks_below(fd, st.st_dev, 64);
    }
    for (size_t i = 0; i < s->n_layers; i++) {
        struct stat st;
        int fd = openat(s->layer[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0 && fstat(fd, &st) == 0)
            total += blocks_below(fd, st.st_dev, 64);
    }
    return total;
}

/* A file of an overlay names the overlay's device or that of the layer, as the layers lie. */
static bool is_on_disk(const struct sampler *s, enum jail_access access)
{
    return access == JAIL_WRITE || (access == JAIL_OVERLAY && s->n_layers);
}

static void look_at_open(struct sampler *s, uint64_t now)
{
    dev_t dev[DEVICES_MAX];
    size_t n = 0;
    struct stat st;

    for (size_t i = 0; s->disk && i < s->p->n_paths && n < DEVICES_MAX; i++)
        if (is_on_disk(s, s->p->path[i].access) && stat(s->p->path[i].path.p, &st) == 0)
            dev[n++] = st.st_dev;
    for (size_t i = 0; s->disk && i < s->n_layers && n < DEVICES_MAX; i++)
        if (fstat(s->layer[i], &st) == 0)
            dev[n++] = st.st_dev;
    unlinked_measure(s->proc, dev, n, &s->open);
    s->next_open = now + MAX((uint64_t)OPEN_US, 20 * (clock_us() - now));
}

static bool look_at_disk(struct sampler *s, uint64_t now)
{
    uint64_t used = disk_used(s) + s->open.disk, took = clock_us() - now;

    s->next_disk = now + MAX((uint64_t)DISK_US, 20 * took); /* a large tree may cost a twentieth of the time */
    if (!s->disk_known) {
        s->disk_known = true;
        s->disk_first = used;
    }
    return used > s->disk_first && used - s->disk_first > s->p->limits.disk;
}

/* Over its share everything stops; pid 1 is not reached by kill(-1). */
static void share_cpu(struct sampler *s, double used, uint64_t now)
{
    double wall = (double)(now - s->begun_us) / 1e6, share = (double)s->p->limits.cpu_permille / 1000;

    if (used < s->used)
        s->gone += s->used - used; /* somebody ended: what it used counts on */
    s->used = used;
    bool over = s->used + s->gone > wall * share + SLACK;

    if (over)
        (void)kill(-1, SIGSTOP); /* each time: a sibling may have sent SIGCONT */
    else if (s->stopped)
        (void)kill(-1, SIGCONT);
    s->stopped = over;
}

bool sampler_look(struct sampler *s, enum jail_setting *over)
{
    uint64_t now = clock_us(), bytes = 0;
    bool memory = s->memory && now >= s->next_memory;
    double cpu = 0;

    if (s->proc >= 0 && (memory || (s->disk && now >= s->next_disk)) && now >= s->next_open)
        look_at_open(s, now);
    if (s->cpu || memory)
        sum(s, memory, &cpu, &bytes);
    if (s->cpu)
        share_cpu(s, cpu, now);
    if (memory) {
        s->next_memory = now + MEMORY_US;
        *over = JAIL_SET_MEMORY;
        if (bytes > s->p->limits.memory)
            return true;
    }
    *over = JAIL_SET_DISK;
    return s->disk && now >= s->next_disk && look_at_disk(s, now);
}
