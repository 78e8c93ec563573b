#include "cli/observe.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/common.h"
#include "cli/observe_show.h"
#include "cli/sockets.h"
#include "jail/compile.h"
#include "jail/policy.h"
#include "jail/track.h"
#include "sync/audit.h"

#define ACCESSES "accesses"
#define LEARNED "learned"
#define TRACK "track"
#define NOTES_MAX (8u << 20) /* bytes of a file that are read */
#define DENIALS_MAX 200      /* of one sandbox or command in the audit log; each is another thing */

/* ------------------------------------------------------------ files */

/* Held by whoever reads one of its files and writes it anew. */
static bool open_folder(const struct workspace *w, const char *name, int *dir, struct err *e)
{
    if (!sockets_open_dir(w, name, true, dir))
        return err_set(e, ERR_IO, "the directory %s/%s cannot be made", w->dirs.state, name);
    return flock(*dir, LOCK_EX) == 0 || err_sys(e, "lock %s/%s", w->dirs.state, name);
}

static struct str file_name(const struct workspace *w, struct arena *a)
{
    char mark[SOCKETS_MARK];

    sockets_mark(w, mark);
    return arena_printf(a, "%s.jsonl", mark);
}

static void add_lines(struct asked *s, struct str text, struct arena *a)
{
    for (struct str line; str_next_line(&text, &line);) {
        struct asked_item item;
        struct err e = { 0 };

        if (asked_parse(line, a, &item, &e))
            (void)asked_add(s, &item);
        else
            s->left_out++;
    }
}

/* Of what is longer than NOTES_MAX, the beginning. */
static bool read_lines(int dir, const char *name, struct asked *s, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = NOTES_MAX };
    AUTO_FD fd = -1;
    struct err full = { 0 };
    bool there;

    arena_init(&a);
    if (!fd_open_if_there(dir, name, O_RDONLY | O_NOFOLLOW, &fd, &there, e))
        return false;
    if (there && !fd_read_all(fd, &b, name, &full) && !b.full) {
        *e = full;
        return false;
    }
    add_lines(s, buf_done(&b), &a);
    return true;
}

static bool write_lines(int dir, const char *name, const struct asked *s, struct err *e)
{
    AUTO_BUF b = { .limit = NOTES_MAX };

    for (size_t i = 0; i < s->items.n; i++) {
        struct json_write w;

        json_write_init(&w, &b, false);
        asked_write(&s->items.p[i], &w);
        if (!json_write_end(&w) || !buf_char(&b, '\n'))
            break; /* a table full of names that need escapes: the rest is left out */
    }
    return file_replace(dir, name, buf_done(&b), 0600, FILE_NO_SYNC, e);
}

/* *why may live in the arena. */
static bool is_refused(const struct observe *o, const struct asked_item *item, struct arena *a, struct str *why)
{
    struct learn_place at = observe_place(o->w, a);
    struct learn_case l = { o->p, &at, &o->asked, a };

    return learn_is_refused(&l, item, why);
}

/* What came since the last time, to what is in the file. */
static bool keep_in(const struct observe *o, const char *folder, bool refused_only, struct err *e)
{
    AUTO_FD dir = -1;
    AUTO_ASKED all = { 0 };
    struct str name = file_name(o->w, o->a), why;

    asked_init(&all);
    if (!open_folder(o->w, folder, &dir, e) || !read_lines(dir, name.p, &all, e))
        return false;
    for (size_t i = o->kept; i < o->asked.items.n; i++) {
        const struct asked_item *item = &o->asked.items.p[i];
        AUTO_ARENA a = { 0 };

        arena_init(&a);
        if (!refused_only || item->how == ASKED_LISTEN || is_refused(o, item, &a, &why))
            (void)asked_add(&all, item);
    }
    for (size_t i = 0; i < o->unread.items.n && !refused_only; i++)
        (void)asked_add(&all, &o->unread.items.p[i]);
    return write_lines(dir, name.p, &all, e);
}

