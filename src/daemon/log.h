/* The daemon's log: <state>/log/daemon.jsonl, one JSON object a line, three files of at most 2 MiB.
 *
 *     {"time":"2026-11-23T02:00:00Z","level":"info","pid":7,"text":"..."}
 *
 * daemon.jsonl is the newest, then daemon.jsonl.1 and .2. Started by the service manager (JOURNAL_STREAM names our
 * stderr) or with `echo`, the lines go to stderr as text too. A log that cannot be written is no reason to stop: lines
 * are lost then. The last lines are also kept in memory, for the report of a crash.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

struct err;

#define LOG_FILE "daemon.jsonl"
#define LOG_FILE_MAX ((size_t)2 << 20)
#define LOG_FILES 3
#define LOG_RECENT 4096 /* bytes of last lines in memory */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct log {
    int dir, fd;
    size_t size;       /* of the newest file */
    bool echo, journal;
    char recent[LOG_RECENT]; /* a ring; not ended by NUL */
    size_t recent_at;        /* where the next byte goes */
};

MUST_USE bool log_open(const char *dir, bool echo, struct log *out, struct err *e);
void log_close(struct log *l);
void log_write(struct log *l, enum log_level level, const char *fmt, ...) PRINTF(3, 4);
