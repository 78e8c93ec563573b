/* The tags of an interpreter as blocks over one list of platforms.
 *
 * CPython 3.12 on glibc 2.36 and x86_64 has the platforms linux_x86_64, manylinux_2_36_x86_64, ... manylinux1_x86_64
 * (36 of them), and the blocks, each with all platforms in that order:
 *
 *     cp312-cp312  cp312-abi3  cp312-none  cp311-abi3 ... cp32-abi3  py312-none  py3-none  py311-none ... py30-none
 *
 * then, with the one platform "any": cp312-none  py312-none  py3-none  py311-none ... py30-none. So the rank of
 * (python, abi, platform) is blocks before it times 36 plus the platform's index, or for "any" the place in the tail.
 */
#include "pep/tag.h"

#include "base/arena.h"
#include "base/hash.h"

#define NONE UINT32_MAX
#define PART_MAX 64 /* bytes of one tag part; longer ones match nothing */

struct block {
    uint32_t python, abi; /* ids */
};

/* Text to id by open addressing; ids count from 0 in the order of adding. */
struct names {
    struct str *text; /* by id */
    uint32_t *slot;   /* id + 1, 0: free */
    uint32_t n, cap;  /* cap: a power of two, at least twice the texts */
};

struct tag_set {
    struct names python, abi, platform;
    struct block *block;
    uint32_t n_blocks;
    uint32_t *any; /* python ids of the tail, all "none-any" */
    uint32_t n_any;
    uint32_t *block_of;  /* [python id * abi.n + abi id]: block, or NONE */
    uint32_t *any_of;    /* [python id]: place in the tail, or NONE */
    uint32_t none;       /* abi id of "none" */
};

