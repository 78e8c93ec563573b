#include "sync/build_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "codec/json_write.h"
#include "jail/compile.h"
#include "jail/run.h"
#include "sync/build.h"
#include "sync/build_text.h" /* made by meson */
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

#define LOG_MAX ((size_t)64 << 20)
#define LOG_LINES 12 /* that are shown */
#define LOG_LINE 160
#define LOG_BYTES 1200
#define ANSWER_MAX ((size_t)1 << 20)
#define MS 1000u
#define GIT_MAY_READ "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"
#define EPOCH "SOURCE_DATE_EPOCH=315532800" /* 1980-01-01: the first day that a zip archive can hold */

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
bool build_made_open(const struct build *b, const char *path, int *fd, struct err *e)
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

bool build_made_read(const struct build *b, const char *path, size_t limit, struct arena *a, struct str *out,
                     struct err *e)
{
    AUTO_FD fd = -1;
    AUTO_BUF text = { .limit = limit };

    if (!build_made_open(b, path, &fd, e) || !fd_read_all(fd, &text, path, e))
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

const char *build_state(const struct build *b)
{
    const struct workspace *w = b->job->w;

    return w->request->build_state ? w->request->build_state : w->dirs.state;
}

const char *build_log_keep(const struct build *b)
{
    const char *folder = arena_printf(b->a, "%s/builds", build_state(b)).p;
    const char *name = arena_printf(b->a, STR_FMT ".log", STR_ARG(b->source->label)).p;
    AUTO_BUF text = { .limit = LOG_MAX + LOG_MAX / 2 };
    AUTO_FD dir = -1;
    struct err ignored = { 0 }; /* a log is a convenience */
    struct json_write w;

    (void)buf_printf(&text, "build of " STR_FMT " by " STR_FMT "\nsandbox: ", STR_ARG(b->source->label),
                     STR_ARG(b->system.backend));
    if (b->reported) {
        json_write_init(&w, &text, false);
        jail_report_write(&b->report, &w);
        (void)json_write_end(&w);
    } else {
        (void)buf_str(&text, STR("none"));
    }
    (void)buf_char(&text, '\n');
    (void)buf_str(&text, (struct str){ b->log.p, b->log.n });
    bool ok = file_make_dirs(AT_FDCWD, folder, 0700, &ignored) && fd_open_dir(AT_FDCWD, folder, &dir, &ignored) &&
              file_replace(dir, name, (struct str){ text.p, text.n }, 0600, FILE_NO_SYNC, &ignored);

    return ok ? arena_printf(b->a, "%s/%s", folder, name).p : NULL;
}

static bool report(const struct build *b, const char *hook, int code, struct str log, struct err *e)
{
    const char *kept = build_log_keep(b);

    put_output(log, e);
    (void)err_wrap(e, "%s of " STR_FMT " ended with %d", hook, STR_ARG(b->system.backend), code);
    if (kept)
        (void)err_hint(e, "the whole output is in %s", kept);
    return false;
}

/* ------------------------------------------------------------ running it */

static unsigned wall_ms(const struct build *b)
{
    return (unsigned)b->job->w->config.resolver_build_timeout * MS;
}

static bool run_on_host(struct build *b, const char *const *argv, const char *const *env, struct buf *log,
                        int *code, struct err *e)
{
    struct proc_spec spec = { .argv = argv, .env = env, .dir = arena_printf(b->a, "%s/work", b->room.path).p,
                              .timeout_ms = wall_ms(b), .out = log, .err = log };

    return proc_run(&spec, code, e);
}

/* The last whole line that the build has written, as the progress. Bytes that would move the cursor are left out. */
static void show_output(void *ctx)
{
    struct build *b = ctx;
    char end[512];
    AUTO_FD fd = openat(b->room.dir, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t n = size <= 0 ? 0 : pread(fd, end, sizeof end, size > (off_t)sizeof end ? size - (off_t)sizeof end : 0);
    struct str line = n > 0 ? str_trim((struct str){ end, (size_t)n }) : STR("");
    int head = snprintf(b->shown, sizeof b->shown, "Building %.*s ", (int)MIN(b->source->label.n, 40u),
                        b->source->label.p);

    line = str_sub(line, str_rfind(line, '\n') < line.n ? str_rfind(line, '\n') + 1 : 0, line.n);
    for (size_t i = 0, k = (size_t)head; i < line.n && k + 1 < sizeof b->shown; i++) {
        b->shown[k] = line.p[i] >= ' ' && line.p[i] <= '~' ? line.p[i] : '.';
        b->shown[++k] = '\0';
    }
    watch_show(b->job->watch, b->shown, 0, 0, 0, 0);
}

/* What an editable build may not write to, though it lies in its tree: others run or obey it outside of the sandbox. */
static const char *const *kept_from(const struct build *b)
{
    static const char *const name[] = { ".git", ".hg", ".venv", ".envrc", "blast.toml" };
    const char **list = ARENA_ARRAY(b->a, const char *, COUNT(name) + 1);
    struct stat st;
    size_t n = 0;

    for (size_t i = 0; i < COUNT(name); i++) {
        list[n] = arena_printf(b->a, "%s/%s", b->source->tree, name[i]).p;
        if (lstat(list[n], &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
            n++;
    }
    list[n] = NULL;
    return list;
}

static bool run_in_sandbox(struct build *b, const char *const *argv, const char *const *add, struct buf *log,
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
        .limits = { .processes = 4096, .memory = (uint64_t)w->config.sandbox_resources_memory_limit },
    };
    struct jail_policy least, policy;
    struct jail_result result;
    AUTO_FD out = -1, in = -1;

    if (!jail_compile_build(&wanted, b->a, &least, e) ||
        !jail_policy_with(&least, b->source->editable ? kept_from(b) : tree, b->source->editable ? tree : NULL, b->a,
                          &policy, e) || !fd_open(AT_FDCWD, "/dev/null", O_RDONLY, 0, &in, e) ||
        !fd_open(b->room.dir, "log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600, &out, e))
        return false;
    struct jail_command command = {
        .argv = argv,
        .env = jail_environment(&policy, NULL, add, b->a),
        .cwd = work,
        .fd = { in, out, out },
        .wall_ms = wall_ms(b),
        .tick = show_output,
        .ctx = b,
    };

    if (!jail_run(&policy, &command, b->a, &result, e)) {
        (void)err_wrap(e, "make the sandbox of the build");
        return err_hint(e, "`blast sandbox check` says what is missing; --no-build-sandbox builds without one, "
                           "--no-build takes wheels only");
    }
    *code = result.code;
    b->report = result.report;
    b->reported = result.reported;
    b->limit = result.limit;
    if (result.limit)
        (void)buf_str(log, arena_printf(b->a, "ended by the sandbox: %s\n", result.limit));
    return lseek(out, 0, SEEK_SET) == 0 && fd_read_all(out, log, "log", e);
}

bool build_call(struct build *b, const char *hook, const char *target, struct str *answer, struct err *e)
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
    b->log.limit = LOG_MAX;
    (void)buf_printf(&b->log, "--- %s\n", hook);
    (void)buf_str(&b->log, (struct str){ log.p, log.n });
    if (code == 0)
        return build_made_read(b, "work/result.json", ANSWER_MAX, b->a, answer, e) ||
               err_as(e, ERR_PACKAGE, "take the answer of %s", hook);
    return report(b, hook, code, buf_done(&log), e);
}

