#include "store/guard.h"

#include <fcntl.h>
#include "base/err.h"
#include "base/fd.h"
#include "store/store.h"

#define LOCK_NAME ".lock"

static bool open_lock(const struct store *s, int *out, struct err *e)
{
    return fd_open(s->dir, LOCK_NAME, O_RDWR | O_CREAT, 0644, out, e);
}

bool guard_take(const struct store *s, enum guard_kind kind, int *out, struct err *e)
{
    AUTO_FD fd = -1;

    if (!open_lock(s, &fd, e) || !fd_lock(fd, kind == GUARD_ALONE, LOCK_NAME, e))
        return err_as(e, ERR_CACHE, "lock the store '%s'", s->path);
    *out = fd;
    fd = -1;
    return true;
}

bool guard_try(const struct store *s, enum guard_kind kind, int *out, struct err *e)
{
    AUTO_FD fd = -1;
    bool got;

    if (!open_lock(s, &fd, e) || !fd_try_lock(fd, kind == GUARD_ALONE, &got, LOCK_NAME, e))
        return err_as(e, ERR_CACHE, "lock the store '%s'", s->path);
    *out = got ? fd : -1;
    if (got)
        fd = -1;
    return true;
}