static void names_init(struct names *t, uint32_t most, struct arena *a)
{
    t->cap = 16;
    while (t->cap < 2 * most)
        t->cap *= 2;
    t->text = ARENA_ARRAY(a, struct str, most);
    t->slot = ARENA_ARRAY(a, uint32_t, t->cap);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t *names_slot(const struct names *t, struct str text)
{
    uint32_t i = (uint32_t)hash_fast(text.p, text.n) & (t->cap - 1);

    while (t->slot[i] != 0 && !str_eq(t->text[t->slot[i] - 1], text))
        i = (i + 1) & (t->cap - 1);
    return &t->slot[i];
}

static uint32_t names_find(const struct names *t, struct str text)
{
    return *names_slot(t, text) - 1; /* NONE for a free one */
}

static uint32_t names_add(struct names *t, struct str text)
{
    uint32_t *slot = names_slot(t, text);

    if (*slot == 0) {
        t->text[t->n] = text;
        *slot = ++t->n;
    }
    return *slot - 1;
}

/* A copy as it may stand in a tag. */
static struct str tag_text(struct str s, struct arena *a)
{
    char *p = arena_text(a, s.p, s.n);

    for (size_t i = 0; i < s.n; i++)
        if (p[i] == '-' || p[i] == '.' || p[i] == ' ')
            p[i] = '_';
    return (struct str){ p, s.n };
}

static bool is_denied(struct str denied, unsigned major, unsigned minor)
{
    char text[32];
    struct str one, want = { text, 0 };

    if (denied.n == 0)
        return false;
    want.n = (size_t)snprintf(text, sizeof text, "%u_%u", major, minor);
    while (str_next(&denied, ' ', &one))
        if (str_eq(one, want))
            return true;
    return false;
}

static void add_manylinux(struct tag_set *s, const struct tag_input *in, struct str arch, struct arena *a)
{
    static const struct {
        unsigned minor;
        const char *name;
    } legacy[] = { { 17, "manylinux2014" }, { 12, "manylinux2010" }, { 5, "manylinux1" } };
    bool x86 = str_eq(arch, STR("x86_64")) || str_eq(arch, STR("i686"));
    unsigned floor = x86 ? 5 : 17;

    if (in->libc_major != 2) /* there is no other glibc */
        return;
    for (unsigned minor = in->libc_minor; minor >= floor; minor--) {
        if (is_denied(in->manylinux_denied, 2, minor))
            continue;
        names_add(&s->platform, arena_printf(a, "manylinux_2_%u_" STR_FMT, minor, STR_ARG(arch)));
        for (size_t i = 0; i < COUNT(legacy); i++)
            if (legacy[i].minor == minor)
                names_add(&s->platform, arena_printf(a, "%s_" STR_FMT, legacy[i].name, STR_ARG(arch)));
    }
}

/* PEP 600 leaves it to installers which machines are trusted to mean what the tag says; this is packaging's list. */
static bool may_use_manylinux(const struct tag_input *in, struct str arch, bool arm)
{
    static const char *const machines[] = {
        "x86_64", "aarch64", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64",
    };

    if (arm)
        return in->is_32bit && in->arm_hard_float;
    if (str_eq(arch, STR("i686")))
        return in->is_32bit;
    for (size_t i = 0; i < COUNT(machines); i++)
        if (str_eq(arch, str_of(machines[i])))
            return true;
    return false;
}

static void add_platforms(struct tag_set *s, const struct tag_input *in, struct arena *a)
{
    struct str arch[2] = { tag_text(in->machine, a) };
    size_t n = 1;

    if (in->is_32bit && str_eq(arch[0], STR("x86_64")))
        arch[0] = STR("i686");
    else if (in->is_32bit && str_eq(arch[0], STR("aarch64")))
        arch[0] = STR("armv8l");

    bool arm = str_eq(arch[0], STR("armv8l")) || str_eq(arch[0], STR("armv7l"));

    if (str_eq(arch[0], STR("armv8l")))
        arch[n++] = STR("armv7l");
    names_init(&s->platform, 2 * (in->libc_minor + 8), a);
    for (size_t i = 0; i < n; i++)
        names_add(&s->platform, arena_printf(a, "linux_" STR_FMT, STR_ARG(arch[i])));
    for (size_t i = 0; i < n && in->libc == TAG_GLIBC && may_use_manylinux(in, arch[0], arm); i++)
        add_manylinux(s, in, arch[i], a);
    for (size_t i = 0; i < n && in->libc == TAG_MUSL; i++)
        for (unsigned minor = in->libc_minor + 1; minor-- > 0;)
            names_add(&s->platform, arena_printf(a, "musllinux_%u_%u_" STR_FMT, in->libc_major, minor,
                                                 STR_ARG(arch[i])));
}

static void add_block(struct tag_set *s, struct str python, struct str abi)
{
    struct block b = { names_add(&s->python, python), names_add(&s->abi, abi) };

    s->block[s->n_blocks++] = b;
}

static void add_cpython(struct tag_set *s, const struct tag_input *in, struct str python, struct arena *a)
{
    bool free_threaded = in->free_threaded && (in->major > 3 || in->minor >= 13);
    bool old = in->major == 3 && in->minor < 8;
    struct str stable = free_threaded ? STR("abi3t") : STR("abi3");

    add_block(s, python, arena_printf(a, STR_FMT "%s%s%s", STR_ARG(python), free_threaded ? "t" : "",
                                      in->debug ? "d" : "", old && !in->no_pymalloc ? "m" : ""));
    if (in->debug && !old)
        add_block(s, python, arena_printf(a, STR_FMT "%s", STR_ARG(python), free_threaded ? "t" : ""));
    add_block(s, python, stable);
    add_block(s, python, STR("none"));
    for (unsigned minor = in->minor; minor-- > 2;)
        add_block(s, arena_printf(a, "cp%u%u", in->major, minor), stable);
}

/* "pypy310-pp73-x86_64-linux-gnu": the first two parts; "graalpy-38-native-...": three; others: the first. */
static struct str generic_abi(struct str soabi, struct arena *a)
{
    size_t keep = str_starts(soabi, STR("graalpy")) ? 3 : str_starts(soabi, STR("pypy")) ? 2 : 1;
    size_t n = 0;

    if (str_starts(soabi, STR("cpython-")))
        soabi = arena_printf(a, "cp" STR_FMT, STR_ARG(str_sub(soabi, 8, soabi.n)));
    while (n < soabi.n && (soabi.p[n] != '-' || --keep > 0))
        n++;
    return tag_text(str_sub(soabi, 0, n), a);
}

/* The tags that any Python of this version accepts: pyXY, pyX, then older pyXZ; for the platforms, then for "any". */
static void add_compatible(struct tag_set *s, const struct tag_input *in, struct str first_any, struct arena *a)
{
    uint32_t from = s->n_blocks;

    add_block(s, arena_printf(a, "py%u%u", in->major, in->minor), STR("none"));
    add_block(s, arena_printf(a, "py%u", in->major), STR("none"));
    for (unsigned minor = in->minor; minor-- > 0;)
        add_block(s, arena_printf(a, "py%u%u", in->major, minor), STR("none"));
    if (first_any.n > 0)
        s->any[s->n_any++] = names_add(&s->python, first_any);
    for (uint32_t i = from; i < s->n_blocks; i++)
        s->any[s->n_any++] = s->block[i].python;
}

static void make_tables(struct tag_set *s, struct arena *a)
{
    s->none = names_find(&s->abi, STR("none"));
    s->block_of = arena_alloc(a, (size_t)s->python.n * s->abi.n * sizeof *s->block_of);
    s->any_of = arena_alloc(a, s->python.n * sizeof *s->any_of);
    memset(s->block_of, 0xFF, (size_t)s->python.n * s->abi.n * sizeof *s->block_of);
    memset(s->any_of, 0xFF, s->python.n * sizeof *s->any_of);
    for (uint32_t i = s->n_blocks; i-- > 0;) /* from the end, so that the best of equal ones stays */
        s->block_of[s->block[i].python * s->abi.n + s->block[i].abi] = i;
    for (uint32_t i = s->n_any; i-- > 0;)
        s->any_of[s->any[i]] = i;
}

struct tag_set *tag_set_new(const struct tag_input *in, struct arena *a)
{
    struct tag_set *s = ARENA_NEW(a, struct tag_set);
    uint32_t most = 2 * in->minor + 10;
    bool cpython = str_eq(in->implementation, STR("cpython"));
    bool pypy = str_eq(in->implementation, STR("pypy"));
    struct str python = cpython || pypy ? STR("") : in->implementation;

    python = arena_printf(a, "%s" STR_FMT "%u%u", cpython ? "cp" : pypy ? "pp" : "", STR_ARG(python), in->major,
                          in->minor);
    names_init(&s->python, most, a);
    names_init(&s->abi, 8, a);
    s->block = ARENA_ARRAY(a, struct block, most);
    s->any = ARENA_ARRAY(a, uint32_t, most);
    add_platforms(s, in, a);
    if (cpython) {
        add_cpython(s, in, python, a);
    } else {
        if (in->soabi.n > 0)
            add_block(s, python, generic_abi(in->soabi, a));
        add_block(s, python, STR("none"));
    }
    add_compatible(s, in, cpython ? python : pypy ? STR("pp3") : STR(""), a);
    make_tables(s, a);
    return s;
}

/* One part of a compressed set in lower case; NONE when it is unknown. */
static uint32_t find_part(const struct names *t, struct str part)
{
    char lower[PART_MAX];

    if (part.n > sizeof lower)
        return NONE;
    for (size_t i = 0; i < part.n; i++)
        lower[i] = char_lower(part.p[i]);
    return names_find(t, (struct str){ lower, part.n });
}

/* The best platform of a set: its index, NONE when no part is known. *any: "any" is among them. */
static uint32_t best_platform(const struct tag_set *s, struct str platforms, bool *any)
{
    struct str part;
    uint32_t best = NONE;

    *any = false;
    while (str_next(&platforms, '.', &part)) {
        if (str_eq_nocase(part, STR("any")))
            *any = true;
        else
            best = MIN(best, find_part(&s->platform, part));
    }
    return best;
}

bool tag_set_rank(const struct tag_set *s, struct str python, struct str abi, struct str platform, uint32_t *rank,
                  enum tag_miss *miss)
{
    struct str py, one;
    bool any;
    uint32_t best = NONE, at = best_platform(s, platform, &any);
    enum tag_miss why = TAG_MISS_PYTHON;

    while (str_next(&python, '.', &py)) {
        uint32_t id = find_part(&s->python, py);
        struct str abis = abi;

        if (id == NONE)
            continue;
        why = MAX(why, TAG_MISS_ABI);
        while (str_next(&abis, '.', &one)) {
            uint32_t abi_id = find_part(&s->abi, one);
            uint32_t block = abi_id == NONE ? NONE : s->block_of[id * s->abi.n + abi_id];
            uint32_t tail = abi_id == s->none ? s->any_of[id] : NONE;

            if (block != NONE || tail != NONE)
                why = TAG_MISS_PLATFORM;
            if (block != NONE && at != NONE)
                best = MIN(best, block * s->platform.n + at);
            if (tail != NONE && any)
                best = MIN(best, s->n_blocks * s->platform.n + tail);
        }
    }
    if (miss)
        *miss = best == NONE ? why : TAG_FITS;
    if (best == NONE)
        return false;
    *rank = best;
    return true;
}

const char *tag_miss_word(enum tag_miss miss)
{
    static const char *const word[] = { "fits", "python", "abi", "platform" };

    return word[miss];
}

size_t tag_set_count(const struct tag_set *s)
{
    return (size_t)s->n_blocks * s->platform.n + s->n_any;
}

struct tag tag_set_at(const struct tag_set *s, size_t i)
{
    size_t head = (size_t)s->n_blocks * s->platform.n;

    if (i >= head)
        return (struct tag){ s->python.text[s->any[i - head]], STR("none"), STR("any") };

    const struct block *b = &s->block[i / s->platform.n];

    return (struct tag){ s->python.text[b->python], s->abi.text[b->abi], s->platform.text[i % s->platform.n] };
}

size_t tag_set_platforms(const struct tag_set *s, const struct str **out)
{
    *out = s->platform.text;
    return s->platform.n;
}
