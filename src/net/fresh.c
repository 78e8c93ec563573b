#include "net/fresh.h"

#include "base/arena.h"
#include "net/http.h"

#define LONGEST (365 * 24 * 3600)

/* Days since 1970-01-01 of a date in the Gregorian calendar; month from 1. */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned in_era = (unsigned)(year - era * 400);
    unsigned in_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;

    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static bool month_parse(struct str s, unsigned *out)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (unsigned i = 0; i < 12; i++)
        if (str_eq_nocase(s, (struct str){ names + 3 * i, 3 })) {
            *out = i + 1;
            return true;
        }
    return false;
}

/* "08:49:37" */
static bool time_parse(struct str s, uint64_t *seconds)
{
    struct str part[3];
    uint64_t v[3];

    if (str_split(s, ':', part, 3) != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (part[i].n != 2 || !str_to_u64(part[i], &v[i]))
            return false;
    if (v[0] > 23 || v[1] > 59 || v[2] > 60)
        return false;
    *seconds = v[0] * 3600 + v[1] * 60 + v[2];
    return true;
}

/* Words of a date; blanks and the '-' of the second form part them. */
static size_t date_words(struct str text, struct str *word, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n && n < max;) {
        size_t from = i;

        while (i < text.n && text.p[i] != ' ' && text.p[i] != '-')
            i++;
        if (i > from)
            word[n++] = str_sub(text, from, i);
        i++;
    }
    return n;
}

bool fresh_date_parse(struct str text, int64_t *out)
{
    struct str w[7];
    size_t n = date_words(text, w, COUNT(w));
    uint64_t day, year, seconds;
    unsigned month;
    /* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" */
    bool comma = n == 6 && str_ends(w[0], STR(","));

    if (!comma && n != 5)
        return false;
    struct str d = comma ? w[1] : w[2], m = comma ? w[2] : w[1], y = comma ? w[3] : w[4];

    if (!str_to_u64(d, &day) || !month_parse(m, &month) || !str_to_u64(y, &year) ||
        !time_parse(comma ? w[4] : w[3], &seconds) || day < 1 || day > 31 || year > 9999)
        return false;
    if (y.n == 2)
        year += year < 70 ? 2000 : 1900;
    *out = days_from_civil((int64_t)year, month, (unsigned)day) * 86400 + (int64_t)seconds;
    return true;
}

bool fresh_retry_after(struct str text, int64_t now, int64_t *seconds)
{
    uint64_t n;
    int64_t at;

    text = str_trim(text);
    if (str_to_u64(text, &n)) {
        *seconds = (int64_t)MIN(n, (uint64_t)LONGEST);
        return true;
    }
    if (!fresh_date_parse(text, &at))
        return false;
    *seconds = at > now ? MIN(at - now, (int64_t)LONGEST) : 0;
    return true;
}

/* A number of seconds, perhaps quoted; too large a one counts as the largest. */
static bool seconds_parse(struct str s, int64_t *out)
{
    uint64_t n;

    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        s = str_sub(s, 1, s.n - 1);
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_digit(s.p[i]))
            return false;
    *out = str_to_u64(s, &n) ? (int64_t)MIN(n, (uint64_t)LONGEST) : LONGEST;
    return true;
}

/* One directive; of two that say different things the stricter counts. */
static void directive(struct fresh *f, struct str d)
{
    size_t eq = str_find(d, '=');
    struct str name = str_trim(str_sub(d, 0, eq));
    struct str value = eq < d.n ? str_trim(str_sub(d, eq + 1, d.n)) : STR("");
    int64_t seconds;

    if (str_eq_nocase(name, STR("no-store")))
        f->no_store = true;
    else if (str_eq_nocase(name, STR("no-cache")))
        f->no_cache = true;
    else if (str_eq_nocase(name, STR("immutable")))
        f->immutable = true;
    else if (str_eq_nocase(name, STR("max-age")) && seconds_parse(value, &seconds))
        f->max_age = f->max_age < 0 ? seconds : MIN(f->max_age, seconds);
}

struct fresh fresh_parse(struct str cache_control, struct str age, struct str expires, struct str date, int64_t now)
{
    struct fresh f = { .max_age = -1 };
    int64_t aged, end, sent;

    for (struct str part, rest = cache_control; rest.n && str_next(&rest, ',', &part);)
        directive(&f, str_trim(part));
    if (f.max_age < 0 && expires.n) {
        /* "0" and other nonsense in Expires means: already stale (RFC 9111, section 5.3) */
        if (!fresh_date_parse(expires, &end))
            f.max_age = 0;
        else
            f.max_age = MIN(MAX(end - (fresh_date_parse(date, &sent) ? sent : now), (int64_t)0), (int64_t)LONGEST);
    }
    if (f.max_age > 0 && seconds_parse(str_trim(age), &aged))
        f.max_age = MAX(f.max_age - aged, (int64_t)0);
    return f;
}

int64_t fresh_until(const struct fresh *f, int64_t now, int64_t ttl)
{
    if (f->no_store || f->no_cache)
        return now;
    if (f->max_age >= 0)
        return now + MIN(f->max_age, (int64_t)LONGEST);
    if (f->immutable)
        return now + LONGEST;
    return now + MIN(MAX(ttl, (int64_t)0), (int64_t)LONGEST);
}

int64_t fresh_until_of(const struct http_request *r, int64_t now, int64_t ttl)
{
    struct fresh f = fresh_parse(r->cache_control, STR(""), STR(""), STR(""), now);

    f.max_age = r->max_age;
    return fresh_until(&f, now, ttl);
}

bool fresh_is(int64_t checked, int64_t until, int64_t now)
{
    return now >= checked && now < until;
}
