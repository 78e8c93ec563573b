#include "cli/observe_show.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "codec/line_diff.h"
#include "codec/toml_edit.h"
#include "config/key.h"
#include "jail/asked.h"
#include "sync/audit.h"
#include "sync/learn.h"
#include "sync/trust.h"

#define FILE_NAME "blast.toml"
#define DIFF_MAX (4u << 20)
#define REST_SHOWN 10 /* behind a run */

struct change {
    struct learn found;
    struct str old, new; /* texts of blast.toml */
    struct str diff;     /* n == 0: none */
};

struct learn_place observe_place(const struct workspace *w, struct arena *a)
{
    const char **own = ARENA_ARRAY(a, const char *, 4);

    own[0] = w->dirs.state;
    own[1] = w->dirs.config;
    own[2] = w->dirs.cache;
    return (struct learn_place){
        .project = w->where.dir, .environment = w->env_path, .home = w->dirs.home, .own = own,
    };
}

/* What runs inside chose the names: control characters are escaped. */
static struct str quoted(struct arena *a, struct str s)
{
    return toml_quote(a, s);
}

static bool find(struct cmd *c, const struct workspace *w, const struct jail_policy *p, const struct asked *asked,
                 struct change *out, struct err *e)
{
    AUTO_BUF diff = { .limit = DIFF_MAX };
    struct learn_place at = observe_place(w, c->a);
    struct learn_case l = { p, &at, asked, c->a };

