#include "index/page.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/vec.h"
#include "codec/html.h"
#include "codec/json.h"
#include "net/url.h"

#define LINKS_MAX 1000000u

struct reader {
    struct arena *a;
    struct err *e;
    struct str base;   /* what links are relative to */
    struct str origin; /* its scheme and host, for links that begin with '/' */
    VEC(struct page_link) links;
    struct str status;
};

/* "sha256" wins; of others the strongest that comes is kept as text. */
static void take_hash(struct reader *r, struct str alg, struct str hex, struct page_link *l)
{
    static const char *const strong[] = { "sha512", "sha384", "blake2b", "sha3_256", "sha3_512" };

    if (str_eq(alg, STR("sha256"))) {
        l->has_sha256 = hash_from_hex(hex, l->sha256, sizeof l->sha256);
        return;
    }
    for (size_t i = 0; i < COUNT(strong); i++)
        if (str_eq(alg, str_of(strong[i])) && l->other_hash.n == 0)
            l->other_hash = arena_printf(r->a, STR_FMT "=" STR_FMT, STR_ARG(alg), STR_ARG(hex));
}

static void json_hashes(struct reader *r, struct json *j, struct page_link *l)
{
    struct str alg, hex;

    if (json_object_begin(j))
        while (json_object_next(j, &alg))
            if (json_type(j) == JSON_STRING && json_string(j, &hex))
                take_hash(r, alg, hex, l);
}

/* true, false, or an object of hashes. */
static void json_core_metadata(struct json *j, struct page_link *l)
{
    struct str alg, hex;
    bool yes;

    if (json_type(j) == JSON_BOOL) {
        if (json_bool(j, &yes))
            l->has_metadata = l->has_metadata || yes;
    } else if (json_type(j) == JSON_OBJECT && json_object_begin(j)) {
        l->has_metadata = true;
        while (json_object_next(j, &alg))
            if (str_eq(alg, STR("sha256")) && json_type(j) == JSON_STRING && json_string(j, &hex))
                l->has_metadata_sha256 = hash_from_hex(hex, l->metadata_sha256, sizeof l->metadata_sha256);
    }
}

static void json_yanked(struct json *j, struct page_link *l)
{
    if (json_type(j) == JSON_STRING && json_string(j, &l->yanked_reason))
        l->yanked = true;
    else if (json_type(j) == JSON_BOOL)
        (void)json_bool(j, &l->yanked); /* the reader keeps the failure */
}

/* "/packages/x-1.0.whl": nothing to normalise, so the host in front is all it takes. */
static bool is_plain_path(struct str ref)
{
    if (ref.n < 2 || ref.p[0] != '/')
        return false;
    for (size_t i = 1; i < ref.n; i++) {
        char c = ref.p[i];

        if (c <= ' ' || c > '~' || c == '\\' || (ref.p[i - 1] == '/' && (c == '.' || c == '/')))
            return false;
    }
    return true;
}

/* Scheme and host of the page, as the joining would write them; n == 0 when it has none. */
static struct str origin_of(struct reader *r)
{
    struct err ignored;
    struct str joined;

    if (!url_join(r->a, r->base, STR("/"), &joined, &ignored))
        return STR("");
    return str_sub(joined, 0, joined.n - 1);
}

static bool absolute(struct reader *r, struct str ref, struct str *out)
{
    if (url_is_http(ref)) { /* nearly all: nothing to resolve */
        *out = ref;
        return true;
    }
    if (r->origin.n && is_plain_path(ref)) {
        char *text = arena_alloc(r->a, r->origin.n + ref.n);

        memcpy(text, r->origin.p, r->origin.n);
        memcpy(text + r->origin.n, ref.p, ref.n);
        *out = (struct str){ text, r->origin.n + ref.n };
        return true;
    }
    return url_join(r->a, r->base, ref, out, r->e);
}

static bool json_file(struct reader *r, struct json *j)
{
    struct page_link l = { 0 };
    struct str key, text;

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        enum json_type t = json_type(j);

        if (str_eq(key, STR("filename")))
            (void)json_string(j, &l.name);
        else if (str_eq(key, STR("url")))
            (void)json_string(j, &l.url);
        else if (str_eq(key, STR("hashes")))
            json_hashes(r, j, &l);
        else if (str_eq(key, STR("requires-python")) && t == JSON_STRING)
            (void)json_string(j, &l.requires_python);
        else if (str_eq(key, STR("size")) && t == JSON_NUMBER)
            l.has_size = json_u64(j, &l.size);
        else if (str_eq(key, STR("upload-time")) && t == JSON_STRING)
            l.has_uploaded = json_string(j, &text) && clock_parse(text, &l.uploaded);
        else if (str_eq(key, STR("yanked")))
            json_yanked(j, &l);
        else if (str_eq(key, STR("core-metadata")) || str_eq(key, STR("dist-info-metadata")) ||
                 str_eq(key, STR("data-dist-info-metadata")))
            json_core_metadata(j, &l);
    }
    if (!json_ok(j))
        return false;
    if (l.name.n == 0 || l.url.n == 0)
        return json_fail(j, "a file without filename or url");
    struct str fragment;

    if (!absolute(r, url_without_fragment(l.url, &fragment), &l.url))
        return false;
    if (r->links.n >= LINKS_MAX)
        return json_fail(j, "more than %u files", LINKS_MAX);
    VEC_PUSH_IN(r->a, &r->links, l);
    return true;
}

