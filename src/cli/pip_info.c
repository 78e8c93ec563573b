#include "cli/pip_info.h"

#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/newest.h"
#include "cli/pip_words.h"
#include "cli/ui.h"
#include "codec/mail.h"
#include "env/env.h"
#include "pep/direct_url.h"
#include "pep/marker.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/record.h"
#include "pep/req.h"
#include "pep/version.h"

#define COLUMNS 4

/* ------------------------------------------------------------ list */

struct table {
    struct str *cell; /* COLUMNS a row, the first row is the header */
    size_t rows, columns;
};

/* As pip draws it: a line of dashes below the header, columns padded but the last. */
static void draw(const struct table *t)
{
    size_t width[COLUMNS] = { 0 };

    for (size_t r = 0; r < t->rows; r++)
        for (size_t k = 0; k < t->columns; k++)
            width[k] = MAX(width[k], t->cell[r * COLUMNS + k].n);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t k = 0; k < t->columns; k++)
            ui_out("%s%-*.*s", k ? " " : "", k + 1 < t->columns ? (int)width[k] : 0, STR_ARG(t->cell[r * COLUMNS + k]));
        ui_out("\n");
        for (size_t k = 0; r == 0 && k < t->columns; k++) {
            ui_out("%s", k ? " " : "");
            for (size_t i = 0; i < width[k]; i++)
                ui_out("-");
        }
        if (r == 0)
            ui_out("\n");
    }
}

static bool is_excluded(const struct pip_words *words, const struct env_package *p)
{
    for (size_t i = 0; i < words->own[PIP_EXCLUDE].n; i++)
        if (name_eq(words->own[PIP_EXCLUDE].p[i], p->name))
            return true;
    return words->own[PIP_EDITABLES].n && !p->editable;
}

static bool is_newer(struct arena *a, struct str newest, struct str installed)
{
    struct version x, y;

    return newest.n && version_parse(newest, a, &x) && version_parse(installed, a, &y) && version_cmp(&x, &y) > 0;
}

/* What is listed, and the newest versions of it where --outdated asks. */
struct rows {
    const struct env_package **p;
    struct newest *newest;
    size_t n;
    bool outdated, editable;
};

static bool gather(struct cmd *c, struct workspace *w, struct env *env, const struct pip_words *words,
                   struct rows *out, struct err *e)
{
    struct env_packages list;

    if (!env_installed(env, c->a, &list, e))
        return false;
    struct str *name = ARENA_ARRAY(c->a, struct str, list.n);
    struct newest *newest = ARENA_ARRAY(c->a, struct newest, list.n);

    *out = (struct rows){ .p = ARENA_ARRAY(c->a, const struct env_package *, list.n),
                             .newest = ARENA_ARRAY(c->a, struct newest, list.n),
                             .outdated = words->own[PIP_OUTDATED].n > 0 };
    for (size_t i = 0; i < list.n; i++)
        name[i] = list.p[i].name;
    if (out->outdated && (!workspace_python_of(w, env, e) || !newest_find(w, name, list.n, newest, e)))
        return false;
    for (size_t i = 0; i < list.n; i++) {
        if (is_excluded(words, &list.p[i]) ||
            (out->outdated && !is_newer(c->a, newest[i].version, list.p[i].version)))
            continue;
        out->editable = out->editable || list.p[i].editable;
        out->newest[out->n] = newest[i];
        out->p[out->n++] = &list.p[i];
    }
    return true;
}

static void list_columns(struct arena *a, const struct rows *l)
{
    struct table t = { .cell = ARENA_ARRAY(a, struct str, (l->n + 1) * COLUMNS), .rows = l->n + 1,
                       .columns = l->outdated ? 4 : l->editable ? 3 : 2 };

    if (l->n == 0)
        return;
    t.cell[0] = STR("Package");
    t.cell[1] = STR("Version");
    t.cell[2] = l->outdated ? STR("Latest") : STR("Editable project location");
    t.cell[3] = STR("Type");
    for (size_t i = 0; i < l->n; i++) {
        struct str *row = t.cell + (i + 1) * COLUMNS;

        row[0] = l->p[i]->name;
        row[1] = l->p[i]->version;
        row[2] = l->outdated ? l->newest[i].version : l->p[i]->location;
        row[3] = STR("wheel");
    }
    draw(&t);
}

static void list_json(const struct rows *l)
{
    AUTO_BUF b = { .limit = RESULT_MAX };
    struct json_write j;

    json_write_init(&j, &b, false);
    json_write_array_begin(&j);
    for (size_t i = 0; i < l->n; i++) {
        json_write_object_begin(&j);
        json_write_member(&j, "name", l->p[i]->name);
        json_write_member(&j, "version", l->p[i]->version);
        if (l->outdated) {
            json_write_member(&j, "latest_version", l->newest[i].version);
            json_write_member_cstr(&j, "latest_filetype", "wheel");
        }
        if (l->p[i]->editable)
            json_write_member(&j, "editable_project_location", l->p[i]->location);
        json_write_object_end(&j);
    }
    json_write_array_end(&j);
    if (json_write_end(&j))
        ui_out(STR_FMT "\n", STR_ARG(buf_done(&b)));
}

