#include "pep/version.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"

#define KIND_SHIFT 20
#define NUMBER_MAX 0xFFFFFu
#define NUMBER_LIMIT ((uint64_t)INT64_MAX)

enum kind { KIND_DEV = 1, KIND_A, KIND_B, KIND_RC, KIND_FINAL, KIND_LOCAL, KIND_POST, KIND_MORE, KIND_HUGE = 15 };

struct scan {
    const char *p, *end;
};

static inline bool is_separator(char c)
{
    return c == '.' || c == '-' || c == '_';
}

static inline void skip_separator(struct scan *s)
{
    if (s->p < s->end && is_separator(*s->p))
        s->p++;
}

/* At least one digit; false without any or past the limit. */
static inline bool take_number(struct scan *s, uint64_t *out)
{
    const char *p = s->p;
    uint64_t n = 0;

    while (p < s->end && char_is_digit(*p)) {
        unsigned digit = (unsigned)(*p - '0');

        if (n > (NUMBER_LIMIT - digit) / 10)
            return false;
        n = n * 10 + digit;
        p++;
    }
    if (p == s->p)
        return false;
    s->p = p;
    *out = n;
    return true;
}

/* A number where it may be left out: 0 then. */
static bool take_optional_number(struct scan *s, uint64_t *out)
{
    skip_separator(s);
    if (s->p == s->end || !char_is_digit(*s->p)) {
        *out = 0;
        return true;
    }
    return take_number(s, out);
}

/* `word` is lower case. */
static bool take_word(struct scan *s, struct str word)
{
    if ((size_t)(s->end - s->p) < word.n || !str_eq_nocase((struct str){ s->p, word.n }, word))
        return false;
    s->p += word.n;
    return true;
}

static enum version_pre take_pre_word(struct scan *s)
{
    if (s->p == s->end)
        return VERSION_NOT_PRE;
    switch (char_lower(*s->p)) {
    case 'a':
        return take_word(s, STR("alpha")) || take_word(s, STR("a")) ? VERSION_A : VERSION_NOT_PRE;
    case 'b':
        return take_word(s, STR("beta")) || take_word(s, STR("b")) ? VERSION_B : VERSION_NOT_PRE;
    case 'c':
        s->p++;
        return VERSION_RC;
    case 'p':
        return take_word(s, STR("preview")) || take_word(s, STR("pre")) ? VERSION_RC : VERSION_NOT_PRE;
    case 'r':
        return take_word(s, STR("rc")) ? VERSION_RC : VERSION_NOT_PRE;
    default:
        return VERSION_NOT_PRE;
    }
}

/* Pre, post and dev, each optional; false only for a number that is too large. */
static bool take_suffixes(struct scan *s, struct version_parts *v)
{
    const char *start = s->p;

    skip_separator(s);
    v->pre = take_pre_word(s);
    if (v->pre == VERSION_NOT_PRE)
        s->p = start;
    else if (!take_optional_number(s, &v->pre_number))
        return false;

    start = s->p;
    if (s->end - s->p >= 2 && *s->p == '-' && char_is_digit(s->p[1])) {
        s->p++;
        v->has_post = true;
        if (!take_number(s, &v->post_number))
            return false;
    } else {
        skip_separator(s);
        v->has_post = take_word(s, STR("post")) || take_word(s, STR("rev")) || take_word(s, STR("r"));
        if (!v->has_post)
            s->p = start;
        else if (!take_optional_number(s, &v->post_number))
            return false;
    }

    start = s->p;
    skip_separator(s);
    v->has_dev = take_word(s, STR("dev"));
    if (!v->has_dev)
        s->p = start;
    else if (!take_optional_number(s, &v->dev_number))
        return false;
    return true;
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

static bool is_local_segment(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_digit(s.p[i]) && !char_is_alpha(s.p[i]))
            return false;
    return s.n > 0;
}

