/* imports-v1 is text that is only added to:
 *
 *     #1                          the store was gone through when the file was made: nothing is missing
 *     PyYAML yaml _yaml .
 *     google-cloud-storage google.cloud.storage google.cloud.storage_v2 .
 *
 * A line is whole when it ends in " .": what a crash cut short is passed over, and the next writer begins a new line.
 */
#include "install/import_map.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "store/store.h"

#define FILE_NAME "imports-v1"
#define FILE_MAX ((size_t)64 << 20)
#define HEADER "#1\n"
#define LINE_MAX_BYTES ((size_t)16 << 10)
#define NAMES_MAX 200 /* of one wheel: more are left out */

const char *import_how_word(enum import_how how)
{
    static const char *const word[] = { "metadata", "files", "seen", "table", "python", "guess" };

    return word[how];
}

/* ------------------------------------------------------------ the modules of a wheel */

static struct str path_of_entry(const void *files, size_t i)
{
    return store_file_get(files, (uint32_t)i).path;
}

static struct str path_of_draft(const void *files, size_t i)
{
    return ((const struct store_draft_file *)files)[i].path;
}

static bool is_identifier(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_alpha(s.p[i]) && s.p[i] != '_' && !((unsigned char)s.p[i] & 0x80) &&
            !(i > 0 && char_is_digit(s.p[i])))
            return false;
    return s.n > 0;
}

static bool is_dotted(struct str s)
{
    for (struct str part, rest = s; str_next(&rest, '.', &part);)
        if (!is_identifier(part))
            return false;
    return s.n > 0 && s.n < 512;
}

/* The stem of a file that can be imported: "six" of six.py, "_yaml" of _yaml.cpython-312-x86_64-linux-gnu.so. */
static struct str module_stem(struct str leaf)
{
    struct str stem = str_sub(leaf, 0, str_find(leaf, '.'));

    return str_ends(leaf, STR(".py")) || str_ends(leaf, STR(".so")) || str_ends(leaf, STR(".pyc")) ? stem : STR("");
}

/* The module that a path makes importable at the highest place: "a/b/__init__.py" is a.b; n == 0 for other files. */
static struct str module_of(struct arena *a, struct str path)
{
    size_t slash = str_rfind(path, '/');
    struct str folder = slash < path.n ? str_sub(path, 0, slash) : STR("");
    struct str leaf = slash < path.n ? str_sub(path, slash + 1, path.n) : path, stem = module_stem(leaf);
    bool package = str_eq(stem, STR("__init__"));

    if (!is_identifier(stem) || (package && folder.n == 0))
        return STR("");
    struct str dotted = arena_str(a, package ? folder : path);

    if (!package)
        dotted.n = (folder.n ? folder.n + 1 : 0) + stem.n;
    char *p = arena_cstr(a, dotted);

    for (size_t i = 0; i < dotted.n; i++)
        if (p[i] == '/')
            p[i] = '.';
    dotted.p = p;
    return is_dotted(dotted) ? dotted : STR("");
}

struct names {
    struct str p[NAMES_MAX];
    size_t n;
};

/* "a" covers "a.b": a package says for all that is below it. */
static bool covers(struct str outer, struct str inner)
{
    return str_starts(inner, outer) && (inner.n == outer.n || inner.p[outer.n] == '.');
}

static void add_name(struct names *v, struct str name)
{
    size_t kept = 0;

    for (size_t i = 0; i < v->n; i++)
        if (covers(v->p[i], name))
            return;
    for (size_t i = 0; i < v->n; i++) /* sorted files do not bring a package before what is in it */
        if (!covers(name, v->p[i]))
            v->p[kept++] = v->p[i];
    v->n = kept;
    if (v->n < NAMES_MAX)
        v->p[v->n++] = name;
}

static void collect(const void *files, size_t n, struct str (*at)(const void *files, size_t i), struct arena *a,
                    struct names *out)
{
    out->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct str path = at(files, i), module;
        struct str top = str_sub(path, 0, str_find(path, '/'));

        if (str_eq(top, STR(STORE_RESERVED)) || str_ends(top, STR(".dist-info")) || str_ends(top, STR(".libs")) ||
            str_starts(top, STR("__")))
            continue;
        bool known = false; /* without making the text of a module: most files are in a package that is known */

        for (size_t k = 0; k < out->n && !known; k++)
            known = str_find(out->p[k], '.') == out->p[k].n && str_eq(out->p[k], top);
        if (!known && (module = module_of(a, path)).n)
            add_name(out, module);
    }
}

/* ------------------------------------------------------------ the file */

static bool format_line(struct str name, const struct names *v, struct buf *out)
{
    size_t from = out->n;

    (void)buf_str(out, name);
    for (size_t i = 0; i < v->n && out->n - from < LINE_MAX_BYTES; i++)
        (void)buf_printf(out, " " STR_FMT, STR_ARG(v->p[i]));
    return buf_str(out, STR(" .\n"));
}

