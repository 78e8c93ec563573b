#include "env/inplace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"

#define TX ".blast-tx"
#define JOURNAL "journal"
#define JOURNAL_LIMIT (256u << 20)

static bool cstr_of(struct str s, char out[PATH_MAX], struct err *e)
{
    if (s.n >= PATH_MAX || memchr(s.p, '\0', s.n))
        return err_set(e, ERR_ENVIRONMENT, "a path of %zu bytes cannot be used", s.n);
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

bool inplace_is_pending(const struct env *env)
{
    return file_exists(env->dir, TX);
}

static bool open_tx(struct env *env, int *dir, int *stage, struct err *e)
{
    return fd_open(env->dir, TX, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, dir, e) && fd_open_dir(*dir, "new", stage, e);
}

bool inplace_begin(struct env *env, struct inplace *out, struct err *e)
{
    static const char *const dirs[] = { TX, TX "/new", TX "/old" };
    struct inplace t = { .env = env, .dir = -1, .stage = -1 };
    bool did;

    if (!inplace_recover(env, &did, e))
        return false;
    for (size_t i = 0; i < COUNT(dirs); i++) {
        if (mkdirat(env->dir, dirs[i], 0755) < 0) {
            (void)err_sys(e, "make directory %s", dirs[i]);
            struct err ignored = { 0 }; /* the first one is the one to report */

            (void)!file_remove_tree(env->dir, TX, &ignored);
            return false;
        }
    }
    *out = t;
    if (!open_tx(env, &out->dir, &out->stage, e)) {
        inplace_drop(out);
        return false;
    }
    return true;
}

void inplace_remove(struct inplace *t, struct str path)
{
    VEC_PUSH(&t->remove, path);
}

void inplace_add(struct inplace *t, struct str path)
{
    VEC_PUSH(&t->add, path);
}

static void end(struct inplace *t)
{
    fd_close(&t->dir);
    fd_close(&t->stage);
    VEC_CLEAR(&t->remove);
    VEC_CLEAR(&t->add);
}

void inplace_drop(struct inplace *t)
{
    struct err ignored = { 0 }; /* the next opening sweeps up */

    end(t);
    (void)!file_remove_tree(t->env->dir, TX, &ignored);
}

/* One record is 'R' or 'A', the path, NUL; a whole journal ends in "E" and NUL. */
static bool write_journal(struct inplace *t, bool durable, struct err *e)
{
    AUTO_BUF b;

    buf_init(&b, JOURNAL_LIMIT);
    for (size_t i = 0; i < t->remove.n; i++)
        (void)(buf_char(&b, 'R') && buf_str(&b, t->remove.p[i]) && buf_char(&b, '\0'));
    for (size_t i = 0; i < t->add.n; i++)
        (void)(buf_char(&b, 'A') && buf_str(&b, t->add.p[i]) && buf_char(&b, '\0'));
    (void)buf_add(&b, "E", 2);
    if (b.full)
        return err_set(e, ERR_ENVIRONMENT, "the change has too many files");
    return file_replace(t->dir, JOURNAL, buf_done(&b), 0644, durable ? FILE_SYNC : FILE_NO_SYNC, e);
}

static bool move(int from_dir, const char *from, int to_dir, const char *to, struct err *e)
{
    return renameat(from_dir, from, to_dir, to) == 0 ? true : err_sys(e, "rename %s to %s", from, to);
}

static bool execute(struct inplace *t, struct err *e)
{
    char path[PATH_MAX], aside[32];

    for (size_t i = 0; i < t->remove.n; i++) {
        (void)snprintf(aside, sizeof aside, "old/%zu", i);
        if (!cstr_of(t->remove.p[i], path, e) || !move(t->env->dir, path, t->dir, aside, e))
            return false;
    }
    for (size_t i = 0; i < t->add.n; i++)
        if (!cstr_of(t->add.p[i], path, e) || !move(t->stage, path, t->env->dir, path, e))
            return false;
    return true;
}

static bool flush(const struct inplace *t, bool durable, struct err *e)
{
    return !durable || syncfs(t->dir) == 0 || err_sys(e, "flush the environment");
}

bool inplace_commit(struct inplace *t, bool durable, struct err *e)
{
    bool ok = flush(t, durable, e) && write_journal(t, durable, e) && execute(t, e) && flush(t, durable, e);

    if (ok && unlinkat(t->dir, JOURNAL, 0) < 0)
        ok = err_sys(e, "end the journal");
    if (!ok) {
        struct err second = { 0 };
        struct env *env = t->env;
        bool did;

        end(t);
        if (!inplace_recover(env, &did, &second))
            (void)err_hint(e, "moving everything back was interrupted too; the next command goes on with it");
        return err_as(e, ERR_ENVIRONMENT, "change '%s'", env->path);
    }
    inplace_drop(t);
    return true;
}

struct record {
    char kind;
    struct str path;
};

/* False for a journal that was cut short: then nothing had been moved yet. */
static bool split_journal(struct str text, struct arena *a, struct record **out, size_t *n)
{
    VEC(struct record) v = { 0 };

    for (struct str part; str_next(&text, '\0', &part);) {
        if (str_eq(part, STR("E"))) {
            *out = v.p;
            *n = v.n;
            return true;
        }
        if (part.n < 2 || (part.p[0] != 'R' && part.p[0] != 'A'))
            return false;
        VEC_PUSH_IN(a, &v, (struct record){ part.p[0], str_sub(part, 1, part.n) });
    }
    return false;
}

static bool move_back(struct env *env, int dir, int stage, const struct record *r, size_t n, struct err *e)
{
    char path[PATH_MAX], aside[32];
    size_t removed = 0;

    for (size_t i = 0; i < n; i++)
        removed += r[i].kind == 'R';
    for (size_t i = n; i-- > 0;) {
        if (!cstr_of(r[i].path, path, e))
            return false;
        if (r[i].kind == 'A') {
            if (!file_exists(stage, path) && file_exists(env->dir, path) && !move(env->dir, path, stage, path, e))
                return false;
            continue;
        }
        (void)snprintf(aside, sizeof aside, "old/%zu", --removed);
        if (file_exists(dir, aside) && !move(dir, aside, env->dir, path, e))
            return false;
    }
    return true;
}

bool inplace_recover(struct env *env, bool *did, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD dir = -1;
    AUTO_FD stage = -1;
    struct str text;
    struct record *r;
    size_t n;

    *did = inplace_is_pending(env);
    if (!*did)
        return true;
    arena_init(&a);
    if (open_tx(env, &dir, &stage, e)) {
        if (!fd_read_if_there(dir, JOURNAL, JOURNAL_LIMIT, &a, &text, e))
            return false;
        if (text.p && split_journal(text, &a, &r, &n) &&
            (!move_back(env, dir, stage, r, n, e) || unlinkat(dir, JOURNAL, 0) < 0))
            return err_as(e, ERR_ENVIRONMENT, "repair '%s'", env->path);
    } else if (e->sys != ENOENT) {
        return false;
    }
    err_clear(e);
    return file_remove_tree(env->dir, TX, e);
}