static bool keep(struct observe *o, struct err *e)
{
    if (o->kept == o->asked.items.n && o->unread.items.n == 0)
        return true;
    bool ok = keep_in(o, ACCESSES, false, e) && keep_in(o, LEARNED, true, e);

    o->kept = o->asked.items.n;
    asked_clear(&o->unread);
    asked_init(&o->unread);
    return ok || err_wrap(e, "keep what the sandbox asked for");
}

static bool forget(const struct workspace *w, const char *folder, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD dir = -1;

    arena_init(&a);
    return open_folder(w, folder, &dir, e) && file_remove_tree(dir, file_name(w, &a).p, e);
}

/* ------------------------------------------------------------ before */

static const char *notes_folder(const struct workspace *w, struct arena *a)
{
    char mark[SOCKETS_MARK];

    sockets_mark(w, mark);
    return arena_printf(a, "%s/" TRACK "/%s", w->dirs.state, mark).p;
}

bool observe_policy(struct cmd *c, const struct workspace *w, struct jail_policy *p, struct err *e)
{
    const char *const rw[] = { notes_folder(w, c->a), NULL };
    bool learns = option_flag(&c->options, OPT_LEARN);

    if (learns)
        p->tracking = track_is_there() ? JAIL_TRACK_SYSCALL : JAIL_TRACK_PACKAGE;
    return (p->tracking != JAIL_TRACK_PACKAGE && !learns) || jail_policy_with(p, NULL, rw, c->a, p, e);
}

void observe_init(struct observe *o, struct workspace *w, struct arena *a, const struct jail_policy *p)
{
    *o = (struct observe){ .w = w, .a = a, .p = p, .records = true, .notes = str_of(notes_folder(w, a)) };
    asked_init(&o->asked);
    asked_init(&o->unread);
}

void observe_clear(struct observe *o)
{
    asked_clear(&o->asked);
    asked_clear(&o->unread);
}

/* ------------------------------------------------------------ meanwhile */

static void record(struct observe *o, const struct asked_item *item)
{
    AUTO_BUF b = { .limit = AUDIT_LINE_MAX / 2 };
    struct json_write j;

    if (o->recorded == DENIALS_MAX) {
        o->unrecorded++;
        return;
    }
    o->recorded++;
    json_write_init(&j, &b, false);
    asked_write(item, &j);
    if (json_write_end(&j))
        audit_record(o->w, AUDIT_DENIED, 0, buf_done(&b));
}

static void record_rest(struct observe *o)
{
    const char *n = arena_printf(o->a, "%llu", (unsigned long long)o->unrecorded).p;

    if (o->unrecorded)
        audit_record(o->w, AUDIT_DENIED, 0, audit_data(o->a, "left_out", n, (char *)NULL));
    o->unrecorded = 0;
}

/* Of the gateway's refusals the log has the gateway's own word. */
static void record_refused(struct observe *o, const struct asked_item *item)
{
    AUTO_ARENA a = { 0 };
    struct asked_item denial = *item;

    arena_init(&a);
    if (o->records && item->how <= ASKED_LISTEN && is_refused(o, item, &a, &denial.why))
        record(o, &denial);
}

static void note(struct observe *o, const struct asked_item *item)
{
    if (item->how == ASKED_UNREAD) { /* each time: one command's are not another's */
        (void)asked_add(&o->unread, item);
        record(o, item);
    } else if (!jail_path_within(item->what, o->notes) && asked_add(&o->asked, item)) {
        record_refused(o, item);
    }
}

