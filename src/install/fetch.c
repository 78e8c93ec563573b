/* A file goes through these states: waiting -> (there already | local copy | requested) -> verified -> named.
 *
 * Only WINDOW files are open at a time. The .part file is locked while we write it; who finds it locked writes a
 * private one, so that nobody ever waits for a process that hangs. An existing .part is gone on with only when a
 * digest is known: without one nothing could tell that its two halves belong together.
 */
#include "install/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "net/http.h"
#include "net/url.h"

#define WINDOW 32
#define NAME_LONGEST 240u          /* leaves room for ".PID.part" */
#define LIKELY_SIZE (1u << 20)     /* where the index does not say */
#define CHUNK (1u << 18)

struct fetch_task {
    struct fetch *f;
    struct fetch_item *item;
    struct http_request r;
    struct arena arena;
    const char *name, *part;
    struct str hash_name; /* what r.digest computes */
    int fd;
    bool again; /* the second download, past all caches */
};

struct fetch {
    struct http *http;
    struct fetch_progress *progress;
    VEC(struct fetch_task *) waiting; /* the largest last */
    VEC(struct fetch_task *) active;
    bool sorted;
    size_t outstanding;
    struct fetch_item *first, *last; /* finished */
};

struct fetch *fetch_new(struct http *http, struct fetch_progress *progress)
{
    struct fetch *f = mem_zero(1, sizeof *f);

    f->http = http;
    f->progress = progress;
    return f;
}

static void task_free(struct fetch_task *t)
{
    http_request_clear(&t->r);
    digest_free(t->r.digest);
    fd_close(&t->fd);
    arena_clear(&t->arena);
    t->item->task = NULL;
    free(t);
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->active.n; i++) {
        struct fetch_task *t = f->active.p[i];

        http_cancel(f->http, &t->r);
        if (t->r.file_n == 0)
            (void)unlinkat(t->item->dir, t->part, 0); /* nothing in it to go on with */
        task_free(t);
    }
    for (size_t i = 0; i < f->waiting.n; i++)
        task_free(f->waiting.p[i]);
    VEC_CLEAR(&f->active);
    VEC_CLEAR(&f->waiting);
    free(f);
}

void fetch_auto(struct fetch **f)
{
    fetch_free(*f);
}

/* Gives the item back; its err says how it went. The task is gone afterwards. */
static void finish(struct fetch_task *t)
{
    struct fetch *f = t->f;
    struct fetch_item *item = t->item;

    for (size_t i = 0; i < f->active.n; i++)
        if (f->active.p[i] == t) {
            f->active.p[i] = f->active.p[--f->active.n];
            break;
        }
    task_free(t);
    if (item->err.kind == ERR_NONE) {
        f->progress->files_done++;
        f->progress->bytes_total += item->size ? 0 : item->got;
    }
    item->next = NULL;
    if (f->first)
        f->last->next = item;
    else
        f->first = item;
    f->last = item;
}

static bool is_local(struct str url)
{
    return url_is_file(url) || (url.n && url.p[0] == '/');
}

/* -- what is asked for ------------------------------------------------------------------------------------- */

static bool check_name(struct str name, struct err *e)
{
    bool good = name.n > 0 && name.n <= NAME_LONGEST && !str_eq(name, STR(".")) && !str_eq(name, STR(".."));

    for (size_t i = 0; good && i < name.n; i++)
        good = name.p[i] != '/' && (unsigned char)name.p[i] >= 0x20;
    return good || err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no fit file name", STR_ARG(name));
}

static bool check_hash(const struct fetch_item *item, struct err *e)
{
    unsigned char bytes[HASH_MAX];
    bool sha256 = str_eq(item->hash_name, STR("sha256"));

    if (item->hash_name.n == 0)
        return true;
    if (str_eq(item->hash_name, STR("md5")) || str_eq(item->hash_name, STR("sha1"))) {
        (void)err_set(e, ERR_PACKAGE, "'" STR_FMT "' has only a %s hash, which proves nothing", STR_ARG(item->name),
                      item->hash_name.n == 3 ? "md5" : "sha1");
        return err_exit(e, 5);
    }
    if (item->hash.n / 2 > HASH_MAX || !hash_from_hex(item->hash, bytes, item->hash.n / 2) || item->hash.n < 32 ||
        (sha256 && item->hash.n != HASH_HEX256))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has a malformed " STR_FMT " hash: '" STR_FMT "'",
                       STR_ARG(item->name), STR_ARG(item->hash_name), STR_ARG(item->hash));
    return true;
}

