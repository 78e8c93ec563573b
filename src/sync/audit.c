#include "sync/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "codec/json_write.h"
#include "config/dirs.h"
#include "sync/audit_file.h"

#define TAIL_MAX (AUDIT_LINE_MAX + 4096)
#define TAIL_OFTEN 8192
#define JOURNAL "/run/systemd/journal/socket" /* systemd-journald's native protocol */

const char *audit_word(enum audit_event event)
{
    static const char *const word[] = {
#define X(id, text) text,
        AUDIT_EVENTS(X)
#undef X
    };

    return word[event];
}

void audit_file_name(unsigned n, char out[AUDIT_NAME])
{
    if (n)
        (void)snprintf(out, AUDIT_NAME, "log.%u.jsonl", n);
    else
        (void)snprintf(out, AUDIT_NAME, "log.jsonl");
}

void audit_hash(struct str prev, struct str body, char out[HASH_HEX256 + 1])
{
    unsigned char sum[HASH_SHA256];
    struct sha256 s;

    sha256_init(&s);
    sha256_add(&s, prev.p, prev.n);
    sha256_add(&s, body.p, body.n);
    sha256_finish(&s, sum);
    hash_hex(sum, sizeof sum, out);
}

/* ------------------------------------------------------------ the head */

bool audit_head_read(int dir, uint64_t *seq, char hash[HASH_HEX256 + 1])
{
    char text[128];
    AUTO_FD fd = openat(dir, AUDIT_HEAD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text, 0);
    struct str s = { text, n > 0 ? (size_t)n : 0 };
    size_t space = str_find(s, ' ');
    unsigned char ignored[HASH_SHA256];

    if (space + 1 + HASH_HEX256 > s.n || !str_to_u64(str_sub(s, 0, space), seq) ||
        !hash_from_hex(str_sub(s, space + 1, space + 1 + HASH_HEX256), ignored, HASH_SHA256))
        return false;
    memcpy(hash, s.p + space + 1, HASH_HEX256);
    hash[HASH_HEX256] = '\0';
    return true;
}

/* In place, one write of fixed length: a new file and a rename would cost more than the line itself. Torn by a power
 * cut it counts as absent. */
static bool head_write(int dir, uint64_t seq, const char *hash, struct err *e)
{
    char text[128];
    AUTO_FD fd = -1;
    int n = snprintf(text, sizeof text, "%020llu %s\n", (unsigned long long)seq, hash);

    if (!fd_open(dir, AUDIT_HEAD, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600, &fd, e))
        return false;
    return pwrite(fd, text, (size_t)n, 0) == n || err_sys(e, "write the checkpoint of the audit log");
}

/* Where the user of this log cannot reach it: the system's journal, when there is one that takes it now. */
static bool tell_journal(uint64_t seq, const char *hash)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = JOURNAL };
    char text[512];
    AUTO_FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int n = snprintf(text, sizeof text, "PRIORITY=6\nSYSLOG_IDENTIFIER=blast\nBLAST_AUDIT_SEQ=%llu\n"
                     "BLAST_AUDIT_HASH=%s\nMESSAGE=audit checkpoint %llu:%s\n", (unsigned long long)seq, hash,
                     (unsigned long long)seq, hash);

    return fd >= 0 && sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to) == n;
}

/* ------------------------------------------------------------ writing */

struct writer {
    int dir, log;
    off_t size;
    uint64_t seq; /* of the last line; 0: none */
    char hash[HASH_HEX256 + 1];
    size_t torn;  /* bytes that a crash left behind the last line */
    bool unread;  /* the last line is none of ours */
    char *tail;
};

static bool open_log(struct writer *w, struct err *e)
{
    struct stat st;

    if (!fd_open(w->dir, "log.jsonl", O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600, &w->log, e))
        return false;
    if (fstat(w->log, &st) < 0)
        return err_sys(e, "stat the audit log");
    w->size = st.st_size;
    return true;
}

/* What stands in a file from `from` on. */
static bool read_from(int fd, off_t from, size_t want, char *tail, struct str *out, struct err *e)
{
    size_t n = 0;

    while (n < want) {
        ssize_t k = pread(fd, tail + n, want - n, from + (off_t)n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "read the audit log");
        if (k == 0)
            break;
        n += (size_t)k;
    }
    *out = (struct str){ tail, n };
    return true;
}

