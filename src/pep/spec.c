#include "pep/spec.h"

#include "base/arena.h"
#include "base/err.h"

#define ABOVE_ALL UINT64_MAX /* a post-release number that no version has */

/* The interval of a clause, with ends that are versions:
 *
 *     >=V  [V, )                       <=V  [ , least version above V and all V+local)
 *     >V   [least above, )             <V   [ , V) for a pre-release V, else [ , V.dev0)
 *     ==V  [V, least above V+local)    ==V+local [V+local, V+local]     !=V the complement
 *     ~=1.4.5  [1.4.5, 1.5.dev0)       ==1.4.*  [1.4.dev0, 1.5.dev0)
 *
 * The least version above V and its locals is V.dev(N+1), V.post(N+1).dev0 or V.post0.dev0. The least above for ">V"
 * is the same when V is a dev or post release; else all post-releases of V are left out too, and the end is V.post
 * with a number above all.
 */

static void after_locals(struct version_parts *p)
{
    p->local = STR("");
    if (p->has_dev) {
        p->dev_number++;
        return;
    }
    p->post_number = p->has_post ? p->post_number + 1 : 0;
    p->has_post = p->has_dev = true;
    p->dev_number = 0;
}

static void after_posts(struct version_parts *p)
{
    if (p->has_dev || p->has_post) {
        after_locals(p);
        return;
    }
    p->has_post = true;
    p->post_number = ABOVE_ALL;
}

/* The .dev0 of the first n release numbers, the last of them raised by `step`. */
static void make_prefix(const struct version_parts *of, uint32_t n, unsigned step, struct arena *a,
                        struct version *out)
{
    uint64_t *release = arena_alloc(a, n * sizeof *release);

    memcpy(release, of->release, n * sizeof *release);
    release[n - 1] += step;
    version_make(&(struct version_parts){ .epoch = of->epoch, .release = release, .n_release = n, .has_dev = true },
                 a, out);
}

static void set_ends(struct spec_clause *c, struct arena *a)
{
    uint64_t room[VERSION_INLINE];
    struct version_parts p;

    version_split(&c->v, room, &p);
    c->has_lo = c->op != SPEC_LE && c->op != SPEC_LT;
    c->has_hi = c->op != SPEC_GE && c->op != SPEC_GT;
    if (c->wildcard) {
        make_prefix(&p, p.n_release, 0, a, &c->lo);
        make_prefix(&p, p.n_release, 1, a, &c->hi);
        return;
    }
    c->lo = c->hi = c->v;
    switch (c->op) {
    case SPEC_EQ:
    case SPEC_NE:
    case SPEC_LE:
        c->hi_closed = p.local.n > 0;
        after_locals(&p);
        if (!c->hi_closed)
            version_make(&p, a, &c->hi);
        break;
    case SPEC_LT:
        if (!version_is_pre(&c->v)) {
            p.has_dev = true;
            version_make(&p, a, &c->hi);
        }
        break;
    case SPEC_GT:
        after_posts(&p);
        version_make(&p, a, &c->lo);
        break;
    case SPEC_COMPATIBLE:
        make_prefix(&p, p.n_release - 1, 1, a, &c->hi);
        break;
    case SPEC_GE:
    case SPEC_SAME:
        break;
    }
}

static bool take_op(struct str *s, enum spec_op *op)
{
    static const struct {
        struct str text;
        enum spec_op op;
    } ops[] = { /* longer ones first */
        { { "===", 3 }, SPEC_SAME }, { { "==", 2 }, SPEC_EQ }, { { ">=", 2 }, SPEC_GE },
        { { "<=", 2 }, SPEC_LE },    { { "!=", 2 }, SPEC_NE }, { { "~=", 2 }, SPEC_COMPATIBLE },
        { { "<", 1 }, SPEC_LT },     { { ">", 1 }, SPEC_GT },
    };

    for (size_t i = 0; i < COUNT(ops); i++)
        if (str_cut_prefix(s, ops[i].text)) {
            *op = ops[i].op;
            return true;
        }
    return false;
}

/* "===" takes nearly any text: not white space, and not what ends a specifier in a requirement. Control characters are
 * left out by us. */
static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7F || s.p[i] == ';' || s.p[i] == ')')
            return false;
    return true;
}

