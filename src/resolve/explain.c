/* From the proof to sentences: its facts, united and in reading order (facts.h), and besides them where nothing fits at
 * all: a requirement that no known version satisfies, a package without versions, two requirements of the user that
 * exclude each other.
 *
 * Nothing here is recursive: proofs of long backtracking runs are deep.
 */
#include "resolve/explain.h"

#include <stdlib.h>
#include "base/buf.h"
#include "resolve/facts.h"
#include "resolve/priv.h"
#include "resolve/wording.h"

#define FULL_MAX (64u << 20) /* bytes of the long form */
#define LINE_MAX 110         /* columns before the user's requirements go on in a new line */
#define REQUIREMENT_LINES 3

struct report {
    const struct solve *s;
    struct arena *a;
    struct facts facts;
    VEC(struct explain_fact) fact;
    struct set *unusable; /* by package: versions known to be unusable */
};

const char *explain_word(enum explain_cause cause)
{
    static const char *const words[] = {
#define X(name, word) [EXPLAIN_##name] = (word),
        EXPLAIN_CAUSES(X)
#undef X
    };

    return words[cause];
}

static const struct solve_package *package(const struct report *r, uint32_t pkg)
{
    return &r->s->pkg.p[pkg].fact;
}

static void find_unusable(struct report *r)
{
    r->unusable = ARENA_ARRAY(r->a, struct set, r->s->pkg.n);
    for (uint32_t id = 0; id < r->s->store.all.n; id++) {
        const struct incompat *ic = incompat_get(&r->s->store, id);

        if (ic->cause == CAUSE_UNUSABLE || ic->cause == CAUSE_NONE) {
            struct set *set = &r->unusable[ic->term[0].pkg];

            *set = set_unite(r->a, set, &ic->term[0].set);
        }
    }
}

static struct str range(const struct report *r, uint32_t pkg, const struct set *set)
{
    struct wording w = { &r->s->source, pkg, package(r, pkg)->versions, r->unusable[pkg] };

    return wording_range(&w, set, r->a);
}

static struct str versions(const struct report *r, uint32_t pkg, const struct set *set)
{
    struct wording w = { &r->s->source, pkg, package(r, pkg)->versions, set_none() };

    return wording_list(&w, set, r->a);
}

/* "flask >=3.0", or "flask" for every version. */
static struct str name_and_range(const struct report *r, uint32_t pkg, const struct set *set)
{
    struct str text = range(r, pkg, set);
    struct str name = package(r, pkg)->name;

    if (text.n == 0)
        return name;
    return arena_printf(r->a, STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(text));
}

/* "flask >=3.0", "flask 3.0", "every version of flask". */
static struct str subject(const struct report *r, uint32_t pkg, const struct set *set)
{
    struct str name = package(r, pkg)->name;
    struct str text = range(r, pkg, set);

    if (text.n == 0 && package(r, pkg)->versions > 1)
        return arena_printf(r->a, "every version of " STR_FMT, STR_ARG(name));
    if (str_cut_prefix(&text, STR("==")) && str_find(text, ' ') < text.n)
        return name_and_range(r, pkg, set);
    return text.n ? arena_printf(r->a, STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(text)) : name;
}

/* ---- sentences ---- */

static struct str requirement_text(const struct report *r, const struct facts_group *g)
{
    return g->text.n ? g->text : name_and_range(r, g->on, &g->target);
}

static struct str with_origin(const struct report *r, struct str text, struct str origin)
{
    return origin.n ? arena_printf(r->a, STR_FMT " (" STR_FMT ")", STR_ARG(text), STR_ARG(origin)) : text;
}

static void add_fact(struct report *r, const struct facts_group *g, struct explain_fact fact)
{
    struct set all = set_span(0, package(r, g->pkg)->versions);

    fact.cause = g->cause;
    fact.package = package(r, g->pkg)->name;
    fact.origin = g->origin;
    fact.versions = set_count(&g->of);
    fact.set = set_equal(&g->of, &all) ? STR("") : range(r, g->pkg, &g->of);
    VEC_PUSH_IN(r->a, &r->fact, fact);
}

