#include "install/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/trace.h"
#include "base/vec.h"
#include "base/work.h"
#include "install/import_map.h"
#include "install/wheel.h"
#include "pep/record.h"

#define SLICE_BYTES (1u << 20) /* of a job, unless one member is larger, which then goes in pieces */
#define SLICE_FILES 256

#define FORGET_BYTES (64u << 10) /* of the archive; fewer pages are not worth the call */
#define FORGET_ALL (2u << 20)    /* the same of whole members: the kernel maps up to 64 KiB around each */

enum phase { PLAN, MEMBERS, FINISH, OVER };

struct unpack;

struct slice {
    struct job job;
    struct unpack *owner;
    size_t first, n; /* of owner->order */
    struct err err;
};

struct unpack {
    struct arena arena; /* used by one job at a time: PLAN and FINISH */
    const struct store *store;
    struct str file;
    char hex[HASH_HEX256 + 1];
    int fd;
    struct str bytes;
    bool mapped;
    bool there; /* somebody made the entry meanwhile */
    struct wheel wheel;
    struct store_stage stage;
    struct wheel_member **order; /* largest first */
    struct slice *slices;
    size_t n_slices;
    struct slice whole; /* the job of PLAN and FINISH */
    enum phase phase;
    uint64_t traced_us; /* when it began, while base/trace.h is on */
    size_t outstanding;
    _Atomic bool failed;
    _Atomic uint64_t touched; /* bytes of the archive that whole members mapped, at most */
    struct err err;
};

struct unpack *unpack_new(const struct unpack_spec *spec)
{
    struct unpack *u = mem_zero(1, sizeof *u);

    arena_init(&u->arena);
    u->store = spec->store;
    u->file = arena_str(&u->arena, spec->file);
    (void)snprintf(u->hex, sizeof u->hex, "%s", spec->hex);
    u->fd = spec->fd;
    u->bytes = spec->map;
    u->stage.dir = -1;
    return u;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    if (u->stage.name[0])
        store_stage_drop(u->store, &u->stage);
    if (u->mapped && u->bytes.n)
        fd_unmap(&u->bytes);
    arena_clear(&u->arena);
    free(u);
}

static int size_order(const void *a, const void *b)
{
    const struct wheel_member *x = *(struct wheel_member *const *)a, *y = *(struct wheel_member *const *)b;

    return (x->entry->size < y->entry->size) - (x->entry->size > y->entry->size);
}

static void cut_slices(struct unpack *u)
{
    struct wheel *w = &u->wheel;
    VEC(struct slice) slices = { 0 };

    u->order = ARENA_ARRAY(&u->arena, struct wheel_member *, w->n);
    for (size_t i = 0; i < w->n; i++)
        u->order[i] = &w->members[i];
    qsort(u->order, w->n, sizeof(struct wheel_member *), size_order);
    for (size_t i = 0, n; i < w->n; i += n) {
        uint64_t bytes = u->order[i]->entry->size;

        for (n = 1; i + n < w->n && n < SLICE_FILES && bytes + u->order[i + n]->entry->size <= SLICE_BYTES; n++)
            bytes += u->order[i + n]->entry->size;
        VEC_PUSH_IN(&u->arena, &slices, (struct slice){ .owner = u, .first = i, .n = n });
    }
    u->slices = slices.p;
    u->n_slices = slices.n;
}

static bool make_dir(struct unpack *u, struct map *made, struct str dir, struct err *e)
{
    char path[PATH_MAX];
    size_t slash = str_rfind(dir, '/');
    bool added;

    if (dir.n >= sizeof path)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is too long", STR_ARG(dir));
    (void)map_get_or_add(made, dir, 1, &added);
    if (!added)
        return true;
    if (slash < dir.n && !make_dir(u, made, str_sub(dir, 0, slash), e))
        return false;
    memcpy(path, dir.p, dir.n);
    path[dir.n] = '\0';
    if (mkdirat(u->stage.dir, path, 0755) < 0 && errno != EEXIST)
        return err_sys(e, "make directory %s", path);
    return true;
}

static bool make_dirs(struct unpack *u, struct err *e)
{
    AUTO_MAP made = { 0 };

    for (size_t i = 0; i < u->wheel.n; i++) {
        struct str path = u->wheel.members[i].path;
        size_t slash = str_rfind(path, '/');

        if (slash < path.n && !make_dir(u, &made, str_sub(path, 0, slash), e))
            return false;
    }
    return true;
}

/* Without this an archive stays in memory until its end: pages that were read are not needed again, and where another
 * job is reading they come back from the page cache. */
