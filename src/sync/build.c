#include "sync/build.h"

#include <fcntl.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/json_write.h"
#include "config/project.h"
#include "index/sdist_meta.h"
#include "index/wheel_meta.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/req.h"
#include "pep/wheel_name.h"
#include "sync/audit.h"
#include "sync/build_answer.h"
#include "sync/build_call.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

#define BUILT "built-v1"
#define RECORD_MAX ((size_t)64 << 10)
#define ERROR_MAX 600u
#define FORMAT "1" /* of what the keys stand for */
#define WHEEL_MAX_BYTES ((uint64_t)8 << 30)

/* ------------------------------------------------------------ what was built before */

/* Changes with everything that the result depends on but the versions of the requirements, which may be newer in the
 * next build: as with every cache of built wheels the first one stays. */
static const char *key_of(const struct workspace *w, struct str key)
{
    unsigned char sum[HASH_SHA256];
    char hex[HASH_HEX256 + 1];
    struct err ignored = { 0 };
    struct str text = arena_printf(w->a, FORMAT "\n" STR_FMT "\n" STR_FMT "\n%s", STR_ARG(key),
                                   STR_ARG(facts_fingerprint(&w->python, w->a)),
                                   w->request->no_build_sandbox ? "host" : "sandbox");

    if (!hash_sha256(text.p, text.n, sum, &ignored))
        BUG("sha256 was there when the source was verified");
    hash_hex(sum, sizeof sum, hex);
    return arena_printf(w->a, "%s/" BUILT "/%.2s/%s", w->dirs.cache, hex, hex).p;
}

/* The wheel in a folder of the cache: "<sha256> <file>" stands in `wheel`. */
static bool find_in(struct workspace *w, const char *folder, struct built_wheel *out, bool *there, struct err *e)
{
    struct str text, sha256;

    *there = false;
    if (!fd_read_if_there(AT_FDCWD, arena_printf(w->a, "%s/wheel", folder).p, 4096, w->a, &text, e))
        return err_as(e, ERR_CACHE, "look for a wheel built before");
    if (!text.p || !str_next(&text, ' ', &sha256) || sha256.n != HASH_HEX256 || str_find(text, '/') < text.n)
        return true;
    *out = (struct built_wheel){ .file = text, .sha256 = arena_str(w->a, sha256),
                                 .path = arena_printf(w->a, "%s/" STR_FMT, folder, STR_ARG(text)).p };
    *there = access(out->path, R_OK) == 0;
    return true;
}

bool build_find(const struct pkg_job *job, struct str key, struct built_wheel *out, bool *there, struct err *e)
{
    return find_in(job->w, key_of(job->w, key), out, there, e);
}

static bool keep_text(const char *folder, const char *name, struct str text, struct err *e)
{
    AUTO_FD dir = -1;

    if (!file_make_dirs(AT_FDCWD, folder, 0777, e) || !fd_open_dir(AT_FDCWD, folder, &dir, e) ||
        !file_replace(dir, name, text, 0644, FILE_NO_SYNC, e))
        return err_as(e, ERR_CACHE, "keep what was built");
    return true;
}

/* ------------------------------------------------------------ a build */

/* The text is one requirement: it goes where options could stand, too. */
static bool check_requires(const struct build *b, struct str_list list, struct err *e)
{
    for (size_t i = 0; i < list.n; i++) {
        struct req r;

        if (!req_parse(b->a, list.p[i], &r, e))
            return err_as(e, ERR_PACKAGE, "read what its build requires");
        if (r.url.n)
            return err_set(e, ERR_PACKAGE, "its build requires '" STR_FMT "', and direct references are not fetched for"
                           " a build", STR_ARG(list.p[i]));
    }
    return true;
}

/* Text of the project's pyproject.toml; p == NULL: it has none. */
static bool read_pyproject(const struct build *b, struct str *out, struct err *e)
{
    const struct build_source *s = b->source;
    struct str name = STR("pyproject.toml");

    if (s->subdirectory.n)
        name = arena_printf(b->a, STR_FMT "/" STR_FMT, STR_ARG(s->subdirectory), STR_ARG(name));
    if (!s->tree)
        return sdist_file(s->bytes, s->file, name, b->a, out, e);
    return fd_read_if_there(AT_FDCWD, arena_printf(b->a, "%s/" STR_FMT, s->tree, STR_ARG(name)).p, PROJECT_FILE_MAX,
                            b->a, out, e) || err_as(e, ERR_PACKAGE, "read how it is built");
}