/* The package required has no version that fits, whatever else is chosen. */
static void say_nothing_fits(struct report *r, const struct facts_group *g)
{
    uint32_t base = choose_base(&r->s->choose, g->on);
    const struct solve_package *on = package(r, base);
    struct facts_group none = { .cause = EXPLAIN_NONE, .pkg = base };
    struct str text, detail;

    if (on->versions == 0) {
        detail = on->problem.n ? on->problem : STR("has no version");
        text = arena_printf(r->a, STR_FMT " " STR_FMT, STR_ARG(on->name), STR_ARG(detail));
    } else {
        struct set all = set_span(0, on->versions);
        struct str known = versions(r, g->on, &all), wanted = requirement_text(r, g);

        detail = arena_printf(r->a, "known: " STR_FMT, STR_ARG(known));
        text = arena_printf(r->a, "no version of " STR_FMT " satisfies " STR_FMT "; " STR_FMT, STR_ARG(on->name),
                            STR_ARG(wanted), STR_ARG(detail));
    }
    add_fact(r, &none, (struct explain_fact){ .detail = detail, .text = text });
}

static void say_requirement(struct report *r, const struct facts_group *g)
{
    struct str on = requirement_text(r, g), name = package(r, g->pkg)->name;
    struct str what = with_origin(r, on, g->origin);

    add_fact(r, g, (struct explain_fact){
        .on = on,
        .text = arena_printf(r->a, STR_FMT " requires " STR_FMT, STR_ARG(name), STR_ARG(what)),
    });
}

static void say_dependency(struct report *r, const struct facts_group *g)
{
    struct str who = subject(r, g->pkg, &g->of), on = requirement_text(r, g), text;

    if (g->on == g->pkg && g->text.n == 0)
        text = arena_printf(r->a, STR_FMT " depends on another version of itself", STR_ARG(who));
    else if (g->on == g->pkg)
        text = arena_printf(r->a, STR_FMT " depends on another version of itself, " STR_FMT, STR_ARG(who), STR_ARG(on));
    else
        text = arena_printf(r->a, STR_FMT " depends on %s" STR_FMT, STR_ARG(who),
                            g->varies ? "certain versions of " : "", STR_ARG(on));
    add_fact(r, g, (struct explain_fact){ .on = on, .text = text });
    if (g->target.n == 0 && g->on != g->pkg)
        say_nothing_fits(r, g);
}

static void say_constraint(struct report *r, const struct facts_group *g)
{
    struct str on = g->text.n ? g->text : name_and_range(r, g->pkg, &g->target);
    struct str what = with_origin(r, on, g->origin);

    add_fact(r, g, (struct explain_fact){
        .on = on,
        .text = arena_printf(r->a, "a constraint allows only " STR_FMT, STR_ARG(what)),
    });
}

static void say_unusable(struct report *r, const struct facts_group *g)
{
    uint32_t n = set_count(&g->of);
    struct str name = package(r, g->pkg)->name, which = versions(r, g->pkg, &g->of);
    struct str reason = g->reason.n ? g->reason : STR("cannot be used");
    struct str verb = wording_verb(reason, n, r->a);

    if (n > 1 && n == package(r, g->pkg)->versions)
        which = arena_printf(r->a, "all %u versions of " STR_FMT, n, STR_ARG(name));
    else
        which = arena_printf(r->a, STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(which));
    add_fact(r, g, (struct explain_fact){
        .detail = reason,
        .text = arena_printf(r->a, STR_FMT " " STR_FMT, STR_ARG(which), STR_ARG(verb)),
    });
}

static void say_none(struct report *r, const struct facts_group *g)
{
    struct str what = name_and_range(r, g->pkg, &g->of);

    add_fact(r, g, (struct explain_fact){
        .detail = g->reason,
        .text = arena_printf(r->a, "no version of " STR_FMT " can be chosen%s" STR_FMT, STR_ARG(what),
                             g->reason.n ? ": " : "", STR_ARG(g->reason)),
    });
}

