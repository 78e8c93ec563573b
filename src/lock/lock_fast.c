/* pylock.toml: the reader for the packages of our own layout.
 *
 * A lock of a hundred packages with twenty wheels each is 700 KB; building a tree of it and walking the tree costs ten
 * times what going through the text once does. This reader knows the one order of lines and members that lock_write.c
 * produces and gives up (returns false) at the first thing that differs, be it valid or not: the other reader then
 * finds out. As keys come in a fixed order, none can come twice.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "lock/lock_parts.h"
#include "pep/marker.h"
#include "pep/name.h"
#include "pep/sdist_name.h"
#include "pep/wheel_name.h"

struct cursor {
    const char *at, *end;
    struct arena *a;
    bool failed; /* a member was there and its value had another form */
};

typedef VEC(struct lock_file) file_vec;

/* Printable ASCII and line ends only: no string needs to be looked at for anything but quotes and backslashes. */
static bool is_plain(struct str s)
{
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        uint64_t w, ones = 0x0101010101010101u, high = 0x8080808080808080u;

        memcpy(&w, s.p + i, 8);
        uint64_t newline = w ^ ones * '\n', del = w ^ ones * 0x7f;
        uint64_t is_newline = ~(((newline & ~high) + ~high) | newline) & high;
        uint64_t is_del = ~(((del & ~high) + ~high) | del) & high;
        uint64_t is_low = ~(((w & ~high) + ones * (0x80 - 0x20)) | w) & high;

        if ((w & high) || is_del || (is_low & ~is_newline))
            return false;
    }
    for (; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\n') || s.p[i] >= 0x7f)
            return false;
    return true;
}

static bool take(struct cursor *c, struct str literal)
{
    if ((size_t)(c->end - c->at) < literal.n || memcmp(c->at, literal.p, literal.n) != 0)
        return false;
    c->at += literal.n;
    return true;
}

/* The text of a string with \" and \\ in it; another escape gives up. */
static bool unescape(struct cursor *c, struct str *out)
{
    const char *p = c->at;
    size_t n = 0;

    while (p < c->end && *p != '"' && *p != '\n')
        p += *p == '\\' ? 2 : 1;
    if (p >= c->end || *p != '"')
        return false;
    char *text = arena_alloc(c->a, (size_t)(p - c->at) + 1);

    for (const char *q = c->at; q < p; q++) {
        if (*q == '\\' && *++q != '"' && *q != '\\')
            return false;
        text[n++] = *q;
    }
    text[n] = '\0';
    *out = (struct str){ text, n };
    c->at = p + 1;
    return true;
}

/* Behind the opening quote. */
static bool take_string(struct cursor *c, struct str *out)
{
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));

    if (!quote)
        return false;
    struct str s = { c->at, (size_t)(quote - c->at) };

    if (s.n && memchr(s.p, '\\', s.n))
        return unescape(c, out);
    if (s.n && memchr(s.p, '\n', s.n))
        return false;
    *out = s;
    c->at = quote + 1;
    return true;
}

/* `key = "value"` and a line end. True when it was there; a value that is not of this form fails the cursor. */
static bool take_line(struct cursor *c, struct str key, struct str *out)
{
    if (!take(c, key))
        return false;
    if (take_string(c, out) && take(c, STR("\n")))
        return true;
    c->failed = true;
    return false;
}

/* `key = "value"`, with ", " before it unless it is the first member. */
static bool take_member(struct cursor *c, struct str key, struct str *out)
{
    const char *before = c->at;

    (void)(before[-1] != '{' && take(c, STR(", ")));
    if (!take(c, key)) {
        c->at = before;
        return false;
    }
    if (take_string(c, out))
        return true;
    c->failed = true;
    return false;
}

