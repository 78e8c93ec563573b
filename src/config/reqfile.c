/* config/reqtext.c decodes a file and cuts it into logical lines, comments off, variables replaced, in pip's order.
 * Each of them is a requirement with its hashes or a row of options. */
#include "config/reqfile.h"

#include <fcntl.h>
#include <stdarg.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "config/reqtext.h"

#define FILE_MAX (8u << 20)
#define ENTRIES_MAX 100000
#define TYPO_MAX 3

struct reading {
    const struct reqfile_reader *reader;
    struct arena *a;
    struct reqfile *out;
    struct err *e;
    /* where it is */
    const char *file;
    unsigned line;
    bool constraint;
    unsigned depth;
    const struct reading *up;
};

static bool read_one(struct reading *r);

static bool PRINTF(2, 3) wrong(struct reading *r, const char *fmt, ...)
{
    va_list ap;
    char text[512];

    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    return err_set(r->e, ERR_CONFIG, "%s:%u: %s", r->file, r->line, text);
}

static bool is_url(struct str s)
{
    size_t n = 0;

    while (n < s.n && (char_is_alpha(s.p[n]) || char_is_digit(s.p[n]) || memchr("+-.", s.p[n], 3)))
        n++;
    return (n > 1 && str_starts(str_sub(s, n, s.n), STR("://"))) || str_starts(s, STR("file:"));
}

static bool is_path(struct str s)
{
    static const char *const archives[] = { ".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz" };
    size_t n = 0;

    while (n < s.n && !char_is_space(s.p[n]) && s.p[n] != '[' && s.p[n] != ';' && s.p[n] != '@')
        n++;
    struct str head = str_sub(s, 0, n);

    if (n > 0 && (s.p[0] == '.' || str_find(head, '/') < head.n))
        return true;
    for (size_t i = 0; i < COUNT(archives); i++)
        if (str_ends(head, str_of(archives[i])))
            return true;
    return false;
}

static bool add_entry(struct reading *r, enum reqfile_kind kind, struct str text)
{
    if (r->out->entries.n == ENTRIES_MAX)
        return wrong(r, "more than %d requirements", ENTRIES_MAX);
    if (kind == REQFILE_EDITABLE && r->constraint)
        return wrong(r, "a constraint cannot be editable");
    VEC_PUSH_IN(r->a, &r->out->entries,
                (struct reqfile_entry){ .kind = kind,
                                        .constraint = r->constraint,
                                        .text = arena_str(r->a, text),
                                        .file = r->file,
                                        .line = r->line });
    return true;
}

/* alg:hex, strong algorithms only, as many digits as the algorithm has. */
static bool add_hash(struct reading *r, struct str value, struct reqtext_words *hashes)
{
    static const struct {
        const char *name;
        size_t digits;
    } known[] = { { "sha256", 64 }, { "sha384", 96 }, { "sha512", 128 } };
    size_t colon = str_find(value, ':'), digits = 0;
    struct str hex = colon < value.n ? str_sub(value, colon + 1, value.n) : STR("");

    while (digits < hex.n && (char_is_digit(hex.p[digits]) || memchr("abcdefABCDEF", hex.p[digits], 12)))
        digits++;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!str_eq(str_sub(value, 0, colon), str_of(known[i].name)))
            continue;
        if (hex.n != known[i].digits || digits != hex.n)
            return wrong(r, "'" STR_FMT "' is no %s hash, which has %zu hexadecimal digits", STR_ARG(value),
                         known[i].name, known[i].digits);
        VEC_PUSH_IN(r->a, &hashes->list, value);
        return true;
    }
    return wrong(r, "'" STR_FMT "' is no hash; write sha256:HEX, sha384:HEX or sha512:HEX", STR_ARG(value));
}

