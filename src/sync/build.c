#include "sync/build.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/proc.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "config/project.h"
#include "index/sdist_meta.h"
#include "index/wheel_meta.h"
#include "jail/compile.h"
#include "jail/run.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/req.h"
#include "pep/wheel_name.h"
#include "sync/build_room.h"
#include "sync/build_system.h"
#include "sync/build_text.h" /* made by meson */
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

#define BUILT "built-v1"
#define FORMAT "1" /* of what the keys stand for */
#define WALL_MS (3600u * 1000)
#define LOG_MAX ((size_t)64 << 20)
#define LOG_LINES 12 /* that are shown */
#define LOG_LINE 160
#define LOG_BYTES 1200
#define ANSWER_MAX ((size_t)1 << 20)
#define WHEEL_MAX_BYTES ((uint64_t)8 << 30)
#define GIT_MAY_READ "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"
#define EPOCH "SOURCE_DATE_EPOCH=315532800" /* 1980-01-01: the first day that a zip archive can hold */

/* A build under way. */
struct build {
    const struct pkg_job *job;
    const struct build_source *source;
    struct build_room room;
    struct build_system system;
    struct arena *a;
};

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

/* ------------------------------------------------------------ calling the backend */

/* Where the project is built. */
static struct str source_of(const struct build *b)
{
    return b->source->editable ? str_of(b->source->tree) : arena_printf(b->a, "%s/work/source", b->room.path);
}

static void write_request(const struct build *b, const char *hook, const char *target, struct buf *out)
{
    const struct build_source *s = b->source;
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    if (s->tree)
        json_write_member_cstr(&w, "tree", s->tree);
    else
        json_write_member(&w, "archive", arena_printf(b->a, "%s/work/" STR_FMT, b->room.path, STR_ARG(s->file)));
    json_write_member(&w, "source", source_of(b));
    json_write_member(&w, "subdirectory", s->subdirectory);
    json_write_member(&w, "backend", b->system.backend);
    json_write_key(&w, STR("backend_path"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < b->system.n_backend_path; i++)
        json_write_str(&w, b->system.backend_path[i]);
    json_write_array_end(&w);
    json_write_member_cstr(&w, "hook", hook);
    json_write_key(&w, STR("args"));
    json_write_array_begin(&w);
    if (target)
        json_write_cstr(&w, target);
    json_write_array_end(&w);
    json_write_member(&w, "result", arena_printf(b->a, "%s/work/result.json", b->room.path));
    json_write_object_end(&w);
    (void)json_write_end(&w); /* the limit is looked at by the caller */
}

/* A file that the build made, below the room: it may have put links and other traps in its place. */
static bool open_made(const struct build *b, const char *path, int *fd, struct err *e)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    struct stat st;

    *fd = (int)syscall(SYS_openat2, b->room.dir, path, &how, sizeof how);
    if (*fd < 0)
        return err_sys(e, "open %s", path);
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
        return true;
    fd_close(fd);
    return err_set(e, ERR_PACKAGE, "%s is no file", path);
}

static bool read_made(const struct build *b, const char *path, size_t limit, struct arena *a, struct str *out,
                      struct err *e)
{
    AUTO_FD fd = -1;
    AUTO_BUF text = { .limit = limit };

    if (!open_made(b, path, &fd, e) || !fd_read_all(fd, &text, path, e))
        return false;
    *out = arena_str(a, buf_done(&text));
    return true;
}

/* The last lines of the output become the causes, the last one the first cause; all of it stays in a file. */
static void put_output(struct str log, struct err *e)
{
    size_t lines = 0, bytes = 0;

    while (log.n && log.p[log.n - 1] == '\n')
        log.n--;
    while (log.n && lines < LOG_LINES && bytes < LOG_BYTES) {
        size_t from = str_rfind(log, '\n');
        struct str line = from < log.n ? str_sub(log, from + 1, log.n) : log;

        line = str_sub(line, 0, MIN(line.n, LOG_LINE));
        (void)(lines++ ? err_wrap(e, "| " STR_FMT, STR_ARG(line))
                       : err_set(e, ERR_PACKAGE, "| " STR_FMT, STR_ARG(line)));
        bytes += line.n;
        log.n = from < log.n ? from : 0;
    }
    if (lines == 0)
        (void)err_set(e, ERR_PACKAGE, "it said nothing");
}

