#include "jail/usage.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/json_write.h"
#include "jail/cgroup.h"

#define FILE_MAX 65536
#define PROCESSES_MAX 4096 /* that are summed; what is beyond is not counted */

static bool read_text(int dir, const char *file, struct arena *a, struct str *out)
{
    struct err ignored = { 0 }; /* a process may have ended, a controller may be missing: then there is no figure */

    return dir >= 0 && fd_read_file(dir, file, FILE_MAX, a, out, &ignored);
}

static bool read_number(int dir, const char *file, struct arena *a, uint64_t *out)
{
    struct str text;

    return read_text(dir, file, a, &text) && str_to_u64(str_trim(text), out);
}

/* ------------------------------------------------------------ without a group */

struct sums {
    uint64_t memory, cpu_us, processes;
};

/* Of proc(5): resident pages in statm; utime and stime, fields 14 and 15 of stat, in clock ticks. */
static void add_process(int proc, struct str pid, struct arena *a, struct sums *s)
{
    struct str text, part[3], word, rest;
    uint64_t n, ticks = 0;

    s->processes++;
    if (read_text(proc, arena_printf(a, STR_FMT "/statm", STR_ARG(pid)).p, a, &text) &&
        str_split(text, ' ', part, 3) >= 3 && str_to_u64(part[1], &n))
        s->memory += n * (uint64_t)sysconf(_SC_PAGESIZE);
    if (!read_text(proc, arena_printf(a, STR_FMT "/stat", STR_ARG(pid)).p, a, &text))
        return;
    rest = str_sub(text, str_rfind(text, ')') + 1, text.n); /* the name before it may hold anything */
    for (unsigned i = 2; i <= 15 && str_next(&rest, ' ', &word); i++)
        if (i >= 14 && str_to_u64(word, &n))
            ticks += n;
    s->cpu_us += ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Pid 1 and all that descend from it, breadth first. */
static void sum_below(pid_t init, struct arena *a, struct sums *s)
{
    AUTO_FD proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct str *queue = ARENA_ARRAY(a, struct str, PROCESSES_MAX);
    size_t n = 0;

    queue[n++] = arena_printf(a, "%d", (int)init);
    for (size_t i = 0; i < n; i++) {
        struct str list, word;

        add_process(proc, queue[i], a, s);
        if (!read_text(proc, arena_printf(a, STR_FMT "/task/" STR_FMT "/children", STR_ARG(queue[i]),
                                          STR_ARG(queue[i])).p, a, &list))
            continue;
        while (n < PROCESSES_MAX && str_next(&list, ' ', &word))
            if (word.n)
                queue[n++] = word;
    }
}

/* ------------------------------------------------------------ both */

static bool of_group(const struct cgroup *g, enum cgroup_kind k, struct arena *a, uint64_t *out)
{
    static const char *const v1[] = { "memory.usage_in_bytes", "pids.current", "cpuacct.usage", NULL };
    static const char *const v2[] = { "memory.current", "pids.current", NULL, NULL };
    struct str text, line;

    if (g->dir[k] < 0)
        return false;
    if (!g->v2)
        return v1[k] && read_number(g->dir[k], v1[k], a, out) && (k != CGROUP_CPU || (*out /= 1000, true));
    if (k != CGROUP_CPU)
        return v2[k] && read_number(g->dir[k], v2[k], a, out);
    if (!read_text(g->dir[k], "cpu.stat", a, &text))
        return false;
    while (str_next_line(&text, &line))
        if (str_cut_prefix(&line, STR("usage_usec ")))
            return str_to_u64(str_trim(line), out);
    return false;
}

void usage_write(const struct cgroup *g, pid_t init, struct json_write *w)
{
    static const struct {
        enum cgroup_kind kind;
        const char *name;
    } member[] = { { CGROUP_MEMORY, "memory" }, { CGROUP_CPU, "cpu_us" }, { CGROUP_PIDS, "processes" } };
    AUTO_ARENA a = { 0 };
    struct sums s = { 0 };

    arena_init(&a);
    sum_below(init, &a, &s);
    const uint64_t sum[] = { s.memory, s.cpu_us, s.processes };

    for (size_t i = 0; i < COUNT(member); i++) {
        uint64_t value = sum[i];

        (void)!of_group(g, member[i].kind, &a, &value);
        json_write_member_u64(w, member[i].name, value);
    }
}
