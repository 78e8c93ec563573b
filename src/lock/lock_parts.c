#include "lock/lock_parts.h"

#include "base/arena.h"
#include "base/clock.h"
#include "pep/name.h"
#include "pep/version.h"

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_digit(s.p[i]) && !(char_lower(s.p[i]) >= 'a' && char_lower(s.p[i]) <= 'f'))
            return false;
    return s.n > 0 && s.n % 2 == 0;
}

static bool has_length(const struct lock_hash *h)
{
    static const struct {
        struct str alg;
        size_t n;
    } known[] = {
        { STR_INIT("sha256"), 64 }, { STR_INIT("sha512"), 128 }, { STR_INIT("sha384"), 96 },
        { STR_INIT("sha224"), 56 }, { STR_INIT("sha1"), 40 },    { STR_INIT("md5"), 32 },
    };

    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq(h->alg, known[i].alg))
            return h->hex.n == known[i].n;
    return true;
}

bool lock_hash_is_valid(const struct lock_hash *h)
{
    return is_hex(h->hex) && has_length(h);
}

static int hex_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The last component of a URL's path, percent-decoded once. */
static struct str name_of_url(struct arena *a, struct str url)
{
    struct str path = str_sub(url, 0, MIN(str_find(url, '?'), str_find(url, '#')));
    size_t slash = str_rfind(path, '/');
    struct str name = slash == path.n ? path : str_sub(path, slash + 1, path.n);

    if (str_find(name, '%') == name.n)
        return name;
    char *text = arena_alloc(a, name.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++) {
        int hi = i + 2 < name.n ? hex_value(name.p[i + 1]) : -1, lo = i + 2 < name.n ? hex_value(name.p[i + 2]) : -1;
        bool escape = name.p[i] == '%' && hi >= 0 && lo >= 0;

        text[n++] = escape ? (char)(hi << 4 | lo) : name.p[i];
        i += escape ? 2 : 0;
    }
    text[n] = '\0';
    return (struct str){ text, n };
}

static struct str name_of_path(struct str path)
{
    char sep = str_find(path, '/') < path.n ? '/' : '\\';
    size_t at = str_rfind(path, sep);

    return at == path.n ? path : str_sub(path, at + 1, path.n);
}

void lock_file_set_name(struct arena *a, struct lock_file *f)
{
    if (!f->name.n)
        f->name = f->path.n ? name_of_path(f->path) : name_of_url(a, f->url);
}

static bool same_version(struct str a, struct str b)
{
    AUTO_ARENA room = { 0 };
    struct version x, y;

    return str_eq(a, b) || (version_parse(a, &room, &x) && version_parse(b, &room, &y) && version_cmp(&x, &y) == 0);
}

bool lock_file_is_of(const struct lock_package *p, struct str name, struct str version)
{
    return name_eq(name, p->name) && (!p->version.n || same_version(version, p->version));
}

bool lock_time_is_valid(struct str s)
{
    int64_t seconds;

    if (s.n < 20 || (s.p[10] != 'T' && s.p[10] != ' ') || !clock_parse(s, &seconds))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_digit(s.p[i]) && !memchr("-:T .Z+", s.p[i], 7))
            return false;
    return s.p[s.n - 1] == 'Z' || s.p[s.n - 6] == '+' || s.p[s.n - 6] == '-';
}
