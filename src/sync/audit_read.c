#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/json.h"
#include "sync/audit.h"
#include "sync/audit_file.h"

/* The writer's lines are at most AUDIT_LINE_MAX, its files little above AUDIT_FILE_MAX; others may be anything. */
#define READ_MAX (4 * AUDIT_FILE_MAX)

/* The rest of the line behind its body, as the writer makes it; the hash in it. */
static bool cut_hash(struct str line, struct str *body, struct str *hash)
{
    unsigned char ignored[HASH_SHA256];

    if (line.n < AUDIT_SUFFIX)
        return false;
    struct str tail = str_sub(line, line.n - AUDIT_SUFFIX, line.n);

    if (!str_cut_prefix(&tail, STR(AUDIT_HASH_KEY)) || !str_cut_suffix(&tail, STR("\"}")) ||
        !hash_from_hex(tail, ignored, HASH_SHA256))
        return false;
    *body = str_sub(line, 0, line.n - AUDIT_SUFFIX);
    *hash = tail;
    return true;
}

static void read_member(struct json *j, struct str key, struct audit_line *l)
{
    const struct {
        const char *name;
        uint64_t *number;
        struct str *text;
    } member[] = {
        { "seq", &l->seq, NULL },      { "mono", &l->mono, NULL },  { "uid", &l->uid, NULL },
        { "actor", NULL, &l->actor },  { "event", NULL, &l->event }, { "env", NULL, &l->env },
        { "prev", NULL, &l->prev },    { "hash", NULL, &l->hash },
    };
    uint64_t gen;
    struct str ts;

    for (size_t i = 0; i < COUNT(member); i++) {
        if (!str_eq(key, str_of(member[i].name)))
            continue;
        if (member[i].number)
            (void)json_u64(j, member[i].number);
        else
            (void)json_string(j, member[i].text);
        return;
    }
    if (str_eq(key, STR("gen")) && json_u64(j, &gen)) {
        if (gen > UINT32_MAX)
            (void)json_fail(j, "the generation is no number below 2^32");
        else
            l->gen = (uint32_t)gen;
    } else if (str_eq(key, STR("ts")) && json_string(j, &ts)) {
        if (!clock_parse(ts, &l->ts))
            (void)json_fail(j, "'" STR_FMT "' is no time", STR_ARG(ts));
    } else if (str_eq(key, STR("data"))) {
        if (json_type(j) == JSON_OBJECT)
            (void)json_raw(j, &l->data);
        else
            (void)json_fail(j, "data is no object");
    }
}