static const char *join_path(struct arena *a, const char *file, struct str path)
{
    struct str dir = str_sub(str_of(file), 0, str_rfind(str_of(file), '/'));

    if (path.n && path.p[0] == '/')
        return arena_cstr(a, path);
    if (dir.n == strlen(file)) /* no slash */
        return arena_cstr(a, path);
    while (str_cut_prefix(&path, STR("./")))
        ;
    return arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(path)).p;
}

static bool include(struct reading *r, struct str path, bool constraint)
{
    struct reading sub = { r->reader, r->a, r->out, r->e, join_path(r->a, r->file, path), 0,
                           r->constraint || constraint, r->depth + 1, r };

    if (is_url(path) && !str_starts(path, STR("file:"))) {
        (void)wrong(r, "'" STR_FMT "' would have to be fetched, only files are read", STR_ARG(path));
        return err_hint(r->e, "download it and name the copy");
    }
    if (str_starts(path, STR("file:///")))
        sub.file = arena_cstr(r->a, str_sub(path, 7, path.n));
    for (const struct reading *up = r; up; up = up->up)
        if (strcmp(up->file, sub.file) == 0)
            return wrong(r, "'%s' includes itself", sub.file);
    if (sub.depth > REQFILE_DEPTH_MAX)
        return wrong(r, "files include each other more than %d deep", REQFILE_DEPTH_MAX);
    return read_one(&sub) || err_wrap(r->e, "read %s:%u", r->file, r->line);
}

enum option {
    OPT_REQUIREMENT,
    OPT_CONSTRAINT,
    OPT_EDITABLE,
    OPT_INDEX_URL,
    OPT_EXTRA_INDEX_URL,
    OPT_FIND_LINKS,
    OPT_NO_BINARY,
    OPT_ONLY_BINARY,
    OPT_TRUSTED_HOST,
    OPT_USE_FEATURE,
    OPT_HASH, /* the last one with a value */
    OPT_NO_INDEX,
    OPT_PRE,
    OPT_PREFER_BINARY,
    OPT_REQUIRE_HASHES
};

static const struct {
    const char *name;
    char letter;
    enum option option;
} options[] = {
    { "--requirement", 'r', OPT_REQUIREMENT },
    { "--constraint", 'c', OPT_CONSTRAINT },
    { "--editable", 'e', OPT_EDITABLE },
    { "--index-url", 'i', OPT_INDEX_URL },
    { "--pypi-url", '\0', OPT_INDEX_URL },
    { "--extra-index-url", '\0', OPT_EXTRA_INDEX_URL },
    { "--find-links", 'f', OPT_FIND_LINKS },
    { "--no-binary", '\0', OPT_NO_BINARY },
    { "--only-binary", '\0', OPT_ONLY_BINARY },
    { "--trusted-host", '\0', OPT_TRUSTED_HOST },
    { "--use-feature", '\0', OPT_USE_FEATURE },
    { "--hash", '\0', OPT_HASH },
    { "--no-index", '\0', OPT_NO_INDEX },
    { "--pre", '\0', OPT_PRE },
    { "--prefer-binary", '\0', OPT_PREFER_BINARY },
    { "--require-hashes", '\0', OPT_REQUIRE_HASHES },
};

static bool unknown_option(struct reading *r, struct str name)
{
    const char *best = NULL;
    unsigned distance = TYPO_MAX + 1;

    for (size_t i = 0; i < COUNT(options); i++) {
        unsigned d = str_distance(name, str_of(options[i].name), TYPO_MAX);

        if (d < distance) {
            distance = d;
            best = options[i].name;
        }
    }
    (void)wrong(r, "unknown option '" STR_FMT "'", STR_ARG(name));
    return best ? err_hint(r->e, "did you mean %s?", best) : false;
}

