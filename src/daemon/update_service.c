#include "daemon/update_service.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "config/dirs.h"

#define ROUTES_MAX (1u << 20)
#define RTF_UP 1u
#define RTF_REJECT 0x200u

int64_t update_next_check(const char *path, int64_t seen, int64_t last, int64_t now)
{
    int64_t jitter = (int64_t)(hash_fast(path, strlen(path)) % UPDATE_JITTER);
    int64_t at = last ? last + UPDATE_EVERY + jitter : seen + UPDATE_FIRST + jitter / 64;

    if (at > now + UPDATE_EVERY + UPDATE_JITTER)
        at = now + UPDATE_EVERY + jitter;
    return MAX(at, now);
}

bool update_is_wanted(const char *const *env)
{
    static const char *const no[] = { "BLAST_NO_UPDATE_NOTIFIER", "NO_UPDATE_NOTIFIER", "CI", "BLAST_OFFLINE" };

    for (size_t i = 0; i < COUNT(no); i++) {
        const char *v = dirs_variable(env, no[i]);

        if (v && strcmp(v, "0") != 0 && strcmp(v, "false") != 0)
            return false;
    }
    return true;
}

/* The n-th field of a line, from 0; fields are separated by blanks. */
static struct str field(struct str line, unsigned n)
{
    struct str part;

    while (str_next(&line, ' ', &part))
        if (part.n && n-- == 0)
            return str_trim(part);
    return STR("");
}

static bool read_hex(struct str s, uint32_t *out)
{
    uint32_t n = 0;

    if (!s.n || s.n > 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = char_lower(s.p[i]);

        if (!char_is_digit(c) && (c < 'a' || c > 'f'))
            return false;
        n = n << 4 | (uint32_t)(char_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = n;
    return true;
}

/* proc(5): Iface Destination Gateway Flags ... Mask, tabs between; ipv6_route: destination, its length, ..., flags as
 * the ninth, device as the tenth. */
bool update_has_route(const char *route, const char *route6)
{
    struct str line, rest = str_of(route);
    uint32_t to, flags, mask;

    while (str_next_line(&rest, &line)) {
        struct str part[12];

        if (str_split(line, '\t', part, COUNT(part)) >= 8 && read_hex(str_trim(part[1]), &to) && to == 0 &&
            read_hex(str_trim(part[3]), &flags) && flags & RTF_UP && !(flags & RTF_REJECT) &&
            read_hex(str_trim(part[7]), &mask) && mask == 0)
            return true;
    }
    rest = str_of(route6);
    while (str_next_line(&rest, &line))
        if (str_eq(field(line, 0), STR("00000000000000000000000000000000")) && str_eq(field(line, 1), STR("00")) &&
            read_hex(field(line, 8), &flags) && flags & RTF_UP && !(flags & RTF_REJECT) &&
            !str_eq(field(line, 9), STR("lo")))
            return true;
    return false;
}

bool update_is_online(void)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str four, six;

    if (!fd_read_if_there(AT_FDCWD, "/proc/net/route", ROUTES_MAX, &a, &four, &e))
        return true; /* not to be told: a failed request will say so */
    if (!fd_read_if_there(AT_FDCWD, "/proc/net/ipv6_route", ROUTES_MAX, &a, &six, &e))
        six = STR("");
    return !four.p || update_has_route(four.p, six.p ? six.p : "");
}

int64_t update_pace_next(struct update_pace *p, int64_t interval, int64_t now)
{
    if (p->began > now + interval || now >= p->began + interval)
        *p = (struct update_pace){ .began = now };
    if (p->syncs < UPDATE_FREE_SYNCS) {
        p->syncs++;
        return now;
    }
    return p->began + interval;
}

int64_t update_next_snapshot(int64_t last, int64_t interval, int64_t now)
{
    if (interval <= 0)
        return 0;
    return last <= 0 || last > now ? now : MAX(last + interval, now);
}