/* The text behind '+': segments of letters and digits. Written in normal form into the arena. */
static bool take_local(struct str text, struct arena *a, struct str *out)
{
    char *p = arena_text(a, text.p, text.n);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        if (is_separator(p[i]))
            p[i] = '.';

    struct str part, rest = { p, text.n };
    size_t at = 0;

    while (str_next(&rest, '.', &part)) {
        if (!is_local_segment(part))
            return false;
        if (is_number(part))
            while (part.n > 1 && *part.p == '0')
                part = str_sub(part, 1, part.n);
        if (at++ > 0)
            p[n++] = '.';
        for (size_t i = 0; i < part.n; i++)
            p[n++] = char_lower(part.p[i]);
    }
    p[n] = '\0';
    *out = (struct str){ p, n };
    return true;
}

static uint32_t trimmed(const struct version_parts *v)
{
    uint32_t n = v->n_release;

    while (n > 0 && v->release[n - 1] == 0)
        n--;
    return n;
}

/* True when the key says everything that matters for the order. */
static bool pack(const struct version_parts *v, uint64_t *key)
{
    static const enum kind pre_kind[] = { KIND_FINAL, KIND_A, KIND_B, KIND_RC };
    uint32_t n = trimmed(v);
    uint64_t k = 0;

    *key = UINT64_MAX;
    if (v->epoch > 0)
        return false;
    for (unsigned i = 0, shift = 48; i < 4; i++, shift -= 8) {
        uint64_t part = i < n ? v->release[i] : 0;

        if (part > (i == 0 ? 0xFFFFu : 0xFFu)) {
            *key = k | ((i == 0 ? UINT64_MAX : (UINT64_C(1) << (shift + 8)) - 1));
            return false;
        }
        k |= part << shift;
    }
    if (n > 4) {
        *key = k | (uint64_t)KIND_MORE << KIND_SHIFT;
        return false;
    }

    bool exact = v->local.n == 0;
    uint64_t number = 0;
    enum kind kind = exact ? KIND_FINAL : KIND_LOCAL;

    if (v->pre != VERSION_NOT_PRE) {
        kind = pre_kind[v->pre];
        number = v->pre_number;
        exact = exact && !v->has_post && !v->has_dev;
    } else if (v->has_post) {
        kind = KIND_POST;
        number = v->post_number;
        exact = exact && !v->has_dev;
    } else if (v->has_dev) {
        kind = KIND_DEV;
        number = v->dev_number;
    }
    if (number > NUMBER_MAX) {
        number = NUMBER_MAX;
        exact = false;
    }
    *key = k | (uint64_t)kind << KIND_SHIFT | number;
    return exact;
}

/* Fills in key and full of *out. The parts' release numbers may be on the stack; they are copied. */
static void settle(const struct version_parts *v, struct arena *a, struct version *out)
{
    out->n_release = v->n_release;
    out->full = NULL;
    if (pack(v, &out->key) && v->n_release <= VERSION_INLINE)
        return;

    struct version_parts *full = arena_alloc(a, sizeof *full);
    uint64_t *release = arena_alloc(a, v->n_release * sizeof *release);

    memcpy(release, v->release, v->n_release * sizeof *release);
    *full = *v;
    full->release = release;
    out->full = full;
}

/* Release numbers, and the epoch before them. More than the room holds go to the arena. */
static bool take_release(struct scan *s, struct arena *a, uint64_t room[VERSION_INLINE], struct version_parts *v)
{
    uint64_t *to = room;
    uint32_t n = 0, cap = VERSION_INLINE;

    for (;;) {
        if (n == cap) {
            uint64_t *more = arena_alloc(a, 2 * (size_t)cap * sizeof *more);

            memcpy(more, to, n * sizeof *more);
            to = more;
            cap *= 2;
        }
        if (!take_number(s, &to[n]))
            return false;
        n++;
        if (s->p == s->end)
            break;
        if (*s->p == '!' && n == 1 && v->epoch == UINT64_MAX) {
            v->epoch = to[0];
            n = 0;
        } else if (*s->p != '.' || s->end - s->p < 2 || !char_is_digit(s->p[1])) {
            break;
        }
        s->p++;
    }
    if (v->epoch == UINT64_MAX)
        v->epoch = 0;
    v->release = to;
    v->n_release = n;
    return true;
}

