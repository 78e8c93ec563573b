#include "resolve/scenario.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/err.h"
#include "resolve/explain.h"
#include "resolve/solve.h"
#include "resolve/universe.h"

#define OUTPUT_MAX (1u << 20)

enum section { NOWHERE, UNIVERSE, WANT, OPTIONS, EXPECT };

struct reader {
    struct universe u;
    struct arena *a;
    enum section section;
    struct buf expect;
    bool full;
    struct scenario_result *out;
};

bool scenario_next(struct str *rest, struct str *one, unsigned *line)
{
    struct str at = *rest, text;
    const char *start = rest->p;
    bool named = false;

    if (!rest->p || str_trim(*rest).n == 0)
        return false;
    for (size_t i = 0; i < one->n; i++) /* the scenario before this one */
        *line += one->p[i] == '\n';
    while (str_next_line(&at, &text)) {
        if (str_starts(text, STR("@NAME"))) {
            if (named) {
                *one = (struct str){ start, (size_t)(text.p - start) };
                *rest = str_sub(*rest, one->n, rest->n);
                return true;
            }
            named = true;
        }
    }
    *one = *rest;
    *rest = (struct str){ 0 };
    return true;
}

/* A word, or text in double quotes without them, off the front. */
static struct str take_word(struct str *rest)
{
    struct str s = str_trim(*rest);

    if (str_starts(s, STR("\""))) {
        struct str inside = str_sub(s, 1, s.n);
        size_t end = str_find(inside, '"');

        *rest = str_trim(str_sub(inside, MIN(end + 1, inside.n), inside.n));
        return str_sub(inside, 0, end);
    }

    size_t end = 0;

    while (end < s.n && !char_is_space(s.p[end]))
        end++;
    *rest = str_trim(str_sub(s, end, s.n));
    return str_sub(s, 0, end);
}

static bool read_deps(struct reader *r, struct str text, struct universe_version *v, struct err *e)
{
    VEC(struct universe_dep) dep = { 0 };

    for (struct str part, rest = text; str_next(&rest, ';', &part);) {
        struct universe_dep d;

        if (str_trim(part).n == 0)
            continue;
        if (!universe_dep_parse(&r->u, part, &d, e))
            return false;
        (void)universe_package(&r->u, d.req.name, STR(""));
        VEC_PUSH_IN(r->a, &dep, d);
    }
    v->dep = dep.p;
    v->deps = dep.n;
    return true;
}

/* `name version [python SPEC] [yanked ["reason"]] [unusable "reason"] [: requirements]` */
static bool read_version(struct reader *r, struct str line, struct err *e)
{
    size_t colon = str_search(line, STR(" :"));
    struct str head = str_sub(line, 0, colon), deps = str_sub(line, MIN(colon + 2, line.n), line.n);
    struct str name = take_word(&head), number = take_word(&head);
    struct universe_version v = { 0 };

    if (!version_get(number, r->a, &v.v, e))
        return false;
    while (head.n > 0) {
        struct str word = take_word(&head);

        if (str_eq(word, STR("python"))) {
            v.python = take_word(&head);
        } else if (str_eq(word, STR("unusable"))) {
            v.unusable = take_word(&head);
        } else if (str_eq(word, STR("yanked"))) {
            v.yanked = true;
            v.yank_reason = str_starts(head, STR("\"")) ? take_word(&head) : STR("");
        } else {
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not python, yanked or unusable", STR_ARG(word));
        }
    }
    if (!read_deps(r, deps, &v, e))
        return false;

    uint32_t pkg = universe_package(&r->u, name, STR(""));

    VEC_PUSH_IN(r->a, &r->u.package.p[pkg].version, v);
    return true;
}

/* `requirement [from origin]` */
static bool read_want(struct reader *r, struct str line, bool constraint, struct err *e)
{
    size_t from = str_search(line, STR(" from "));
    struct universe_want w = { .constraint = constraint };

    if (from < line.n)
        w.origin = str_trim(str_sub(line, from + 6, line.n));
    if (!universe_dep_parse(&r->u, str_sub(line, 0, from), &w.dep, e))
        return false;
    VEC_PUSH_IN(r->a, &r->u.want, w);
    return true;
}

static bool read_option(struct reader *r, struct str line, struct err *e)
{
    struct str rest = line, key = take_word(&rest);

    if (str_eq(key, STR("constraint")))
        return read_want(r, rest, true, e);
    if (str_eq(key, STR("prefer"))) {
        struct str name = take_word(&rest);
        uint32_t pkg = universe_package(&r->u, name, STR(""));

        r->u.package.p[pkg].preferred = rest;
        return true;
    }
    if (str_eq(key, STR("prerelease"))) {
        r->u.pre = str_eq(rest, STR("allow"))      ? UNIVERSE_PRE_ALLOW
                   : str_eq(rest, STR("disallow")) ? UNIVERSE_PRE_DISALLOW
                                                   : UNIVERSE_PRE_IF_NECESSARY;
        return true;
    }
    if (str_eq(key, STR("resolution"))) {
        r->u.order = str_eq(rest, STR("lowest"))          ? UNIVERSE_LOWEST
                     : str_eq(rest, STR("lowest-direct")) ? UNIVERSE_LOWEST_DIRECT
                                                          : UNIVERSE_HIGHEST;
        return true;
    }
    return err_set(e, ERR_PACKAGE, "unknown option '" STR_FMT "'", STR_ARG(key));
}