bool pip_list(struct cmd *c, struct workspace *w, struct env *env, const struct pip_words *words, struct err *e)
{
    struct str format = pip_words_value(words, PIP_FORMAT);
    struct rows l;

    if (format.p && !str_eq(format, STR("columns")) && !str_eq(format, STR("freeze")) && !str_eq(format, STR("json"))) {
        (void)err_set(e, ERR_CONFIG, "--format is columns, freeze or json, not '" STR_FMT "'", STR_ARG(format));
        return err_exit(e, 2);
    }
    if (!gather(c, w, env, words, &l, e))
        return false;
    if (str_eq(format, STR("json")))
        list_json(&l);
    else if (str_eq(format, STR("freeze")))
        for (size_t i = 0; i < l.n; i++)
            ui_out(STR_FMT "==" STR_FMT "\n", STR_ARG(l.p[i]->name), STR_ARG(l.p[i]->version));
    else
        list_columns(c->a, &l);
    return true;
}

/* ------------------------------------------------------------ freeze */

static bool is_tool(struct str name)
{
    static const char *const tools[] = { "pip", "setuptools", "wheel", "distribute" };

    for (size_t i = 0; i < COUNT(tools); i++)
        if (name_eq(name, str_of(tools[i])))
            return true;
    return false;
}

bool pip_freeze(struct cmd *c, struct env *env, const struct pip_words *words, struct err *e)
{
    struct env_packages list;

    if (!env_installed(env, c->a, &list, e))
        return false;
    for (size_t i = 0; i < list.n; i++) {
        const struct env_package *p = &list.p[i];
        struct direct_url d;
        struct err ignored = { 0 };

        if (is_excluded(words, p) || (!words->own[PIP_ALL].n && is_tool(p->name)))
            continue;
        if (p->editable)
            ui_out("-e " STR_FMT "\n", STR_ARG(p->location));
        else if (p->direct_url.n && direct_url_parse(c->a, p->direct_url, &d, &ignored))
            ui_out(STR_FMT " @ " STR_FMT "\n", STR_ARG(p->name), STR_ARG(d.url));
        else
            ui_out(STR_FMT "==" STR_FMT "\n", STR_ARG(p->name), STR_ARG(p->version));
    }
    return true;
}

/* ------------------------------------------------------------ what packages need */

/* What a package asks for in this environment, and its metadata. */
struct needs {
    struct str text; /* METADATA; n == 0: it has none */
    struct req *req;
    size_t n;
};

static void read_needs(struct cmd *c, struct workspace *w, int site, const struct env_package *p, struct needs *out)
{
    const char *path = arena_printf(c->a, STR_FMT "/METADATA", STR_ARG(p->dist_info)).p;
    struct err ignored = { 0 };
    struct metadata m;

    *out = (struct needs){ .text = STR_INIT("") };
    if (!fd_read_if_there(site, path, METADATA_MAX, c->a, &out->text, &ignored) || !out->text.p ||
        !metadata_parse(c->a, out->text, &m, &ignored)) {
        out->text = out->text.p ? out->text : STR("");
        return;
    }
    out->req = ARENA_ARRAY(c->a, struct req, m.n_requires_dist + 1);
    for (size_t i = 0; i < m.n_requires_dist; i++) {
        struct req *r = &out->req[out->n];

        if (req_parse_lenient(c->a, m.requires_dist[i], r, &ignored) &&
            marker_is_true(r->marker, &w->python.marker, NULL, 0))
            out->n++;
    }
}

static const struct env_package *find(const struct env_packages *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (name_eq(list->p[i].name, name))
            return &list->p[i];
    return NULL;
}

/* All that is installed, with what each needs; the open site-packages. */
struct world {
    struct env_packages list;
    struct needs *needs;
    int site;
};

static bool read_world(struct cmd *c, struct workspace *w, struct env *env, struct world *out, struct err *e)
{
    if (!workspace_python_of(w, env, e) || !env_installed(env, c->a, &out->list, e) ||
        !fd_open_dir(env->dir, env->site.p, &out->site, e))
        return false;
    out->needs = ARENA_ARRAY(c->a, struct needs, out->list.n + 1);
    for (size_t i = 0; i < out->list.n; i++)
        read_needs(c, w, out->site, &out->list.p[i], &out->needs[i]);
    return true;
}

/* ------------------------------------------------------------ show */

static void line(const char *label, struct str value)
{
    ui_out("%s:%s" STR_FMT "\n", label, value.n ? " " : "", STR_ARG(value));
}

static struct str field(const struct needs *n, const char *name)
{
    struct str value;

    return mail_find(n->text, str_of(name), &value) ? str_sub(value, 0, str_find(value, '\n')) : STR("");
}

static struct str joined(struct arena *a, const struct str *p, size_t n)
{
    struct str text = STR("");

    for (size_t i = 0; i < n; i++)
        text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), i ? ", " : "", STR_ARG(p[i]));
    return text;
}