static bool report(const struct build *b, const char *hook, int code, struct str log, struct err *e)
{
    const char *folder = arena_printf(b->a, "%s/builds", b->job->w->dirs.state).p;
    const char *name = arena_printf(b->a, STR_FMT ".log", STR_ARG(b->source->label)).p;
    struct err ignored = { 0 };

    put_output(log, e);
    (void)err_wrap(e, "%s of " STR_FMT " ended with %d", hook, STR_ARG(b->system.backend), code);
    if (keep_text(folder, name, log, &ignored))
        (void)err_hint(e, "the whole output is in %s/%s", folder, name);
    return false;
}

static bool run_on_host(const struct build *b, const char *const *argv, const char *const *env, struct buf *log,
                        int *code, struct err *e)
{
    struct proc_spec spec = { .argv = argv, .env = env, .dir = arena_printf(b->a, "%s/work", b->room.path).p,
                              .timeout_ms = WALL_MS, .out = log, .err = log };

    return proc_run(&spec, code, e);
}

static bool run_in_sandbox(const struct build *b, const char *const *argv, const char *const *add, struct buf *log,
                           int *code, struct err *e)
{
    const struct workspace *w = b->job->w;
    const char *work = arena_printf(b->a, "%s/work", b->room.path).p;
    const char *const interpreter[] = { w->python.base_prefix.p, NULL };
    const char *const tree[] = { b->source->tree, NULL };
    struct jail_build wanted = {
        .source = work,
        .output = work,
        .requires = arena_printf(b->a, "%s/env", b->room.path).p,
        .store = w->dirs.store,
        .home = w->dirs.home,
        .interpreter = interpreter,
        .limits = { .processes = 4096 },
    };
    struct jail_policy policy;
    struct jail_result result;
    AUTO_FD out = -1, in = -1;

    if (!jail_compile_build(&wanted, b->a, &policy, e) || !fd_open(AT_FDCWD, "/dev/null", O_RDONLY, 0, &in, e) ||
        !fd_open(b->room.dir, "log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600, &out, e))
        return false;
    struct jail_command command = {
        .argv = argv,
        .env = jail_environment(&policy, NULL, add, b->a),
        .cwd = work,
        .fd = { in, out, out },
        .wall_ms = WALL_MS,
        .ro = b->source->editable ? NULL : tree,
        .rw = b->source->editable ? tree : NULL,
    };

    if (!jail_run(&policy, &command, b->a, &result, e)) {
        (void)err_wrap(e, "make the sandbox of the build");
        return err_hint(e, "`blast sandbox check` says what is missing; --no-build-sandbox builds without one, "
                           "--no-build takes wheels only");
    }
    *code = result.code;
    if (result.limit)
        (void)buf_str(log, arena_printf(b->a, "ended by the sandbox: %s\n", result.limit));
    return lseek(out, 0, SEEK_SET) == 0 && fd_read_all(out, log, "log", e);
}

/* The backend's hook with one directory as argument (NULL: none). *answer: the file it left, parsed by the caller. */
static bool call(const struct build *b, const char *hook, const char *target, struct str *answer, struct err *e)
{
    AUTO_BUF request = { .limit = ANSWER_MAX };
    AUTO_BUF log = { .limit = LOG_MAX };
    const char *python = arena_printf(b->a, "%s/env/bin/python", b->room.path).p;
    const char *where = arena_printf(b->a, "%s/work/request.json", b->room.path).p;
    const char *const argv[] = { python, "-I", "-B", "-u", "-c", BUILD_HOOK, where, NULL };
    const char *const env[] = {
        arena_printf(b->a, "PATH=%s/env/bin:/usr/local/bin:/usr/bin:/bin", b->room.path).p,
        arena_printf(b->a, "VIRTUAL_ENV=%s/env", b->room.path).p,
        EPOCH, "LC_ALL=C.UTF-8", "PYTHONNOUSERSITE=1",
        GIT_MAY_READ, /* the tree of a user that the sandbox does not know: versions are taken from tags */
        b->job->w->request->no_build_sandbox ? arena_printf(b->a, "HOME=%s/work", b->room.path).p : NULL,
        NULL,
    };
    int code = 0;

    watch_show(b->job->watch, arena_printf(b->a, "Building " STR_FMT, STR_ARG(b->source->label)).p, 0, 0, 0, 0);
    write_request(b, hook, target, &request);
    if (!file_replace(b->room.work, "request.json", buf_done(&request), 0600, FILE_NO_SYNC, e))
        return false;
    (void)unlinkat(b->room.work, "result.json", 0);
    if (!(b->job->w->request->no_build_sandbox ? run_on_host : run_in_sandbox)(b, argv, env, &log, &code, e))
        return false;
    if (code == 0)
        return read_made(b, "work/result.json", ANSWER_MAX, b->a, answer, e) ||
               err_as(e, ERR_PACKAGE, "take the answer of %s", hook);
    return report(b, hook, code, buf_done(&log), e);
}

/* {"value": ...} or {"missing": true}. */
static bool read_answer(const struct build *b, struct str answer, struct str *value, bool *missing,
                        struct err *e)
{
    struct json j;
    struct str key;

    *missing = false;
    json_init(&j, answer, b->a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("missing")))
                (void)json_bool(&j, missing);
            else if (str_eq(key, STR("value")))
                (void)json_string(&j, value);
        }
    return json_end(&j) || err_wrap(e, "read the answer of " STR_FMT, STR_ARG(b->system.backend));
}