static bool is_there_already(int fd, struct str line, bool *whole)
{
    struct err ignored = { 0 };
    struct stat st;
    struct str text;

    *whole = true;
    if (fstat(fd, &st) < 0 || st.st_size == 0 || (size_t)st.st_size > FILE_MAX ||
        !fd_map(fd, FILE_NAME, &text, &ignored))
        return false;
    size_t at = str_search(text, line);
    bool found = at < text.n && (at == 0 || text.p[at - 1] == '\n');

    *whole = text.p[text.n - 1] == '\n';
    fd_unmap(&text);
    return found;
}

void import_note(const struct store *store, const struct store_draft *d)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = LINE_MAX_BYTES * 2 };
    struct names *v = ARENA_NEW(&a, struct names);
    bool whole;

    collect(d->files, d->n_files, path_of_draft, &a, v);
    (void)buf_char(&b, '\n');
    AUTO_FD fd = openat(store->dir, FILE_NAME, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0 || v->n == 0 || !format_line(d->name, v, &b))
        return;
    struct str line = buf_done(&b);

    if (!is_there_already(fd, str_sub(line, 1, line.n), &whole))
        (void)!write(fd, line.p + whole, line.n - whole); /* in one call: lines of two writers do not mix */
}

static void scan_fan(const struct store *store, const char *fan, struct arena *a, struct buf *out)
{
    char path[32];
    AUTO_FILE_LIST list = { NULL };
    struct err ignored = { 0 };
    const struct dirent *d;
    struct names *v = ARENA_NEW(a, struct names);

    (void)snprintf(path, sizeof path, "%.2s", fan);
    if (!file_list_open(store->trees, path, &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        struct store_entry entry;
        bool there = false;

        if (strlen(d->d_name) != HASH_HEX256 || !store_find(store, d->d_name, &entry, &there, &ignored) || !there)
            continue;
        collect(&entry, entry.files, path_of_entry, a, v);
        if (v->n)
            (void)format_line(entry.name, v, out);
        store_release(&entry);
    }
}

/* Goes through the store once, and keeps what is known of wheels that are gone from it. */
static void build(const struct store *store, struct str old, struct arena *a, struct str *out)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_BUF b = { .limit = FILE_MAX };
    struct err ignored = { 0 };
    const struct dirent *d;

    (void)buf_str(&b, STR(HEADER));
    if (file_list_open(store->trees, ".", &list, &ignored))
        while (file_list_next(&list, &d, &ignored))
            if (strlen(d->d_name) == 2)
                scan_fan(store, d->d_name, a, &b);
    for (struct str line; str_next_line(&old, &line);)
        if (str_ends(line, STR(" .")))
            (void)buf_printf(&b, STR_FMT "\n", STR_ARG(line));
    *out = arena_str(a, buf_done(&b));
    (void)!file_replace(store->dir, FILE_NAME, *out, 0644, FILE_NO_SYNC, &ignored); /* else it is built the next time */
}

static struct str load(const struct store *store, struct arena *a)
{
    struct err ignored = { 0 };
    struct str text = { NULL, 0 };

    if (!fd_read_if_there(store->dir, FILE_NAME, FILE_MAX, a, &text, &ignored) || !text.p)
        text = STR("");
    if (!str_starts(text, STR(HEADER)))
        build(store, text, a, &text);
    return text;
}

/* ------------------------------------------------------------ answers */

struct found {
    VEC(struct str) names;
    struct arena *a;
};

static void add_found(struct found *f, struct str name)
{
    for (size_t i = 0; i < f->names.n; i++)
        if (name_eq(f->names.p[i], name))
            return;
    VEC_PUSH_IN(f->a, &f->names, arena_str(f->a, name));
}

/* Does a name that a package has answer the question? `yaml` does for "yaml"; for a question that names a namespace
 * ("google.cloud") the packages in it do. */
static bool answers(struct str has, struct str module)
{
    return covers(has, module) || covers(module, has);
}

static bool says_import_name(const struct store *store, const struct store_entry *entry, struct str module,
                             struct arena *a, bool *says)
{
    char tree[STORE_TREE_PATH];
    struct metadata m;
    struct err ignored = { 0 };
    struct str text;

    *says = false;
    store_tree_path(entry->hex, tree);
    const char *path = arena_printf(a, "%s/" STR_FMT "/METADATA", tree, STR_ARG(entry->dist_info)).p;

    if (!fd_read_if_there(store->dir, path, METADATA_MAX, a, &text, &ignored) || !text.p ||
        !metadata_parse(a, text, &m, &ignored))
        return false;
    *says = m.n_import_name + m.n_import_namespace > 0;
    for (size_t i = 0; i < m.n_import_name; i++) {
        struct str name = str_trim(str_sub(m.import_name[i], 0, str_find(m.import_name[i], ';')));

        if (name.n && answers(name, module))
            return true;
    }
    return false;
}

