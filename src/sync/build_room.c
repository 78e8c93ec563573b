#include "sync/build_room.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"
#include "sync/build.h"
#include "sync/coordinator.h"
#include "sync/env_layer.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

#define ROOMS "builds-v1"

/* Rooms whose process is gone: their lock is free. */
static void sweep(int rooms)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct err ignored = { 0 };

    if (!file_list_open(rooms, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        AUTO_FD lock = -1;
        char name[300];

        (void)snprintf(name, sizeof name, "%s/lock", d->d_name);
        bool free = false;

        lock = openat(rooms, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (lock >= 0 && fd_try_lock(lock, true, &free, name, &ignored) && free)
            (void)!file_remove_tree(rooms, d->d_name, &ignored);
    }
}

bool build_room_open(const struct pkg_job *job, struct build_room *out, struct err *e)
{
    static unsigned rooms_made; /* one thread */
    struct workspace *w = job->w;
    const char *rooms = arena_printf(w->a, "%s/" ROOMS, w->dirs.cache).p;
    AUTO_FD dir = -1;

    *out = (struct build_room){ .dir = -1, .work = -1, .lock = -1 };
    if (!file_make_dirs(AT_FDCWD, rooms, 0700, e) || !fd_open_dir(AT_FDCWD, rooms, &dir, e))
        return err_as(e, ERR_CACHE, "make room for a build");
    sweep(dir);
    out->path = arena_printf(w->a, "%s/%ld-%u", rooms, (long)getpid(), ++rooms_made).p;
    if (!file_make_dirs(AT_FDCWD, out->path, 0700, e) || !fd_open_dir(AT_FDCWD, out->path, &out->dir, e) ||
        !fd_open(out->dir, "lock", O_RDWR | O_CREAT, 0600, &out->lock, e) ||
        !fd_lock(out->lock, true, "lock", e) || !file_make_dirs(out->dir, "work/out", 0755, e) ||
        !fd_open_dir(out->dir, "work", &out->work, e))
        return err_as(e, ERR_CACHE, "make room for a build");
    return true;
}

void build_room_close(struct build_room *r)
{
    struct err ignored = { 0 };

    if (r->path)
        (void)!file_remove_tree(AT_FDCWD, r->path, &ignored); /* what stays is swept up by the next build */
    fd_close(&r->lock);
    fd_close(&r->work);
    fd_close(&r->dir);
}

/* The options of the command count for what a build requires, too; what they say of packages does not. */
static void make_request(const struct request *from, const char *env, const struct str *requirement, size_t n,
                         struct request *out)
{
    *out = (struct request){
        .project = from->project,
        .env = str_of(env),
        .index_url = from->index_url,
        .extra_index_url = from->extra_index_url,
        .find_links = from->find_links,
        .exclude_newer = from->exclude_newer,
        .actor = from->actor,
        .why = from->why,
        .package = { requirement, n },
        .link_mode = STR("tree"), /* with the store's bytecode; nobody can write there from inside */
        .no_index = from->no_index,
        .no_build = from->no_build,
        .no_build_sandbox = from->no_build_sandbox,
        .offline = from->offline,
        .refresh = from->refresh,
        .build_depth = from->build_depth + 1,
    };
}

static bool make_env(const struct build_room *r, const struct workspace *w, const char *path, struct err *e)
{
    AUTO_ENV env = { .dir = -1, .state = -1, .lock = -1 };
    struct env_new spec = {
        .path = path,
        .state = arena_printf(w->a, "%s/state/envs", r->path).p,
        .python = { .executable = w->python.base_executable, .version = w->python.version_text,
                    .implementation = w->python.implementation,
                    .abi_suffix = w->python.free_threaded ? STR("t") : STR(""),
                    .major = w->python.major, .minor = w->python.minor },
        .prompt = STR("build"),
        .plain = true,
    };

    return env_create(&spec, &env, e);
}

bool build_room_install(const struct pkg_job *job, struct build_room *r, const struct str *requirement, size_t n,
                        struct err *e)
{
    struct workspace *outer = job->w;
    const char *env = arena_printf(outer->a, "%s/env", r->path).p;
    AUTO_WORKSPACE w = { .dir = -1 };
    struct request request;
    struct sync_outcome o;
    struct sync_job sync = { .command = STR("build"), .no_lock = true, .keep_others = true, .throwaway = true,
                             .timings = job->timings };

    if (!r->env && !make_env(r, outer, env, e))
        return false;
    r->env = true;
    if (n == 0)
        return true;
    if (outer->request->build_depth >= BUILD_DEPTH_MAX)
        return err_set(e, ERR_PACKAGE, "its build requires what must be built, %d levels deep", BUILD_DEPTH_MAX);
    make_request(outer->request, env, requirement, n, &request);
    request.build_state = outer->request->build_state ? outer->request->build_state : outer->dirs.state;
    if (!workspace_open(&request, outer->a, &w, e))
        return false;
    w.dirs.state = arena_printf(outer->a, "%s/state", r->path).p;
    w.env_path = env;
    return sync_run(&w, &sync, &o, e);
}
