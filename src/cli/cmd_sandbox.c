/* blast sandbox: what the sandbox would be. check makes one for real that runs nothing, show prints the policy. */
#include "base/err.h"
#include "cli/keeper.h"
#include "cli/common.h"
#include "cli/inside.h"
#include "cli/observe.h"
#include "cli/outside.h"
#include "cli/recovered.h"
#include "cli/ui.h"
#include "jail/compile.h"
#include "jail/run.h"

#define EXIT_REFUSED 5
#define POLICY_TEXT_MAX JAIL_POLICY_MAX

static const char *value_of(const struct jail_row *row)
{
    return row->mechanism ? row->mechanism : "-";
}

static void print_table(struct cmd *c, const struct jail_policy *p, const struct jail_report *r)
{
    static const char *const header[] = { "setting", "state", "mechanism", "why not more" };
    struct str *cells = ARENA_ARRAY(c->a, struct str, (size_t)JAIL_SETTING_COUNT * 4);
    size_t rows = 0;

    for (unsigned s = 0; s < JAIL_SETTING_COUNT; s++) {
        const struct jail_row *row = &r->row[s];
        struct str *cell = cells + 4 * rows;

        if (row->state == JAIL_NOT_ASKED)
            continue;
        cell[0] = str_of(jail_setting_name((enum jail_setting)s));
        cell[1] = arena_printf(c->a, "%s%s", jail_state_word(row->state),
                               jail_report_refuses_row(r, p, (enum jail_setting)s) ? " (refused)" : "");
        cell[2] = str_of(value_of(row));
        cell[3] = !row->reason ? STR("")
                  : row->help  ? arena_printf(c->a, "%s; helps: %s", row->reason, row->help)
                               : str_of(row->reason);
        rows++;
    }
    ui_table(header, cells, rows, 4);
}

static void print_verdict(const struct jail_policy *p, const struct jail_report *r)
{
    bool refuses = jail_report_refuses(r, p);

    ui_out("\nlevel %s, network %s, default_policy %s: %s\n", jail_level_word(r->level), jail_network_word(p->network),
           jail_strictness_word(p->strictness), refuses ? "refused, see above" : "a command would run");
}

static bool check(struct cmd *c, const struct workspace *w, const struct jail_policy *p, struct err *e)
{
    struct jail_report r;
    struct json_result out;

    if (!jail_try(p, c->a, &r, e))
        return err_as(e, ERR_ENVIRONMENT, "make a sandbox for %s", w->where.dir) || err_exit(e, 1);
    c->exit_code = jail_report_refuses(&r, p) ? EXIT_REFUSED : 0;
    if (!ui.json) {
        print_table(c, p, &r);
        print_verdict(p, &r);
        return true;
    }
    json_result_begin(&out, "blast.sandbox/1");
    json_write_member_bool(&out.w, "asked", jail_is_wanted(&w->config));
    json_write_member_cstr(&out.w, "default_policy", jail_strictness_word(p->strictness));
    json_write_member_cstr(&out.w, "network", jail_network_word(p->network));
    json_write_member_bool(&out.w, "refused", c->exit_code != 0);
    json_write_key(&out.w, STR("enforcement"));
    jail_report_write(&r, &out.w);
    json_result_end(&out);
    return true;
}

static bool show(struct cmd *c, const struct jail_policy *p)
{
    AUTO_BUF text = { .limit = POLICY_TEXT_MAX };
    char digest[JAIL_DIGEST];
    struct json_result out;

    jail_policy_digest(p, digest);
    (void)!jail_policy_format(p, false, &text);
    if (ui.json) {
        json_result_begin(&out, "blast.sandbox-policy/1");
        json_write_member_cstr(&out.w, "digest", digest);
        json_write_key(&out.w, STR("policy"));
        json_write_raw(&out.w, buf_done(&text));
        json_result_end(&out);
        return true;
    }
    ui_out("level %s  network %s  default_policy %s  digest %.16s\n", jail_level_word(p->level),
           jail_network_word(p->network), jail_strictness_word(p->strictness), digest);
    if (!p->files) {
        ui_out("all files of this machine, as the user sees them\n");
        return true;
    }
    struct str *cells = ARENA_ARRAY(c->a, struct str, p->n_paths * 2);

    for (size_t i = 0; i < p->n_paths; i++) {
        const struct jail_path *x = &p->path[i];

        cells[2 * i] = str_of(jail_access_word(x->access));
        cells[2 * i + 1] = x->access == JAIL_LINK
                               ? arena_printf(c->a, STR_FMT " -> " STR_FMT, STR_ARG(x->path), STR_ARG(x->target))
                               : x->path;
    }
    ui_table(NULL, cells, p->n_paths, 2);
    return true;
}