static void say(struct report *r, const struct facts_group *g)
{
    switch (g->cause) {
    case EXPLAIN_REQUIREMENT:
        say_requirement(r, g);
        break;
    case EXPLAIN_CONSTRAINT:
        say_constraint(r, g);
        break;
    case EXPLAIN_DEPENDENCY:
        say_dependency(r, g);
        break;
    case EXPLAIN_UNUSABLE:
        say_unusable(r, g);
        break;
    case EXPLAIN_NONE:
        say_none(r, g);
        break;
    }
}

/* The user's own words about one package, nothing else, contradict each other: name the package. */
static void say_contradiction(struct report *r)
{
    uint32_t base = PKG_NONE, n = 0;

    for (size_t i = 0; i < r->facts.group.n; i++) {
        const struct facts_group *g = &r->facts.group.p[i];
        uint32_t about = g->cause == EXPLAIN_CONSTRAINT ? g->pkg : g->on;

        if ((g->cause != EXPLAIN_REQUIREMENT && g->cause != EXPLAIN_CONSTRAINT) || g->target.n == 0)
            return;
        about = choose_base(&r->s->choose, about);
        if (base != PKG_NONE && base != about)
            return;
        base = about;
        n++;
    }
    if (n < 2)
        return;

    struct str name = package(r, base)->name;
    struct facts_group none = { .cause = EXPLAIN_NONE, .pkg = base, .of = set_span(0, package(r, base)->versions) };

    add_fact(r, &none, (struct explain_fact){
        .text = arena_printf(r->a, "no version of " STR_FMT " satisfies %s", STR_ARG(name), n == 2 ? "both" : "all"),
    });
}

struct explain explain_new(const struct solve *s, struct arena *a)
{
    struct report r = { .s = s, .a = a, .facts = { .a = a } };
    size_t n;
    const uint32_t *id = solve_proof(s, a, &n);

    find_unusable(&r);
    for (size_t i = 0; i < n; i++)
        facts_add(&r.facts, incompat_get(&s->store, id[i]));
    facts_sort(&r.facts, s);
    for (size_t i = 0; i < r.facts.group.n; i++)
        say(&r, &r.facts.group.p[i]);
    for (size_t i = 0; i < r.facts.group.n; i++)
        if (r.facts.group.p[i].cause == EXPLAIN_REQUIREMENT && r.facts.group.p[i].target.n == 0)
            say_nothing_fits(&r, &r.facts.group.p[i]);
    say_contradiction(&r);
    facts_clear(&r.facts);
    return (struct explain){ STR("no versions satisfy all requirements"), r.fact.p, r.fact.n };
}

/* ---- the short report ---- */

struct lines {
    struct buf b;
    size_t n;
};

/* The user's requirements in one sentence, or as many lines as they need. */
static size_t add_requirements(struct lines *l, const struct explain *x)
{
    size_t n = 0, column = 0;

    while (n < x->n && x->fact[n].cause == EXPLAIN_REQUIREMENT)
        n++;
    for (size_t i = 0; i < n; i++) {
        const struct explain_fact *f = &x->fact[i];
        struct str lead = i == 0 ? STR("") : i + 1 < n ? STR(", ") : STR(" and ");
        size_t width = f->on.n + (f->origin.n ? f->origin.n + 3 : 0);

        if (i == 0) {
            (void)buf_printf(&l->b, "\n  " STR_FMT " requires ", STR_ARG(f->package));
            column = f->package.n + 12;
            l->n++;
        } else if (column + width > LINE_MAX && l->n > REQUIREMENT_LINES) {
            (void)buf_printf(&l->b, " and %zu more", n - i);
            break;
        } else if (column + width > LINE_MAX) {
            (void)buf_str(&l->b, i + 1 < n ? STR(",\n    ") : STR("\n    and "));
            column = 4;
            l->n++;
        } else {
            (void)buf_str(&l->b, lead);
            column += lead.n;
        }
        (void)buf_str(&l->b, f->on);
        if (f->origin.n)
            (void)buf_printf(&l->b, " (" STR_FMT ")", STR_ARG(f->origin));
        column += width;
    }
    return n;
}

static void add_facts(struct lines *l, const struct explain *x, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        (void)buf_printf(&l->b, "\n  " STR_FMT, STR_ARG(x->fact[i].text));
}

struct str explain_text(const struct explain *x, size_t lines, struct arena *a)
{
    struct lines l = { .n = 1 };