/* 1 and 2. */
static enum import_how look_at_candidates(const struct import_query *q, struct str module, struct found *f)
{
    struct names *v = ARENA_NEW(f->a, struct names);
    struct err ignored = { 0 };
    enum import_how how = IMPORT_FILES;

    for (size_t i = 0; i < q->n; i++) {
        struct store_entry entry;
        bool there = false, says;

        if (q->candidate[i].sha256.n != HASH_HEX256 ||
            !store_find(q->store, arena_cstr(f->a, q->candidate[i].sha256), &entry, &there, &ignored) || !there)
            continue;
        if (says_import_name(q->store, &entry, module, f->a, &says)) {
            if (how == IMPORT_FILES)
                f->names.n = 0; /* what is said beats what was seen */
            how = IMPORT_METADATA;
            add_found(f, entry.name);
        } else if (!says && how == IMPORT_FILES) {
            collect(&entry, entry.files, path_of_entry, f->a, v);
            for (size_t k = 0; k < v->n; k++)
                if (answers(v->p[k], module))
                    add_found(f, entry.name);
        }
        store_release(&entry);
    }
    return how;
}

/* 3. */
static void look_at_seen(struct str text, struct str module, struct found *f)
{
    for (struct str line; str_next_line(&text, &line);) {
        struct str name;

        if (!str_cut_suffix(&line, STR(" .")) || !str_next(&line, ' ', &name))
            continue;
        for (struct str has; line.p && str_next(&line, ' ', &has);)
            if (answers(has, module))
                add_found(f, name);
    }
}

static const struct {
    const char *module, *distributions;
} known[] = {
#define IMPORT(module, distributions) { module, distributions },
#define GONE(module, note)
#include "install/import_names.def"
#undef GONE
#undef IMPORT
};

static const struct {
    const char *module, *note;
} gone[] = {
#define IMPORT(module, distributions)
#define GONE(module, note) { module, note },
#include "install/import_names.def"
#undef GONE
#undef IMPORT
};

/* 4. */
static void look_at_table(struct str module, struct found *f)
{
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!str_eq(str_of(known[i].module), module))
            continue;
        for (struct str one, rest = str_of(known[i].distributions); str_next(&rest, ' ', &one);)
            add_found(f, one);
    }
}

static struct str note_of_python(struct str module)
{
    struct str top = str_sub(module, 0, str_find(module, '.'));

    for (size_t i = 0; i < COUNT(gone); i++)
        if (str_eq(str_of(gone[i].module), top))
            return str_of(gone[i].note);
    return STR("");
}

static enum import_how find_exactly(const struct import_query *q, struct str seen, struct str module, struct found *f)
{
    enum import_how how = IMPORT_GUESS;

    if (q->store)
        how = look_at_candidates(q, module, f);
    if (f->names.n == 0) {
        how = IMPORT_SEEN;
        look_at_seen(seen, module, f);
    }
    if (f->names.n == 0) {
        how = IMPORT_TABLE;
        look_at_table(module, f);
    }
    return f->names.n ? how : IMPORT_GUESS;
}

/* The name that a package of the same name would have. */
static struct str same_name(struct arena *a, struct str module)
{
    return name_normalize(a, str_sub(module, 0, str_find(module, '.')));
}

static int name_order(const void *a, const void *b)
{
    return name_cmp(*(const struct str *)a, *(const struct str *)b);
}

bool import_find(const struct import_query *q, struct arena *a, struct import_answer *out, struct err *e)
{
    struct found f = { .a = a };
    struct str module = q->module, note;

    if (!is_dotted(module))
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' is no name of a module", STR_ARG(module));
    note = note_of_python(module);
    if (note.n) {
        *out = (struct import_answer){ .how = IMPORT_PYTHON, .module = module, .note = note };
        return true;
    }
    struct str seen = q->store ? load(q->store, a) : STR("");
    enum import_how how = find_exactly(q, seen, module, &f);

    for (size_t dot; how == IMPORT_GUESS && (dot = str_rfind(module, '.')) < module.n;) {
        module = str_sub(module, 0, dot);
        how = find_exactly(q, seen, module, &f);
    }
    if (how == IMPORT_GUESS) {
        module = q->module;
        add_found(&f, same_name(a, module));
    }
    if (how != IMPORT_TABLE && f.names.n) /* the store's order is by chance, the table's is not */
        qsort(f.names.p, f.names.n, sizeof *f.names.p, name_order);
    *out = (struct import_answer){ .how = how, .module = module, .distribution = f.names.p, .n = f.names.n,
                                   .note = STR("") };
    return true;
}