static void forget(struct unpack *u, const char *first, const char *behind)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)first + page - 1) & ~(page - 1), to = (uintptr_t)behind & ~(page - 1);

    if (u->mapped && to > from)
        (void)madvise((void *)from, to - from, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr): pages of the map
}

static bool plan(struct unpack *u, struct err *e)
{
    struct store_entry entry;

    if (!store_find(u->store, u->hex, &entry, &u->there, e))
        return false;
    if (u->there) {
        store_release(&entry);
        return true;
    }
    if (u->fd >= 0) {
        if (!fd_map(u->fd, u->file.p, &u->bytes, e))
            return false;
        u->mapped = true;
    }
    if (!wheel_read(u->file, u->bytes, &u->arena, &u->wheel, e) || !store_stage_open(u->store, u->hex, &u->stage, e) ||
        !make_dirs(u, e))
        return false;
    cut_slices(u);
    forget(u, u->bytes.p, u->bytes.p + u->bytes.n);
    return true;
}

static bool make_file(struct unpack *u, const struct wheel_member *m, char path[PATH_MAX], int *fd, struct err *e)
{
    if (m->path.n >= PATH_MAX)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is too long", STR_ARG(m->path));
    memcpy(path, m->path.p, m->path.n);
    path[m->path.n] = '\0';
    if (fd_open(u->stage.dir, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, m->entry->executable ? 0555 : 0444, fd, e))
        return true;
    if (e->sys != EEXIST && e->sys != EISDIR && e->sys != ENOTDIR)
        return false;
    (void)err_set(e, ERR_PACKAGE, "two members want to be '%s'", path);
    return err_exit(e, 5);
}

static bool exit_5(struct err *e)
{
    return e->kind == ERR_PACKAGE ? err_exit(e, 5) : false;
}

static bool unpack_whole(struct unpack *u, struct wheel_member *m, char *room, struct zip_inflater *inflater,
                         struct err *e)
{
    struct str content = { room, (size_t)m->entry->size };
    bool ok = m->entry->method == ZIP_STORED ? zip_view(&u->wheel.zip, m->entry, &content, e)
                                             : zip_read(&u->wheel.zip, m->entry, room, inflater, e);
    char path[PATH_MAX];
    AUTO_FD fd = -1;

    if (!ok)
        return exit_5(e);
    if (!wheel_check(&u->wheel, m, content, e) || !make_file(u, m, path, &fd, e) ||
        !fd_write_all(fd, content.p, content.n, path, e))
        return false;
    return true;
}

/* Each piece is hashed and written while it is in the processor's cache. */
static bool write_pieces(struct unpack *u, struct zip_stream *from, struct wheel_sum *sum, int fd, const char *path,
                         struct err *e)
{
    struct str piece;

    for (uint64_t forgotten = 0;;) {
        if (!zip_stream_next(from, &piece, e))
            return exit_5(e);
        if (piece.n == 0)
            return true;
        wheel_sum_add(sum, piece);
        if (!fd_write_all(fd, piece.p, piece.n, path, e))
            return false;
        if (from->taken - forgotten >= FORGET_BYTES) {
            forget(u, from->data.p + forgotten, from->data.p + from->taken);
            forgotten = from->taken;
        }
    }
}

static bool unpack_in_pieces(struct unpack *u, struct wheel_member *m, struct zip_inflater *inflater, struct err *e)
{
    AUTO_WHEEL_SUM sum = { 0 };
    struct zip_stream from;
    struct str content;
    char path[PATH_MAX];
    AUTO_FD fd = -1;

    if (!zip_stream_open(&u->wheel.zip, m->entry, inflater, &from, e))
        return exit_5(e);
    if (!wheel_sum_open(m, &sum, e) || !make_file(u, m, path, &fd, e) ||
        !write_pieces(u, &from, &sum, fd, path, e) || !fd_map(fd, path, &content, e))
        return false;
    bool ok = wheel_sum_check(&u->wheel, m, &sum, content, e);

    fd_unmap(&content);
    return ok;
}

static void run_slice(struct job *j)
{
    struct slice *s = (struct slice *)(void *)j;
    struct unpack *u = s->owner;
    size_t largest = (size_t)u->order[s->first]->entry->size;

    if (u->failed)
        return;
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    AUTO(mem_auto) char *room = mem_alloc(MIN(largest, (size_t)SLICE_BYTES));

    for (size_t i = 0; i < s->n && !u->failed; i++) {
        struct wheel_member *m = u->order[s->first + i];
        bool ok = m->entry->size > SLICE_BYTES ? unpack_in_pieces(u, m, inflater, &s->err)
                                               : unpack_whole(u, m, room, inflater, &s->err);

        if (!ok)
            u->failed = true;
        u->touched += FORGET_BYTES + (m->entry->size > SLICE_BYTES ? 0 : m->entry->comp_size);
        if (u->touched >= FORGET_ALL) {
            u->touched = 0;
            forget(u, u->bytes.p, u->bytes.p + u->bytes.n);
        }
    }
}

