#include "sync/startup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "env/generation.h"
#include "pep/name.h"
#include "pep/pth.h"
#include "store/store.h"
#include "sync/audit.h"
#include "sync/origin.h"
#include "sync/pkg_layer.h"
#include "sync/startup_names.h"
#include "sync/trust.h"
#include "sync/workspace.h"

#define EXIT_DENIED 5
#define PTH_MAX ((size_t)1 << 20)

/* ------------------------------------------------------------ what is known */

static bool is_word(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '_';
}

/* __editable___NAME_finder, the module that setuptools writes for an editable install */
static size_t finder(struct str s)
{
    size_t n = 0;

    while (n < s.n && is_word(s.p[n]))
        n++;
    struct str word = str_sub(s, 0, n);

    return str_starts(word, STR("__editable___")) && str_ends(word, STR("_finder")) ? n : 0;
}

/* 'a.b_c' */
static size_t quoted(struct str s)
{
    size_t n = 1;

    if (s.n < 2 || s.p[0] != '\'')
        return 0;
    while (n < s.n && (is_word(s.p[n]) || s.p[n] == '.'))
        n++;
    return n > 1 && n < s.n && s.p[n] == '\'' ? n + 1 : 0;
}

/* ('a',) or ('a', 'b') */
static size_t tuple(struct str s)
{
    size_t n = 1;

    if (s.n == 0 || s.p[0] != '(')
        return 0;
    for (size_t k; (k = quoted(str_sub(s, n, s.n)));) {
        n += k;
        if (n < s.n && s.p[n] == ',')
            n++;
        if (n < s.n && s.p[n] == ' ')
            n++;
    }
    return n > 1 && n < s.n && s.p[n] == ')' ? n + 1 : 0;
}

static bool fits(const char *shape, struct str line)
{
    for (; *shape; shape++) {
        size_t n = 1;

        if (*shape == '%') {
            shape++;
            n = *shape == 'q' ? quoted(line) : *shape == 't' ? tuple(line) : finder(line);
        } else if (line.n == 0 || line.p[0] != *shape) {
            return false;
        }
        if (n == 0)
            return false;
        line = str_sub(line, n, line.n);
    }
    return line.n == 0;
}

bool startup_line_is_known(struct str project, struct str line)
{
    for (size_t i = 0; i < COUNT(known_lines); i++)
        if ((!known_lines[i].project || name_eq(project, str_of(known_lines[i].project))) &&
            fits(known_lines[i].shape, line))
            return true;
    return false;
}

static int by_name(const void *key, const void *entry)
{
    return str_cmp(*(const struct str *)key, str_of(*(const char *const *)entry));
}

static bool is_stdlib(struct str module)
{
    return bsearch(&module, stdlib_modules, COUNT(stdlib_modules), sizeof *stdlib_modules, by_name) != NULL;
}

static bool is_backport(struct str project)
{
    for (size_t i = 0; i < COUNT(backports); i++)
        if (name_eq(project, str_of(backports[i])))
            return true;
    return false;
}

/* ------------------------------------------------------------ looking */

struct scan {
    const struct store *s;
    const struct store_entry *entry;
    struct arena *a;
    VEC(struct startup_finding) found;
    struct sha256 sum;
};

static void add(struct scan *sc, enum startup_kind kind, struct str path, struct str line, bool known)
{
    VEC_PUSH_IN(sc->a, &sc->found, (struct startup_finding){ kind, arena_str(sc->a, path), line, known });
}

static void digest_file(struct scan *sc, const struct store_file *f)
{
    sha256_add(&sc->sum, f->path.p, f->path.n);
    sha256_add(&sc->sum, "\n", 1);
    sha256_add(&sc->sum, f->sha256, HASH_SHA256);
}

/* Text that is shown on a terminal: nothing in it may move the cursor. */
static struct str printable(struct arena *a, struct str line)
{
    struct str cut = str_sub(line, 0, MIN(line.n, (size_t)STARTUP_SHOWN));
    char *p = arena_text(a, cut.p, cut.n);

    for (size_t i = 0; i < cut.n; i++)
        if ((unsigned char)p[i] < ' ' || (unsigned char)p[i] >= 127)
            p[i] = '?';
    return (struct str){ p, cut.n };
}

