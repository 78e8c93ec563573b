/* pylock.toml: the writer. One statement a line, one file a line, keys in the order of the standard. */
#include "lock/lock.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "lock/lock_parts.h"
#include "pep/direct_url.h"
#include "pep/marker.h"

struct writer {
    struct buf *out;
    struct arena room; /* for what is made while writing */
};

static void write_escaped(struct buf *out, struct str s)
{
    uint32_t c;
    char utf8[4];

    while (utf8_next(&s, &c)) {
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", (char)c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\u%04X", (unsigned)c);
        else
            buf_add(out, utf8, utf8_encode(c, utf8));
    }
}

static void write_text(struct buf *out, struct str s)
{
    bool plain = true;

    for (size_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\';
    buf_char(out, '"');
    if (plain)
        buf_str(out, s);
    else
        write_escaped(out, s);
    buf_char(out, '"');
}

static void write_key(struct buf *out, struct str key)
{
    bool bare = key.n > 0;

    for (size_t i = 0; i < key.n && bare; i++)
        bare = char_is_alpha(key.p[i]) || char_is_digit(key.p[i]) || key.p[i] == '-' || key.p[i] == '_';
    if (bare)
        buf_str(out, key);
    else
        write_text(out, key);
}

/* `key = "value"` on a line of its own; nothing for an empty value. */
static void write_line(struct writer *w, const char *key, struct str value)
{
    if (!value.n)
        return;
    buf_str(w->out, str_of(key));
    buf_str(w->out, STR(" = "));
    write_text(w->out, value);
    buf_char(w->out, '\n');
}

static void write_texts(struct writer *w, const char *key, const struct str *s, size_t n)
{
    if (!n)
        return;
    buf_str(w->out, str_of(key));
    buf_str(w->out, STR(" = ["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_str(w->out, STR(", "));
        write_text(w->out, s[i]);
    }
    buf_str(w->out, STR("]\n"));
}

/* A sorted copy, each text once. */
static struct str *sorted_texts(struct writer *w, const struct str *s, size_t *n)
{
    struct str *copy = ARENA_ARRAY(&w->room, struct str, *n);
    size_t kept = 0;

    for (size_t i = 0; i < *n; i++)
        copy[i] = s[i];
    if (*n)
        qsort(copy, *n, sizeof *copy, str_order);
    for (size_t i = 0; i < *n; i++)
        if (kept == 0 || !str_eq(copy[kept - 1], copy[i]))
            copy[kept++] = copy[i];
    *n = kept;
    return copy;
}

static void write_sorted(struct writer *w, const char *key, const struct str *s, size_t n)
{
    const struct str *sorted = sorted_texts(w, s, &n);

    write_texts(w, key, sorted, n);
}

/* One member of an inline table: `key = "value"`. */
static void write_member(struct buf *out, bool *first, const char *key, struct str value)
{
    if (!value.n)
        return;
    if (!*first)
        buf_str(out, STR(", "));
    *first = false;
    buf_str(out, str_of(key));
    buf_str(out, STR(" = "));
    write_text(out, value);
}

static int order_hashes(const void *a, const void *b)
{
    return str_cmp(((const struct lock_hash *)a)->alg, ((const struct lock_hash *)b)->alg);
}

static void write_hashes(struct writer *w, const struct lock_file *f)
{
    const struct lock_hash *hash = f->hash;

    if (f->n_hash > 1) {
        struct lock_hash *copy = ARENA_ARRAY(&w->room, struct lock_hash, f->n_hash);

        memcpy(copy, f->hash, f->n_hash * sizeof *copy);
        qsort(copy, f->n_hash, sizeof *copy, order_hashes);
        hash = copy;
    }
    buf_str(w->out, STR("hashes = {"));
    for (size_t i = 0; i < f->n_hash; i++) {
        if (i)
            buf_str(w->out, STR(", "));
        write_key(w->out, hash[i].alg);
        buf_str(w->out, STR(" = "));
        write_text(w->out, hash[i].hex);
    }
    buf_char(w->out, '}');
}

/* A file's name need not be said when its path or URL ends in it, letter by letter. */
static bool ends_in_name(struct str place, struct str name)
{
    return str_ends(place, name) && (place.n == name.n || place.p[place.n - name.n - 1] == '/');
}

static void write_file(struct writer *w, const struct lock_file *f)
{
    struct str url = url_without_credentials(&w->room, f->url);
    bool first = true;

    buf_char(w->out, '{');
    if (f->name.n && !ends_in_name(f->path.n ? f->path : url, f->name))
        write_member(w->out, &first, "name", f->name);
    if (lock_time_is_valid(f->upload_time)) {
        buf_str(w->out, first ? STR("upload-time = ") : STR(", upload-time = "));
        buf_str(w->out, f->upload_time);
        first = false;
    }
    write_member(w->out, &first, "url", url);
    write_member(w->out, &first, "path", f->path);
    if (f->size != LOCK_NO_SIZE)
        buf_printf(w->out, ", size = %llu", (unsigned long long)f->size);
    buf_str(w->out, STR(", "));
    write_hashes(w, f);
    first = false;
    write_member(w->out, &first, "subdirectory", f->subdirectory);
    buf_char(w->out, '}');
}

static int order_files(const void *a, const void *b)
{
    const struct lock_file *x = *(const struct lock_file *const *)a, *y = *(const struct lock_file *const *)b;
    int c = str_cmp(x->name, y->name);

    return c ? c : str_cmp(x->url, y->url);
}

static void write_wheels(struct writer *w, const struct lock_package *p)
{
    const struct lock_file **sorted = ARENA_ARRAY(&w->room, const struct lock_file *, p->n_wheel);

    if (!p->n_wheel)
        return;
    for (size_t i = 0; i < p->n_wheel; i++)
        sorted[i] = &p->wheel[i];
    qsort(sorted, p->n_wheel, sizeof *sorted, order_files);
    buf_str(w->out, STR("wheels = [\n"));
    for (size_t i = 0; i < p->n_wheel; i++) {
        buf_str(w->out, STR("  "));
        write_file(w, sorted[i]);
        buf_str(w->out, STR(",\n"));
    }
    buf_str(w->out, STR("]\n"));
}

static int order_deps(const void *a, const void *b)
{
    const struct lock_dep *x = a, *y = b;
    int c = str_cmp(x->name, y->name);

    return c ? c : str_cmp(x->version, y->version);
}

static void write_deps(struct writer *w, const struct lock_package *p)
{
    struct lock_dep *sorted = ARENA_ARRAY(&w->room, struct lock_dep, p->n_dep);

    if (!p->n_dep)
        return;
    memcpy(sorted, p->dep, p->n_dep * sizeof *sorted);
    qsort(sorted, p->n_dep, sizeof *sorted, order_deps);
    buf_str(w->out, STR("dependencies = [\n"));
    for (size_t i = 0; i < p->n_dep; i++) {
        bool first = true;

        buf_str(w->out, STR("  {"));
        write_member(w->out, &first, "name", sorted[i].name);
        write_member(w->out, &first, "version", sorted[i].version);
        buf_str(w->out, STR("},\n"));
    }
    buf_str(w->out, STR("]\n"));
}

static void write_direct(struct writer *w, const struct lock_package *p)
{
    bool first = true;

    if (p->archive) {
        buf_str(w->out, STR("archive = "));
        write_file(w, p->archive);
        buf_char(w->out, '\n');
    }
    if (p->directory) {
        buf_str(w->out, STR("directory = {"));
        write_member(w->out, &first, "path", p->directory->path);
        if (p->directory->editable)
            buf_str(w->out, STR(", editable = true"));
        write_member(w->out, &first, "subdirectory", p->directory->subdirectory);
        buf_str(w->out, STR("}\n"));
    }
    if (p->vcs) {
        buf_str(w->out, STR("vcs = {"));
        write_member(w->out, &first, "type", p->vcs->type);
        write_member(w->out, &first, "url", url_without_credentials(&w->room, p->vcs->url));
        write_member(w->out, &first, "path", p->vcs->path);
        write_member(w->out, &first, "requested-revision", p->vcs->requested_revision);
        write_member(w->out, &first, "commit-id", p->vcs->commit_id);
        write_member(w->out, &first, "subdirectory", p->vcs->subdirectory);
        buf_str(w->out, STR("}\n"));
    }
}

static void write_package(struct writer *w, const struct lock_package *p)
{
    buf_str(w->out, STR("\n[[packages]]\n"));
    write_line(w, "name", p->name);
    write_line(w, "version", p->version);
    if (p->marker)
        write_line(w, "marker", marker_text(&w->room, p->marker));
    write_line(w, "requires-python", p->requires_python);
    write_deps(w, p);
    write_direct(w, p);
    write_line(w, "index", url_without_credentials(&w->room, p->index));
    if (p->sdist) {
        buf_str(w->out, STR("sdist = "));
        write_file(w, p->sdist);
        buf_char(w->out, '\n');
    }
    write_wheels(w, p);
}

static int order_packages(const void *a, const void *b)
{
    const struct lock_package *x = *(const struct lock_package *const *)a, *y = *(const struct lock_package *const *)b;
    int c = str_cmp(x->name, y->name);

    if (!c)
        c = str_cmp(x->version, y->version);
    return c ? c : (x > y) - (x < y); /* elements of one array: the order they came in */
}

static int order_options(const void *a, const void *b)
{
    return str_cmp(((const struct lock_option *)a)->key, ((const struct lock_option *)b)->key);
}

static void write_origin(struct writer *w, const struct lock_origin *o)
{
    struct lock_option *option = ARENA_ARRAY(&w->room, struct lock_option, o->n_option);
    struct str *index = ARENA_ARRAY(&w->room, struct str, o->n_index);

    if (!o->inputs.n && !o->n_index && !o->exclude_newer.n && !o->n_option)
        return;
    for (size_t i = 0; i < o->n_index; i++)
        index[i] = url_without_credentials(&w->room, o->index[i]);
    buf_str(w->out, STR("\n[tool.blast]\n"));
    write_line(w, "inputs", o->inputs);
    write_texts(w, "indexes", index, o->n_index); /* their order has a meaning */
    write_line(w, "exclude-newer", o->exclude_newer);
    if (!o->n_option)
        return;
    memcpy(option, o->option, o->n_option * sizeof *option);
    qsort(option, o->n_option, sizeof *option, order_options);
    buf_str(w->out, STR("options = {"));
    for (size_t i = 0; i < o->n_option; i++) {
        if (i)
            buf_str(w->out, STR(", "));
        write_key(w->out, option[i].key);
        buf_str(w->out, STR(" = "));
        write_text(w->out, option[i].value);
    }
    buf_str(w->out, STR("}\n"));
}

static void write_head(struct writer *w, const struct lock *l)
{
    write_line(w, "lock-version", l->lock_version.n ? l->lock_version : STR("1.0"));
    if (l->n_environment) {
        struct str *text = ARENA_ARRAY(&w->room, struct str, l->n_environment);

        for (size_t i = 0; i < l->n_environment; i++)
            text[i] = marker_text(&w->room, l->environment[i]);
        write_texts(w, "environments", text, l->n_environment);
    }
    write_line(w, "requires-python", l->requires_python);
    write_sorted(w, "extras", l->extra, l->n_extra);
    write_sorted(w, "dependency-groups", l->group, l->n_group);
    write_sorted(w, "default-groups", l->default_group, l->n_default_group);
    write_line(w, "created-by", l->created_by.n ? l->created_by : STR("blast"));
    if (!l->n_package)
        buf_str(w->out, STR("packages = []\n"));
    write_origin(w, &l->origin);
}

bool lock_format(const struct lock *l, struct buf *out)
{
    AUTO_ARENA room = { 0 };
    struct writer w = { .out = out };
    const struct lock_package **sorted = ARENA_ARRAY(&room, const struct lock_package *, l->n_package);

    for (size_t i = 0; i < l->n_package; i++)
        sorted[i] = &l->package[i];
    if (l->n_package)
        qsort(sorted, l->n_package, sizeof *sorted, order_packages);
    write_head(&w, l);
    for (size_t i = 0; i < l->n_package; i++)
        write_package(&w, sorted[i]);
    arena_clear(&w.room);
    return !out->full;
}