static bool parse_clause(struct str text, struct arena *a, struct spec_clause *c, const char **why)
{
    *c = (struct spec_clause){ .op = SPEC_SAME };
    *why = "has no comparison operator";
    if (!take_op(&text, &c->op))
        return false;
    c->text = str_trim(text);
    *why = "is not a version after the operator";
    if (c->op == SPEC_SAME)
        return is_plain(c->text);

    struct str base = c->text;

    if (str_cut_suffix(&base, STR(".*"))) {
        *why = "has '.*', which only '==' and '!=' may have, after release numbers";
        if ((c->op != SPEC_EQ && c->op != SPEC_NE) || base.n == 0 || char_is_space(base.p[base.n - 1]))
            return false;
        c->wildcard = true;
    }
    if (!version_parse(base, a, &c->v))
        return false;
    if (c->wildcard && (version_is_pre(&c->v) || version_is_post(&c->v) || version_has_local(&c->v)))
        return false;
    *why = "has a local version, which only '==' and '!=' may have";
    if (version_has_local(&c->v) && c->op != SPEC_EQ && c->op != SPEC_NE)
        return false;
    *why = "needs two release numbers at least after '~='";
    if (c->op == SPEC_COMPATIBLE && c->v.n_release < 2)
        return false;
    set_ends(c, a);
    return true;
}

static void note_clause(const struct spec_clause *c, struct arena *a, struct spec *s)
{
    struct version v;

    if (c->op == SPEC_SAME) {
        s->has_same = true;
        s->names_pre = s->names_pre || (version_parse(c->text, a, &v) && version_is_pre(&v));
    } else if (c->op != SPEC_NE && !c->wildcard) {
        s->names_pre = s->names_pre || version_is_pre(&c->v);
    }
}

bool spec_parse(struct str text, struct arena *a, struct spec *out, struct err *e)
{
    struct spec s = { 0 };
    struct str part, rest = text;
    uint32_t n = 1;

    if (text.n > UINT32_MAX)
        return err_set(e, ERR_PACKAGE, "version specifier of %zu bytes", text.n);
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';

    struct spec_clause *clause = NULL;

    while (str_next(&rest, ',', &part)) {
        const char *why;

        part = str_trim(part);
        if (part.n == 0)
            continue;
        if (!clause)
            clause = ARENA_ARRAY(a, struct spec_clause, n);
        if (!parse_clause(part, a, &clause[s.n], &why))
            return err_set(e, ERR_PACKAGE, "version specifier '" STR_FMT "' %s", STR_ARG(part), why);
        note_clause(&clause[s.n], a, &s);
        s.n++;
    }
    s.clause = clause;
    *out = s;
    return true;
}

const char *spec_op_text(enum spec_op op)
{
    static const char *const text[] = { "==", "!=", "<=", ">=", "<", ">", "~=", "===" };

    return text[op];
}

struct str spec_format(const struct spec *s, struct arena *a)
{
    size_t n = 0, room = 0;

    for (uint32_t i = 0; i < s->n; i++)
        room += s->clause[i].text.n + 4; /* the longest operator and a comma */

    char *p = arena_alloc(a, room + 1);

    for (uint32_t i = 0; i < s->n; i++) {
        struct str op = str_of(spec_op_text(s->clause[i].op)), text = s->clause[i].text;

        if (i > 0)
            p[n++] = ',';
        memcpy(p + n, op.p, op.n);
        n += op.n;
        if (text.n > 0)
            memcpy(p + n, text.p, text.n);
        n += text.n;
    }
    p[n] = '\0';
    return (struct str){ p, n };
}

static bool is_below_end(const struct spec_clause *c, const struct version *v)
{
    int order = version_cmp(v, &c->hi);

    return order < 0 || (c->hi_closed && order == 0);
}

static bool has(const struct spec_clause *c, const struct version *v)
{
    if (c->op == SPEC_SAME)
        return str_eq_nocase(c->text, v->text);

    bool inside = (!c->has_lo || version_cmp(v, &c->lo) >= 0) && (!c->has_hi || is_below_end(c, v));

    return inside != (c->op == SPEC_NE);
}

static bool has_all(const struct spec *s, const struct version *v)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (!has(&s->clause[i], v))
            return false;
    return true;
}

bool spec_contains(const struct spec *s, const struct version *v, enum spec_pre pre)
{
    return (pre != SPEC_PRE_DENY || !version_is_pre(v)) && has_all(s, v);
}

bool spec_contains_text(const struct spec *s, struct str text)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->clause[i].op != SPEC_SAME || !str_eq_nocase(s->clause[i].text, text))
            return false;
    return true;
}

