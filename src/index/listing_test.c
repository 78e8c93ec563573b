#include "index/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define F(name, more) "{\"filename\":\"" name "\",\"url\":\"https://files.example/" name "\"" more "},"
#define JSON "application/json"

/* Old files first and last, one version in two spellings, files of others and of no kind. */
static const char demo[] =
    "{\"meta\":{\"api-version\":\"1.0\"},\"project-status\":{\"status\":\"archived\"},\"files\":["
    F("demo-2.0-py3-none-any.whl", ",\"requires-python\":\">=3.8\",\"size\":7,\"upload-time\":\"2026-01-01T00:00:00Z\"")
    F("demo-1.0.tar.gz", ",\"requires-python\":\">=3.8\"")
    F("demo-10.0.tar.gz", ",\"yanked\":\"oops\",\"hashes\":{\"sha512\":\"ab\"}")
    F("demo-2.0.0-1-cp312-cp312-manylinux_2_17_x86_64.whl", ",\"core-metadata\":true,\"requires-python\":\">=3.9\"")
    F("demo-1!2.0+local.1.tar.gz", "")
    F("demo-2.0a1.dev3.tar.gz", "")
    F("other-1.0.tar.gz", "") F("demo-1.0.exe", "") F("demo-x.tar.gz", "") F("demo-1.0-1/../x-py3-none-any.whl", "")
    "{\"filename\":\"Demo-2.0.tar.gz\",\"url\":\"x\"}]}";

static struct listing_source source(void)
{
    return (struct listing_source){
        .project = STR("demo"),
        .url = STR("https://index.example/simple/demo/"),
        .content_type = STR(JSON),
        .etag = STR("\"tag\""),
        .last_modified = STR("yesterday"),
        .checked = 100,
        .until = 700,
        .by_ttl = true,
    };
}

static struct listing build(struct buf *b, const char *page, const struct listing_source *s)
{
    struct err e = { 0 };
    struct listing l;

    buf_init(b, LISTING_PAGE_MAX);
    if (!listing_build(str_of(page), s, b, &e))
        fail_msg("%s", e.text);
    assert_true(listing_open((struct str){ b->p, b->n }, &l));
    return l;
}

static void is_text(const struct listing *l, struct listing_text t, const char *want)
{
    struct str got = listing_text(l, t);

    if (!str_eq(got, str_of(want)))
        fail_msg("'" STR_FMT "', want '%s'", STR_ARG(got), want);
}

static void keeps_versions_ascending_and_their_files_together(void **state)
{
    static const struct {
        const char *version;
        unsigned n;
        const char *file[3]; /* in the page's order */
    } want[] = {
        { "1.0", 1, { "demo-1.0.tar.gz" } },
        { "2.0a1.dev3", 1, { "demo-2.0a1.dev3.tar.gz" } },
        { "2.0", 3, { "demo-2.0-py3-none-any.whl", "demo-2.0.0-1-cp312-cp312-manylinux_2_17_x86_64.whl",
                      "Demo-2.0.tar.gz" } },
        { "10.0", 1, { "demo-10.0.tar.gz" } },
        { "1!2.0+local.1", 1, { "demo-1!2.0+local.1.tar.gz" } },
    };
    struct listing_source s = source();
    AUTO_BUF b;
    AUTO_ARENA a = { 0 };
    struct listing l = build(&b, demo, &s);

    (void)state;
    assert_int_equal(l.head->n_versions, COUNT(want));
    assert_int_equal(l.head->n_files, 7);
    assert_int_equal(l.head->skipped, 4);
    for (uint32_t i = 0; i < COUNT(want); i++) {
        struct version v, same;

        assert_true(listing_version(&l, i, &a, &v));
        assert_true(version_parse(str_of(want[i].version), &a, &same));
        assert_int_equal(version_cmp(&v, &same), 0);
        assert_int_equal(l.version[i].n, want[i].n);
        for (unsigned k = 0; k < want[i].n; k++)
            is_text(&l, l.file[l.version[i].first + k].name, want[i].file[k]);
    }
}

static void keeps_what_the_page_says_of_a_file(void **state)
{
    struct listing_source s = source();
    AUTO_BUF b;
    struct listing l = build(&b, demo, &s);
    const struct listing_file *wheel = &l.file[2], *built = &l.file[3], *yanked = &l.file[5];

    (void)state;
    assert_int_equal(wheel->flags, LISTING_WHEEL | LISTING_SIZE | LISTING_TIME);
    assert_int_equal(wheel->size, 7);
    is_text(&l, wheel->url, "https://files.example/demo-2.0-py3-none-any.whl");
    is_text(&l, l.python[wheel->python], ">=3.8");
    assert_int_equal(built->flags, LISTING_WHEEL | LISTING_METADATA);
    is_text(&l, l.python[built->python], ">=3.9");
    assert_int_equal(l.head->n_pythons, 2); /* one text for all files that say it */
    assert_int_equal(yanked->flags, LISTING_YANKED);
    is_text(&l, yanked->yanked, "oops");
    is_text(&l, yanked->other_hash, "sha512=ab");
    assert_int_equal(yanked->python, UINT32_MAX);
    is_text(&l, l.file[4].url, "https://index.example/simple/demo/x"); /* relative to the page */
}