    buf_init(&l.b, FULL_MAX);
    (void)buf_str(&l.b, x->headline);

    size_t from = add_requirements(&l, x), room = lines > l.n ? lines - l.n : 1;

    if (x->n - from <= room) {
        add_facts(&l, x, from, x->n);
    } else { /* both ends of the story: where it starts and where it breaks */
        size_t first = room / 2, last = room - 1 - first;

        add_facts(&l, x, from, from + first);
        (void)buf_printf(&l.b, "\n  and %zu more facts", x->n - from - first - last);
        if (last > 0)
            (void)buf_str(&l.b, STR(", then"));
        add_facts(&l, x, x->n - last, x->n);
    }

    struct str text = arena_str(a, buf_done(&l.b));

    buf_clear(&l.b);
    return text;
}

/* ---- the long form ---- */

static void say_derived(const struct report *r, const struct incompat *ic, struct buf *b)
{
    if (ic->n == 0 || (ic->n == 1 && ic->term[0].pkg == PKG_ROOT)) {
        (void)buf_str(b, STR("there is no solution"));
        return;
    }

    const struct term *t = ic->term;
    struct str first = name_and_range(r, t[0].pkg, &t[0].set);

    if (ic->n == 1) {
        (void)buf_printf(b, STR_FMT " %s", STR_ARG(first), t[0].positive ? "cannot be chosen" : "must be chosen");
        return;
    }
    if (ic->n == 2 && t[0].positive != t[1].positive) {
        const struct term *yes = t[0].positive ? &t[0] : &t[1], *no = t[0].positive ? &t[1] : &t[0];
        struct str who = name_and_range(r, yes->pkg, &yes->set), on = name_and_range(r, no->pkg, &no->set);

        (void)buf_printf(b, STR_FMT " requires " STR_FMT, STR_ARG(who), STR_ARG(on));
        return;
    }
    (void)buf_str(b, STR("not together: "));
    for (uint32_t i = 0; i < ic->n; i++) {
        struct str what = name_and_range(r, t[i].pkg, &t[i].set);

        (void)buf_printf(b, "%s%s" STR_FMT, i ? ", " : "", t[i].positive ? "" : "anything but ", STR_ARG(what));
    }
}

static void say_leaf(struct report *r, const struct incompat *ic, struct buf *b)
{
    facts_clear(&r->facts);
    r->fact.n = 0;
    facts_add(&r->facts, ic);
    if (r->facts.group.n > 0) {
        say(r, &r->facts.group.p[0]);
        (void)buf_str(b, r->fact.p[0].text);
        return;
    }
    if (ic->cause == CAUSE_ROOT) {
        struct str name = package(r, PKG_ROOT)->name;

        (void)buf_printf(b, STR_FMT " must be chosen", STR_ARG(name));
        return;
    }

    struct str proxy = name_and_range(r, ic->term[0].pkg, &ic->term[0].set);
    struct str base = package(r, ic->term[1].pkg)->name;

    (void)buf_printf(b, STR_FMT " has the version of " STR_FMT, STR_ARG(proxy), STR_ARG(base));
}

/* The line number of a statement: ids ascend. */
static size_t number_of(const uint32_t *id, size_t n, uint32_t want)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (id[mid] < want)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo + 1;
}

struct str explain_full(const struct solve *s, struct arena *a)
{
    struct report r = { .s = s, .a = a, .facts = { .a = a } };
    AUTO_BUF b = { 0 };
    size_t n;
    const uint32_t *id = solve_proof(s, a, &n);

    find_unusable(&r);
    buf_init(&b, FULL_MAX);
    for (size_t i = 0; i < n; i++) {
        const struct incompat *ic = incompat_get(&s->store, id[i]);

        (void)buf_printf(&b, "%s%zu. ", i ? "\n" : "", i + 1);
        if (ic->cause == CAUSE_DERIVED) {
            say_derived(&r, ic, &b);
            (void)buf_printf(&b, " (%zu, %zu)", number_of(id, n, ic->left), number_of(id, n, ic->right));
        } else {
            say_leaf(&r, ic, &b);
        }
    }
    facts_clear(&r.facts);
    return arena_str(a, buf_done(&b));
}