size_t spec_filter(const struct spec *s, const struct version *v, size_t n, enum spec_pre pre, uint32_t *out)
{
    size_t matches = 0, finals = 0, kept = 0;

    if (pre == SPEC_PRE_DEFAULT && s->names_pre)
        pre = SPEC_PRE_ALLOW;
    for (size_t i = 0; i < n; i++)
        if (has_all(s, &v[i])) {
            out[matches++] = (uint32_t)i;
            finals += !version_is_pre(&v[i]);
        }
    if (pre == SPEC_PRE_ALLOW || (pre == SPEC_PRE_DEFAULT && finals == 0))
        return matches;
    for (size_t i = 0; i < matches; i++)
        if (!version_is_pre(&v[out[i]]))
            out[kept++] = out[i];
    return kept;
}

/* The first index whose version is not below `bound`, or above it when `past`. */
static uint32_t search(const struct version *v, uint32_t n, const struct version *bound, bool past)
{
    uint32_t lo = 0, hi = n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = version_cmp(&v[mid], bound);

        if (order < 0 || (past && order == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t add_range(struct spec_range *to, size_t n, uint32_t lo, uint32_t hi)
{
    if (lo < hi)
        to[n++] = (struct spec_range){ lo, hi };
    return n;
}

/* Cuts [lo, hi) out of the ranges, or keeps only what is inside it. `to` has room for one range more than `from`. */
static size_t cut(const struct spec_range *from, size_t n, struct spec_range hole, bool leave_out,
                  struct spec_range *to)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (leave_out && hole.lo < hole.hi) {
            kept = add_range(to, kept, from[i].lo, MIN(from[i].hi, hole.lo));
            kept = add_range(to, kept, MAX(from[i].lo, hole.hi), from[i].hi);
        } else if (leave_out) {
            to[kept++] = from[i];
        } else {
            kept = add_range(to, kept, MAX(from[i].lo, hole.lo), MIN(from[i].hi, hole.hi));
        }
    }
    return kept;
}

/* A "===" can match any versions of one spelling; there are few, so each is looked at. */
static size_t keep_same(const struct spec_range *from, size_t n, const struct spec_clause *c,
                        const struct version *v, struct arena *a, struct spec_range **to)
{
    size_t room = 0, kept = 0;

    for (size_t i = 0; i < n; i++)
        for (uint32_t k = from[i].lo; k < from[i].hi; k++)
            room += has(c, &v[k]);
    *to = ARENA_ARRAY(a, struct spec_range, room + 1);
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = from[i].lo; k < from[i].hi; k++) {
            if (!has(c, &v[k]))
                continue;
            if (kept > 0 && (*to)[kept - 1].hi == k)
                (*to)[kept - 1].hi++;
            else
                (*to)[kept++] = (struct spec_range){ k, k + 1 };
        }
    return kept;
}

size_t spec_ranks(const struct spec *s, const struct version *v, size_t n, struct arena *a, struct spec_range **out)
{
    uint32_t count = (uint32_t)n;
    struct spec_range *at = ARENA_ARRAY(a, struct spec_range, 1);
    size_t ranges = add_range(at, 0, 0, count);

    for (uint32_t i = 0; i < s->n && ranges > 0; i++) {
        const struct spec_clause *c = &s->clause[i];
        struct spec_range hole = { 0, count };
        struct spec_range *next;

        if (c->op == SPEC_SAME) {
            ranges = keep_same(at, ranges, c, v, a, &next);
            at = next;
            continue;
        }
        if (c->has_lo)
            hole.lo = search(v, count, &c->lo, false);
        if (c->has_hi)
            hole.hi = search(v, count, &c->hi, c->hi_closed);
        next = ARENA_ARRAY(a, struct spec_range, ranges + 1);
        ranges = cut(at, ranges, hole, c->op == SPEC_NE, next);
        at = next;
    }
    *out = at;
    return ranges;
}

bool spec_accepts_python(const struct spec *s, const struct version *python, bool ignore_upper)
{
    struct version v;

    version_final(python, &v);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct spec_clause *c = &s->clause[i];

        if (ignore_upper && c->op != SPEC_NE && c->op != SPEC_SAME) {
            if (c->has_lo && version_cmp(&v, &c->lo) < 0)
                return false;
        } else if (!has(c, &v)) {
            return false;
        }
    }
    return true;
}
