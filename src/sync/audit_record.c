/* What a workspace puts into the audit log: the data of an entry, without secrets, and the policy it happened under. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/json_write.h"
#include "install/plan.h"
#include "sync/audit.h"
#include "sync/workspace.h"

#define POLICY_MAX ((size_t)1 << 20)
#define CHANGES_MAX 2000 /* packages listed in one entry; the rest is a number */

/* ------------------------------------------------------------ no secrets */

static bool ends_url(char c)
{
    return char_is_space(c) || c == '"' || c == '\'' || c == ',' || c == ')' || c == ']';
}

/* URLs inside a text lose user, password and what stands behind '?': tokens travel there. */
static struct str redacted(struct arena *a, struct str text)
{
    AUTO_BUF b = { .limit = text.n + 1 };
    struct str rest = text;

    for (size_t at; (at = str_search(rest, STR("://"))) < rest.n;) {
        size_t end = at + 3, host = end, slash = 0;

        while (end < rest.n && !ends_url(rest.p[end]) && rest.p[end] != '?')
            end++;
        struct str url = str_sub(rest, host, end);

        slash = str_find(url, '/');
        size_t user = str_rfind(str_sub(url, 0, slash), '@');

        (void)buf_str(&b, str_sub(rest, 0, at + 3));
        (void)buf_str(&b, str_sub(url, user < slash ? user + 1 : 0, url.n));
        while (end < rest.n && !ends_url(rest.p[end]))
            end++;
        rest = str_sub(rest, end, rest.n);
    }
    (void)buf_str(&b, rest);
    return arena_str(a, buf_done(&b));
}

static void begin(struct json_write *w, struct buf *b)
{
    buf_init(b, AUDIT_LINE_MAX * 4);
    json_write_init(w, b, false);
    json_write_object_begin(w);
}

static struct str end(struct json_write *w, struct buf *b, struct arena *a)
{
    json_write_object_end(w);
    struct str text = json_write_end(w) ? arena_str(a, buf_done(b)) : STR("{\"left_out\":\"too long\"}");

    buf_clear(b);
    return text;
}

struct str audit_data(struct arena *a, const char *name, ...)
{
    struct json_write w;
    struct buf b;
    va_list ap;

    begin(&w, &b);
    va_start(ap, name);
    for (; name; name = va_arg(ap, const char *))
        json_write_member(&w, name, redacted(a, str_of(va_arg(ap, const char *))));
    va_end(ap);
    return end(&w, &b, a);
}

static struct str step_text(struct arena *a, const struct plan_step *s)
{
    if (s->kind == PLAN_ADD)
        return arena_printf(a, "+" STR_FMT " " STR_FMT, STR_ARG(s->want->name), STR_ARG(s->want->version));
    if (s->kind == PLAN_REMOVE)
        return arena_printf(a, "-" STR_FMT " " STR_FMT, STR_ARG(s->have->name), STR_ARG(s->have->version));
    return arena_printf(a, "~" STR_FMT " " STR_FMT " -> " STR_FMT, STR_ARG(s->want->name), STR_ARG(s->have->version),
                        STR_ARG(s->want->version));
}

struct str audit_change_data(struct arena *a, struct str command, struct str why, const struct plan *plan)
{
    struct json_write w;
    struct buf b;
    size_t listed = 0, all = 0;

    begin(&w, &b);
    json_write_member(&w, "command", redacted(a, command));
    if (why.n)
        json_write_member(&w, "why", redacted(a, why));
    json_write_key(&w, STR("changes"));
    json_write_array_begin(&w);
    for (size_t i = 0; plan && i < plan->n; i++) {
        if (plan->steps[i].kind == PLAN_KEEP || all++ >= CHANGES_MAX)
            continue;
        json_write_str(&w, step_text(a, &plan->steps[i]));
        listed++;
    }
    json_write_array_end(&w);
    if (all > listed)
        json_write_member_u64(&w, "more", all - listed);
    return end(&w, &b, a);
}

/* ------------------------------------------------------------ policy and the switch */

static bool is_policy(const char *section)
{
    static const char *const of[] = { "container", "sandbox", "security", "sync", "resolver", "updates", "pkg_layer" };
    struct str s = str_of(section);

    for (size_t i = 0; i < COUNT(of); i++)
        if (str_starts(s, str_of(of[i])) && (s.n == strlen(of[i]) || s.p[strlen(of[i])] == '.'))
            return true;
    return false;
}

/* The settings in force that decide what may happen, one a line. */
static struct str policy_text(struct workspace *w)
{
    AUTO_BUF b = { .limit = POLICY_MAX };
    struct config_item item;