/* The next word as an option with its value: `--name=value`, `--name value`, `-x value`, `-xvalue`. */
static bool take_option(struct reading *r, struct reqtext_words *w, enum option *out, struct str *value)
{
    struct str word = w->list.p[w->at++];
    bool is_long = str_starts(word, STR("--"));
    size_t cut = is_long ? str_find(word, '=') : MIN(word.n, 2);
    struct str name = str_sub(word, 0, cut);
    bool has_value = cut < word.n;

    *value = is_long && has_value ? str_sub(word, cut + 1, word.n) : str_sub(word, cut, word.n);
    for (size_t i = 0; i < COUNT(options); i++) {
        if (is_long ? !str_eq(name, str_of(options[i].name)) : name.n != 2 || name.p[1] != options[i].letter)
            continue;
        *out = options[i].option;
        if (*out > OPT_HASH)
            return !has_value || wrong(r, STR_FMT " takes no value", STR_ARG(name));
        if (!has_value && w->at < w->list.n)
            *value = w->list.p[w->at++];
        return value->n > 0 || wrong(r, STR_FMT " needs a value", STR_ARG(name));
    }
    return unknown_option(r, name);
}

/* Words up to the next option belong to an editable: a marker, whose quotes count. */
static struct str rest_of_editable(struct reading *r, struct reqtext_words *w, struct str text)
{
    while (w->at < w->list.n && !str_starts(w->list.p[w->at], STR("-"))) {
        struct str more = w->raw.p[w->at++];

        text = arena_printf(r->a, STR_FMT " " STR_FMT, STR_ARG(text), STR_ARG(more));
    }
    return text;
}

/* :all:, :none: (which forgets what came before) and names with commas. */
static void add_formats(struct reading *r, struct str value, struct reqfile *out, bool no_binary)
{
    for (struct str part, rest = value; str_next(&rest, ',', &part);) {
        struct str name = str_trim(part);
        bool none = str_eq(name, STR(":none:"));

        if (no_binary && none)
            out->no_binary.n = 0;
        else if (none)
            out->only_binary.n = 0;
        else if (name.n && no_binary)
            VEC_PUSH_IN(r->a, &out->no_binary, name);
        else if (name.n)
            VEC_PUSH_IN(r->a, &out->only_binary, name);
    }
}

static bool apply_option(struct reading *r, struct reqtext_words *w, enum option option, struct str value)
{
    struct reqfile *out = r->out;

    switch (option) {
    case OPT_REQUIREMENT:
    case OPT_CONSTRAINT:
        return include(r, value, option == OPT_CONSTRAINT);
    case OPT_EDITABLE:
        return add_entry(r, REQFILE_EDITABLE, rest_of_editable(r, w, value));
    case OPT_INDEX_URL:
        out->index_url = value;
        return true;
    case OPT_EXTRA_INDEX_URL:
        VEC_PUSH_IN(r->a, &out->extra_index_urls, value);
        return true;
    case OPT_FIND_LINKS: {
        const char *beside = join_path(r->a, r->file, value);

        VEC_PUSH_IN(r->a, &out->find_links,
                    !is_url(value) && file_exists(AT_FDCWD, beside) ? str_of(beside) : value);
        return true;
    }
    case OPT_NO_BINARY:
    case OPT_ONLY_BINARY:
        add_formats(r, value, out, option == OPT_NO_BINARY);
        return true;
    case OPT_TRUSTED_HOST:
        VEC_PUSH_IN(r->a, &out->trusted_hosts, value);
        return true;
    case OPT_USE_FEATURE: /* pip's own switches */
        return true;
    case OPT_HASH:
        return wrong(r, "--hash belongs behind a requirement, on its line");
    case OPT_NO_INDEX:
        out->no_index = true;
        return true;
    case OPT_PRE:
        out->pre = true;
        return true;
    case OPT_PREFER_BINARY:
        out->prefer_binary = true;
        return true;
    case OPT_REQUIRE_HASHES:
        out->require_hashes = true;
        return true;
    }
    return true;
}