static bool read_requires(const struct build *b, struct str answer, struct str_list *out, struct err *e)
{
    struct json j;
    struct str key, one;
    VEC(struct str) list = { 0 };

    json_init(&j, answer, b->a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (!str_eq(key, STR("value")) || !json_array_begin(&j))
                continue;
            while (json_array_next(&j) && json_string(&j, &one))
                VEC_PUSH_IN(b->a, &list, one);
        }
    *out = (struct str_list){ list.p, list.n };
    return json_end(&j) || err_wrap(e, "read what " STR_FMT " requires", STR_ARG(b->system.backend));
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
    if (!call(b, hook_of(b, "get_requires_for_build_wheel", "get_requires_for_build_editable"), NULL, &answer, e) || !read_requires(b, answer, &more, e) ||
        !check_requires(b, more, e))
        return false;
    return more.n == 0 || build_room_install(b->job, &b->room, more.p, more.n, e) ||
           err_wrap(e, "install what its build asked for");
}

static bool build_open(struct build *b, const struct pkg_job *job, const struct build_source *s, struct err *e)
{
    *b = (struct build){ .job = job, .source = s, .a = job->w->a, .room = { .dir = -1, .work = -1, .lock = -1 } };
    return prepare(b, e);
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
    if (!open_made(b, from, &fd, e) || !fd_map(fd, from, &map, e))
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

static bool make_wheel(const struct build *b, struct built_wheel *out, struct err *e)
{
    const char *target = arena_printf(b->a, "%s/work/out", b->room.path).p;
    struct str answer, file = { NULL, 0 };
    bool missing;

    if (!call(b, hook_of(b, "build_wheel", "build_editable"), target, &answer, e) ||
        !read_answer(b, answer, &file, &missing, e))
        return false;
    if (missing && b->source->editable) {
        (void)err_set(e, ERR_PACKAGE, STR_FMT " cannot install it editable (PEP 660)", STR_ARG(b->system.backend));
        return err_hint(e, "install it without -e, or ask for a newer backend in its [build-system]");
    }
    if (missing || !file.p || str_find(file, '/') < file.n)
        return err_set(e, ERR_PACKAGE, STR_FMT " built no wheel", STR_ARG(b->system.backend));
    return take_wheel(b, file, out, e);
}

bool build_wheel(const struct pkg_job *job, const struct build_source *s, struct built_wheel *out, struct err *e)
{
    struct build b;
    bool there;

    if (!build_find(job, s->key, out, &there, e) || there)
        return there;
    bool ok = build_open(&b, job, s, e) && make_wheel(&b, out, e);

    build_room_close(&b.room);
    return ok || err_wrap(e, "build " STR_FMT, STR_ARG(s->label));
}

/* ------------------------------------------------------------ metadata alone */

static bool ask_metadata(const struct build *b, struct arena *a, struct str *text, struct err *e)
{
    const char *target = arena_printf(b->a, "%s/work/out", b->room.path).p;
    struct str answer, info = { NULL, 0 };
    struct built_wheel wheel;
    bool missing;

    if (!call(b, hook_of(b, "prepare_metadata_for_build_wheel", "prepare_metadata_for_build_editable"), target, &answer,
              e) ||
        !read_answer(b, answer, &info, &missing, e))
        return false;
    if (missing)
        return make_wheel(b, &wheel, e) && wheel_meta_read(wheel.path, a, text, e);
    if (!info.p || str_find(info, '/') < info.n || str_eq(info, STR("..")))
        return err_set(e, ERR_PACKAGE, STR_FMT " named no metadata", STR_ARG(b->system.backend));
    const char *path = arena_printf(b->a, "work/out/" STR_FMT "/METADATA", STR_ARG(info)).p;

    return read_made(b, path, METADATA_MAX, a, text, e) ||
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

    build_room_close(&b.room);
    return ok || err_wrap(e, "build " STR_FMT, STR_ARG(s->label));
}