static const char *hook_of(const struct build *b, const char *wheel, const char *editable)
{
    return b->source->editable ? editable : wheel;
}

static bool prepare(struct build *b, struct err *e)
{
    const struct build_source *s = b->source;
    struct str text, answer;
    struct str_list more;

    if (str_find(s->label, '/') < s->label.n || str_find(s->file, '/') < s->file.n)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no name of a file", STR_ARG(s->label));
    if (!read_pyproject(b, &text, e) || !build_system_read(text, b->a, &b->system, e) ||
        !check_requires(b, (struct str_list){ b->system.requires, b->system.n_requires }, e))
        return false;
    if (!build_room_open(b->job, &b->room, e) ||
        (!s->tree && !file_replace(b->room.work, arena_cstr(b->a, s->file), s->bytes, 0644, FILE_NO_SYNC, e)))
        return false;
    if (!build_room_install(b->job, &b->room, b->system.requires, b->system.n_requires, e))
        return err_wrap(e, "install what its build requires");
    const char *hook = hook_of(b, "get_requires_for_build_wheel", "get_requires_for_build_editable");

    if (!build_call(b, hook, NULL, &answer, e) || !build_answer_list(answer, b->a, &more, e) ||
        !check_requires(b, more, e))
        return false;
    return more.n == 0 || build_room_install(b->job, &b->room, more.p, more.n, e) ||
           err_wrap(e, "install what its build asked for");
}

static bool build_open(struct build *b, const struct pkg_job *job, const struct build_source *s, struct err *e)
{
    *b = (struct build){ .job = job, .source = s, .a = job->w->a, .room = { .dir = -1, .work = -1, .lock = -1 },
                         .begun = clock_ms() };
    return prepare(b, e);
}

/* One line of the audit log, and the whole output. `wheel`: NULL when it failed. */
static void record(const struct build *b, const struct built_wheel *wheel, const struct err *e)
{
    struct workspace w = *b->job->w; /* a build for a build is recorded where the user looks */
    struct json_write j;
    AUTO_BUF text = { .limit = RECORD_MAX };

    w.dirs.state = build_state(b);
    json_write_init(&j, &text, false);
    json_write_object_begin(&j);
    json_write_member(&j, "source", b->source->label);
    json_write_member(&j, "key", b->source->key);
    json_write_member(&j, "backend", b->system.backend);
    json_write_member_bool(&j, "editable", b->source->editable);
    json_write_member_u64(&j, "ms", clock_ms() - b->begun);
    json_write_member_cstr(&j, "limit", b->limit);
    if (wheel)
        json_write_member(&j, "wheel", wheel->sha256);
    else
        json_write_member(&j, "error", str_sub(str_of(e->text), 0, MIN(e->n, ERROR_MAX)));
    if (b->reported) {
        json_write_key(&j, STR("enforcement"));
        jail_report_write(&b->report, &j);
    } else {
        json_write_member_cstr(&j, "sandbox", "none");
    }
    json_write_object_end(&j);
    if (json_write_end(&j))
        audit_record(&w, AUDIT_BUILD, 0, arena_str(b->a, buf_done(&text)));
    (void)build_log_keep(b);
}

static void build_close(struct build *b)
{
    build_room_close(&b->room);
    buf_clear(&b->log);
}

/* Is it the wheel of this source? Its file name is the backend's. */
static bool check_wheel(const struct build *b, struct str file, struct err *e)
{
    struct wheel_name n;

    if (!wheel_name_parse(file, &n, e))
        return err_as(e, ERR_PACKAGE, "take what " STR_FMT " built", STR_ARG(b->system.backend));
    if (b->source->project.n && !name_eq(n.project, b->source->project))
        return err_set(e, ERR_PACKAGE, "its build made '" STR_FMT "', which is another package", STR_ARG(file));
    return true;
}