void fetch_add(struct fetch *f, struct fetch_item *item)
{
    struct fetch_task *t = mem_zero(1, sizeof *t);

    t->f = f;
    t->item = item;
    t->fd = -1;
    t->r.max_age = -1;
    t->name = arena_cstr(&t->arena, item->name);
    t->hash_name = item->hash_name.n ? item->hash_name : STR("sha256");
    item->task = t;
    item->err = (struct err){ 0 };
    item->sha256[0] = '\0';
    item->got = item->resumed = 0;
    item->was_there = false;
    f->outstanding++;
    f->progress->files_total++;
    f->progress->bytes_total += item->size;
    if (!check_name(item->name, &item->err) || !check_hash(item, &item->err) ||
        !digest_new(t->hash_name, &t->r.digest, &item->err)) {
        finish(t);
        return;
    }
    VEC_PUSH(&f->waiting, t);
    f->sorted = false;
}

/* -- digests ----------------------------------------------------------------------------------------------- */

/* Adds the first n bytes of the file to the task's digest. */
static bool digest_start_of_file(struct fetch_task *t, uint64_t n, struct err *e)
{
    AUTO(mem_auto) char *chunk = mem_alloc(CHUNK);

    for (uint64_t at = 0; at < n;) {
        ssize_t k = pread(t->fd, chunk, (size_t)MIN(n - at, (uint64_t)CHUNK), (off_t)at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "read %s", t->part);
        if (k == 0)
            return err_set(e, ERR_IO, "read %s: it became shorter meanwhile", t->part);
        digest_add(t->r.digest, chunk, (size_t)k);
        at += (uint64_t)k;
    }
    return true;
}

static void digest_restart(struct fetch_task *t)
{
    unsigned char unused[HASH_MAX];
    size_t n;

    digest_finish(t->r.digest, unused, &n);
}

/* Ends the digest; false, and the reason in *e, when it is not the expected one or the size is wrong. */
static bool check_content(struct fetch_task *t, uint64_t size, struct err *e)
{
    struct fetch_item *item = t->item;
    unsigned char bytes[HASH_MAX];
    char hex[2 * HASH_MAX + 1];
    size_t n;

    digest_finish(t->r.digest, bytes, &n);
    hash_hex(bytes, n, hex);
    if (item->hash_name.n && !str_eq_nocase(str_of(hex), item->hash)) {
        (void)err_set(e, ERR_PACKAGE, "the " STR_FMT " of '" STR_FMT "' is %s, expected " STR_FMT,
                      STR_ARG(item->hash_name), STR_ARG(item->name), hex, STR_ARG(item->hash));
        (void)err_hint(e, "this is another file than the one described: ask the index's owner, or lock again");
        return err_exit(e, 5);
    }
    if (item->size && size != item->size) {
        (void)err_set(e, ERR_PACKAGE, "'" STR_FMT "' has %" PRIu64 " bytes, expected %" PRIu64, STR_ARG(item->name),
                      size, item->size);
        return err_exit(e, 5);
    }
    if (n == HASH_SHA256 && str_eq(t->hash_name, STR("sha256")))
        memcpy(item->sha256, hex, sizeof item->sha256);
    item->got = size;
    return true;
}

/* Where the known digest is another one, the sha256 takes a second reading. */
static bool complete_sha256(struct fetch_task *t, struct err *e)
{
    unsigned char bytes[HASH_SHA256];

    if (t->item->sha256[0])
        return true;
    if (!hash_sha256_file(t->fd, t->part, bytes, e))
        return false;
    hash_hex(bytes, sizeof bytes, t->item->sha256);
    return true;
}

/* -- there already ----------------------------------------------------------------------------------------- */

/* True when the final file stands there with the expected digest. One that is not right is left: it is replaced
 * when the right one has come. Without a known digest nothing is taken for right. */
