#include "pep/name.h"

#include "base/arena.h"
#include "base/hash.h"

/* What each byte is in a name: 0 not allowed, 1 a separator, else the byte of the normal form. */
static const unsigned char name_class[256] = {
    ['-'] = 1, ['_'] = 1, ['.'] = 1,
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
    ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',
    ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
    ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z',
    ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
    ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',
    ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

static inline unsigned char class_of(char c)
{
    return name_class[(unsigned char)c];
}

/* The byte of the normal form at *i, and *i moved past what it stands for. */
static inline unsigned char next_normal(struct str s, size_t *i)
{
    unsigned char c = (unsigned char)s.p[(*i)++];
    unsigned char k = name_class[c];

    if (k != 1)
        return k ? k : c;
    while (*i < s.n && class_of(s.p[*i]) == 1)
        (*i)++;
    return '-';
}

bool name_is_valid(struct str name)
{
    if (name.n == 0 || class_of(name.p[0]) <= 1 || class_of(name.p[name.n - 1]) <= 1)
        return false;
    for (size_t i = 1; i < name.n; i++)
        if (class_of(name.p[i]) == 0)
            return false;
    return true;
}

/* Equal to what the rule of PEP 503 makes of it, valid or not. */
static bool is_fixed(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        unsigned char k = name_class[c];

        if (k == 1 ? c != '-' || (i > 0 && name.p[i - 1] == '-') : k != 0 && k != c)
            return false;
    }
    return true;
}

bool name_is_normal(struct str name)
{
    return name_is_valid(name) && is_fixed(name);
}

size_t name_normalize_into(struct str name, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < name.n;)
        out[n++] = (char)next_normal(name, &i);
    return n;
}

struct str name_normalize(struct arena *a, struct str name)
{
    if (is_fixed(name))
        return name;

    char *p = arena_text(a, name.p, name.n);
    size_t n = name_normalize_into(name, p);

    p[n] = '\0';
    return (struct str){ p, n };
}

int name_cmp(struct str a, struct str b)
{
    size_t i = 0, j = 0;

    while (i < a.n && j < b.n) {
        unsigned char x = next_normal(a, &i);
        unsigned char y = next_normal(b, &j);

        if (x != y)
            return x < y ? -1 : 1;
    }
    return (i < a.n) - (j < b.n);
}

bool name_eq(struct str a, struct str b)
{
    return name_cmp(a, b) == 0;
}

uint64_t name_hash(struct str name)
{
    char room[128];
    uint64_t hash = 0;
    size_t n = 0;

    if (is_fixed(name) && name.n <= sizeof room)
        return hash_fast(name.p, name.n);
    /* Long names are hashed in pieces of the normal form, so that spelling does not matter. */
    for (size_t i = 0; i < name.n;) {
        if (n == sizeof room) {
            hash = hash * 31 + hash_fast(room, n);
            n = 0;
        }
        room[n++] = (char)next_normal(name, &i);
    }
    return hash * 31 + hash_fast(room, n);
}