    *out = (struct change){ 0 };
    learn_find(&l, &out->found);
    if (!fd_read_file(w->dir, FILE_NAME, CONFIG_FILE_MAX, c->a, &out->old, e))
        return err_as(e, ERR_CONFIG, "read " FILE_NAME);
    if (!learn_edit(&out->found, &w->config, out->old, c->a, &out->new, e))
        return false;
    if (!line_diff(out->old, out->new, "a/" FILE_NAME, "b/" FILE_NAME, c->a, &diff))
        return err_set(e, ERR_CONFIG, "the change of " FILE_NAME " is larger than %u bytes", DIFF_MAX);
    out->diff = arena_str(c->a, buf_done(&diff));
    return true;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* A variable wins over the file: the change would do nothing in this shell. */
static void note_variables(struct cmd *c, const struct workspace *w, const struct learn *l)
{
    for (size_t i = 0; i < l->n_changes; i++) {
        enum config_key key = l->change[i].key;
        const struct config_origin *origin = &w->config.origin[key];

        if (origin->layer == CONFIG_VARIABLE && (i == 0 || l->change[i - 1].key != key))
            ui_note(STR_FMT " is set by the variable " STR_FMT ", which wins over " FILE_NAME,
                    STR_ARG(learn_key_name(key, c->a)), STR_ARG(origin->text));
    }
}

static void note_rest(struct cmd *c, const struct learn *l, size_t most)
{
    for (size_t i = 0; i < l->n_rest && i < most; i++)
        ui_note("refused and not proposed: %s " STR_FMT ": " STR_FMT, asked_word(l->rest[i].item->how),
                STR_ARG(quoted(c->a, l->rest[i].item->what)), STR_ARG(l->rest[i].why));
    if (l->n_rest > most)
        ui_note("and %zu more: blast sandbox learned", l->n_rest - most);
    if (l->left_out)
        ui_note("%llu more things were asked for than are kept", (unsigned long long)l->left_out);
}

bool observe_show_learned(struct cmd *c, const struct workspace *w, const struct jail_policy *p,
                          const struct asked *asked, struct err *e)
{
    struct change x;

    if (!find(c, w, p, asked, &x, e))
        return false;
    if (x.diff.n)
        ui_note("learned: %zu thing%s to allow in " FILE_NAME, x.found.n_changes, plural(x.found.n_changes));
    else if (x.found.n_changes)
        ui_note("learned: " FILE_NAME " allows all of it already; accept its settings with: blast trust");
    else
        ui_note("learned: nothing was refused that a change of " FILE_NAME " should let through");
    for (struct str line, rest = x.diff; str_next_line(&rest, &line);)
        ui_note("  " STR_FMT, STR_ARG(line));
    note_rest(c, &x.found, REST_SHOWN);
    note_variables(c, w, &x.found);
    if (x.diff.n)
        ui_note("make this change with: blast sandbox learned --apply");
    return true;
}

/* ------------------------------------------------------------ applying */

static bool has_pending(struct workspace *w, bool *pending, struct err *e)
{
    struct trust t;

    *pending = false;
    if (!trust_state(w, &t, e))
        return false;
    for (size_t i = 0; i < t.n; i++)
        *pending |= !t.p[i].accepted;
    *pending |= t.foreign;
    return true;
}

/* Who makes this change accepts it; with settings that were never accepted, only blast trust does. */
static bool accept(struct cmd *c, bool pending, struct err *e)
{
    AUTO_WORKSPACE w = { 0 };
    struct request r;

    if (pending) {
        ui_note(FILE_NAME " has settings that were not accepted: they come into force with blast trust");
        return true;
    }
    common_request(c, &r);
    if (!common_open(c, &r, &w, e) || !trust_accept(&w, e))
        return false;
    audit_record(&w, AUDIT_TRUSTED, 0,
                 audit_data(c->a, "project", w.where.dir, "settings", "blast sandbox learned --apply", (char *)NULL));
    return true;
}

static bool apply(struct cmd *c, struct workspace *w, const struct change *x, struct err *e)
{
    struct stat st;
    bool pending;

    if (!has_pending(w, &pending, e))
        return false;
    if (fstatat(w->dir, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "look at " FILE_NAME);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CONFIG, FILE_NAME " is no file of its own, but a link: change what it leads to");
    if (!file_replace(w->dir, FILE_NAME, x->new, st.st_mode & 0777, FILE_SYNC, e))
        return err_as(e, ERR_CONFIG, "change " FILE_NAME);
    return accept(c, pending, e);
}

static void print_json(const struct change *x, bool made)
{
    struct json_result out;

    json_result_begin(&out, "blast.sandbox-learned/1");
    json_write_member(&out.w, "diff", x->diff);
    json_write_member_bool(&out.w, "applied", made);
    learn_write(&x->found, &out.w);
    json_result_end(&out);
}

static void print_diff(struct str diff)
{
    for (struct str line; str_next_line(&diff, &line);) {
        enum ui_style style = str_starts(line, STR("+"))   ? UI_GREEN
                              : str_starts(line, STR("-")) ? UI_RED
                              : str_starts(line, STR("@")) ? UI_CYAN
                                                           : UI_PLAIN;

        ui_out("%s" STR_FMT "%s\n", ui_on(stdout, style), STR_ARG(line), ui_on(stdout, UI_PLAIN));
    }
}

bool observe_print_learned(struct cmd *c, struct workspace *w, const struct jail_policy *p, const struct asked *asked,
                           bool *made, struct err *e)
{
    struct change x;

    if (!find(c, w, p, asked, &x, e))
        return false;
    *made = option_flag(&c->options, OPT_APPLY) && x.diff.n;
    if (*made && !apply(c, w, &x, e))
        return false;
    if (ui.json) {
        print_json(&x, *made);
        return true;
    }
    print_diff(x.diff);
    note_rest(c, &x.found, x.found.n_rest);
    note_variables(c, w, &x.found);
    if (*made)
        ui_note("changed " FILE_NAME);
    else if (x.diff.n)
        ui_note("make this change with: blast sandbox learned --apply");
    else if (x.found.n_changes)
        ui_note(FILE_NAME " allows all of it already; accept its settings with: blast trust");
    else
        ui_note("nothing was learned that " FILE_NAME " should let through; learn with: blast run --learn -- COMMAND");
    return true;
}

/* ------------------------------------------------------------ accesses */

void observe_show_accesses(struct cmd *c, const struct asked *asked)
{
    static const char *const header[] = { "how", "times", "by", "what" };
    struct json_result out;

    if (ui.json) {
        json_result_begin(&out, "blast.sandbox-accesses/1");
        json_write_key(&out.w, STR("accesses"));
        json_write_array_begin(&out.w);
        for (size_t i = 0; i < asked->items.n; i++)
            asked_write(&asked->items.p[i], &out.w);
        json_write_array_end(&out.w);
        json_result_end(&out);
        return;
    }
    struct str *cells = ARENA_ARRAY(c->a, struct str, COUNT(header) * asked->items.n + 1);

    for (size_t i = 0; i < asked->items.n; i++) {
        const struct asked_item *item = &asked->items.p[i];
        struct str *cell = cells + COUNT(header) * i;

        cell[0] = str_of(asked_word(item->how));
        cell[1] = arena_printf(c->a, "%u", item->count);
        cell[2] = item->by.n ? quoted(c->a, item->by) : STR("-");
        cell[3] = quoted(c->a, item->what);
    }
    if (asked->items.n)
        ui_table(header, cells, asked->items.n, COUNT(header));
    else
        ui_note("nothing is known: [sandbox.filesystem] tracking, or blast run --learn, keeps what a run asks for");
}