static bool read_pth(struct scan *sc, const struct store_file *f, struct err *e)
{
    char tree[STORE_TREE_PATH];
    struct str text, line, first = STR("");
    bool known = true, code = false;

    store_tree_path(sc->entry->hex, tree);
    const char *path = arena_printf(sc->a, "%s/" STR_FMT, tree, STR_ARG(f->path)).p;

    if (f->size > PTH_MAX) {
        add(sc, STARTUP_PTH, f->path, STR("(more than 1 MiB)"), false);
        digest_file(sc, f);
        return true;
    }
    if (!fd_read_file(sc->s->dir, path, PTH_MAX, sc->a, &text, e))
        return false;
    while (pth_next(&text, &line)) {
        if (!pth_is_code(line))
            continue;
        code = true;
        if (known && !startup_line_is_known(sc->entry->name, line)) {
            known = false;
            first = printable(sc->a, line);
        }
    }
    if (code) {
        add(sc, STARTUP_PTH, f->path, first, known);
        digest_file(sc, f);
    }
    return true;
}

static bool is_customize(struct str top)
{
    struct str stem = str_sub(top, 0, str_find(top, '.'));

    return str_eq(stem, STR("sitecustomize")) || str_eq(stem, STR("usercustomize"));
}

/* The part below site-packages; n == 0 when it does not go there. */
static struct str below_site(const struct store_file *f)
{
    if (f->place == STORE_SITE)
        return f->path;
    struct str found = STR("");

    for (struct str rest = f->path; f->place == STORE_DATA && rest.n;) {
        size_t at = str_search(rest, STR("-packages/"));

        if (at == rest.n)
            break;
        rest = str_sub(rest, at + strlen("-packages/"), rest.n);
        found = rest; /* the last one: the deepest folder of that name */
    }
    return found;
}

static bool look_at_file(struct scan *sc, uint32_t i, bool *customize, struct err *e)
{
    struct store_file f = store_file_get(sc->entry, i);
    struct str path = below_site(&f);
    struct str top = str_sub(path, 0, str_find(path, '/'));

    if (top.n == 0)
        return true;
    if (is_customize(top)) {
        if (!*customize)
            add(sc, STARTUP_CUSTOMIZE, f.path, STR(""), false);
        *customize = true;
        digest_file(sc, &f);
    } else if (top.n == path.n && str_ends(top, STR(".start"))) {
        add(sc, STARTUP_START, f.path, STR(""), false);
        digest_file(sc, &f);
    } else if (top.n == path.n && str_ends(top, STR(".pth"))) {
        return read_pth(sc, &f, e);
    }
    return true;
}

static void look_at_tops(struct scan *sc)
{
    for (uint32_t i = 0; i < sc->entry->tops; i++) {
        struct store_top top = store_top_get(sc->entry, i);
        struct str module = str_sub(top.name, 0, str_find(top.name, '.'));
        bool code = top.kind == STORE_TOP_PACKAGE ||
                    (top.kind == STORE_TOP_MODULE &&
                     (str_ends(top.name, STR(".py")) || str_ends(top.name, STR(".so")) ||
                      str_ends(top.name, STR(".pyc"))));

        if (!code || !is_stdlib(module))
            continue;
        add(sc, STARTUP_SHADOW, top.name, STR(""), is_backport(sc->entry->name));
        sha256_add(&sc->sum, top.name.p, top.name.n);
    }
}

bool startup_scan(const struct store *s, const struct store_entry *entry, struct arena *a, struct startup_findings *out,
                  struct err *e)
{
    struct scan sc = { .s = s, .entry = entry, .a = a };
    struct str name = name_normalize(a, entry->name);
    unsigned char sum[HASH_SHA256];
    char hex[HASH_HEX256 + 1];
    bool customize = false;

    sha256_init(&sc.sum);
    sha256_add(&sc.sum, name.p, name.n);
    sha256_add(&sc.sum, "\n", 1);
    look_at_tops(&sc);
    for (uint32_t i = 0; entry->flags & STORE_START_UP_CODE && i < entry->files; i++)
        if (!look_at_file(&sc, i, &customize, e))
            return err_wrap(e, "look for start-up code in '" STR_FMT "'", STR_ARG(entry->name));
    sha256_finish(&sc.sum, sum);
    hash_hex(sum, sizeof sum, hex);
    *out = (struct startup_findings){ sc.found.p, sc.found.n, true, arena_str(a, str_of(hex)) };
    for (size_t i = 0; i < out->n; i++)
        out->known = out->known && out->p[i].known;
    return true;
}

/* ------------------------------------------------------------ the gate */

struct gate {
    struct workspace *w;
    const struct store *s;
    struct trust trust;
    bool trust_read;
    VEC(struct str) consent; /* digests */
    struct str refused;      /* "--allow-startup a --allow-startup b" */
};

static bool is_here(struct workspace *w, struct env *env, struct map *here, struct err *e)
{
    struct generation g;
    bool there;

    if (env->layout != ENV_GENERATIONS || env->current == 0)
        return true;
    if (!generation_load(env, env->current, w->a, &g, &there, e))
        return false;
    for (size_t i = 0; there && i < g.n_packages; i++)
        map_put(here, g.packages[i].sha256, 1);
    return true;
}