bool version_parse(struct str text, struct arena *a, struct version *out)
{
    uint64_t room[VERSION_INLINE];
    struct version_parts v;

    if (text.n > 0 && (char_is_space(text.p[0]) || char_is_space(text.p[text.n - 1])))
        text = str_trim(text);
    if (text.n == 0 || text.n > UINT32_MAX)
        return false;

    struct scan s = { text.p, text.p + text.n };

    if (*s.p == 'v' || *s.p == 'V')
        s.p++;
    memset(&v, 0, sizeof v);
    v.epoch = UINT64_MAX; /* not seen yet */
    if (!take_release(&s, a, room, &v))
        return false;
    if (s.p < s.end) {
        if (!take_suffixes(&s, &v))
            return false;
        if (s.p < s.end &&
            (*s.p != '+' || !take_local((struct str){ s.p + 1, (size_t)(s.end - s.p) - 1 }, a, &v.local)))
            return false;
    }
    out->text = text;
    settle(&v, a, out);
    return true;
}

bool version_get(struct str text, struct arena *a, struct version *out, struct err *e)
{
    if (!version_parse(text, a, out))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not a version", STR_ARG(text));
    return true;
}

static unsigned kind_of(uint64_t key)
{
    return (unsigned)(key >> KIND_SHIFT) & 15;
}

void version_split(const struct version *v, uint64_t room[VERSION_INLINE], struct version_parts *out)
{
    if (v->full) {
        *out = *v->full;
        return;
    }

    uint64_t number = v->key & NUMBER_MAX;
    unsigned kind = kind_of(v->key);

    *out = (struct version_parts){ .release = room, .n_release = v->n_release };
    for (uint32_t i = 0; i < v->n_release; i++)
        room[i] = version_release(v, i);
    if (kind >= KIND_A && kind <= KIND_RC) {
        out->pre = (enum version_pre)(kind - KIND_A + VERSION_A);
        out->pre_number = number;
    } else if (kind == KIND_POST) {
        out->has_post = true;
        out->post_number = number;
    } else if (kind == KIND_DEV) {
        out->has_dev = true;
        out->dev_number = number;
    }
}

uint64_t version_release(const struct version *v, uint32_t i)
{
    if (v->full)
        return i < v->full->n_release ? v->full->release[i] : 0;
    if (i >= 4)
        return 0;
    return i == 0 ? v->key >> 48 : (v->key >> (48 - 8 * i)) & 0xFF;
}