static void show_files(struct cmd *c, int site, const struct env_package *p)
{
    const char *path = arena_printf(c->a, STR_FMT "/RECORD", STR_ARG(p->dist_info)).p;
    struct err ignored = { 0 };
    struct record r;
    struct str text;

    ui_out("Files:\n");
    if (!fd_read_if_there(site, path, RECORD_MAX, c->a, &text, &ignored) || !text.p ||
        !record_parse(c->a, text, &r, &ignored))
        return;
    for (size_t i = 0; i < r.n; i++)
        ui_out("  " STR_FMT "\n", STR_ARG(r.row[i].path));
}

static void show_one(struct cmd *c, struct env *env, const struct world *world, size_t at, bool files)
{
    const struct env_package *p = &world->list.p[at];
    const struct needs *n = &world->needs[at];
    struct str *needs = ARENA_ARRAY(c->a, struct str, n->n + 1);
    struct str *users = ARENA_ARRAY(c->a, struct str, world->list.n + 1);
    size_t n_users = 0;

    for (size_t i = 0; i < n->n; i++)
        needs[i] = n->req[i].name;
    for (size_t i = 0; i < world->list.n; i++)
        for (size_t k = 0; k < world->needs[i].n; k++)
            if (name_eq(world->needs[i].req[k].name, p->name) &&
                (n_users == 0 || !name_eq(users[n_users - 1], world->list.p[i].name)))
                users[n_users++] = world->list.p[i].name;
    struct str license = field(n, "License-Expression");

    line("Name", p->name);
    line("Version", p->version);
    line("Summary", field(n, "Summary"));
    line("Home-page", field(n, "Home-page"));
    line("Author", field(n, "Author"));
    line("Author-email", field(n, "Author-email"));
    line(license.n ? "License-Expression" : "License", license.n ? license : field(n, "License"));
    line("Location", str_of(env_path(env, env->site.p)));
    if (p->editable)
        line("Editable project location", p->location);
    line("Requires", joined(c->a, needs, n->n));
    line("Required-by", joined(c->a, users, n_users));
    if (files)
        show_files(c, world->site, p);
}

bool pip_show(struct cmd *c, struct workspace *w, struct env *env, const struct pip_words *words, struct err *e)
{
    AUTO_FD site = -1;
    struct world world = { .site = -1 };
    struct str missing = STR("");
    size_t shown = 0;

    if (words->word.n == 0) {
        ui_warn("please provide a package name or names");
        c->exit_code = 1;
        return true;
    }
    bool ok = read_world(c, w, env, &world, e);

    site = world.site; /* closed at the end in any case */
    if (!ok)
        return false;
    for (size_t i = 0; i < words->word.n; i++) {
        const struct env_package *p = find(&world.list, words->word.p[i]);

        if (!p) {
            missing = arena_printf(c->a, STR_FMT "%s" STR_FMT, STR_ARG(missing), missing.n ? ", " : "",
                                   STR_ARG(words->word.p[i]));
            continue;
        }
        if (shown++)
            ui_out("---\n");
        show_one(c, env, &world, (size_t)(p - world.list.p), words->own[PIP_FILES].n > 0);
    }
    if (missing.n)
        ui_warn("Package(s) not found: " STR_FMT, STR_ARG(missing));
    c->exit_code = shown ? 0 : 1;
    return true;
}

/* ------------------------------------------------------------ check */

static size_t check_one(struct cmd *c, const struct world *world, size_t at)
{
    const struct env_package *p = &world->list.p[at];
    size_t broken = 0;

    for (size_t i = 0; i < world->needs[at].n; i++) {
        const struct req *r = &world->needs[at].req[i];
        const struct env_package *have = find(&world->list, r->name);
        struct version v;

        if (!have)
            ui_out(STR_FMT " " STR_FMT " requires " STR_FMT ", which is not installed.\n", STR_ARG(p->name),
                   STR_ARG(p->version), STR_ARG(r->name));
        else if (!r->url.n && version_parse(have->version, c->a, &v) && !spec_contains(&r->spec, &v, SPEC_PRE_ALLOW))
            ui_out(STR_FMT " " STR_FMT " has requirement " STR_FMT STR_FMT ", but you have " STR_FMT " " STR_FMT ".\n",
                   STR_ARG(p->name), STR_ARG(p->version), STR_ARG(r->name), STR_ARG(r->spec_text), STR_ARG(have->name),
                   STR_ARG(have->version));
        else
            continue;
        broken++;
    }
    return broken;
}

bool pip_check(struct cmd *c, struct workspace *w, struct env *env, struct err *e)
{
    AUTO_FD site = -1;
    struct world world = { .site = -1 };
    size_t broken = 0;
    bool ok = read_world(c, w, env, &world, e);

    site = world.site;
    if (!ok)
        return false;
    for (size_t i = 0; i < world.list.n; i++)
        broken += check_one(c, &world, i);
    if (!broken)
        ui_out("No broken requirements found.\n");
    c->exit_code = broken ? 1 : 0;
    return true;
}
