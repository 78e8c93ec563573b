#include "daemon/upgrade.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool is_program(const char *path)
{
    struct err ignored = { 0 };
    AUTO_FD fd = -1;
    char magic[4];

    return access(path, X_OK) == 0 && fd_open(AT_FDCWD, path, O_RDONLY, 0, &fd, &ignored) &&
           read(fd, magic, sizeof magic) == (ssize_t)sizeof magic && memcmp(magic, "\177ELF", sizeof magic) == 0;
}

bool upgrade_is_there(const struct upgrade *u)
{
    struct stat st;

    return u->program && stat(u->program, &st) == 0 && !same_file(&st, &u->now) && is_program(u->program);
}

static void settled(uv_timer_t *timer)
{
    struct upgrade *u = timer->data;

    if (upgrade_is_there(u))
        u->found(u->ctx);
}

static void changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct upgrade *u = handle->data;

    (void)events;
    if (status == 0 && (!name || strcmp(name, u->name) == 0))
        (void)uv_timer_start(&u->settle, settled, UPGRADE_SETTLE_MS, 0); /* fails only for a closed handle */
}

static char *own_program(struct stat *st)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);

    if (n <= 0 || (size_t)n >= sizeof path || stat("/proc/self/exe", st) < 0)
        return NULL;
    struct str s = { path, (size_t)n };

    (void)str_cut_suffix(&s, STR(" (deleted)")); /* replaced since it was started */
    return mem_dup(s.p, s.n);
}

bool upgrade_watch(uv_loop_t *loop, void (*found)(void *ctx), void *ctx, struct upgrade *out, struct err *e)
{
    *out = (struct upgrade){ .found = found, .ctx = ctx };
    if (uv_fs_event_init(loop, &out->watch) < 0 || uv_timer_init(loop, &out->settle) < 0)
        return err_set(e, ERR_DAEMON, "make the watch of the program");
    out->watch.data = out->settle.data = out;
    out->program = own_program(&out->now);
    if (!out->program)
        return true;
    char *slash = strrchr(out->program, '/');

    out->name = slash + 1;
    *slash = '\0';
    (void)uv_fs_event_start(&out->watch, changed, slash == out->program ? "/" : out->program, 0); /* goes without */
    *slash = '/';
    uv_unref((uv_handle_t *)&out->watch);
    if (upgrade_is_there(out)) /* between our start and now */
        (void)uv_timer_start(&out->settle, settled, UPGRADE_SETTLE_MS, 0); /* fails only for a closed handle */
    return true;
}

void upgrade_close(struct upgrade *u)
{
    uv_close((uv_handle_t *)&u->watch, NULL);
    uv_close((uv_handle_t *)&u->settle, NULL);
}

void upgrade_clear(struct upgrade *u)
{
    free(u->program);
    u->program = NULL;
}

bool upgrade_become(const struct upgrade *u, const char *const *argv, const int *fds, size_t n, struct err *e)
{
    sigset_t none;

    for (size_t i = 0; i < n; i++)
        if (fcntl(fds[i], F_SETFD, 0) < 0)
            return err_sys(e, "keep descriptor %d", fds[i]);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGHUP, SIG_IGN); /* stays so in the new program until that is ready for it */
    (void)execv(u->program, (char *const *)(uintptr_t)argv);
    return err_sys(e, "start %s", u->program);
}