static bool api_version(struct json *j)
{
    struct str key, version;

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (!str_eq(key, STR("api-version")) || !json_string(j, &version))
            continue;
        uint64_t major;

        if (!str_to_u64(str_sub(version, 0, str_find(version, '.')), &major) || major != 1)
            return json_fail(j, "api-version '" STR_FMT "' is not known here, only 1.x", STR_ARG(version));
    }
    return json_ok(j);
}

static bool project_status(struct reader *r, struct json *j)
{
    struct str key;

    if (json_type(j) != JSON_OBJECT)
        return json_type(j) == JSON_STRING ? json_string(j, &r->status) : json_skip(j);
    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key))
        if (str_eq(key, STR("status")) && json_type(j) == JSON_STRING)
            (void)json_string(j, &r->status);
    return json_ok(j);
}

static bool read_json(struct reader *r, struct str body)
{
    struct json j;
    struct str key;

    r->origin = origin_of(r);
    json_init(&j, body, r->a, r->e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            bool ok = true;

            if (str_eq(key, STR("meta")) && json_type(&j) == JSON_OBJECT)
                ok = api_version(&j);
            else if (str_eq(key, STR("project-status")))
                ok = project_status(r, &j);
            else if (str_eq(key, STR("files")) && json_array_begin(&j))
                while (ok && json_array_next(&j))
                    ok = json_file(r, &j);
            if (!ok)
                return false;
        }
    }
    return json_end(&j);
}

static bool html_link(struct reader *r, const struct html_tag *tag)
{
    const struct str *href = html_attr(tag, STR("href"));
    struct page_link l = { 0 };
    struct str fragment, eq;

    if (!href)
        return true;
    struct str bare = url_without_fragment(*href, &fragment);
    struct err ignored;

    /* a link that leads to no file (a home page, "../") is not an error of the page */
    if (!url_join(r->a, r->base, bare, &l.url, &ignored) || !url_file_name(r->a, l.url, &l.name, &ignored))
        return true;
    for (struct str one, rest = fragment; str_next(&rest, '&', &one);) {
        size_t at = str_find(one, '=');

        if (at < one.n)
            take_hash(r, str_sub(one, 0, at), str_sub(one, at + 1, one.n), &l);
    }
    const struct str *python = html_attr(tag, STR("data-requires-python"));
    const struct str *yanked = html_attr(tag, STR("data-yanked"));
    const struct str *core = html_attr(tag, STR("data-core-metadata"));

    if (!core)
        core = html_attr(tag, STR("data-dist-info-metadata"));
    if (python)
        l.requires_python = *python;
    if (yanked) {
        l.yanked = true;
        l.yanked_reason = *yanked;
    }
    if (core && !str_eq(*core, STR("false"))) {
        l.has_metadata = true;
        eq = *core;
        if (str_cut_prefix(&eq, STR("sha256=")))
            l.has_metadata_sha256 = hash_from_hex(eq, l.metadata_sha256, sizeof l.metadata_sha256);
    }
    if (r->links.n >= LINKS_MAX)
        return err_set(r->e, ERR_PACKAGE, "more than %u links", LINKS_MAX);
    VEC_PUSH_IN(r->a, &r->links, l);
    return true;
}

static bool html_meta(struct reader *r, const struct html_tag *tag)
{
    const struct str *name = html_attr(tag, STR("name")), *content = html_attr(tag, STR("content"));
    uint64_t major;

    if (!name || !content)
        return true;
    if (str_eq(*name, STR("pypi:project-status")))
        r->status = *content;
    if (!str_eq(*name, STR("pypi:repository-version")))
        return true;
    if (!str_to_u64(str_sub(*content, 0, str_find(*content, '.')), &major) || major != 1)
        return err_set(r->e, ERR_PACKAGE, "repository version '" STR_FMT "' is not known here, only 1.x",
                       STR_ARG(*content));
    return true;
}

static bool html_base(struct reader *r, const struct html_tag *tag)
{
    const struct str *href = html_attr(tag, STR("href"));

    return !href || url_join(r->a, r->base, *href, &r->base, r->e);
}

static bool read_html(struct reader *r, struct str body)
{
    struct html h;
    struct html_tag tag;

    html_init(&h, body, r->a, r->e);
    while (html_next(&h, &tag)) {
        bool ok = tag.kind == HTML_A      ? html_link(r, &tag)
                  : tag.kind == HTML_META ? html_meta(r, &tag)
                                          : html_base(r, &tag);

        if (!ok)
            return false;
    }
    return !h.failed;
}

bool page_parse(struct str body, struct str content_type, struct str url, struct arena *a, struct page *out,
                struct err *e)
{
    struct reader r = { .a = a, .e = e, .base = url };
    struct str type = str_trim(str_sub(content_type, 0, str_find(content_type, ';')));
    struct str start = str_trim(str_sub(body, 0, MIN(body.n, (size_t)64)));
    bool json = str_ends(type, STR("json")), html = str_ends(type, STR("html"));
    bool ok;

    if (!json && !html) {
        json = start.n && start.p[0] == '{';
        html = start.n && start.p[0] == '<';
    }
    if (json)
        ok = read_json(&r, body);
    else if (html)
        ok = read_html(&r, body);
    else
        ok = err_set(e, ERR_PACKAGE, "content type '" STR_FMT "' is neither JSON nor HTML", STR_ARG(type));
    if (!ok)
        return false;
    *out = (struct page){ .link = r.links.p, .n = (uint32_t)r.links.n, .status = r.status };
    return true;
}