    for (unsigned i = 0; config_each(&w->config, &i, w->a, &item);)
        if (is_policy(item.section))
            (void)buf_printf(&b, "%s.%s " STR_FMT "\n", item.section, item.name, STR_ARG(redacted(w->a, item.value)));
    return arena_str(w->a, buf_done(&b));
}

static struct str line_of(struct str text, struct str name)
{
    for (struct str line; str_next_line(&text, &line);)
        if (str_cut_prefix(&line, name) && str_cut_prefix(&line, STR(" ")))
            return line;
    return STR("");
}

static struct str policy_changes(struct workspace *w, struct str old, struct str now)
{
    struct json_write j;
    struct buf b;
    unsigned char sum[sizeof(uint64_t)];
    uint64_t digest = hash_fast(now.p, now.n);
    char hex[2 * sizeof sum + 1];

    memcpy(sum, &digest, sizeof sum);
    hash_hex(sum, sizeof sum, hex);
    begin(&j, &b);
    json_write_member_cstr(&j, "digest", hex);
    json_write_key(&j, STR("changed"));
    json_write_array_begin(&j);
    for (struct str line, rest = now; str_next_line(&rest, &line);) {
        size_t space = str_find(line, ' ');
        struct str name = str_sub(line, 0, space), value = str_sub(line, MIN(space + 1, line.n), line.n);
        struct str before = line_of(old, name);

        if (!str_eq(before, value))
            json_write_str(&j, arena_printf(w->a, STR_FMT " " STR_FMT " -> " STR_FMT, STR_ARG(name), STR_ARG(before),
                                            STR_ARG(value)));
    }
    json_write_array_end(&j);
    return end(&j, &b, w->a);
}

static struct audit_entry entry_of(struct workspace *w, enum audit_event event, uint32_t gen, struct str data)
{
    return (struct audit_entry){ event, w->request->actor, str_of(w->env_path), gen, data };
}

/* Under which policy what follows happens, when it is another one than the last time. */
static bool note_policy(struct workspace *w, int dir, const char *name, struct err *e)
{
    struct str old, now = policy_text(w);

    if (!fd_read_if_there(dir, name, POLICY_MAX, w->a, &old, e))
        return false;
    if (old.p && str_eq(old, now))
        return true;
    struct audit_entry entry = entry_of(w, AUDIT_POLICY, 0, old.p ? policy_changes(w, old, now)
                                                                  : audit_data(w->a, "first", "true", (char *)NULL));

    return audit_append(&w->dirs, &entry, e) && file_replace(dir, name, now, 0600, FILE_NO_SYNC, e);
}

/* Said once when a project's log goes off, and once when it comes on again. */
static bool note_switch(struct workspace *w, int dir, const char *name, struct err *e)
{
    bool off = !w->config.security_audit_logging, known = file_exists(dir, name);
    struct str by = w->config.origin[CONFIG_KEY_security_audit_logging].text;

    if (off == known)
        return true;
    struct audit_entry entry = entry_of(w, AUDIT_LOGGING, 0, audit_data(w->a, "logging", off ? "off" : "on", "by",
                                                                        arena_cstr(w->a, by), (char *)NULL));

    if (!audit_append(&w->dirs, &entry, e))
        return false;
    if (off)
        return file_replace(dir, name, STR(""), 0600, FILE_NO_SYNC, e);
    return unlinkat(dir, name, 0) == 0 || err_sys(e, "remove %s", name);
}

static bool record(struct workspace *w, enum audit_event event, uint32_t gen, struct str data, struct err *e)
{
    const char *path = arena_printf(w->a, "%s/audit/projects", w->dirs.state).p;
    unsigned long long key = hash_fast(w->env_path, strlen(w->env_path));
    const char *policy = arena_printf(w->a, "%016llx.policy", key).p, *off = arena_printf(w->a, "%016llx.off", key).p;
    struct audit_entry entry = entry_of(w, event, gen, data);
    AUTO_FD dir = -1;
    bool there;

    if (!fd_open_if_there(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, &dir, &there, e) ||
        (!there && (!file_make_dirs(AT_FDCWD, path, 0700, e) || !fd_open_dir(AT_FDCWD, path, &dir, e))) ||
        !note_switch(w, dir, off, e))
        return false;
    if (!w->config.security_audit_logging)
        return true;
    return note_policy(w, dir, policy, e) && audit_append(&w->dirs, &entry, e);
}

void audit_record(struct workspace *w, enum audit_event event, uint32_t gen, struct str data)
{
    struct err e = { 0 };

    if (!record(w, event, gen, data, &e))
        workspace_warn(w, "not recorded in the audit log: %.*s", (int)MIN(e.n, 400u), e.text);
}