static bool is_there(struct fetch_task *t)
{
    struct err ignored = { 0 }; /* whatever is wrong with it, it is fetched */
    struct stat st;
    bool there = false;

    if (t->item->hash_name.n == 0)
        return false;
    t->fd = openat(t->item->dir, t->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    t->part = t->name;
    if (t->fd >= 0 && fstat(t->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (t->item->size == 0 || (uint64_t)st.st_size == t->item->size)) {
        if (digest_start_of_file(t, (uint64_t)st.st_size, &ignored))
            there = check_content(t, (uint64_t)st.st_size, &ignored) && complete_sha256(t, &ignored);
        else
            digest_restart(t);
    }
    fd_close(&t->fd);
    t->item->was_there = there;
    if (there)
        t->f->progress->bytes_done += t->item->got;
    return there;
}

/* -- the .part file ---------------------------------------------------------------------------------------- */

/* True when the path still leads to the file that we have locked: its last owner may have renamed it. */
static bool is_same_file(int fd, int dir, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && fstatat(dir, path, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

static bool open_part(struct fetch_task *t, struct err *e)
{
    struct fetch_item *item = t->item;
    struct str stem = str_eq(t->hash_name, STR("sha256")) && item->hash.n ? item->hash : item->name;
    int dir = item->dir;

    t->part = arena_printf(&t->arena, STR_FMT ".part", STR_ARG(stem)).p;
    for (unsigned tries = 0; tries < 8; tries++) {
        bool mine;

        if (!fd_open(dir, t->part, O_RDWR | O_CREAT | O_NOFOLLOW, 0644, &t->fd, e) ||
            !fd_try_lock(t->fd, true, &mine, t->part, e))
            return false;
        if (mine && is_same_file(t->fd, dir, t->part))
            return true;
        fd_close(&t->fd);
        if (!mine) /* another process, or another item with the same content, is at it */
            t->part = arena_printf(&t->arena, STR_FMT ".%d-%u.part", STR_ARG(stem), (int)getpid(), tries).p;
    }
    return err_set(e, ERR_IO, "open %s: others take it away each time", t->part);
}

/* Empties the .part file and the digest. */
static bool restart_part(struct fetch_task *t, struct err *e)
{
    if (ftruncate(t->fd, 0) < 0)
        return err_sys(e, "empty %s", t->part);
    digest_restart(t);
    t->f->progress->bytes_done -= t->r.file_n;
    t->r.file_n = t->r.have = 0;
    t->item->resumed = 0;
    return true;
}

/* Takes over what an earlier attempt left. */
static bool take_over(struct fetch_task *t, struct err *e)
{
    struct fetch_item *item = t->item;
    struct stat st;

    if (fstat(t->fd, &st) < 0)
        return err_sys(e, "look at %s", t->part);
    uint64_t n = (uint64_t)st.st_size;

    if (n == 0)
        return true;
    if (item->hash_name.n == 0 || (item->size && n > item->size))
        return restart_part(t, e);
    if (!digest_start_of_file(t, n, e))
        return false;
    t->r.have = t->r.file_n = item->resumed = n;
    t->f->progress->bytes_done += n;
    return true;
}

static bool publish(struct fetch_task *t, struct err *e)
{
    if (!complete_sha256(t, e))
        return false;
    if (renameat(t->item->dir, t->part, t->item->dir, t->name) < 0)
        return err_sys(e, "rename %s to %s", t->part, t->name);
    return true;
}

static void fail(struct fetch_task *t)
{
    if (t->r.file_n == 0 && t->fd >= 0)
        (void)unlinkat(t->item->dir, t->part, 0); /* nothing in it to go on with */
    (void)err_wrap(&t->item->err, "fetch '%s'", t->name);
    finish(t);
}

/* -- local files ------------------------------------------------------------------------------------------- */

static bool copy_bytes(struct fetch_task *t, int from, const char *path, struct err *e)
{
    AUTO(mem_auto) char *chunk = mem_alloc(CHUNK);

    for (;;) {
        ssize_t k = read(from, chunk, CHUNK);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, "read %s", path);
        if (k == 0)
            return true;
        if (!fd_write_all(t->fd, chunk, (size_t)k, t->part, e))
            return false;
        digest_add(t->r.digest, chunk, (size_t)k);
        t->r.file_n += (uint64_t)k;
        t->f->progress->bytes_done += (uint64_t)k;
    }
}

/* A copy, or a clone where the file system can: a hard link would let a later edit of the user's file through. */
static bool copy_local(struct fetch_task *t, struct err *e)
{
    struct str path = t->item->url;
    struct stat st;
    AUTO_FD from = -1;

    if (url_is_file(path)) {
        struct str unused, bare = url_without_fragment(path, &unused);

        if (!url_to_path(&t->arena, bare, &path, e))
            return false;
    }
    const char *name = arena_cstr(&t->arena, path);

    if (!fd_open(AT_FDCWD, name, O_RDONLY | O_NONBLOCK, 0, &from, e))
        return false;
    if (fstat(from, &st) < 0)
        return err_sys(e, "look at %s", name);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_PACKAGE, "'%s' is no regular file", name);
    if (!open_part(t, e) || (ftruncate(t->fd, 0) < 0 && !err_sys(e, "empty %s", t->part)))
        return false;
    if (ioctl(t->fd, FICLONE, from) == 0) {
        t->r.file_n = (uint64_t)st.st_size;
        t->f->progress->bytes_done += t->r.file_n;
        if (!digest_start_of_file(t, t->r.file_n, e))
            return false;
    } else if (!copy_bytes(t, from, name, e)) {
        return false;
    }
    return check_content(t, t->r.file_n, e) && publish(t, e);
}

static void fetch_local(struct fetch_task *t)
{
    if (copy_local(t, &t->item->err)) {
        finish(t);
        return;
    }
    if (t->fd >= 0)
        (void)unlinkat(t->item->dir, t->part, 0); /* a copy is made anew, never gone on with */
    fail(t);
}

/* -- requests ---------------------------------------------------------------------------------------------- */

static void ask(struct fetch_task *t)
{
    t->r.bypass_caches = t->again;
    http_start(t->f->http, &t->r);
}

/* What came is not what was described: once more from the origin itself, then it is an error. */
static void came_wrong(struct fetch_task *t)
{
    struct err *e = &t->item->err;
    struct err wrong = *e;

    if (!t->again) {
        *e = (struct err){ 0 };
        t->again = true;
        if (restart_part(t, e)) {
            ask(t);
            return;
        }
    } else {
        *e = wrong;
        (void)restart_part(t, &wrong); /* it is removed next; the error to report is the first */
    }
    fail(t);
}

static void on_done(struct http_request *r)
{
    struct fetch_task *t = r->user;
    struct err *e = &t->item->err;

    if (r->err.kind == ERR_PACKAGE) { /* more bytes than the file has */
        *e = r->err;
        came_wrong(t);
    } else if (r->err.kind != ERR_NONE) {
        *e = r->err;
        fail(t);
    } else if (!http_check_status(r, e)) {
        fail(t);
    } else if (!check_content(t, r->file_n, e)) {
        came_wrong(t);
    } else if (!publish(t, e)) {
        fail(t);
    } else {
        finish(t);
    }
}

static void fetch_remote(struct fetch_task *t)
{
    struct err *e = &t->item->err;

    if (!open_part(t, e) || !take_over(t, e)) {
        fail(t);
        return;
    }
    t->r.url = t->item->url;
    t->r.to_file = true;
    t->r.file = t->fd;
    t->r.size_limit = t->item->size;
    t->r.progress = &t->f->progress->bytes_done;
    t->r.priority = -1; /* pages and metadata go first: they decide what else is fetched */
    t->r.user = t;
    t->r.done = on_done;
    if (t->item->size && t->r.have == t->item->size) {
        if (check_content(t, t->r.have, e)) {
            if (publish(t, e))
                finish(t);
            else
                fail(t);
            return;
        }
        *e = (struct err){ 0 };
        if (!restart_part(t, e)) {
            fail(t);
            return;
        }
    }
    ask(t);
}

static int by_size(const void *a, const void *b)
{
    const struct fetch_task *const *x = a, *const *y = b;
    uint64_t m = (*x)->item->size ? (*x)->item->size : LIKELY_SIZE;
    uint64_t n = (*y)->item->size ? (*y)->item->size : LIKELY_SIZE;

    return m < n ? -1 : m > n;
}

/* Starts files until the window is full or one is finished (then its owner should have it first). */
static void start_files(struct fetch *f)
{
    if (!f->sorted && f->waiting.n)
        qsort(f->waiting.p, f->waiting.n, sizeof *f->waiting.p, by_size);
    f->sorted = true;
    while (f->waiting.n && f->active.n < WINDOW && !f->first) {
        struct fetch_task *t = f->waiting.p[--f->waiting.n];

        VEC_PUSH(&f->active, t);
        if (is_there(t))
            finish(t);
        else if (is_local(t->item->url))
            fetch_local(t);
        else
            fetch_remote(t);
    }
}

bool fetch_step(struct fetch *f, int timeout_ms, int extra_fd, struct err *e)
{
    start_files(f);
    if (f->active.n == 0 && (f->first || extra_fd < 0))
        return true;
    if (!http_step(f->http, f->first ? 0 : timeout_ms, extra_fd, e))
        return false;
    start_files(f);
    return true;
}

struct fetch_item *fetch_next(struct fetch *f)
{
    struct fetch_item *item = f->first;

    if (item) {
        f->first = item->next;
        f->outstanding--;
    }
    return item;
}

size_t fetch_outstanding(const struct fetch *f)
{
    return f->outstanding;
}

bool fetch_all(struct http *http, struct fetch_item *items, size_t n, struct err *e)
{
    struct fetch_progress progress = { 0 };
    AUTO_FETCH f = fetch_new(http, &progress);

    for (size_t i = 0; i < n; i++)
        fetch_add(f, &items[i]);
    while (fetch_outstanding(f) > 0) {
        if (!fetch_step(f, -1, -1, e))
            return false;
        for (struct fetch_item *item; (item = fetch_next(f));)
            if (item->err.kind != ERR_NONE) {
                *e = item->err;
                return false;
            }
    }
    return true;
}