/* Moves the wheel from where anybody in the sandbox could write to the cache, and says what it is. */
static bool take_wheel(const struct build *b, struct str file, struct built_wheel *out, struct err *e)
{
    const char *folder = key_of(b->job->w, b->source->key);
    const char *from = arena_printf(b->a, "work/out/" STR_FMT, STR_ARG(file)).p;
    unsigned char sum[HASH_SHA256];
    char hex[HASH_HEX256 + 1];
    AUTO_FD fd = -1, to = -1;
    struct str map;

    if (!check_wheel(b, file, e))
        return false;
    if (!build_made_open(b, from, &fd, e) || !fd_map(fd, from, &map, e))
        return err_as(e, ERR_PACKAGE, "take what " STR_FMT " built", STR_ARG(b->system.backend));
    bool ok = map.n <= WHEEL_MAX_BYTES && hash_sha256(map.p, map.n, sum, e) &&
              file_make_dirs(AT_FDCWD, folder, 0777, e) && fd_open_dir(AT_FDCWD, folder, &to, e) &&
              file_replace(to, arena_cstr(b->a, file), map, 0644, FILE_NO_SYNC, e);

    if (map.n)
        fd_unmap(&map);
    if (!ok)
        return err_as(e, ERR_CACHE, "keep what was built");
    hash_hex(sum, sizeof sum, hex);
    *out = (struct built_wheel){ .file = arena_str(b->a, file), .sha256 = arena_str(b->a, str_of(hex)),
                                 .path = arena_printf(b->a, "%s/" STR_FMT, folder, STR_ARG(file)).p };
    return keep_text(folder, "wheel", arena_printf(b->a, "%s " STR_FMT, hex, STR_ARG(file)), e);
}

static bool make_wheel(struct build *b, struct built_wheel *out, struct err *e)
{
    const char *target = arena_printf(b->a, "%s/work/out", b->room.path).p;
    struct str answer, file = { NULL, 0 };
    bool missing;

    if (!build_call(b, hook_of(b, "build_wheel", "build_editable"), target, &answer, e) ||
        !build_answer_name(answer, b->a, &file, &missing, e))
        return false;
    if (missing && b->source->editable) {
        (void)err_set(e, ERR_PACKAGE, STR_FMT " cannot install it editable (PEP 660)", STR_ARG(b->system.backend));
        return err_hint(e, "install it without -e, or ask for a newer backend in its [build-system]");
    }
    if (missing)
        return err_set(e, ERR_PACKAGE, STR_FMT " cannot build wheels", STR_ARG(b->system.backend));
    return take_wheel(b, file, out, e);
}

bool build_wheel(const struct pkg_job *job, const struct build_source *s, struct built_wheel *out, struct err *e)
{
    struct build b;
    bool there;

    if (!build_find(job, s->key, out, &there, e) || there)
        return there;
    bool ok = build_open(&b, job, s, e) && make_wheel(&b, out, e);

    record(&b, ok ? out : NULL, e);
    build_close(&b);
    return ok || err_wrap(e, "build " STR_FMT, STR_ARG(s->label));
}

/* ------------------------------------------------------------ metadata alone */

static bool ask_metadata(struct build *b, struct arena *a, struct str *text, struct err *e)
{
    const char *target = arena_printf(b->a, "%s/work/out", b->room.path).p;
    struct str answer, info = { NULL, 0 };
    struct built_wheel wheel;
    bool missing;

    const char *hook = hook_of(b, "prepare_metadata_for_build_wheel", "prepare_metadata_for_build_editable");

    if (!build_call(b, hook, target, &answer, e) ||
        !build_answer_name(answer, b->a, &info, &missing, e))
        return false;
    if (missing)
        return make_wheel(b, &wheel, e) && wheel_meta_read(wheel.path, a, text, e);
    const char *path = arena_printf(b->a, "work/out/" STR_FMT "/METADATA", STR_ARG(info)).p;

    return build_made_read(b, path, METADATA_MAX, a, text, e) ||
           err_as(e, ERR_PACKAGE, "read the metadata that " STR_FMT " made", STR_ARG(b->system.backend));
}

bool build_metadata(const struct pkg_job *job, const struct build_source *s, struct arena *a, struct str *text,
                    struct err *e)
{
    const char *folder = key_of(job->w, s->key), *kept = arena_printf(job->w->a, "%s/METADATA", folder).p;
    struct build b;
    struct built_wheel wheel;
    bool there;

    if (!build_find(job, s->key, &wheel, &there, e))
        return false;
    if (there)
        return wheel_meta_read(wheel.path, a, text, e);
    if (!fd_read_if_there(AT_FDCWD, kept, METADATA_MAX, a, text, e) || text->p)
        return text->p != NULL;
    bool ok = build_open(&b, job, s, e) && ask_metadata(&b, a, text, e) && keep_text(folder, "METADATA", *text, e);

    if (!ok)
        record(&b, NULL, e);
    build_close(&b);
    return ok || err_wrap(e, "build " STR_FMT, STR_ARG(s->label));
}
