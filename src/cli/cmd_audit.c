/* blast audit: the log of what changed, shown and verified. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "codec/json.h"
#include "sync/audit.h"

#define LOG_DIR "/audit"
#define COLUMNS 6

struct shown {
    struct cmd *c;
    int64_t since;
    uint64_t after; /* lines up to this one were shown */
    struct str_list events;
    struct json_write *json; /* NULL: text */
    struct str *cell;        /* of the table */
    size_t n, cap;
    bool follow;
};

/* "2026-11-23", a date-time, or an age: "3d", "12h". */
static bool since_of(struct str text, int64_t *out, struct err *e)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    uint64_t n;

    *out = INT64_MIN;
    if (text.n == 0 || clock_parse(text, out))
        return true;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (text.p[text.n - 1] == units[i].unit && str_to_u64(str_sub(text, 0, text.n - 1), &n) && n < 1000000) {
            *out = clock_now() - (int64_t)n * units[i].seconds;
            return true;
        }
    }
    (void)err_set(e, ERR_CONFIG, "--since: '" STR_FMT "' is no date and no age", STR_ARG(text));
    return err_hint(e, "write 2026-11-01, 2026-11-01T12:00:00Z, or an age such as 3d");
}

static bool check_events(const struct str_list *events, struct err *e)
{
    for (size_t i = 0; i < events->n; i++) {
        bool known = false;

        for (unsigned k = 0; k < AUDIT_EVENT_COUNT; k++)
            known = known || str_eq(events->p[i], str_of(audit_word((enum audit_event)k)));
        if (!known) {
            (void)err_set(e, ERR_CONFIG, "the log has no event '" STR_FMT "'", STR_ARG(events->p[i]));
            return err_hint(e, "blast-audit(1) lists them, such as generation, denied, trusted");
        }
    }
    return true;
}

static bool wanted(const struct shown *s, const struct audit_line *l)
{
    if (l->seq <= s->after && l->event.n)
        return false;
    if (l->ts < s->since)
        return false;
    for (size_t i = 0; i < s->events.n; i++)
        if (str_eq(s->events.p[i], l->event))
            return true;
    return s->events.n == 0;
}

/* The raw text of a JSON value, a string without its quotes. Control characters became escapes: they stay so. */
static struct str without_quotes(struct str raw)
{
    return raw.n > 1 && raw.p[0] == '"' ? str_sub(raw, 1, raw.n - 1) : raw;
}

/* The first few elements. */
static bool summary_list(struct json *j, struct arena *a, struct str *text)
{
    struct str item;
    size_t n = 0;

    if (!json_array_begin(j))
        return false;
    while (json_array_next(j))
        if (json_raw(j, &item) && n++ < 4)
            *text = arena_printf(a, STR_FMT "  " STR_FMT, STR_ARG(*text), STR_ARG(without_quotes(item)));
    if (n > 4)
        *text = arena_printf(a, STR_FMT "  and %zu more", STR_ARG(*text), n - 4);
    return true;
}

static bool summary_value(struct json *j, struct str key, struct arena *a, struct str *text)
{
    bool bare = str_eq(key, STR("command"));
    struct str item;

    if (!json_raw(j, &item))
        return false;
    item = without_quotes(item);
    if (str_eq(key, STR("policy")))
        item = str_sub(item, 0, MIN(item.n, 12)); /* enough to tell one from another */
    *text = arena_printf(a, STR_FMT "%s" STR_FMT "%s" STR_FMT, STR_ARG(*text), text->n ? "  " : "",
                         bare ? 0 : (int)key.n, key.p, bare ? "" : " ", STR_ARG(item));
    return true;
}

/* {"command":"install x","changes":["+x 1"]} as "install x  +x 1"; what is torn ends it. */
static struct str summary(struct arena *a, struct str data)
{
    struct err ignored = { 0 };
    struct str key, text = STR("");
    struct json j;
    bool more = true;

    json_init(&j, data, a, &ignored);
    if (!json_object_begin(&j))
        return STR("");
    while (more && json_object_next(&j, &key)) {
        enum json_type type = json_type(&j);

        if (type == JSON_ARRAY)
            more = summary_list(&j, a, &text);
        else if (type == JSON_OBJECT || type == JSON_NULL)
            more = json_skip(&j); /* such as all that was enforced: --json has it */
        else
            more = summary_value(&j, key, a, &text);
    }
    return text;
}