static bool listed(const struct str_list *names, struct str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (name_eq(names->p[i], name))
            return true;
    return false;
}

static bool allowed_before(struct gate *g, struct str digest, bool *yes, struct err *e)
{
    *yes = false;
    if (!g->trust_read && !trust_state(g->w, &g->trust, e))
        return false;
    g->trust_read = true;
    for (size_t i = 0; i < g->trust.n_startup; i++)
        *yes = *yes || (g->trust.recorded && str_eq(g->trust.startup[i], digest));
    return true;
}

static struct str describe(struct arena *a, const struct store_entry *entry, const struct startup_findings *f)
{
    static const char *const what[] = {
        [STARTUP_PTH] = "a line that is executed",
        [STARTUP_START] = "entry points that are called",
        [STARTUP_CUSTOMIZE] = "a module that is imported",
        [STARTUP_SHADOW] = "named like a module of the standard library, which it can replace",
    };
    struct str text = arena_printf(a, "'" STR_FMT " " STR_FMT "' brings code that runs at every start of Python",
                                   STR_ARG(entry->name), STR_ARG(entry->version));

    for (size_t i = 0; i < f->n; i++)
        if (!f->p[i].known)
            text = arena_printf(a, STR_FMT "\n  " STR_FMT ": %s%s" STR_FMT, STR_ARG(text), STR_ARG(f->p[i].path),
                                what[f->p[i].kind], f->p[i].line.n ? ": " : "", STR_ARG(f->p[i].line));
    return text;
}

static void consent(struct gate *g, const struct store_entry *entry, const struct startup_findings *f, const char *how)
{
    struct workspace *w = g->w;

    VEC_PUSH_IN(w->a, &g->consent, f->digest);
    audit_record(w, AUDIT_STARTUP, 0,
                 audit_data(w->a, "package", arena_printf(w->a, STR_FMT " " STR_FMT, STR_ARG(entry->name),
                                                          STR_ARG(entry->version)).p,
                            "wheel", entry->hex, "by", how, "what", describe(w->a, entry, f).p, (char *)NULL));
}

static bool judge(struct gate *g, const struct store_entry *entry, struct err *e)
{
    struct workspace *w = g->w;
    int policy = w->config.security_startup_code;
    struct startup_findings f;
    bool before;

    if (!startup_scan(g->s, entry, w->a, &f, e))
        return false;
    if (f.n == 0 || policy == CONFIG_STARTUP_ALLOW || (f.known && policy != CONFIG_STARTUP_DENY))
        return true;
    if (listed(&w->request->allow_startup, entry->name)) {
        consent(g, entry, &f, "--allow-startup");
        return true;
    }
    if (!allowed_before(g, f.digest, &before, e) || before)
        return before;
    struct str text = describe(w->a, entry, &f);

    if (policy == CONFIG_STARTUP_ASK && w->request->ask && w->request->ask(arena_printf(w->a, STR_FMT "\nallow it?",
                                                                                         STR_ARG(text)).p)) {
        consent(g, entry, &f, "answer");
        return true;
    }
    if (g->refused.n == 0)
        (void)err_set(e, ERR_PACKAGE, STR_FMT, STR_ARG(text));
    g->refused = arena_printf(w->a, STR_FMT " --allow-startup " STR_FMT, STR_ARG(g->refused), STR_ARG(entry->name));
    return true;
}

static bool settle(struct gate *g, struct err *e)
{
    struct workspace *w = g->w;
    struct err first = *e;

    if (g->consent.n && !w->foreign_env && !trust_allow_startup(w, g->consent.p, g->consent.n, e))
        return false;
    if (g->refused.n == 0)
        return true;
    *e = first;
    (void)err_hint(e, "when you know why, allow it:" STR_FMT "; for all packages: startup_code in [security]",
                   STR_ARG(g->refused));
    return err_exit(e, EXIT_DENIED);
}

bool startup_gate(struct workspace *w, struct env *env, const struct store *s, const struct pkg_wheels *wheels,
                  struct err *e)
{
    struct gate g = { .w = w, .s = s };
    AUTO_MAP here = { 0 };

    err_clear(e);
    if (!is_here(w, env, &here, e))
        return false;
    for (size_t i = 0; i < wheels->n; i++) {
        const struct pkg_wheel *p = &wheels->p[i];

        bool own = p->origin && p->origin->editable; /* asked for by name, and its code is under the user's eyes */

        if (p->have && !own && map_find(&here, str_of(p->entry.hex)) == MAP_NONE && !judge(&g, &p->entry, e))
            return false;
    }
    return settle(&g, e);
}
