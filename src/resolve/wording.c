#include "resolve/wording.h"

#include "base/arena.h"
#include "base/buf.h"
#include "resolve/source.h"

#define TEXT_MAX 65536 /* of one range in words */

bool wording_is_pre(struct str version)
{
    struct str public = str_sub(version, 0, str_find(version, '+'));

    for (size_t i = 0; i < public.n; i++) {
        char c = char_lower(public.p[i]);

        if (!char_is_alpha(c) || (c == 'v' && i == 0))
            continue;
        if (c == 'a' || c == 'b' || c == 'c' || c == 'd')
            return true;
        if (c == 'p' && str_starts(str_sub(public, i, public.n), STR("pre")))
            return true;
        if (c == 'r') /* "rc1", but "-r4" and "rev4" are post-releases */
            return i + 1 < public.n && char_lower(public.p[i + 1]) == 'c';
        if (c == 'p') /* "post1.dev2" is a pre-release of a kind too */
            return str_search(public, STR("dev")) < public.n;
        return false;
    }
    return false;
}

static struct str version(const struct wording *w, uint32_t rank)
{
    return w->source->version_text(w->source->ctx, w->pkg, rank);
}

/* Ranks lo .. hi-1 are all of the kind that does not split a range. */
static bool is_negligible(const struct wording *w, uint32_t lo, uint32_t hi)
{
    for (uint32_t r = lo; r < hi; r++)
        if (!set_has(&w->ignored, r) && !wording_is_pre(version(w, r)))
            return false;
    return true;
}

/* The set with negligible gaps closed, between intervals and towards both ends. Single versions stay single. */
static struct set close_gaps(const struct wording *w, const struct set *s, struct arena *a)
{
    const struct interval *p = set_spans(s);
    struct interval *q = ARENA_ARRAY(a, struct interval, s->n);
    uint32_t n = 0;

    if (set_count(s) < 2)
        return *s;
    for (uint32_t i = 0; i < s->n; i++) {
        if (n > 0 && is_negligible(w, q[n - 1].hi, p[i].lo))
            q[n - 1].hi = p[i].hi;
        else
            q[n++] = p[i];
    }
    if (q[0].hi - q[0].lo > 1 && is_negligible(w, 0, q[0].lo))
        q[0].lo = 0;
    if (q[n - 1].hi - q[n - 1].lo > 1 && is_negligible(w, q[n - 1].hi, w->versions))
        q[n - 1].hi = w->versions;
    return set_of(a, q, n);
}

/* The version that "<" names for a range ending before rank hi: "<2.0" leaves the pre-releases of 2.0 out by itself
 * (PEP 440, exclusive ordered comparison), so those that follow the range are passed over. */
static uint32_t end_of(const struct wording *w, uint32_t hi)
{
    uint32_t r = hi;

    while (r < w->versions && wording_is_pre(version(w, r)))
        r++;
    return r < w->versions ? r : hi;
}

static void add_span(const struct wording *w, struct interval span, struct buf *b)
{
    struct str lo = version(w, span.lo), last = version(w, span.hi - 1);

    if (span.hi - span.lo == 1) {
        (void)buf_printf(b, "==" STR_FMT, STR_ARG(lo));
        return;
    }
    if (span.lo > 0)
        (void)buf_printf(b, ">=" STR_FMT "%s", STR_ARG(lo), span.hi < w->versions ? "," : "");
    if (span.hi < w->versions) {
        struct str next = version(w, end_of(w, span.hi));

        if (wording_is_pre(last) && !wording_is_pre(next))
            (void)buf_printf(b, "<=" STR_FMT, STR_ARG(last));
        else
            (void)buf_printf(b, "<" STR_FMT, STR_ARG(next));
    }
}

struct str wording_range(const struct wording *w, const struct set *s, struct arena *a)
{
    AUTO_BUF b = { 0 };
    struct set closed = close_gaps(w, s, a);
    const struct interval *p = set_spans(&closed);

    buf_init(&b, TEXT_MAX);
    if (closed.n == 0)
        return STR("none");
    if (closed.n <= WORDING_SPANS) {
        for (uint32_t i = 0; i < closed.n; i++) {
            (void)buf_str(&b, i ? STR(" or ") : STR(""));
            if (closed.n > 1 || p[i].hi - p[i].lo < w->versions)
                add_span(w, p[i], &b);
        }
    } else {
        struct interval around = { p[0].lo, p[closed.n - 1].hi };

        if (around.hi - around.lo < w->versions) {
            add_span(w, around, &b);
            (void)buf_char(&b, ' ');
        }
        (void)buf_printf(&b, "(%u of %u versions)", set_count(s), w->versions);
    }
    return arena_str(a, buf_done(&b));
}

struct str wording_list(const struct wording *w, const struct set *s, struct arena *a)
{
    AUTO_BUF b = { 0 };
    uint32_t count = set_count(s);
    const struct interval *p = set_spans(s);

    buf_init(&b, TEXT_MAX);
    if (s->n > WORDING_SPANS) { /* not all that lie between are meant */
        struct str first = version(w, set_min(s)), last = version(w, set_max(s));

        (void)buf_printf(&b, STR_FMT " to " STR_FMT " (%u of these %u versions)", STR_ARG(first), STR_ARG(last), count,
                         set_max(s) - set_min(s) + 1);
        return arena_str(a, buf_done(&b));
    }
    for (uint32_t i = 0; i < s->n; i++) {
        struct str first = version(w, p[i].lo), last = version(w, p[i].hi - 1);
        uint32_t n = p[i].hi - p[i].lo;

        (void)buf_str(&b, i == 0 ? STR("") : i + 1 == s->n ? STR(" and ") : STR(", "));
        (void)buf_str(&b, first);
        if (n > 1)
            (void)buf_printf(&b, "%s" STR_FMT, n == 2 && s->n == 1 ? " and " : " to ", STR_ARG(last));
    }
    if (count > WORDING_SPANS)
        (void)buf_printf(&b, " (%u versions)", count);
    return arena_str(a, buf_done(&b));
}

struct str wording_verb(struct str reason, uint32_t n, struct arena *a)
{
    static const struct {
        const char *one, *many;
    } verbs[] = {
        { "needs ", "need " }, { "has ", "have " },   { "was ", "were " },         { "is ", "are " },
        { "does ", "do " },    { "comes ", "come " }, { "requires ", "require " }, { "names ", "name " },
    };

    for (size_t i = 0; n != 1 && i < COUNT(verbs); i++) {
        struct str rest = reason;

        if (str_cut_prefix(&rest, str_of(verbs[i].one)))
            return arena_printf(a, "%s" STR_FMT, verbs[i].many, STR_ARG(rest));
    }
    return reason;
}
