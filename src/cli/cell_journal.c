#include "cli/cell_journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "codec/json_write.h"
#include "sync/audit.h"

#define ROOM 128
#define TEXT_MAX 4096

static bool path_of(const char *name, char out[ROOM])
{
    return (size_t)snprintf(out, ROOM, "%s" CELL_JOURNAL, name) < ROOM;
}

int cell_journal_open(int dir, const char *name, const char *digest)
{
    AUTO_BUF text = { .limit = TEXT_MAX };
    struct err ignored = { 0 };
    char path[ROOM];
    int fd = path_of(name, path) ? openat(dir, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    (void)buf_printf(&text, "{\"policy\":\"%s\",\"since\":%lld}\n", digest, (long long)time(NULL));
    if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || !fd_write_all(fd, text.p, text.n, path, &ignored)))
        fd_close(&fd);
    return fd;
}

void cell_journal_remove(int dir, const char *name)
{
    char path[ROOM];

    if (path_of(name, path))
        (void)unlinkat(dir, path, 0);
}

/* Its own members, if they can be read, behind what happened. */
static void record(struct workspace *w, int fd)
{
    AUTO_BUF text = { .limit = TEXT_MAX }, data = { .limit = TEXT_MAX * 2 }, whole = { .limit = TEXT_MAX };
    struct err ignored = { 0 };

    bool read = fd_read_all(fd, &text, "journal", &ignored) && json_write_minified(str_trim(buf_done(&text)), &whole,
                                                                                   &ignored);
    struct str members = read ? buf_done(&whole) : STR("{}");

    if (members.n < 2 || members.p[0] != '{')
        members = STR("{}");
    (void)buf_printf(&data, "{\"sandbox\":\"recovered\",\"why\":\"its keeper was killed\"%s" STR_FMT,
                     members.n > 2 ? "," : "", STR_ARG(str_sub(members, 1, members.n)));
    audit_record(w, AUDIT_SANDBOX, 0, buf_done(&data));
}

void cell_journal_recover(struct workspace *w, int dir, const char *mark)
{
    AUTO_FILE_LIST list = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;

    if (!file_list_open(dir, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        struct str name = str_of(d->d_name), socket = name;

        if (!str_starts(name, str_of(mark)) || !str_cut_suffix(&socket, STR(CELL_JOURNAL)) || socket.n >= ROOM)
            continue;
        AUTO_FD fd = openat(dir, d->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char at[ROOM];

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            continue; /* its keeper lives */
        record(w, fd);
        (void)snprintf(at, sizeof at, STR_FMT, STR_ARG(socket));
        (void)unlinkat(dir, at, 0);
        (void)unlinkat(dir, d->d_name, 0);
    }
}