/* The project's folder of /home/me/shop/.venv; --json has the whole path. */
static struct str place(struct arena *a, struct str env)
{
    struct str dir = env;

    if (str_ends(dir, STR("/.venv")))
        dir = str_sub(dir, 0, dir.n - STR("/.venv").n);
    size_t slash = str_rfind(dir, '/');

    return arena_str(a, slash < dir.n ? str_sub(dir, slash + 1, dir.n) : dir);
}

static void add_row(struct shown *s, const struct audit_line *l)
{
    struct arena *a = s->c->a;
    char when[CLOCK_TEXT];

    if (s->n + COLUMNS > s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64 * COLUMNS;

        s->cell = arena_grow(a, s->cell, s->cap * sizeof *s->cell, cap * sizeof *s->cell);
        s->cap = cap;
    }
    struct str *row = s->cell + s->n;

    s->n += COLUMNS;
    if (l->event.n == 0) {
        row[0] = STR("?");
        row[1] = row[2] = row[3] = STR("");
        row[4] = STR("unreadable");
        row[5] = arena_printf(a, "%zu bytes; blast audit verify looks closer", l->text.n);
        return;
    }
    clock_format(l->ts, when);
    row[0] = arena_printf(a, "%llu", (unsigned long long)l->seq);
    row[1] = arena_printf(a, "%.10s %.8s", when, when + 11);
    row[2] = arena_str(a, l->actor);
    row[3] = place(a, l->env);
    row[4] = l->gen ? arena_printf(a, STR_FMT " %u", STR_ARG(l->event), l->gen) : arena_str(a, l->event);
    row[5] = summary(a, l->data);
}

static bool show_line(void *ctx, const struct audit_line *l)
{
    struct shown *s = ctx;

    if (!wanted(s, l))
        return true;
    s->after = MAX(s->after, l->seq);
    if (!s->json)
        add_row(s, l);
    else if (l->event.n && s->follow)
        ui_out(STR_FMT "\n", STR_ARG(l->text));
    else if (l->event.n)
        json_write_raw(s->json, l->text);
    return true;
}

static void print_rows(struct shown *s, bool header)
{
    static const char *const names[COLUMNS] = { "line", "when (UTC)", "who", "where", "what", "" };

    if (s->n)
        ui_table(header ? names : NULL, s->cell, s->n / COLUMNS, COLUMNS);
    s->n = 0;
}

/* New lines as they come, until the reader of stdout or the user ends it. One JSON object a line. */
static bool follow(struct shown *s, const struct dirs *d, struct err *e)
{
    AUTO_FD fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char events[4096];

    if (fd < 0 || inotify_add_watch(fd, arena_printf(s->c->a, "%s" LOG_DIR, d->state).p,
                                    IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_sys(e, "watch the audit log");
    for (;;) {
        struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO } };

        if (!audit_each(d, show_line, s, e))
            return false;
        print_rows(s, false);
        if (!ui_flush())
            return true; /* nobody reads any more */
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return err_sys(e, "wait for the audit log");
        if (p[1].revents)
            return true;
        while (read(fd, events, sizeof events) > 0)
            ; /* that something happened is enough */
    }
}

static bool show(struct cmd *c, const struct workspace *w, struct err *e)
{
    const struct options *o = &c->options;
    struct shown s = { .c = c, .events = { o->at[OPT_EVENT].values.p, o->at[OPT_EVENT].values.n },
                       .follow = option_flag(o, OPT_FOLLOW) };
    struct json_result r;

    if (!since_of(option_value(o, OPT_SINCE), &s.since, e) || !check_events(&s.events, e))
        return false;
    if (s.follow) {
        s.json = ui.json ? &r.w : NULL;
        return follow(&s, &w->dirs, e);
    }
    if (ui.json) {
        json_result_begin(&r, "blast.audit/1");
        json_write_key(&r.w, STR("entries"));
        json_write_array_begin(&r.w);
        s.json = &r.w;
    }
    bool ok = audit_each(&w->dirs, show_line, &s, e);

    if (ui.json && ok) {
        json_write_array_end(&r.w);
        json_result_end(&r);
    } else if (ui.json) {
        buf_clear(&r.buf);
    }
    if (ok && !ui.json && s.n == 0)
        ui_note("the audit log has no such entry");
    print_rows(&s, true);
    return ok;
}