/* The last whole line of a file, and how many bytes stand behind it. Most lines are far shorter than they may be: the
 * room for one of the longest is read where the last few kilobytes do not hold it. */
static bool last_line(int fd, off_t size, char *tail, struct str *line, size_t *torn, struct err *e)
{
    struct str all;
    size_t end, begin;
    off_t from;

    for (size_t most = TAIL_OFTEN;; most = TAIL_MAX) {
        from = size > (off_t)most ? size - (off_t)most : 0;
        if (!read_from(fd, from, (size_t)(size - from), tail, &all, e))
            return false;
        end = str_rfind(all, '\n');
        begin = str_rfind(str_sub(all, 0, end), '\n');
        if (most == TAIL_MAX || from == 0 || (end < all.n && begin < end))
            break;
    }
    if (end == all.n) {
        *torn = from == 0 ? all.n : 0; /* a line too long to be ours: left alone, the chain goes on behind it */
        *line = (struct str){ NULL, 0 };
        return true;
    }
    *torn = all.n - end - 1;
    *line = str_sub(all, begin == end ? 0 : begin + 1, end);
    return true;
}

static void take_line(struct writer *w, struct str line)
{
    AUTO_ARENA a = { 0 };
    struct audit_line l;
    struct err ignored = { 0 };

    arena_init(&a);
    if (audit_parse(line, &a, &l, &ignored)) {
        w->seq = l.seq;
        memcpy(w->hash, l.hash.p, HASH_HEX256);
        return;
    }
    /* The chain goes on behind the line as it stands; verifying names it. */
    w->unread = true;
    audit_hash(STR(""), line, w->hash);
}

/* An empty log: what went before is in the file that was current before, or in the checkpoint. */
static bool before_empty(struct writer *w, struct err *e)
{
    AUTO_FD fd = -1;
    struct stat st;
    struct str line = { NULL, 0 };
    size_t torn;
    bool there;

    if (!fd_open_if_there(w->dir, "log.1.jsonl", O_RDONLY | O_NOFOLLOW, &fd, &there, e))
        return false;
    if (there && (fstat(fd, &st) < 0 || !last_line(fd, st.st_size, w->tail, &line, &torn, e)))
        return err_sys(e, "read the audit log");
    if (line.p)
        take_line(w, line);
    else if (!audit_head_read(w->dir, &w->seq, w->hash))
        w->seq = 0;
    return true;
}

static bool find_end(struct writer *w, struct err *e)
{
    struct str line;
    uint64_t head;
    char hash[HASH_HEX256 + 1];

    memcpy(w->hash, AUDIT_ZERO, sizeof w->hash);
    if (!last_line(w->log, w->size, w->tail, &line, &w->torn, e))
        return false;
    if (line.p)
        take_line(w, line);
    else if (!before_empty(w, e))
        return false;
    if (w->unread && audit_head_read(w->dir, &head, hash))
        w->seq = MAX(w->seq, head);
    if (w->torn && ftruncate(w->log, w->size - (off_t)w->torn) < 0)
        return err_sys(e, "remove the torn end of the audit log");
    w->size -= (off_t)w->torn;
    return true;
}

static void write_body(struct json_write *j, const struct writer *w, const struct audit_entry *entry, struct str data)
{
    char when[CLOCK_TEXT];

    clock_format(clock_now(), when);
    json_write_object_begin(j);
    json_write_member_u64(j, "seq", w->seq + 1);
    json_write_member_cstr(j, "ts", when);
    json_write_member_u64(j, "mono", clock_ms());
    json_write_member(j, "actor", entry->actor.n ? entry->actor : STR("cli"));
    json_write_member_u64(j, "uid", (uint64_t)geteuid());
    json_write_member_cstr(j, "event", audit_word(entry->event));
    json_write_member(j, "env", entry->env);
    json_write_member_u64(j, "gen", entry->gen);
    json_write_key(j, STR("data"));
    if (data.n)
        json_write_raw(j, data);
    else
        json_write_raw(j, STR("{}"));
    json_write_member_cstr(j, "prev", w->hash);
    json_write_object_end(j);
}

static bool format_line(const struct writer *w, const struct audit_entry *entry, struct str data, struct buf *b,
                        char hash[HASH_HEX256 + 1])
{
    struct json_write j;

    json_write_init(&j, b, false);
    write_body(&j, w, entry, data);
    if (!json_write_end(&j))
        return false;
    b->n--; /* the closing brace comes behind the hash */
    audit_hash(str_of(w->hash), buf_done(b), hash);
    return buf_printf(b, AUDIT_HASH_KEY "%s\"}\n", hash);
}

