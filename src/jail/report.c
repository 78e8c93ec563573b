#include "jail/report.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"

static const struct {
    const char *name;
    enum jail_about about;
} settings[] = {
#define X(id, name, about) { name, JAIL_ABOUT_##about },
    JAIL_SETTINGS(X)
#undef X
};

static const char *const state_word[] = { "not asked", "hard", "sampled", "advisory", "not enforced" };

const char *jail_setting_name(enum jail_setting s)
{
    return settings[s].name;
}

enum jail_about jail_setting_about(enum jail_setting s)
{
    return settings[s].about;
}

const char *jail_state_word(enum jail_state s)
{
    return state_word[s];
}

void jail_report_set(struct jail_report *r, enum jail_setting s, enum jail_state state, const char *mechanism)
{
    r->row[s] = (struct jail_row){ .state = state, .mechanism = mechanism };
}

void jail_report_lower(struct jail_report *r, enum jail_setting s, enum jail_state state, const char *reason,
                       const char *help)
{
    struct jail_row *row = &r->row[s];

    if (state <= row->state && row->reason)
        return;
    if (state > row->state)
        row->state = state;
    if (state == JAIL_NOT_ENFORCED)
        row->mechanism = NULL;
    row->reason = reason;
    row->help = help;
}

bool jail_report_refuses_row(const struct jail_report *r, const struct jail_policy *p, enum jail_setting s)
{
    enum jail_about about = settings[s].about;

    if (r->row[s].state != JAIL_NOT_ENFORCED || jail_policy_allows_lack(p, settings[s].name))
        return false;
    return p->strictness == JAIL_STRICT ||
           (p->strictness == JAIL_STANDARD && (about == JAIL_ABOUT_NETWORK || about == JAIL_ABOUT_FILES ||
                                               (p->level == JAIL_CONTAINER && s == JAIL_SET_ISOLATION)));
}

bool jail_report_refuses(const struct jail_report *r, const struct jail_policy *p)
{
    for (unsigned s = 0; s < JAIL_SETTING_COUNT; s++)
        if (jail_report_refuses_row(r, p, (enum jail_setting)s))
            return true;
    return false;
}

bool jail_report_refusal(const struct jail_report *r, const struct jail_policy *p, struct err *e)
{
    AUTO_BUF names = { .limit = 400 };
    const char *help = NULL;

    (void)err_set(e, ERR_ENVIRONMENT, "default_policy is %s and not all of it can be kept here",
                  jail_strictness_word(p->strictness));
    for (unsigned i = JAIL_SETTING_COUNT; i-- > 0;) {
        enum jail_setting s = (enum jail_setting)i;
        const struct jail_row *row = &r->row[s];

        if (!jail_report_refuses_row(r, p, s))
            continue;
        (void)err_wrap(e, "%s is not enforced: %s", settings[s].name, row->reason ? row->reason : "no mechanism here");
        (void)buf_printf(&names, "%s\"%s\"", names.n ? ", " : "", settings[s].name);
        help = row->help ? row->help : help;
    }
    return err_hint(e, "%s%sor accept it: [security] allow_degraded = [%.*s]; blast sandbox check shows all",
                    help ? help : "", help ? "; " : "", STR_ARG(buf_done(&names)));
}

void jail_report_write(const struct jail_report *r, struct json_write *w)
{
    json_write_object_begin(w);
    json_write_member_cstr(w, "level", jail_level_word(r->level));
    json_write_key(w, STR("settings"));
    json_write_array_begin(w);
    for (unsigned s = 0; s < JAIL_SETTING_COUNT; s++) {
        const struct jail_row *row = &r->row[s];

        if (row->state == JAIL_NOT_ASKED)
            continue;
        json_write_object_begin(w);
        json_write_member_cstr(w, "setting", settings[s].name);
        json_write_member_cstr(w, "state", state_word[row->state]);
        json_write_member_cstr(w, "mechanism", row->mechanism);
        json_write_member_cstr(w, "reason", row->reason);
        json_write_member_cstr(w, "help", row->help);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static unsigned find_word(struct json *j, struct str v, const char *(*word)(unsigned), unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (str_eq(v, str_of(word(i))))
            return i;
    (void)json_fail(j, "'" STR_FMT "' is none of the known words", STR_ARG(v));
    return 0;
}

static const char *setting_at(unsigned i)
{
    return settings[i].name;
}

static const char *state_at(unsigned i)
{
    return state_word[i];
}

static const char *level_at(unsigned i)
{
    return jail_level_word((enum jail_level)i);
}

static void read_text(struct json *j, struct arena *a, const char **out)
{
    struct str v;

    if (!json_take_null(j) && json_string(j, &v))
        *out = arena_cstr(a, v);
}

static void read_row(struct json *j, struct arena *a, struct jail_report *out)
{
    struct jail_row row = { 0 };
    unsigned setting = 0;
    struct str key, v = STR("");

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("setting")) && json_string(j, &v))
            setting = find_word(j, v, setting_at, JAIL_SETTING_COUNT);
        else if (str_eq(key, STR("state")) && json_string(j, &v))
            row.state = (enum jail_state)find_word(j, v, state_at, COUNT(state_word));
        else if (str_eq(key, STR("mechanism")))
            read_text(j, a, &row.mechanism);
        else if (str_eq(key, STR("reason")))
            read_text(j, a, &row.reason);
        else if (str_eq(key, STR("help")))
            read_text(j, a, &row.help);
    }
    out->row[setting] = row;
}

bool jail_report_read(struct json *j, struct arena *a, struct jail_report *out)
{
    struct jail_report r = { 0 };
    struct str key, v = STR("");

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("level")) && json_string(j, &v)) {
            r.level = (enum jail_level)find_word(j, v, level_at, JAIL_CONTAINER + 1);
        } else if (str_eq(key, STR("settings")) && json_array_begin(j)) {
            while (json_array_next(j))
                read_row(j, a, &r);
        }
    }
    if (!json_ok(j))
        return false;
    *out = r;
    return true;
}
