#include "pep/direct_url.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"

struct found {
    struct direct_url *d;
    unsigned kinds; /* how many of the three tables were there */
    bool archive_hash;
    struct arena *a;
};

static void read_hashes(struct json *j, struct found *f)
{
    VEC(struct direct_hash) all = { 0 };
    struct direct_hash h;

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &h.alg))
        if (json_string(j, &h.hex))
            VEC_PUSH_IN(f->a, &all, h);
    f->d->hash = all.p;
    f->d->n_hash = all.n;
    f->archive_hash = true;
}

/* The older form of one hash: "sha256=2c26b4..."; `hashes` wins where both are there. */
static void read_legacy_hash(struct json *j, struct found *f)
{
    struct str text;

    if (!json_string(j, &text) || f->archive_hash)
        return;
    size_t at = str_find(text, '=');
    struct direct_hash *h = ARENA_NEW(f->a, struct direct_hash);

    if (at == text.n) {
        json_fail(j, "'" STR_FMT "' is no hash", STR_ARG(text));
        return;
    }
    *h = (struct direct_hash){ .alg = str_sub(text, 0, at), .hex = str_sub(text, at + 1, text.n) };
    f->d->hash = h;
    f->d->n_hash = 1;
}

static void read_table(struct json *j, enum direct_kind kind, struct found *f)
{
    struct str key;

    f->kinds++;
    f->d->kind = kind;
    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        if (kind == DIRECT_ARCHIVE && str_eq(key, STR("hashes")))
            read_hashes(j, f);
        else if (kind == DIRECT_ARCHIVE && str_eq(key, STR("hash")))
            read_legacy_hash(j, f);
        else if (kind == DIRECT_DIR && str_eq(key, STR("editable")))
            (void)json_bool(j, &f->d->editable);
        else if (kind == DIRECT_VCS && str_eq(key, STR("vcs")))
            (void)json_string(j, &f->d->vcs);
        else if (kind == DIRECT_VCS && str_eq(key, STR("commit_id")))
            (void)json_string(j, &f->d->commit_id);
        else if (kind == DIRECT_VCS && str_eq(key, STR("requested_revision")))
            (void)json_string(j, &f->d->requested_revision);
    }
}

bool direct_url_parse(struct arena *a, struct str text, struct direct_url *out, struct err *e)
{
    struct direct_url d = { 0 };
    struct found f = { .d = &d, .a = a };
    struct json j;
    struct str key;

    if (text.n > DIRECT_URL_MAX)
        return err_set(e, ERR_PACKAGE, "direct_url.json of %zu bytes, at most %d are read", text.n, DIRECT_URL_MAX);
    json_init(&j, text, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("url")))
                (void)json_string(&j, &d.url);
            else if (str_eq(key, STR("subdirectory")))
                (void)json_string(&j, &d.subdirectory);
            else if (str_eq(key, STR("archive_info")))
                read_table(&j, DIRECT_ARCHIVE, &f);
            else if (str_eq(key, STR("dir_info")))
                read_table(&j, DIRECT_DIR, &f);
            else if (str_eq(key, STR("vcs_info")))
                read_table(&j, DIRECT_VCS, &f);
        }
    }
    if (!json_end(&j))
        return err_wrap(e, "read direct_url.json");
    if (!d.url.n)
        return err_set(e, ERR_PACKAGE, "direct_url.json without a url");
    if (f.kinds != 1)
        return err_set(e, ERR_PACKAGE, "direct_url.json has %u of archive_info, dir_info and vcs_info, not one",
                       f.kinds);
    if (d.kind == DIRECT_DIR && !str_starts(d.url, STR("file://")))
        return err_set(e, ERR_PACKAGE, "directory '" STR_FMT "' in direct_url.json is no file URL", STR_ARG(d.url));
    if (d.kind == DIRECT_VCS && (!d.vcs.n || !d.commit_id.n))
        return err_set(e, ERR_PACKAGE, "vcs_info in direct_url.json without vcs or commit_id");
    *out = d;
    return true;
}

static void write_table(const struct direct_url *d, struct json_write *w)
{
    static const struct str names[] = { STR_INIT("archive_info"), STR_INIT("dir_info"), STR_INIT("vcs_info") };

    json_write_key(w, names[d->kind]);
    json_write_object_begin(w);
    if (d->kind == DIRECT_ARCHIVE && d->n_hash) {
        json_write_key(w, STR("hashes"));
        json_write_object_begin(w);
        for (size_t i = 0; i < d->n_hash; i++) {
            json_write_key(w, d->hash[i].alg);
            json_write_str(w, d->hash[i].hex);
        }
        json_write_object_end(w);
    }
    if (d->kind == DIRECT_DIR && d->editable)
        json_write_member_bool(w, "editable", true);
    if (d->kind == DIRECT_VCS) {
        json_write_member(w, "vcs", d->vcs);
        if (d->requested_revision.n)
            json_write_member(w, "requested_revision", d->requested_revision);
        json_write_member(w, "commit_id", d->commit_id);
    }
    json_write_object_end(w);
}

bool direct_url_format(const struct direct_url *d, struct buf *out)
{
    AUTO_ARENA room = { 0 };
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member(&w, "url", url_without_credentials(&room, d->url));
    write_table(d, &w);
    if (d->subdirectory.n)
        json_write_member(&w, "subdirectory", d->subdirectory);
    json_write_object_end(&w);
    return json_write_end(&w);
}

/* "${USER}", "${USER}:${PASSWORD}" */
static bool is_variables(struct str s)
{
    unsigned n = 0;

    for (struct str part, rest = s; str_next(&rest, ':', &part); n++) {
        if (!str_cut_prefix(&part, STR("${")) || !str_cut_suffix(&part, STR("}")) || !part.n)
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!char_is_alpha(part.p[i]) && !char_is_digit(part.p[i]) && part.p[i] != '_' && part.p[i] != '-')
                return false;
    }
    return n <= 2;
}

struct str url_without_credentials(struct arena *a, struct str url)
{
    size_t from = str_search(url, STR("://")), to;

    if (from == url.n)
        return url;
    from += 3;
    for (to = from; to < url.n && !memchr("/?#", url.p[to], 3); to++)
        ;
    struct str authority = str_sub(url, from, to);
    size_t at = str_rfind(authority, '@');

    if (at == authority.n || str_eq(str_sub(authority, 0, at), STR("git")) || is_variables(str_sub(authority, 0, at)))
        return url;
    size_t cut = at + 1;
    char *text = arena_text(a, url.p, url.n);

    memmove(text + from, text + from + cut, url.n - from - cut + 1);
    return (struct str){ text, url.n - cut };
}