static void keeps_what_came_with_the_page(void **state)
{
    struct listing_source s = source();
    AUTO_BUF b;
    struct listing l = build(&b, demo, &s);

    (void)state;
    is_text(&l, l.head->etag, "\"tag\"");
    is_text(&l, l.head->last_modified, "yesterday");
    is_text(&l, l.head->url, "https://index.example/simple/demo/");
    is_text(&l, l.head->status, "archived");
    assert_int_equal(l.head->checked, 100);
    assert_int_equal(l.head->until, 700);
    assert_int_equal(l.head->by_ttl, 1);
    assert_int_equal(l.head->absent, 0);
}

static void takes_apart_the_names_of_wheels(void **state)
{
    struct listing_source s = source();
    AUTO_BUF b;
    struct listing l = build(&b, demo, &s);
    struct str build_tag, python, abi, platform;

    (void)state;
    listing_tags(&l, &l.file[3], &build_tag, &python, &abi, &platform);
    assert_true(str_eq(build_tag, STR("1")) && str_eq(python, STR("cp312")) && str_eq(abi, STR("cp312")) &&
                str_eq(platform, STR("manylinux_2_17_x86_64")));
    listing_tags(&l, &l.file[2], &build_tag, &python, &abi, &platform);
    assert_true(build_tag.n == 0 && str_eq(python, STR("py3")) && str_eq(platform, STR("any")));
    listing_tags(&l, &l.file[0], &build_tag, &python, &abi, &platform);
    assert_true(build_tag.n == 0 && python.n == 0 && abi.n == 0 && platform.n == 0);
}

static void remembers_that_a_project_is_absent(void **state)
{
    struct listing_source s = source();
    AUTO_BUF b;

    (void)state;
    s.absent = true;
    struct listing l = build(&b, "<not looked at", &s);

    assert_int_equal(l.head->absent, 1);
    assert_int_equal(l.head->n_versions + l.head->n_files, 0);
}

static void refuses_pages_that_do_not_fit(void **state)
{
    struct listing_source s = source();
    struct err e = { 0 };
    AUTO_BUF b;

    (void)state;
    buf_init(&b, 500);
    assert_false(listing_build(str_of(demo), &s, &b, &e));
    assert_int_equal(e.kind, ERR_PACKAGE);
    assert_non_null(strstr(e.text, "the page of 'demo' is larger than 500 bytes"));
    assert_non_null(strstr(e.text, "read the index page of 'demo'"));
}

/* Everything that a reader of the record may ask. */
static void read_all(struct str record)
{
    struct listing l;
    AUTO_ARENA a = { 0 };

    if (!listing_open(record, &l))
        return;
    uint64_t sum = listing_text(&l, l.head->etag).n + listing_text(&l, l.head->url).n +
                   listing_text(&l, l.head->status).n + listing_text(&l, l.head->last_modified).n;

    for (uint32_t i = 0; i < l.head->n_versions; i++) {
        struct version v;
        struct str build_tag, python, abi, platform;

        if (!listing_version(&l, i, &a, &v))
            continue;
        sum += version_format(&v, &a).n + version_hash(&v);
        for (uint32_t k = l.version[i].first; k < l.version[i].first + l.version[i].n; k++) {
            const struct listing_file *f = &l.file[k];

            listing_tags(&l, f, &build_tag, &python, &abi, &platform);
            struct str requires = f->python < l.head->n_pythons ? listing_text(&l, l.python[f->python]) : STR("");
            struct str texts[] = { listing_text(&l, f->name), listing_text(&l, f->url), build_tag, python, abi,
                                   platform, requires };

            for (size_t t = 0; t < COUNT(texts); t++)
                for (size_t c = 0; c < texts[t].n; c++)
                    sum += (unsigned char)texts[t].p[c];
        }
    }
    assert_true(sum != 1); /* so that nothing above is left out */
}

static void survives_every_damage(void **state)
{
    static const unsigned char damage[] = { 0x00, 0xff, 0x80, 0x01 };
    struct listing_source s = source();
    AUTO_BUF b;

    (void)state;
    (void)build(&b, demo, &s);
    for (size_t i = 0; i < b.n; i++) {
        char *copy = mem_dup(b.p, b.n);

        for (size_t k = 0; k < COUNT(damage); k++) {
            copy[i] = (char)damage[k];
            read_all((struct str){ copy, b.n });
        }
        free(copy);
    }
    for (size_t n = 0; n < b.n; n++) {
        char *copy = mem_dup(b.p, n); /* of its own, so that a read past the end is seen */

        read_all((struct str){ copy, n });
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_versions_ascending_and_their_files_together),
        cmocka_unit_test(keeps_what_the_page_says_of_a_file),
        cmocka_unit_test(keeps_what_came_with_the_page),
        cmocka_unit_test(takes_apart_the_names_of_wheels),
        cmocka_unit_test(remembers_that_a_project_is_absent),
        cmocka_unit_test(refuses_pages_that_do_not_fit),
        cmocka_unit_test(survives_every_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