/* Plumbing: see keeper.h. */
static bool keep(struct cmd *c, struct err *e)
{
    const struct str *word = c->options.words.p;
    struct keeper_words words = { arena_cstr(c->a, word[1]), arena_cstr(c->a, word[2]) };
    struct request r;
    AUTO_WORKSPACE w = { 0 };

    common_request(c, &r);
    return common_open(c, &r, &w, e) && keeper_run(&w, &words, e);
}

enum verb {
    VERB_SHOW, VERB_CHECK, VERB_CONNECTIONS, VERB_ACCESSES, VERB_LEARNED, VERB_FORGET, VERB_RECOVERED, VERB_COUNT
};

/* Of what is dropped. */
static bool takes_name(const struct cmd *c, enum verb v)
{
    return v == VERB_RECOVERED && option_flag(&c->options, OPT_DROP) && c->options.words.n == 2;
}

static const char *dropped_name(struct cmd *c)
{
    return c->options.words.n == 2 ? arena_cstr(c->a, c->options.words.p[1]) : NULL;
}

static bool find_verb(struct cmd *c, enum verb *out, struct err *e)
{
    static const char *const word[] = { "show", "check", "connections", "accesses", "learned", "forget",
                                       "recovered" };
    struct str given = c->options.words.n ? c->options.words.p[0] : STR("show");
    unsigned v = 0;

    while (v < VERB_COUNT && !str_eq(given, str_of(word[v])))
        v++;
    if (v == VERB_COUNT || (c->options.words.n > 1 && !takes_name(c, (enum verb)v))) {
        (void)err_set(e, ERR_CONFIG, "'" STR_FMT "' is no verb of blast sandbox",
                      STR_ARG(c->options.words.p[c->options.words.n - 1]));
        return err_hint(e, "blast sandbox check, show, connections, accesses, learned, forget or recovered");
    }
    *out = (enum verb)v;
    if (option_flag(&c->options, OPT_APPLY) && *out != VERB_LEARNED)
        return err_set(e, ERR_CONFIG, "--apply is for blast sandbox learned");
    if (option_flag(&c->options, OPT_DROP) && *out != VERB_RECOVERED)
        return err_set(e, ERR_CONFIG, "--drop is for blast sandbox recovered");
    return true;
}

static bool with_policy(struct cmd *c, struct workspace *w, enum verb verb, struct err *e)
{
    struct jail_policy p;

    if (!inside_policy(c, w, &p, e))
        return false;
    common_warnings(w);
    if (!jail_is_wanted(&w->config))
        ui_note("no blast.toml asks for a sandbox here: this is what the defaults would be");
    if (verb == VERB_LEARNED)
        return observe_learned(c, w, &p, e);
    return verb == VERB_CHECK ? check(c, w, &p, e) : show(c, &p);
}

bool cmd_sandbox(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    enum verb verb;

    if (c->options.words.n == 3 && str_eq(c->options.words.p[0], STR("keep")))
        return keep(c, e);
    common_request(c, &r);
    if (!find_verb(c, &verb, e) || !common_open(c, &r, &w, e))
        return false;
    switch (verb) {
    case VERB_CONNECTIONS:
        return outside_connections(c, &w, e);
    case VERB_ACCESSES:
        return observe_accesses(c, &w, e);
    case VERB_FORGET:
        return observe_forget(&w, e);
    case VERB_RECOVERED:
        return option_flag(&c->options, OPT_DROP) ? recovered_drop(c, &w, dropped_name(c), e)
                                                  : recovered_show(c, &w);
    case VERB_SHOW:
    case VERB_CHECK:
    case VERB_LEARNED:
    case VERB_COUNT:
        break;
    }
    return with_policy(c, &w, verb, e);
}