/* ------------------------------------------------------------ verify */

static bool checkpoint_of(struct str text, struct audit_checkpoint *out, struct err *e)
{
    size_t colon = str_find(text, ':');
    unsigned char sum[HASH_SHA256];

    if (colon == text.n || !str_to_u64(str_sub(text, 0, colon), &out->seq) ||
        !hash_from_hex(str_sub(text, colon + 1, text.n), sum, sizeof sum)) {
        (void)err_set(e, ERR_CONFIG, "'" STR_FMT "' is no checkpoint", STR_ARG(text));
        return err_hint(e, "a checkpoint is LINE:HASH, as blast audit verify prints it");
    }
    hash_hex(sum, sizeof sum, out->hash);
    return true;
}

static void verdict_json(const struct audit_verdict *v)
{
    struct json_result r;

    json_result_begin(&r, "blast.audit.verify/1");
    json_write_member_bool(&r.w, "whole", v->whole);
    json_write_member_u64(&r.w, "lines", v->lines);
    json_write_member_u64(&r.w, "first", v->first);
    json_write_member_u64(&r.w, "last", v->last);
    json_write_member_u64(&r.w, "bad", v->bad);
    json_write_member_bool(&r.w, "truncated", v->truncated);
    json_write_member_bool(&r.w, "torn", v->torn);
    json_write_member_u64(&r.w, "checkpoint", v->checkpoint);
    json_write_member(&r.w, "why", v->why);
    json_write_member(&r.w, "head", v->head);
    json_result_end(&r);
}

static void verdict_text(const struct audit_verdict *v, bool outside)
{
    if (v->lines == 0 && v->whole) {
        ui_note("nothing has been recorded yet");
        return;
    }
    if (v->lines)
        ui_out("lines %llu to %llu form one chain\n", (unsigned long long)v->first, (unsigned long long)v->last);
    if (v->checkpoint)
        ui_out("the checkpoint of line %llu %s fits\n", (unsigned long long)v->checkpoint,
               outside ? "that was given" : "beside the log");
    if (v->head.n)
        ui_out("checkpoint %llu:" STR_FMT "\n", (unsigned long long)v->last, STR_ARG(v->head));
    if (v->whole && !outside)
        ui_note("this shows that nothing was altered piecemeal; who may write the log could have written all of it "
                "anew: compare with a checkpoint kept elsewhere (blast audit verify LINE:HASH)");
}

static bool verify(struct cmd *c, const struct workspace *w, struct err *e)
{
    struct audit_checkpoint given;
    struct audit_verdict v;
    bool outside = c->options.words.n == 2;

    if ((outside && !checkpoint_of(c->options.words.p[1], &given, e)) ||
        !audit_verify(&w->dirs, outside ? &given : NULL, c->a, &v, e))
        return false;
    if (ui.json)
        verdict_json(&v);
    else
        verdict_text(&v, outside);
    if (v.whole)
        return true;
    if (ui.json) {
        c->exit_code = 5;
        return true;
    }
    (void)err_set(e, ERR_IO, "line %llu of the audit log is wrong: " STR_FMT, (unsigned long long)v.bad,
                  STR_ARG(v.why));
    (void)err_hint(e, v.torn && !v.truncated ? "no entry is lost but the last one, unless somebody cut it"
                                             : "what stands before that line is as it was written");
    return err_exit(e, 5);
}

bool cmd_audit(struct cmd *c, struct err *e)
{
    const struct options *o = &c->options;
    struct str verb = o->words.n ? o->words.p[0] : STR("show");
    struct workspace w = { .a = c->a, .dir = -1 };

    if (!dirs_find(NULL, c->a, &w.dirs, e))
        return false;
    if (str_eq(verb, STR("show")) && o->words.n <= 1)
        return show(c, &w, e);
    if (str_eq(verb, STR("verify")) && o->words.n <= 2)
        return verify(c, &w, e);
    (void)err_set(e, ERR_CONFIG, "'%.*s' is not understood", STR_ARG(o->words.p[o->words.n - 1]));
    return err_hint(e, "blast audit show, or blast audit verify");
}
