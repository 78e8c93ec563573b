/* How fast index pages are read: a generated page (PEP 691) of about 7 MB, three ways, best of many runs.
 *
 *     meson setup build-release -Dbuildtype=release -Dbench=true && ninja -C build-release bench-json
 *     build-release/bench/bench-json
 */
#include <inttypes.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/json.h"
#include "codec/json_write.h"

#define VERSIONS 1200
#define FILES 9
#define ROUNDS 60

static void add_hex(struct buf *b, uint64_t *seed)
{
    for (int i = 0; i < 4; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        (void)buf_printf(b, "%016" PRIx64, *seed);
    }
}

static void add_file(struct buf *b, unsigned version, unsigned file, uint64_t *seed)
{
    char name[128];
    AUTO_BUF sha, meta;

    buf_init(&sha, 128);
    buf_init(&meta, 128);
    add_hex(&sha, seed);
    add_hex(&meta, seed);
    if (file == 0)
        (void)snprintf(name, sizeof name, "demo_project-%u.%u.0.tar.gz", version / 10, version % 10);
    else
        (void)snprintf(name, sizeof name, "demo_project-%u.%u.0-cp3%u-cp3%u-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                       version / 10, version % 10, file + 6, file + 6);
    (void)buf_printf(b, "%s{\"core-metadata\":{\"sha256\":\"%s\"},\"data-dist-info-metadata\":{\"sha256\":\"%s\"},",
                     version + file ? "," : "", buf_done(&meta).p, buf_done(&meta).p);
    (void)buf_printf(b, "\"filename\":\"%s\",\"hashes\":{\"sha256\":\"%s\"},\"provenance\":null,", name, buf_done(&sha).p);
    (void)buf_printf(b, "\"requires-python\":\">=3.%u\",\"size\":%u,\"upload-time\":\"2026-01-%02uT%02u:04:05.678901Z\",",
                     version / 150 + 6, 100000 + version * 37 + file, version % 28 + 1, version % 24);
    (void)buf_printf(b, "\"url\":\"https://index.example/packages/%.2s/%.2s/%.60s/%s\",\"yanked\":false}",
                     buf_done(&sha).p, buf_done(&sha).p + 2, buf_done(&sha).p + 4, name);
}

static void make_page(struct buf *b)
{
    uint64_t seed = 1;

    (void)buf_str(b, STR("{\"files\":["));
    for (unsigned version = 0; version < VERSIONS; version++)
        for (unsigned file = 0; file < FILES; file++)
            add_file(b, version, file, &seed);
    (void)buf_str(b, STR("],\"meta\":{\"_last-serial\":1,\"api-version\":\"1.4\"},\"name\":\"demo-project\",\"versions\":["));
    for (unsigned version = 0; version < VERSIONS; version++)
        (void)buf_printf(b, "%s\"%u.%u.0\"", version ? "," : "", version / 10, version % 10);
    (void)buf_str(b, STR("]}"));
}

/* One key in ten: the file name alone. */
static bool take_names(struct str page, struct err *e)
{
    struct json j;
    struct str key, name;
    size_t n = 0;

    json_init(&j, page, NULL, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            if (str_eq(key, STR("files")) && json_array_begin(&j))
                while (json_array_next(&j))
                    if (json_object_begin(&j))
                        while (json_object_next(&j, &key))
                            n += str_eq(key, STR("filename")) && json_string(&j, &name);
    return json_end(&j) && n == VERSIONS * FILES;
}

struct record {
    struct str name, url, python, sha256;
    uint64_t size;
    bool yanked;
};

static void take_file(struct json *j, struct record *out)
{
    struct str key;

    if (json_object_begin(j))
        while (json_object_next(j, &key)) {
            if (str_eq(key, STR("filename")))
                (void)json_string(j, &out->name);
            else if (str_eq(key, STR("url")))
                (void)json_string(j, &out->url);
            else if (str_eq(key, STR("requires-python")))
                (void)json_string(j, &out->python);
            else if (str_eq(key, STR("size")))
                (void)json_u64(j, &out->size);
            else if (str_eq(key, STR("yanked")))
                (void)json_bool(j, &out->yanked);
            else if (str_eq(key, STR("hashes")) && json_object_begin(j))
                while (json_object_next(j, &key))
                    if (str_eq(key, STR("sha256")))
                        (void)json_string(j, &out->sha256);
        }
}

/* What the index layer needs of each file. */
static bool take_fields(struct str page, struct err *e)
{
    struct json j;
    struct str key;
    struct record r = { 0 };
    size_t n = 0;

    json_init(&j, page, NULL, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            if (str_eq(key, STR("files")) && json_array_begin(&j))
                while (json_array_next(&j)) {
                    take_file(&j, &r);
                    n += r.sha256.n == 64;
                }
    return json_end(&j) && n == VERSIONS * FILES;
}

static bool skip_all(struct str page, struct err *e)
{
    struct json j;

    json_init(&j, page, NULL, e);
    return json_skip(&j) && json_end(&j);
}

int main(void)
{
    static const struct {
        const char *what;
        bool (*run)(struct str page, struct err *e);
    } rows[] = { { "skip all", skip_all }, { "take one key in ten", take_names }, { "take six fields", take_fields } };
    struct err e = { 0 };
    AUTO_BUF page;

    buf_init(&page, 1 << 24);
    make_page(&page);
    printf("page: %zu bytes, %d files\n", page.n, VERSIONS * FILES);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t best = UINT64_MAX;

        for (int round = 0; round < ROUNDS; round++) {
            uint64_t from = clock_us();

            if (!rows[i].run(buf_done(&page), &e)) {
                (void)fprintf(stderr, "%s: %s\n", rows[i].what, e.text);
                return 1;
            }
            best = MIN(best, clock_us() - from);
        }
        printf("%-20s %6.2f ms  %5.2f GB/s\n", rows[i].what, (double)best / 1e3, (double)page.n / (double)best / 1e3);
    }
    return 0;
}
