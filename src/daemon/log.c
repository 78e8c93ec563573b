#include "daemon/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/json_write.h"

#define LINE_MAX_BYTES 8192

static const char *const words[] = { "debug", "info", "warning", "error" };
static const char *const priorities[] = { "<7>", "<6>", "<4>", "<3>" }; /* sd-daemon(3) */

/* JOURNAL_STREAM holds device and inode of the stream that the journal reads (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return strcmp(own, stream) == 0;
}

static bool open_file(struct log *l, struct err *e)
{
    struct stat st;

    if (!fd_open(l->dir, LOG_FILE, O_WRONLY | O_APPEND | O_CREAT, 0600, &l->fd, e))
        return false;
    l->size = fstat(l->fd, &st) == 0 ? (size_t)st.st_size : 0;
    return true;
}

bool log_open(const char *dir, bool echo, struct log *out, struct err *e)
{
    *out = (struct log){ .dir = -1, .fd = -1, .journal = stderr_is_journal() };
    out->echo = echo || out->journal;
    if (fd_open_dir(AT_FDCWD, dir, &out->dir, e) && open_file(out, e))
        return true;
    log_close(out);
    return err_as(e, ERR_DAEMON, "open the daemon's log");
}

void log_close(struct log *l)
{
    fd_close(&l->fd);
    fd_close(&l->dir);
}

static void rotate(struct log *l)
{
    struct err ignored = { 0 };
    char from[32], to[32];

    for (int i = LOG_FILES - 1; i > 0; i--) {
        (void)snprintf(to, sizeof to, LOG_FILE ".%d", i);
        (void)snprintf(from, sizeof from, i > 1 ? LOG_FILE ".%d" : LOG_FILE, i - 1);
        (void)renameat(l->dir, from, l->dir, to); /* missing: there were fewer */
    }
    fd_close(&l->fd);
    if (!open_file(l, &ignored))
        l->size = 0;
}

static void remember(struct log *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        l->recent[(l->recent_at + i) % LOG_RECENT] = p[i];
    l->recent_at = (l->recent_at + n) % LOG_RECENT;
}

void log_write(struct log *l, enum log_level level, const char *fmt, ...)
{
    AUTO_BUF line = { .limit = LINE_MAX_BYTES };
    char text[1024], when[CLOCK_TEXT];
    struct json_write w;
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* a longer text is cut: it is for reading */
    va_end(args);
    clock_format(clock_now(), when);
    json_write_init(&w, &line, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "time", when);
    json_write_member_cstr(&w, "level", words[level]);
    json_write_member_u64(&w, "pid", (uint64_t)getpid());
    json_write_member_cstr(&w, "text", text);
    json_write_object_end(&w);
    if (!json_write_end(&w) || !buf_char(&line, '\n'))
        return;
    remember(l, line.p, line.n);
    if (l->size && l->size + line.n > LOG_FILE_MAX)
        rotate(l);
    if (l->fd >= 0 && write(l->fd, line.p, line.n) == (ssize_t)line.n)
        l->size += line.n;
    if (l->echo)
        (void)dprintf(STDERR_FILENO, "%s%s\n", l->journal ? priorities[level] : "", text); /* for whoever looks */
}
