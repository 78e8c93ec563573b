/* The daemon's figures as OpenMetrics text: counters since its start, and what it holds now. */
#include <stdio.h>
#include <sys/resource.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "build_config.h"
#include "daemon/scheduler.h"
#include "daemon/server_priv.h"
#include "sync/metrics.h"

static void counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
    (void)buf_printf(out, "# TYPE blast_daemon_%s counter\n# HELP blast_daemon_%s %s\nblast_daemon_%s_total %llu\n",
                     name, name, help, name, (unsigned long long)value);
}

static void gauge(struct buf *out, const char *name, const char *help, uint64_t value)
{
    (void)buf_printf(out, "# TYPE blast_daemon_%s gauge\n# HELP blast_daemon_%s %s\nblast_daemon_%s %llu\n", name, name,
                     help, name, (unsigned long long)value);
}

/* Pages in memory (proc(5), statm, second field); 0 when the kernel does not say. */
static uint64_t resident_bytes(void)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str text, part[2];
    uint64_t pages;

    if (!fd_read_file(AT_FDCWD, "/proc/self/statm", 256, &a, &text, &ignored) || str_split(text, ' ', part, 2) < 2 ||
        !str_to_u64(part[1], &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void process(const struct server *s, struct buf *out)
{
    struct rusage use = { 0 };

    (void)getrusage(RUSAGE_SELF, &use); /* cannot fail for these arguments */
    (void)buf_printf(out, "# TYPE blast_daemon info\n# HELP blast_daemon the program that runs\n"
                          "blast_daemon_info{version=\"" BLAST_VERSION "\",proto=\"%d\"} 1\n", WIRE_PROTO);
    gauge(out, "start_time_seconds", "when it was started, seconds since 1970", (uint64_t)s->started);
    gauge(out, "resident_memory_bytes", "memory in use", resident_bytes());
    (void)buf_printf(out, "# TYPE blast_daemon_cpu_seconds counter\n# HELP blast_daemon_cpu_seconds time computed\n"
                          "blast_daemon_cpu_seconds_total %.6f\n",
                     (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    counter(out, "wakeups", "times it was woken (voluntary context switches)", (uint64_t)use.ru_nvcsw);
}

static void connections(const struct server *s, struct buf *out)
{
    const struct peers_figures *f = peers_figures(s->peers);

    gauge(out, "connections", "open connections", f->open);
    gauge(out, "buffer_bytes", "memory of their buffers", f->memory);
    counter(out, "accepted", "connections accepted", f->accepted);
    counter(out, "refused", "connections refused", f->refused);
    counter(out, "evicted", "silent connections closed for new ones", f->evicted);
    counter(out, "dropped", "connections dropped that read too slowly or held too much", f->dropped);
    counter(out, "too_long", "lines over the limit", f->too_long);
    counter(out, "received_bytes", "bytes read", f->bytes_in);
    counter(out, "sent_bytes", "bytes written", f->bytes_out);
}

static void requests(const struct server *s, struct buf *out)
{
    (void)buf_str(out, STR("# TYPE blast_daemon_requests counter\n# HELP blast_daemon_requests requests by method\n"));
    for (unsigned i = 0; i < WIRE_METHODS; i++)
        (void)buf_printf(out, "blast_daemon_requests_total{method=\"%s\"} %llu\n",
                         wire_method_word((enum wire_method)i), (unsigned long long)s->requests[i]);
    (void)buf_str(out,
                  STR("# TYPE blast_daemon_faults counter\n# HELP blast_daemon_faults requests refused, by code\n"));
    for (unsigned i = 0; i < WIRE_FAULTS; i++)
        (void)buf_printf(out, "blast_daemon_faults_total{code=\"%s\"} %llu\n", wire_fault_word((enum wire_fault)i),
                         (unsigned long long)s->faults[i]);
}

static void work(const struct server *s, struct buf *out)
{
    struct scheduler_metrics m;

    scheduler_metrics(s->scheduler, &m);
    gauge(out, "projects", "projects looked after", m.projects);
    gauge(out, "sessions", "shells that work in one", m.sessions);
    gauge(out, "watches", "directories watched", m.watches);
    gauge(out, "jobs_waiting", "jobs in the queue", m.jobs_waiting);
    gauge(out, "jobs_running", "jobs under way", m.jobs_running);
    counter(out, "jobs_submitted", "jobs handed in", m.jobs_submitted);
    counter(out, "jobs_merged", "jobs that joined one that waited", m.jobs_merged);
    counter(out, "jobs_started", "jobs begun", m.jobs_started);
    counter(out, "jobs_done", "jobs that ended well", m.jobs_done);
    counter(out, "jobs_failed", "jobs that did not", m.jobs_failed);
    counter(out, "jobs_cancelled", "jobs taken out", m.jobs_cancelled);
    counter(out, "jobs_preempted", "jobs ended for a command in the foreground", m.jobs_preempted);
    counter(out, "file_events", "changes the kernel told of", m.file_events);
    counter(out, "changes", "changes of a project's inputs", m.changes);
    counter(out, "overflows", "times the kernel lost events", m.overflows);
    counter(out, "rescans", "projects looked at anew", m.rescans);
    counter(out, "checks", "looks for updates", m.checks);
    counter(out, "imports", "missing imports reported", m.imports);
}

void figures_text(const struct server *s, struct buf *out)
{
    struct err ignored = { 0 };

    process(s, out);
    connections(s, out);
    requests(s, out);
    work(s, out);
    (void)!metrics_openmetrics(s->config.dirs, out, &ignored); /* what syncs cost; without it the daemon's own stay */
    (void)buf_str(out, STR("# EOF\n"));
}