static void run_plan(struct job *j)
{
    struct slice *s = (struct slice *)(void *)j;

    if (!plan(s->owner, &s->err))
        s->owner->failed = true;
}

static bool finish(struct unpack *u, struct err *e)
{
    struct wheel *w = &u->wheel;
    struct store_point *points = ARENA_ARRAY(&u->arena, struct store_point, w->points.n);
    struct store_draft d = { .name = w->name, .version = w->version, .dist_info = w->dist_info,
                             .flags = w->purelib ? STORE_PURELIB : 0, .points = points, .n_points = w->points.n };

    d.files = ARENA_ARRAY(&u->arena, struct store_draft_file, w->n);
    d.n_files = w->n;
    for (size_t i = 0; i < w->n; i++) {
        const struct wheel_member *m = &w->members[i];

        d.flags |= m->flags;
        d.files[i] = (struct store_draft_file){ .path = m->path, .size = m->entry->size, .fast = m->fast,
                                                .place = m->place, .executable = m->entry->executable };
        memcpy(d.files[i].sha256, m->sha256, HASH_SHA256);
    }
    for (size_t i = 0; i < w->points.n; i++) {
        const struct entry_point *p = &w->points.p[i];

        points[i] = (struct store_point){ p->name,
                                          arena_printf(&u->arena, STR_FMT ":" STR_FMT, STR_ARG(p->module),
                                                       STR_ARG(p->attr)),
                                          p->gui };
    }
    AUTO_BUF record;

    buf_init(&record, RECORD_MAX);
    if (!wheel_record(w, &u->arena, &record))
        return err_set(e, ERR_PACKAGE, "RECORD becomes too large");
    d.record = buf_done(&record);
    if (!store_stage_commit(u->store, &u->stage, &d, e))
        return false;
    import_note(u->store, &d);
    return true;
}

static void run_finish(struct job *j)
{
    struct slice *s = (struct slice *)(void *)j;

    if (!finish(s->owner, &s->err))
        s->owner->failed = true;
}

static void push(struct unpack *u, struct work *w, struct slice *s, void (*run)(struct job *))
{
    s->owner = u;
    s->job.run = run;
    u->outstanding++;
    work_push(w, &s->job);
}

void unpack_push(struct unpack *u, struct work *w)
{
    u->phase = PLAN;
    u->traced_us = trace_now();
    push(u, w, &u->whole, run_plan);
}

struct unpack *unpack_owner(const struct job *j)
{
    if (j->run != run_plan && j->run != run_slice && j->run != run_finish)
        return NULL;
    return ((const struct slice *)(const void *)j)->owner;
}

bool unpack_take(struct job *j, struct work *w, bool *done, struct err *e)
{
    struct slice *s = (struct slice *)(void *)j;
    struct unpack *u = s->owner;

    u->outstanding--;
    *done = false;
    if (s->err.kind != ERR_NONE && u->err.kind == ERR_NONE)
        u->err = s->err;
    if (u->outstanding)
        return true;
    if (u->err.kind != ERR_NONE) {
        *done = true;
        *e = u->err;
        return err_wrap(e, "unpack '" STR_FMT "'", STR_ARG(u->file));
    }
    if (u->phase == PLAN && !u->there) {
        u->phase = MEMBERS;
        for (size_t i = 0; i < u->n_slices; i++)
            push(u, w, &u->slices[i], run_slice);
    } else if (u->phase == MEMBERS) {
        u->phase = FINISH;
        push(u, w, &u->whole, run_finish);
    } else {
        u->phase = OVER;
        *done = true;
        trace_add(TRACE_UNPACK, u->file, u->traced_us, u->bytes.n);
    }
    return true;
}

bool unpack_run(const struct unpack_spec *spec, struct work *w, struct err *e)
{
    struct unpack *u = unpack_new(spec);
    bool done = false, ok = true;

    unpack_push(u, w);
    while (!done) {
        struct job *j = work_next(w, true);

        if (!j || unpack_owner(j) != u)
            BUG("unpack_run() shares its pool");
        ok = unpack_take(j, w, &done, e);
    }
    unpack_free(u);
    return ok;
}
