#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t clock_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_ms(void)
{
    return clock_us() / 1000;
}

int64_t clock_now(void)
{
    const char *fixed = getenv("BLAST_NOW");
    int64_t t;

    if (fixed && clock_parse(str_of(fixed), &t))
        return t;
    return time(NULL);
}

void clock_format(int64_t seconds, char out[CLOCK_TEXT])
{
    struct tm tm;
    time_t t = seconds;

    if (!gmtime_r(&t, &tm) || strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(out, CLOCK_TEXT, "@%lld", (long long)seconds);
}

static bool number(struct str *s, size_t digits, int lo, int hi, int *out)
{
    uint64_t v;

    if (s->n < digits || !str_to_u64(str_sub(*s, 0, digits), &v) || v > (uint64_t)hi || v < (uint64_t)lo)
        return false;
    *s = str_sub(*s, digits, s->n);
    *out = (int)v;
    return true;
}

static bool time_of_day(struct str *s, struct tm *tm)
{
    if (!number(s, 2, 0, 23, &tm->tm_hour) || !str_cut_prefix(s, STR(":")) || !number(s, 2, 0, 59, &tm->tm_min) ||
        !str_cut_prefix(s, STR(":")) || !number(s, 2, 0, 60, &tm->tm_sec))
        return false;
    if (str_cut_prefix(s, STR(".")))
        while (s->n && char_is_digit(s->p[0]))
            *s = str_sub(*s, 1, s->n);
    return true;
}

static bool zone(struct str s, int *seconds)
{
    int h, m, sign = str_starts(s, STR("-")) ? -1 : 1;

    *seconds = 0;
    if (str_eq(s, STR("Z")) || str_eq(s, STR("z")))
        return true;
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':')
        return false;
    struct str hh = str_sub(s, 1, 3), mm = str_sub(s, 4, 6);

    if (!number(&hh, 2, 0, 23, &h) || !number(&mm, 2, 0, 59, &m))
        return false;
    *seconds = sign * (h * 3600 + m * 60);
    return true;
}

bool clock_parse(struct str s, int64_t *out)
{
    struct tm tm = { 0 };
    int year, offset = 0;

    if (!number(&s, 4, 1, 9999, &year) || !str_cut_prefix(&s, STR("-")) || !number(&s, 2, 1, 12, &tm.tm_mon) ||
        !str_cut_prefix(&s, STR("-")) || !number(&s, 2, 1, 31, &tm.tm_mday))
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon -= 1;
    struct tm day = tm;

    (void)timegm(&day);
    if (day.tm_mon != tm.tm_mon) /* 31 April */
        return false;
    if (s.n && (s.p[0] == 'T' || s.p[0] == 't' || s.p[0] == ' ')) {
        s = str_sub(s, 1, s.n);
        if (!time_of_day(&s, &tm) || !zone(s, &offset))
            return false;
    } else if (s.n) {
        return false;
    }
    *out = timegm(&tm) - offset; /* a leap second becomes the second after it */
    return true;
}
