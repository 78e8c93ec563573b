#include "cli/cell_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/recovered.h"
#include "codec/json_write.h"
#include "jail/uppers.h"
#include "sync/audit.h"

#define ROOM 128
#define TEXT_MAX 4096
#define DYING_MS 5000    /* what a killed keeper kept ends by itself, within that time */

static bool path_of(const char *name, char out[ROOM])
{
    return (size_t)snprintf(out, ROOM, "%s" CELL_JOURNAL, name) < ROOM;
}

int cell_journal_open(int dir, const char *name, const char *digest)
{
    AUTO_BUF text = { .limit = TEXT_MAX };
    struct err ignored = { 0 };
    char path[ROOM];
    int fd = -1;

    /* A keeper whose sandbox has ended may still hold its own; the file is another's from then on. */
    if (path_of(name, path) && (unlinkat(dir, path, 0) == 0 || errno == ENOENT))
        fd = openat(dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
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

static void add_kept(struct buf *data, struct str kept)
{
    struct json_write w;

    if (!kept.n)
        return;
    (void)buf_str(data, STR(",\"kept\":"));
    json_write_init(&w, data, false);
    json_write_str(&w, kept);
    (void)!json_write_end(&w);
}

/* Without a journal: its keeper lived on and has removed it, or there was a power cut. */
static void record_kept(struct workspace *w, struct str kept)
{
    AUTO_BUF data = { .limit = TEXT_MAX };

    (void)buf_str(&data, STR("{\"sandbox\":\"recovered\",\"why\":\"it did not end in order\""));
    add_kept(&data, kept);
    (void)buf_char(&data, '}');
    audit_record(w, AUDIT_SANDBOX, 0, buf_done(&data));
}

/* Its own members, if they can be read, behind what happened. */
static void record(struct workspace *w, int fd, struct str kept)
{
    AUTO_BUF text = { .limit = TEXT_MAX }, data = { .limit = TEXT_MAX * 2 }, whole = { .limit = TEXT_MAX };
    struct err ignored = { 0 };

    bool read = fd_read_all(fd, &text, "journal", &ignored) && json_write_minified(str_trim(buf_done(&text)), &whole,
                                                                                   &ignored);
    struct str members = read ? buf_done(&whole) : STR("{}");

    if (members.n < 2 || members.p[0] != '{')
        members = STR("{}");
    (void)buf_str(&data, STR("{\"sandbox\":\"recovered\",\"why\":\"its keeper was killed\""));
    add_kept(&data, kept);
    (void)buf_printf(&data, "%s" STR_FMT, members.n > 2 ? "," : "", STR_ARG(str_sub(members, 1, members.n)));
    audit_record(w, AUDIT_SANDBOX, 0, buf_done(&data));
}

void cell_journal_recover(struct workspace *w, int dir, const char *mark)
{
    AUTO_FILE_LIST list = { 0 };
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;

    arena_init(&a);
    if (!file_list_open(dir, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        struct str name = str_of(d->d_name), socket = name;

        if (!str_starts(name, str_of(mark)) || !str_cut_suffix(&socket, STR(CELL_JOURNAL)) || socket.n >= ROOM)
            continue;
        AUTO_FD fd = openat(dir, d->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char at[ROOM], own[ROOM + 1];

        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
            continue; /* its keeper lives */
        (void)snprintf(at, sizeof at, STR_FMT, STR_ARG(socket));
        (void)snprintf(own, sizeof own, "%s.", at); /* the process id of its blast-jail stands behind it */
        record(w, fd, recovered_take(w, dir, own, DYING_MS, &a));
        (void)unlinkat(dir, at, 0);
        (void)unlinkat(dir, d->d_name, 0);
    }
    for (struct str kept; (kept = recovered_take(w, dir, mark, 0, &a)).n;)
        record_kept(w, kept);
    while (recovered_take(w, dir, UPPERS_TRY ".", 0, &a).n)
        ;
}