void observe_hear(struct observe *o, struct str key, struct str value)
{
    AUTO_ARENA a = { 0 };
    struct asked_item item;
    struct err e = { 0 };

    if (o->p->tracking == JAIL_TRACK_NONE)
        return;
    arena_init(&a);
    if (str_eq(key, STR("connection"))) {
        if (asked_parse_gate(value, &a, &item, &e))
            note(o, &item);
    } else if (str_eq(key, STR("access"))) {
        if (asked_parse(value, &a, &item, &e))
            note(o, &item);
    } else if (str_eq(key, STR("report"))) {
        if (!forget(o->w, ACCESSES, &e)) /* a new sandbox */
            workspace_warn(o->w, "%.*s", (int)e.n, e.text);
    } else if (str_eq(key, STR("over")) || str_eq(key, STR("end"))) {
        record_rest(o);
        if (!keep(o, &e))
            workspace_warn(o->w, "%.*s", (int)e.n, e.text);
    }
}

/* ------------------------------------------------------------ the client */

static const char *notes_file(const struct observe *o)
{
    return arena_printf(o->a, STR_FMT "/%d.jsonl", STR_ARG(o->notes), (int)getpid()).p;
}

static bool has_notes(const struct observe *o)
{
    for (size_t i = 0; i < o->p->n_paths; i++)
        if (str_eq(o->p->path[i].path, o->notes))
            return true;
    return false;
}

bool observe_begin(struct observe *o, const char **variable, struct err *e)
{
    AUTO_FD fd = -1;

    *variable = NULL;
    if (!has_notes(o))
        return true;
    o->records = o->p->tracking == JAIL_TRACK_PACKAGE; /* else the keeper knows it from the tracker */
    *variable = arena_printf(o->a, "BLAST_TRACK=%s", notes_file(o)).p;
    return (file_make_dirs(AT_FDCWD, o->notes.p, 0700, e) &&
            fd_open(AT_FDCWD, notes_file(o), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd, e)) ||
           err_as(e, ERR_ENVIRONMENT, "make room for what the sandbox asks for");
}

static bool take_notes(struct observe *o, struct err *e)
{
    AUTO_ASKED noted = { 0 };

    asked_init(&noted);
    bool ok = read_lines(AT_FDCWD, notes_file(o), &noted, e);

    (void)unlink(notes_file(o));
    for (size_t i = 0; i < noted.items.n && ok; i++) {
        struct asked_item item = noted.items.p[i];

        item.why = STR(""); /* what the gateway says, only the gateway says */
        if (item.how <= ASKED_LISTEN)
            note(o, &item);
    }
    o->asked.left_out += noted.left_out;
    record_rest(o);
    return ok && keep(o, e);
}

bool observe_end(struct observe *o, struct cmd *c, struct err *e)
{
    AUTO_FD dir = -1;
    AUTO_ASKED all = { 0 };

    if (has_notes(o) && !take_notes(o, e))
        return false;
    if (!option_flag(&c->options, OPT_LEARN))
        return true;
    asked_init(&all);
    return open_folder(o->w, LEARNED, &dir, e) && read_lines(dir, file_name(o->w, o->a).p, &all, e) &&
           observe_show_learned(c, o->w, o->p, &all, e);
}

/* ------------------------------------------------------------ blast sandbox */

bool observe_accesses(struct cmd *c, struct workspace *w, struct err *e)
{
    AUTO_FD dir = -1;
    AUTO_ASKED all = { 0 };

    asked_init(&all);
    if (!open_folder(w, ACCESSES, &dir, e) || !read_lines(dir, file_name(w, c->a).p, &all, e))
        return false;
    observe_show_accesses(c, &all);
    return true;
}

bool observe_learned(struct cmd *c, struct workspace *w, const struct jail_policy *p, struct err *e)
{
    AUTO_FD dir = -1;
    AUTO_ASKED all = { 0 };
    bool made;

    asked_init(&all);
    if (!open_folder(w, LEARNED, &dir, e) || !read_lines(dir, file_name(w, c->a).p, &all, e) ||
        !observe_print_learned(c, w, p, &all, &made, e))
        return false;
    return !made || file_remove_tree(dir, file_name(w, c->a).p, e);
}

bool observe_forget(const struct workspace *w, struct err *e)
{
    return forget(w, LEARNED, e) && forget(w, ACCESSES, e);
}