void version_final(const struct version *v, struct version *out)
{
    *out = *v;
    if (kind_of(v->key) >= KIND_MORE)
        return;
    out->key = (v->key & ~(UINT64_C(0xF) << KIND_SHIFT | NUMBER_MAX)) | (uint64_t)KIND_FINAL << KIND_SHIFT;
    out->full = NULL;
    out->n_release = MIN(v->n_release, VERSION_INLINE);
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Segments: numbers above words, numbers by value, words by byte; no segment below any. */
static int cmp_local(struct str a, struct str b)
{
    struct str x, y;

    if (a.n == 0 || b.n == 0)
        return (a.n > 0) - (b.n > 0);
    for (;;) {
        bool more_a = str_next(&a, '.', &x);
        bool more_b = str_next(&b, '.', &y);

        if (!more_a || !more_b)
            return (int)more_a - (int)more_b;

        bool number_x = is_number(x);
        bool number_y = is_number(y);
        int c;

        if (number_x != number_y)
            return number_x ? 1 : -1;
        c = number_x && x.n != y.n ? (x.n > y.n ? 1 : -1) : str_cmp(x, y);
        if (c != 0)
            return c;
    }
}

/* Where the suffix stands: a bare dev below every pre-release, no pre-release above them. */
static unsigned pre_rank(const struct version_parts *v)
{
    if (v->pre != VERSION_NOT_PRE)
        return v->pre;
    return v->has_dev && !v->has_post ? 0 : VERSION_RC + 1;
}

static int cmp_parts(const struct version_parts *a, const struct version_parts *b)
{
    uint32_t n = MAX(a->n_release, b->n_release);
    int c = cmp_u64(a->epoch, b->epoch);

    for (uint32_t i = 0; c == 0 && i < n; i++)
        c = cmp_u64(i < a->n_release ? a->release[i] : 0, i < b->n_release ? b->release[i] : 0);
    if (c == 0)
        c = cmp_u64(pre_rank(a), pre_rank(b));
    if (c == 0)
        c = cmp_u64(a->pre_number, b->pre_number);
    if (c == 0)
        c = cmp_u64(a->has_post, b->has_post);
    if (c == 0)
        c = cmp_u64(a->post_number, b->post_number);
    if (c == 0)
        c = cmp_u64(b->has_dev, a->has_dev);
    if (c == 0)
        c = cmp_u64(a->dev_number, b->dev_number);
    return c ? c : cmp_local(a->local, b->local);
}

int version_cmp_slow(const struct version *a, const struct version *b)
{
    uint64_t room_a[VERSION_INLINE], room_b[VERSION_INLINE];
    struct version_parts x, y;

    version_split(a, room_a, &x);
    version_split(b, room_b, &y);
    return cmp_parts(&x, &y);
}

int version_order(const void *a, const void *b)
{
    return version_cmp(a, b);
}

static uint64_t mix(uint64_t hash, uint64_t x)
{
    hash = (hash ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

uint64_t version_hash(const struct version *v)
{
    uint64_t hash = mix(0, v->key);

    /* Equal versions have equal keys, but one of them may carry parts only for its many trailing zeros. So what
     * is added depends on the value alone: on a saturated key, and on the local part. */
    if ((v->key & NUMBER_MAX) == NUMBER_MAX || kind_of(v->key) == KIND_MORE) {
        uint64_t room[VERSION_INLINE];
        struct version_parts p;

        version_split(v, room, &p);
        hash = mix(mix(mix(mix(hash, p.epoch), p.pre_number), p.post_number), p.dev_number);
        for (uint32_t i = 0, n = trimmed(&p); i < n; i++)
            hash = mix(hash, p.release[i]);
    }
    if (v->full && v->full->local.n > 0)
        hash = mix(hash, hash_fast(v->full->local.p, v->full->local.n));
    return hash;
}

bool version_is_pre(const struct version *v)
{
    if (v->full)
        return v->full->pre != VERSION_NOT_PRE || v->full->has_dev;
    return kind_of(v->key) <= KIND_RC;
}

bool version_is_post(const struct version *v)
{
    return v->full ? v->full->has_post : kind_of(v->key) == KIND_POST;
}

bool version_is_dev(const struct version *v)
{
    return v->full ? v->full->has_dev : kind_of(v->key) == KIND_DEV;
}

bool version_has_local(const struct version *v)
{
    return v->full && v->full->local.n > 0;
}

static char *put(char *to, const char *word, size_t n)
{
    memcpy(to, word, n);
    return to + n;
}

static char *put_number(char *to, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return put(to, digits + at, sizeof digits - at);
}

static struct str format_parts(const struct version_parts *v, struct arena *a)
{
    static const struct str pre_word[] = { { "", 0 }, { "a", 1 }, { "b", 1 }, { "rc", 2 } };
    char *start = arena_alloc(a, 21 * (size_t)v->n_release + v->local.n + 128);
    char *p = start;

    if (v->epoch > 0) {
        p = put_number(p, v->epoch);
        *p++ = '!';
    }
    for (uint32_t i = 0; i < v->n_release; i++) {
        if (i > 0)
            *p++ = '.';
        p = put_number(p, v->release[i]);
    }
    if (v->pre != VERSION_NOT_PRE)
        p = put_number(put(p, pre_word[v->pre].p, pre_word[v->pre].n), v->pre_number);
    if (v->has_post)
        p = put_number(put(p, ".post", 5), v->post_number);
    if (v->has_dev)
        p = put_number(put(p, ".dev", 4), v->dev_number);
    if (v->local.n > 0) {
        *p++ = '+';
        p = put(p, v->local.p, v->local.n);
    }
    *p = '\0';
    return (struct str){ start, (size_t)(p - start) };
}

struct str version_format(const struct version *v, struct arena *a)
{
    uint64_t room[VERSION_INLINE];
    struct version_parts parts;

    version_split(v, room, &parts);
    return format_parts(&parts, a);
}

void version_make(const struct version_parts *parts, struct arena *a, struct version *out)
{
    struct version_parts v = *parts;

    if (v.local.n > 0)
        v.local = arena_str(a, v.local);
    *out = (struct version){ .text = { "", 0 } };
    settle(&v, a, out);
}