static bool put(struct writer *w, const struct audit_entry *entry, struct err *e)
{
    AUTO_BUF b = { .limit = AUDIT_LINE_MAX };
    char hash[HASH_HEX256 + 1], size[64];

    if (!format_line(w, entry, entry->data, &b, hash)) {
        (void)snprintf(size, sizeof size, "{\"left_out_bytes\":\"%zu\"}", entry->data.n);
        buf_clear(&b);
        if (!format_line(w, entry, str_of(size), &b, hash))
            return err_set(e, ERR_IO, "an entry of the audit log has more than %zu bytes", AUDIT_LINE_MAX);
    }
    if (!fd_write_all(w->log, b.p, b.n, "the audit log", e))
        return false;
    w->size += (off_t)b.n;
    w->seq++;
    memcpy(w->hash, hash, sizeof w->hash);
    return true;
}

static bool put_own(struct writer *w, enum audit_event event, const char *data, struct err *e)
{
    return put(w, &(struct audit_entry){ .event = event, .actor = STR("log"), .data = str_of(data) }, e);
}

static bool rotate(struct writer *w, struct err *e)
{
    char from[AUDIT_NAME], to[AUDIT_NAME], data[128];

    for (unsigned i = AUDIT_FILES - 1; i > 0; i--) {
        audit_file_name(i - 1, from);
        audit_file_name(i, to);
        if (renameat(w->dir, from, w->dir, to) < 0 && errno != ENOENT)
            return err_sys(e, "rename %s of the audit log", from);
    }
    fd_close(&w->log);
    (void)snprintf(data, sizeof data, "{\"before\":\"log.1.jsonl\",\"bytes\":%lld}", (long long)w->size);
    return open_log(w, e) && put_own(w, AUDIT_ROTATED, data, e);
}

static bool put_all(struct writer *w, const struct audit_entry *entry, struct err *e)
{
    char data[160];

    if (w->torn) {
        (void)snprintf(data, sizeof data, "{\"torn_bytes\":%zu}", w->torn);
        if (!put_own(w, AUDIT_HEALED, data, e))
            return false;
    }
    if (w->unread && !put_own(w, AUDIT_HEALED, "{\"unreadable\":\"the line before\"}", e))
        return false;
    if ((size_t)w->size + entry->data.n + 1024 > AUDIT_FILE_MAX && !rotate(w, e))
        return false;
    if (!put(w, entry, e))
        return false;
    if (w->seq % AUDIT_CHECKPOINT_LINES)
        return true;
    (void)snprintf(data, sizeof data, "{\"head\":\"%s\",\"journal\":%s}", w->hash,
                   tell_journal(w->seq, w->hash) ? "true" : "false");
    return put_own(w, AUDIT_CHECKPOINT, data, e);
}

bool audit_dir_open(const struct dirs *d, int *out, bool *there, struct err *e)
{
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    return fd_open_if_there(AT_FDCWD, arena_printf(&a, "%s/audit", d->state).p, O_RDONLY | O_DIRECTORY, out, there, e);
}

static bool open_dir(const struct dirs *d, int *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    bool there;

    arena_init(&a);
    if (!audit_dir_open(d, out, &there, e))
        return false;
    const char *path = arena_printf(&a, "%s/audit", d->state).p;

    return there || (file_make_dirs(AT_FDCWD, path, 0700, e) && fd_open_dir(AT_FDCWD, path, out, e));
}

static void writer_close(struct writer *w)
{
    fd_close(&w->log);
    fd_close(&w->dir);
    free(w->tail);
}

bool audit_append(const struct dirs *d, const struct audit_entry *entry, struct err *e)
{
    AUTO(writer_close) struct writer w = { .dir = -1, .log = -1 };
    AUTO_FD lock = -1;

    w.tail = mem_alloc(TAIL_MAX);
    if (!open_dir(d, &w.dir, e) || !fd_open(w.dir, AUDIT_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &lock, e) ||
        !fd_lock(lock, true, "the audit log", e) || !open_log(&w, e) || !find_end(&w, e) || !put_all(&w, entry, e) ||
        !head_write(w.dir, w.seq, w.hash, e))
        return err_wrap(e, "record '%s' in the audit log", audit_word(entry->event));
    return true;
}
