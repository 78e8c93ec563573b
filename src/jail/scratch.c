#include "jail/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#define PLACE "/tmp"
#define PREFIX "blast-run-"
#define TRIES 10

/* Locked, and still there: between the two calls a sweep may have taken it for left behind. */
static bool take(int fd)
{
    struct stat st;

    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static void sweep(void)
{
    AUTO_FILE_LIST list = { 0 };
    AUTO_FD place = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = { 0 }; /* what cannot be removed harms nobody */
    const struct dirent *d;

    if (place < 0 || !file_list_open(place, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        struct stat st;

        if (!str_starts(str_of(d->d_name), STR(PREFIX)))
            continue;
        AUTO_FD fd = openat(place, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && take(fd))
            (void)!file_remove_tree(place, d->d_name, &ignored);
    }
}

bool scratch_make(struct scratch *out, struct err *e)
{
    *out = (struct scratch){ "", -1 };
    sweep();
    for (unsigned i = 0; i < TRIES; i++) {
        char path[] = PLACE "/" PREFIX "XXXXXX";

        if (!mkdtemp(path))
            return err_sys(e, "make a directory for HOME and TMPDIR");
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0 && take(fd)) {
            out->lock = fd;
            (void)snprintf(out->path, sizeof out->path, "%s", path);
            return true;
        }
        fd_close(&fd);
    }
    return err_set(e, ERR_ENVIRONMENT, "directories made in " PLACE " vanish before they are used");
}

void scratch_remove(struct scratch *s)
{
    struct err ignored = { 0 }; /* the next start tries again */

    if (s->path[0])
        (void)!file_remove_tree(AT_FDCWD, s->path, &ignored);
    fd_close(&s->lock);
    s->path[0] = '\0';
}
