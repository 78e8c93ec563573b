/* blast trust: what the project's files ask for beyond the defaults, shown against what was accepted before. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "sync/audit.h"
#include "sync/trust.h"

#define EXIT_DENIED 5

static const char *level_word(enum trust_level level)
{
    static const char *const word[] = { [TRUST_NONE] = "none", [TRUST_SYNC] = "sync", [TRUST_CHANGED] = "changed",
                                        [TRUST_FULL] = "full" };

    return word[level];
}

static const char *level_text(const struct trust *t)
{
    if (t->foreign)
        return "it belongs to another user: nothing of it is trusted";
    if (t->replaced)
        return "another folder was trusted at this path; this one is not";
    switch (t->level) {
    case TRUST_NONE:
        return "never used here by hand: nothing happens in the background";
    case TRUST_SYNC:
        return "wheels of the project may be installed, also in the background";
    case TRUST_CHANGED:
        return "the project asks for more than was accepted; that is not in force";
    case TRUST_FULL:
        return "what the project asks for was accepted";
    }
    return "";
}

static void print_json(const struct workspace *w, const struct trust *t)
{
    struct json_result r;

    json_result_begin(&r, "blast.trust/1");
    json_write_member_cstr(&r.w, "directory", w->where.dir);
    json_write_member_cstr(&r.w, "level", level_word(t->level));
    json_write_member_bool(&r.w, "foreign", t->foreign);
    json_write_member_u64(&r.w, "startup", t->n_startup);
    json_write_key(&r.w, STR("settings"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < t->n; i++) {
        const struct trust_setting *s = &t->p[i];

        json_write_object_begin(&r.w);
        json_write_member(&r.w, "name", s->name);
        json_write_member(&r.w, "value", s->value);
        json_write_member(&r.w, "accepted_before", s->before);
        json_write_member(&r.w, "instead", s->instead);
        json_write_member(&r.w, "origin", s->origin);
        json_write_member_cstr(&r.w, "gives", s->why);
        json_write_member_bool(&r.w, "accepted", s->accepted);
        json_write_member_bool(&r.w, "foreign", s->foreign);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

/* A diff: what holds now, and what the file says. */
static void print_setting(const struct trust_setting *s)
{
    const char *off = ui_on(stdout, UI_PLAIN);
    struct str old = s->before.n && !s->accepted ? s->before : s->instead;

    if (s->accepted) {
        ui_out("   " STR_FMT " = " STR_FMT "   %s" STR_FMT ": %s%s\n", STR_ARG(s->name), STR_ARG(s->value),
               ui_on(stdout, UI_DIM), STR_ARG(s->origin), s->why, off);
        return;
    }
    if (old.n)
        ui_out(" %s- " STR_FMT " = " STR_FMT "%s%s\n", ui_on(stdout, UI_RED), STR_ARG(s->name), STR_ARG(old), off,
               s->before.n ? "   accepted before" : "");
    ui_out(" %s+ " STR_FMT " = " STR_FMT "%s   " STR_FMT ": %s%s\n", ui_on(stdout, UI_GREEN), STR_ARG(s->name),
           STR_ARG(s->value), off, STR_ARG(s->origin), s->why, s->foreign ? " (another user's file)" : "");
}

static void print_text(const struct workspace *w, const struct trust *t)
{
    ui_out("%s%s%s  %s: %s\n", ui_on(stdout, UI_BOLD), w->where.dir, ui_on(stdout, UI_PLAIN), level_word(t->level),
           level_text(t));
    for (size_t i = 0; i < t->n; i++)
        print_setting(&t->p[i]);
    if (t->n_startup)
        ui_out("   start-up code of %zu package%s was allowed\n", t->n_startup, t->n_startup == 1 ? "" : "s");
}

static struct str accepted_names(struct arena *a, const struct trust *t)
{
    struct str all = STR("");

    for (size_t i = 0; i < t->n; i++)
        if (!t->p[i].accepted)
            all = arena_printf(a, STR_FMT "%s" STR_FMT " = " STR_FMT, STR_ARG(all), all.n ? ", " : "",
                               STR_ARG(t->p[i].name), STR_ARG(t->p[i].value));
    return all;
}

static bool confirm(struct cmd *c, const struct workspace *w, struct err *e)
{
    if (option_flag(&c->options, OPT_YES))
        return true;
    if (!ui.json && ui_flush() && ui_confirm(arena_printf(c->a, "trust %s with this?", w->where.dir).p))
        return true;
    (void)err_set(e, ERR_CONFIG, "trusting '%s' was not confirmed", w->where.dir);
    (void)err_hint(e, "blast trust --yes accepts without asking, blast trust --show only shows");
    return err_exit(e, EXIT_DENIED);
}

static bool accept(struct cmd *c, struct workspace *w, struct trust *t, struct err *e)
{
    struct str names = accepted_names(c->a, t);

    if (!ui.json)
        print_text(w, t);
    if (t->level == TRUST_FULL) {
        ui_note("nothing new to accept");
        return true;
    }
    if (!confirm(c, w, e) || !trust_accept(w, e))
        return false;
    audit_record(w, AUDIT_TRUSTED, 0, audit_data(c->a, "project", w->where.dir, "settings", names.p, (char *)NULL));
    if (!trust_state(w, t, e))
        return false;
    ui_note("trusted: %s", names.n ? "these settings, as they are now; changed ones are asked for again"
                                   : "the project; it asks for nothing beyond the defaults now");
    return true;
}

static bool revoke(struct cmd *c, struct workspace *w, struct trust *t, struct err *e)
{
    bool was;

    if (!trust_revoke(w, &was, e))
        return false;
    if (was)
        audit_record(w, AUDIT_REVOKED, 0, audit_data(c->a, "project", w->where.dir, (char *)NULL));
    ui_note(was ? "%s is not trusted any more" : "%s was not trusted", w->where.dir);
    return trust_state(w, t, e);
}

bool cmd_trust(struct cmd *c, struct err *e)
{
    bool show = option_flag(&c->options, OPT_SHOW), back = option_flag(&c->options, OPT_REVOKE);
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct trust t;

    common_request(c, &r);
    if (show && back)
        return err_set(e, ERR_CONFIG, "--show and --revoke exclude each other");
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !trust_state(&w, &t, e))
        return false;
    if (!(back ? revoke(c, &w, &t, e) : show || accept(c, &w, &t, e)))
        return false;
    if (ui.json)
        print_json(&w, &t);
    else if (show)
        print_text(&w, &t);
    return true;
}