/* `key = token`, the token up to a comma or the end of the table. */
static bool take_bare(struct cursor *c, struct str key, struct str *out)
{
    const char *before = c->at, *p;

    (void)(before[-1] != '{' && take(c, STR(", ")));
    if (!take(c, key)) {
        c->at = before;
        return false;
    }
    for (p = c->at; p < c->end && *p != ',' && *p != '}' && *p != '\n'; p++)
        ;
    *out = (struct str){ c->at, (size_t)(p - c->at) };
    c->at = p;
    return true;
}

/* Behind "hashes = {". */
static bool take_hashes(struct cursor *c, struct lock_file *f)
{
    VEC(struct lock_hash) all = { 0 };

    do {
        struct lock_hash h;
        const char *p = c->at;

        while (p < c->end && (char_is_alpha(*p) || char_is_digit(*p) || *p == '_' || *p == '-'))
            p++;
        h.alg = (struct str){ c->at, (size_t)(p - c->at) };
        c->at = p;
        if (!h.alg.n || !take(c, STR(" = \"")) || !take_string(c, &h.hex) || !lock_hash_is_valid(&h))
            return false;
        if (all.n && str_cmp(all.p[all.n - 1].alg, h.alg) >= 0)
            return false;
        VEC_PUSH_IN(c->a, &all, h);
    } while (take(c, STR(", ")));
    f->hash = all.p;
    f->n_hash = all.n;
    return take(c, STR("}"));
}

static bool take_size(struct str text, uint64_t *out)
{
    return text.n < 19 && (text.n == 1 || text.p[0] != '0') && str_to_u64(text, out);
}

static bool take_file(struct cursor *c, struct lock_file *out)
{
    struct lock_file f = { .size = LOCK_NO_SIZE };
    struct str size;

    if (!take(c, STR("{")))
        return false;
    (void)take_member(c, STR("name = \""), &f.name); /* every member is optional here; c->failed is looked at below */
    if (take_bare(c, STR("upload-time = "), &f.upload_time) && !lock_time_is_valid(f.upload_time))
        return false;
    (void)take_member(c, STR("url = \""), &f.url);
    (void)take_member(c, STR("path = \""), &f.path);
    if ((!f.url.n && !f.path.n) || (take_bare(c, STR("size = "), &size) && !take_size(size, &f.size)))
        return false;
    if (!take(c, STR(", hashes = {")) || !take_hashes(c, &f))
        return false;
    (void)take_member(c, STR("subdirectory = \""), &f.subdirectory);
    if (c->failed || !take(c, STR("}")))
        return false;
    lock_file_set_name(c->a, &f);
    *out = f;
    return true;
}

static bool take_deps(struct cursor *c, struct lock_package *p)
{
    VEC(struct lock_dep) all = { 0 };

    while (!take(c, STR("]\n"))) {
        struct lock_dep d = { 0 };

        if (!take(c, STR("  {")))
            return false;
        (void)take_member(c, STR("name = \""), &d.name);
        (void)take_member(c, STR("version = \""), &d.version);
        if (c->failed || !take(c, STR("},\n")))
            return false;
        VEC_PUSH_IN(c->a, &all, d);
    }
    p->dep = all.p;
    p->n_dep = all.n;
    return true;
}

static bool take_wheels(struct cursor *c, struct lock_package *p)
{
    file_vec all = { 0 };
    struct err unused = { 0 };

    while (!take(c, STR("]\n"))) {
        struct lock_file f;
        struct wheel_name name;

        if (!take(c, STR("  ")) || !take_file(c, &f) || !take(c, STR(",\n")))
            return false;
        if (!wheel_name_parse(f.name, &name, &unused) || !lock_file_is_of(p, name.project, name.version))
            return false;
        VEC_PUSH_IN(c->a, &all, f);
    }
    p->wheel = all.p;
    p->n_wheel = all.n;
    return true;
}

static bool take_sdist(struct cursor *c, struct lock_package *p)
{
    struct lock_file *f = ARENA_NEW(c->a, struct lock_file);
    struct err unused = { 0 };
    struct sdist_name name;

    p->sdist = f;
    return take_file(c, f) && take(c, STR("\n")) && sdist_name_parse_for(f->name, p->name, &name, &unused) &&
           lock_file_is_of(p, name.project, name.version);
}