bool audit_parse(struct str line, struct arena *a, struct audit_line *out, struct err *e)
{
    struct audit_line l = { .text = line };
    struct str key, body, hash;
    struct json j;

    err_clear(e);
    json_init(&j, line, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            read_member(&j, key, &l);
    if (!json_end(&j))
        return err_wrap(e, "read a line of the audit log");
    if (!cut_hash(line, &body, &hash) || !str_eq(hash, l.hash) || l.seq == 0 || l.event.n == 0 ||
        l.prev.n != HASH_HEX256)
        return err_set(e, ERR_PACKAGE, "the line is not one of the audit log");
    *out = l;
    return true;
}

bool audit_line_is_whole(const struct audit_line *line)
{
    struct str body, hash;
    char want[HASH_HEX256 + 1];

    if (!cut_hash(line->text, &body, &hash))
        return false;
    audit_hash(line->prev, body, want);
    return str_eq(hash, str_of(want));
}

/* ------------------------------------------------------------ all lines */

struct reading {
    bool (*each)(void *ctx, const struct audit_line *line);
    void *ctx;
    bool stopped;
    bool torn; /* the last file does not end with a line's end */
};

static void each_line(struct reading *r, struct str text)
{
    for (struct str line; !r->stopped && text.n;) {
        size_t end = str_find(text, '\n');
        AUTO_ARENA a = { 0 };
        struct audit_line l;
        struct err bad = { 0 };

        if (end == text.n) {
            r->torn = true;
            return;
        }
        line = str_sub(text, 0, end);
        text = str_sub(text, end + 1, text.n);
        arena_init(&a);
        if (!audit_parse(line, &a, &l, &bad))
            l = (struct audit_line){ .text = line };
        r->stopped = !r->each(r->ctx, &l);
    }
}

static bool read_files(int dir, struct reading *r, struct err *e)
{
    for (unsigned n = AUDIT_FILES; n-- > 0 && !r->stopped;) {
        AUTO_ARENA a = { 0 };
        char name[AUDIT_NAME];
        struct str text;

        arena_init(&a);
        audit_file_name(n, name);
        if (!fd_read_if_there(dir, name, READ_MAX, &a, &text, e))
            return err_wrap(e, "read the audit log");
        r->torn = false;
        if (text.p)
            each_line(r, text);
        if (r->torn && n)
            r->stopped = !r->each(r->ctx, &(struct audit_line){ .text = STR("") }); /* only the newest may be torn */
    }
    return true;
}

/* Shared: a line that is being written is not seen in halves. */
static bool read_locked(const struct dirs *d, struct reading *r, int *dir, bool *there, struct err *e)
{
    AUTO_FD lock = -1;
    bool have;

    if (!audit_dir_open(d, dir, there, e))
        return false;
    if (!*there)
        return true;
    if (!fd_open_if_there(*dir, AUDIT_LOCK, O_RDONLY, &lock, &have, e) ||
        (have && !fd_lock(lock, false, "the audit log", e)))
        return false;
    return read_files(*dir, r, e);
}

bool audit_each(const struct dirs *d, bool (*each)(void *ctx, const struct audit_line *line), void *ctx, struct err *e)
{
    struct reading r = { each, ctx, false, false };
    AUTO_FD dir = -1;
    bool there;

    return read_locked(d, &r, &dir, &there, e);
}

/* ------------------------------------------------------------ verifying */

struct verifying {
    struct arena *a;
    struct audit_verdict v;
    char prev[HASH_HEX256 + 1];  /* hash of the line before */
    uint64_t head;               /* sequence number and hash of the checkpoint beside the log; 0: none */
    char head_hash[HASH_HEX256 + 1];
    bool head_seen;
};

static bool wrong(struct verifying *v, uint64_t seq, struct str why)
{
    v->v.bad = seq;
    v->v.why = why;
    return false;
}

static bool check_first(struct verifying *v, const struct audit_line *l)
{
    bool begins = l->seq == 1 && str_eq(l->prev, STR(AUDIT_ZERO));

    if (!begins && !str_eq(l->event, str_of(audit_word(AUDIT_ROTATED))))
        return wrong(v, 1, arena_printf(v->a, "the log begins with line %llu, which is neither the first nor the first "
                                        "of a new file: what was before is gone", (unsigned long long)l->seq));
    return true;
}

static bool check_line(void *ctx, const struct audit_line *l)
{
    struct verifying *v = ctx;
    uint64_t due = v->v.last + 1;

    if (l->event.n == 0)
        return wrong(v, due, STR("the line is not one of the log"));
    if (v->v.lines == 0) {
        if (!check_first(v, l))
            return false;
        v->v.first = l->seq;
    } else if (l->seq != due) {
        return wrong(v, due, arena_printf(v->a, "line %llu follows line %llu", (unsigned long long)l->seq,
                                          (unsigned long long)v->v.last));
    } else if (!str_eq(l->prev, str_of(v->prev))) {
        return wrong(v, due, STR("it does not name the line before"));
    }
    if (!audit_line_is_whole(l))
        return wrong(v, l->seq, STR("its content is not what its hash says"));
    if (l->seq == v->head) {
        if (!str_eq(l->hash, str_of(v->head_hash)))
            return wrong(v, l->seq, STR("its hash is not that of the checkpoint"));
        v->head_seen = true;
    }
    memcpy(v->prev, l->hash.p, HASH_HEX256);
    v->prev[HASH_HEX256] = '\0';
    v->v.last = l->seq;
    v->v.lines++;
    return true;
}

static void judge_end(struct verifying *v, bool torn)
{
    struct audit_verdict *r = &v->v;

    r->head = r->lines ? arena_str(v->a, str_of(v->prev)) : STR("");
    r->checkpoint = v->head_seen ? v->head : 0;
    r->torn = torn;
    if (r->bad)
        return;
    if (v->head > r->last) {
        r->truncated = true;
        r->bad = r->last + 1;
        r->why = arena_printf(v->a, "the end is missing: a checkpoint knows line %llu", (unsigned long long)v->head);
    } else if (torn) {
        r->bad = r->last + 1;
        r->why = STR("it is incomplete, as a crash leaves it; the next entry removes it and says so");
    } else {
        r->whole = true; /* also where the checkpoint's line was rotated away */
    }
}

bool audit_verify(const struct dirs *d, const struct audit_checkpoint *outside, struct arena *a,
                  struct audit_verdict *out, struct err *e)
{
    struct verifying v = { .a = a };
    struct reading r = { check_line, &v, false, false };
    AUTO_FD dir = -1;
    bool there;

    if (!audit_dir_open(d, &dir, &there, e))
        return false;
    if (outside) {
        v.head = outside->seq;
        memcpy(v.head_hash, outside->hash, sizeof v.head_hash);
    } else if (there && !audit_head_read(dir, &v.head, v.head_hash)) {
        v.head = 0;
    }
    fd_close(&dir);
    if (!read_locked(d, &r, &dir, &there, e))
        return false;
    judge_end(&v, r.torn);
    *out = v.v;
    return true;
}