static bool read_heading(struct reader *r, struct str line, struct err *e)
{
    struct str rest = line, word = take_word(&rest);
    uint64_t n;

    if (str_eq(word, STR("@NAME"))) {
        r->out->name = rest;
    } else if (str_eq(word, STR("@UNIVERSE"))) {
        r->section = UNIVERSE;
    } else if (str_eq(word, STR("@WANT"))) {
        r->section = WANT;
    } else if (str_eq(word, STR("@OPTIONS"))) {
        r->section = OPTIONS;
    } else if (str_eq(word, STR("@EXPECT"))) {
        r->section = EXPECT;
        r->full = str_eq(rest, STR("(full)"));
    } else if (str_eq(word, STR("@PYTHON"))) {
        r->u.python = rest;
    } else if (str_eq(word, STR("@STEPS")) && str_to_u64(rest, &n) && n < UINT32_MAX) {
        r->out->max_steps = (uint32_t)n;
    } else {
        return err_set(e, ERR_PACKAGE, "unknown heading '" STR_FMT "'", STR_ARG(line));
    }
    return true;
}

static bool read_line(struct reader *r, struct str line, struct err *e)
{
    if (str_starts(line, STR("@")))
        return read_heading(r, line, e);
    if (r->section == EXPECT) {
        (void)buf_printf(&r->expect, STR_FMT "\n", STR_ARG(line));
        return true;
    }
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return true;
    switch (r->section) {
    case UNIVERSE:
        return read_version(r, line, e);
    case WANT:
        return read_want(r, line, false, e);
    case OPTIONS:
        return read_option(r, line, e);
    case EXPECT:
    case NOWHERE:
        break;
    }
    return err_set(e, ERR_PACKAGE, "'" STR_FMT "' stands before any heading", STR_ARG(line));
}

static void set_environment(struct universe *u)
{
    struct str minor = u->python;
    size_t first = str_find(minor, '.');
    size_t second = str_find(str_sub(minor, MIN(first + 1, minor.n), minor.n), '.');

    u->env = (struct marker_env){
        .os_name = STR("posix"),
        .sys_platform = STR("linux"),
        .platform_machine = STR("x86_64"),
        .platform_python_implementation = STR("CPython"),
        .platform_system = STR("Linux"),
        .python_version = str_sub(minor, 0, MIN(first + 1 + second, minor.n)),
        .python_full_version = u->python,
        .implementation_name = STR("cpython"),
        .implementation_version = u->python,
    };
}

static struct str pins(const struct universe *u, const struct solve *s, struct arena *a)
{
    VEC(struct str) line = { 0 };
    AUTO_BUF b = { 0 };

    buf_init(&b, OUTPUT_MAX);
    for (uint32_t pkg = 1; pkg < u->package.n; pkg++) {
        const struct universe_package *p = &u->package.p[pkg];
        uint32_t rank = solve_decision(s, pkg);

        if (rank == RANK_NONE || p->base != PKG_NONE)
            continue;
        VEC_PUSH_IN(a, &line,
                    arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(p->name), STR_ARG(p->sorted[rank].text)));
    }
    if (line.n > 1)
        qsort(line.p, line.n, sizeof line.p[0], str_order);
    for (size_t i = 0; i < line.n; i++)
        (void)buf_printf(&b, STR_FMT "\n", STR_ARG(line.p[i]));
    return line.n ? arena_str(a, buf_done(&b)) : STR("(nothing)\n");
}

static void run(struct reader *r)
{
    struct solve_source source = universe_source(&r->u);
    struct solve *s = solve_new(&source);
    enum solve_state state;

    while ((state = solve_step(s)) == SOLVE_WANTS)
        r->out->waits++;

    struct solve_stats stats = solve_stats(s);

    r->out->steps = stats.decisions + stats.rejections;
    r->out->solved = state == SOLVE_DONE;
    if (r->out->solved) {
        r->out->output = pins(&r->u, s, r->a);
    } else {
        struct explain x = explain_new(s, r->a);
        struct str text = r->full ? explain_full(s, r->a) : explain_text(&x, EXPLAIN_LINES, r->a);

        r->out->output = arena_printf(r->a, STR_FMT "\n", STR_ARG(text));
    }
    solve_free(s);
}

static bool read_all(struct reader *r, struct str one, unsigned line, struct err *e)
{
    for (struct str text, rest = one; str_next_line(&rest, &text); line++)
        if (!read_line(r, text, e))
            return err_as(e, ERR_PACKAGE, "line %u of the scenario", line);

    struct str expect = str_trim(buf_done(&r->expect));

    r->out->expect = expect.n ? arena_printf(r->a, STR_FMT "\n", STR_ARG(expect)) : STR("");
    set_environment(&r->u);
    return universe_seal(&r->u, e);
}

bool scenario_run(struct str one, unsigned line, uint32_t wait_every, struct arena *a, struct scenario_result *out,
                  struct err *e)
{
    struct scenario_result result = { .max_steps = UINT32_MAX };
    struct reader r = { .a = a, .out = &result };

    universe_init(&r.u, a);
    r.u.wait_every = wait_every;
    buf_init(&r.expect, OUTPUT_MAX);

    bool ok = read_all(&r, one, line, e);

    if (ok)
        run(&r);
    buf_clear(&r.expect);
    universe_clear(&r.u);
    if (ok)
        *out = result;
    return ok;
}