static bool take_archive(struct cursor *c, struct lock_package *p)
{
    struct lock_file *f = ARENA_NEW(c->a, struct lock_file);

    p->archive = f;
    return take_file(c, f) && take(c, STR("\n"));
}

static bool take_directory(struct cursor *c, struct lock_package *p)
{
    struct lock_directory *d = ARENA_NEW(c->a, struct lock_directory);

    p->directory = d;
    if (!take(c, STR("{")) || !take_member(c, STR("path = \""), &d->path) || !d->path.n)
        return false;
    d->editable = take(c, STR(", editable = true"));
    (void)take_member(c, STR("subdirectory = \""), &d->subdirectory);
    return !c->failed && take(c, STR("}\n"));
}

static bool take_vcs(struct cursor *c, struct lock_package *p)
{
    struct lock_vcs *v = ARENA_NEW(c->a, struct lock_vcs);

    p->vcs = v;
    if (!take(c, STR("{")) || !take_member(c, STR("type = \""), &v->type))
        return false;
    (void)take_member(c, STR("url = \""), &v->url);
    (void)take_member(c, STR("path = \""), &v->path);
    (void)take_member(c, STR("requested-revision = \""), &v->requested_revision);
    (void)take_member(c, STR("commit-id = \""), &v->commit_id);
    (void)take_member(c, STR("subdirectory = \""), &v->subdirectory);
    return !c->failed && v->type.n && v->commit_id.n && (v->url.n || v->path.n) && take(c, STR("}\n"));
}

static bool check_values(struct cursor *c, struct str marker, struct lock_package *p)
{
    AUTO_ARENA room = { 0 };
    struct err unused = { 0 };
    struct version v;
    struct spec s;

    if (c->failed || !name_is_normal(p->name) || (p->version.n && !version_parse(p->version, &room, &v)) ||
        (p->requires_python.n && !spec_parse(p->requires_python, &room, &s, &unused)))
        return false;
    return !marker.n || marker_parse(c->a, marker, &p->marker, &unused);
}

static bool take_package(struct cursor *c, struct lock_package *out)
{
    struct lock_package p = { 0 };
    struct str marker = STR("");

    if (!take(c, STR("\n[[packages]]\n")) || !take_line(c, STR("name = \""), &p.name))
        return false;
    (void)take_line(c, STR("version = \""), &p.version); /* optional; check_values() looks at c->failed */
    (void)take_line(c, STR("marker = \""), &marker);
    (void)take_line(c, STR("requires-python = \""), &p.requires_python);
    if (!check_values(c, marker, &p))
        return false;
    if ((take(c, STR("dependencies = [\n")) && !take_deps(c, &p)) ||
        (take(c, STR("archive = ")) && !take_archive(c, &p)) ||
        (take(c, STR("directory = ")) && !take_directory(c, &p)) || (take(c, STR("vcs = ")) && !take_vcs(c, &p)))
        return false;
    (void)take_line(c, STR("index = \""), &p.index);
    if (c->failed || (take(c, STR("sdist = ")) && !take_sdist(c, &p)) ||
        (take(c, STR("wheels = [\n")) && !take_wheels(c, &p)))
        return false;

    unsigned direct = (p.archive != NULL) + (p.directory != NULL) + (p.vcs != NULL);

    *out = p;
    return direct == (p.sdist || p.n_wheel ? 0 : 1);
}

bool lock_fast_packages(struct arena *a, struct str text, struct lock *l)
{
    VEC(struct lock_package) all = { 0 };
    struct cursor c = { .at = text.p, .end = text.p + text.n, .a = a };

    if (!is_plain(text))
        return false;
    while (c.at < c.end) {
        struct lock_package p;

        if (!take_package(&c, &p))
            return false;
        VEC_PUSH_IN(a, &all, p);
    }
    l->package = all.p;
    l->n_package = all.n;
    return true;
}