static bool read_options(struct reading *r, struct str line)
{
    struct reqtext_words w = { 0 };
    enum option option;
    struct str value;

    if (!reqtext_words(line, r->a, &w, r->e))
        return err_wrap(r->e, "%s:%u", r->file, r->line);
    while (w.at < w.list.n) {
        if (!str_starts(w.list.p[w.at], STR("-")))
            return wrong(r, "'" STR_FMT "' is not expected behind an option", STR_ARG(w.list.p[w.at]));
        if (!take_option(r, &w, &option, &value) || !apply_option(r, &w, option, value))
            return false;
    }
    return true;
}

/* Where the options of a requirement begin: a word that starts with '-'. */
static size_t options_at(struct str line)
{
    for (size_t i = 1; i < line.n; i++)
        if (line.p[i] == '-' && char_is_space(line.p[i - 1]))
            return i;
    return line.n;
}

static bool read_requirement(struct reading *r, struct str line)
{
    size_t at = options_at(line);
    struct str text = str_trim(str_sub(line, 0, at)), value;
    struct reqtext_words w = { 0 }, hashes = { 0 };
    enum option option;

    if (!reqtext_words(str_sub(line, at, line.n), r->a, &w, r->e))
        return err_wrap(r->e, "%s:%u", r->file, r->line);
    while (w.at < w.list.n) {
        if (!str_starts(w.list.p[w.at], STR("-")))
            return wrong(r, "'" STR_FMT "' is not expected behind an option", STR_ARG(w.list.p[w.at]));
        if (!take_option(r, &w, &option, &value))
            return false;
        if (option != OPT_HASH)
            return wrong(r, "only --hash may stand behind a requirement");
        if (!add_hash(r, value, &hashes))
            return false;
    }
    if (!add_entry(r, is_url(text) ? REQFILE_URL : is_path(text) ? REQFILE_PATH : REQFILE_NAMED, text))
        return false;
    struct reqfile_entry *entry = &r->out->entries.p[r->out->entries.n - 1];

    entry->hash = hashes.list.p;
    entry->hashes = hashes.list.n;
    return true;
}

static bool read_text(struct reading *r, struct str text)
{
    struct reqtext rest = { .rest = text };
    struct str line;

    while (reqtext_next(&rest, r->a, &line)) {
        r->line = rest.first;
        line = str_trim(reqtext_expand(reqtext_without_comment(line), r->reader->env, r->a));
        if (line.n == 0)
            continue;
        if (line.p[0] == '-' ? !read_options(r, line) : !read_requirement(r, line))
            return false;
    }
    return true;
}

static bool read_one(struct reading *r)
{
    struct str text;

    if (r->out->files.n == REQFILE_FILES_MAX)
        return err_set(r->e, ERR_CONFIG, "%s: more than %d files include each other", r->file, REQFILE_FILES_MAX);
    VEC_PUSH_IN(r->a, &r->out->files, str_of(r->file));
    if (!r->reader->read(r->reader->ctx, r->file, r->a, &text, r->e))
        return err_as(r->e, ERR_CONFIG, "read %s", r->file);
    if (!reqtext_decode(r->file, &text, r->a, r->e))
        return false;
    if (memchr(text.p ? text.p : "", '\0', text.n))
        return err_set(r->e, ERR_CONFIG, "%s: a NUL byte in the file", r->file);
    return read_text(r, text);
}

static bool read_from_disk(void *ctx, const char *path, struct arena *a, struct str *out, struct err *e)
{
    (void)ctx;
    return fd_read_file(AT_FDCWD, path, FILE_MAX, a, out, e);
}

bool reqfile_read(const char *path, bool constraint, const struct reqfile_reader *reader, struct arena *a,
                  struct reqfile *out, struct err *e)
{
    static const struct reqfile_reader disk = { read_from_disk, NULL, NULL };
    struct reading r = { .reader = reader ? reader : &disk,
                         .a = a,
                         .out = out,
                         .e = e,
                         .file = arena_cstr(a, str_of(path)),
                         .constraint = constraint };

    return read_one(&r);
}
