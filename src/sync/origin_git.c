#include "sync/origin_git.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/proc.h"
#include "base/vec.h"
#include "net/url.h"
#include "sync/workspace.h"

#define REPOSITORIES "git-v1"
#define TIMEOUT_MS (1800u * 1000)
#define SAID_MAX ((size_t)1 << 20)
#define SHOWN 400 /* bytes of what git said */
#define COMMIT 40 /* characters of a commit's number; sha256 repositories have 64 */
#define WORDS 16

/* One repository at work. */
struct git {
    struct workspace *w;
    const struct git_source *s;
    const char *dir, *db;
};

bool git_source_parse(struct str url, struct git_source *out, struct err *e)
{
    static const char *const known[] = { "https://", "http://", "ssh://", "git://", "file://" };
    struct str rest = url;

    if (!str_cut_prefix(&rest, STR("git+")))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' does not begin with git+", STR_ARG(url));
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!str_starts(rest, str_of(known[i])))
            continue;
        size_t host = strlen(known[i]);
        size_t slash = str_find(str_sub(rest, host, rest.n), '/') + host;
        size_t at = str_rfind(rest, '@');
        bool has = at < rest.n && at > slash; /* one before the path is a user's */

        *out = (struct git_source){ .url = str_sub(rest, 0, has ? at : rest.n),
                                    .revision = has ? str_sub(rest, at + 1, rest.n) : STR("") };
        if (out->revision.n && out->revision.p[0] == '-')
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no revision", STR_ARG(out->revision));
        return true;
    }
    (void)err_set(e, ERR_PACKAGE, "git cannot be asked for '" STR_FMT "' here", STR_ARG(rest));
    return err_hint(e, "git+https://, git+http://, git+ssh://, git+git:// and git+file:/// are taken");
}

/* ------------------------------------------------------------ the program */

/* Ours, without what would lead it to another repository or to a question. */
static const char *const *environment(struct arena *a)
{
    static const char *const out[] = { "GIT_DIR=", "GIT_WORK_TREE=", "GIT_INDEX_FILE=", "GIT_OBJECT_DIRECTORY=",
                                       "GIT_COMMON_DIR=", "GIT_TERMINAL_PROMPT=", "GIT_NAMESPACE=",
                                       "GIT_ALTERNATE_OBJECT_DIRECTORIES=", "LC_ALL=" };
    VEC(const char *) list = { 0 };

    for (char **v = environ; *v; v++) {
        bool kept = true;

        for (size_t i = 0; i < COUNT(out); i++)
            kept = kept && !str_starts(str_of(*v), str_of(out[i]));
        if (kept)
            VEC_PUSH_IN(a, &list, *v);
    }
    VEC_PUSH_IN(a, &list, "GIT_TERMINAL_PROMPT=0");
    VEC_PUSH_IN(a, &list, "LC_ALL=C.UTF-8");
    VEC_PUSH_IN(a, &list, NULL);
    return list.p;
}

static bool program_is_there(struct arena *a)
{
    const char *path = getenv("PATH");
    struct str rest = str_of(path ? path : "/usr/bin:/bin"), one;

    while (str_next(&rest, ':', &one))
        if (one.n && access(arena_printf(a, STR_FMT "/git", STR_ARG(one)).p, X_OK) == 0)
            return true;
    return false;
}

/* git -C <dir> with these words, NULL at the end. *said (may be NULL): its output, without the last line end. */
static bool run(const struct git *g, const char *dir, const char *const *words, struct str *said, int *code,
                struct err *e)
{
    AUTO_BUF out = { .limit = SAID_MAX };
    const char *argv[WORDS + 8] = { "git", "-C", dir, "-c", "core.hooksPath=/dev/null" };
    struct proc_spec spec = { .argv = argv, .env = environment(g->w->a), .timeout_ms = TIMEOUT_MS, .out = &out,
                              .err = &out };
    size_t n = 5;

    for (size_t i = 0; words[i] && i < WORDS; i++)
        argv[n++] = words[i];
    if (!proc_run(&spec, code, e))
        return false;
    if (said)
        *said = arena_str(g->w->a, str_trim(buf_done(&out)));
    return true;
}

static bool must(const struct git *g, const char *dir, const char *const *words, struct err *e)
{
    struct str said;
    int code;

    if (!run(g, dir, words, &said, &code, e))
        return false;
    if (code == 0)
        return true;
    (void)err_set(e, ERR_NETWORK, STR_FMT, STR_ARG(str_sub(said, 0, MIN(said.n, SHOWN))));
    return err_wrap(e, "git %s ended with %d", words[0], code);
}

/* ------------------------------------------------------------ a repository */

static bool is_commit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return s.n == COMMIT || s.n == HASH_HEX256;
}

static bool find_commit(const struct git *g, struct str name, struct str *commit, struct err *e)
{
    const char *const words[] = { "rev-parse", "--verify", "--quiet", "--end-of-options",
                                  arena_printf(g->w->a, STR_FMT "^{commit}", STR_ARG(name)).p, NULL };
    int code;

    *commit = STR("");
    if (!run(g, g->db, words, commit, &code, e))
        return false;
    if (code || !is_commit(*commit))
        *commit = STR("");
    return true;
}

static bool resolve(const struct git *g, struct str *commit, struct err *e)
{
    struct str r = g->s->commit.n ? g->s->commit : g->s->revision;
    struct str tries[] = {
        r.n ? arena_printf(g->w->a, "refs/tags/" STR_FMT, STR_ARG(r)) : STR("refs/blast/HEAD"),
        arena_printf(g->w->a, "refs/heads/" STR_FMT, STR_ARG(r)),
        r,
    };

    *commit = STR("");
    for (size_t i = 0; i < (r.n ? COUNT(tries) : 1) && commit->n == 0; i++)
        if (!find_commit(g, tries[i], commit, e))
            return false;
    return true;
}

static bool fetch(const struct git *g, struct err *e)
{
    const char *url = arena_cstr(g->w->a, g->s->url);
    struct str one = g->s->commit.n ? g->s->commit : g->s->revision;
    const char *const all[] = { "fetch", "--quiet", "--force", "--tags", "--", url, "+refs/heads/*:refs/heads/*",
                                "+HEAD:refs/blast/HEAD", NULL };
    const char *const alone[] = { "fetch", "--quiet", "--force", "--", url, arena_cstr(g->w->a, one), NULL };
    const char *const init[] = { "init", "--quiet", "--bare", "--template=", g->db, NULL };
    struct str commit;
    int code;

    if (g->w->request->offline)
        return err_set(e, ERR_NETWORK, "offline, and the repository's revision is not in the cache");
    if (!file_exists(AT_FDCWD, arena_printf(g->w->a, "%s/HEAD", g->db).p) && !must(g, g->dir, init, e))
        return false;
    if (!must(g, g->db, all, e) || !resolve(g, &commit, e))
        return false;
    /* what no branch leads to, such as a merge request, can be asked for by name */
    return commit.n || one.n == 0 || run(g, g->db, alone, NULL, &code, e);
}

/* Under a name of its own first: a checkout with its final name is whole. */
static bool check_out(const struct git *g, const char *commit, const char *tree, struct err *e)
{
    const char *room = arena_printf(g->w->a, "%s/.%ld", g->dir, (long)getpid()).p;
    const char *const clone[] = { "clone", "--quiet", "--local", "--no-checkout", "--template=", "--", g->db, room,
                                  NULL };
    const char *const checkout[] = { "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit,
                                     NULL };
    const char *const modules[] = { "submodule", "--quiet", "update", "--init", "--recursive", NULL };
    bool has_modules = false;

    if (file_exists(AT_FDCWD, tree))
        return true;
    bool ok = file_remove_tree(AT_FDCWD, room, e) && must(g, g->dir, clone, e) && must(g, room, checkout, e);

    has_modules = ok && file_exists(AT_FDCWD, arena_printf(g->w->a, "%s/.gitmodules", room).p);
    ok = ok && (!has_modules || must(g, room, modules, e));
    if (ok && rename(room, tree) < 0)
        ok = err_sys(e, "rename %s to %s", room, tree);
    struct err ignored = { 0 };

    if (!ok)
        (void)!file_remove_tree(AT_FDCWD, room, &ignored); /* the first error counts */
    return ok;
}

static bool take(struct git *g, struct str *commit, const char **tree, struct err *e)
{
    struct str said = g->s->commit.n ? g->s->commit : g->s->revision;

    *commit = STR("");
    /* a commit never moves; branches and tags do */
    if (file_exists(AT_FDCWD, g->db) && (is_commit(said) || g->w->request->offline) && !resolve(g, commit, e))
        return false;
    if (commit->n == 0 && (!fetch(g, e) || !resolve(g, commit, e)))
        return false;
    if (commit->n == 0)
        return err_set(e, ERR_PACKAGE, "the repository has no '" STR_FMT "'", STR_ARG(said));
    *tree = arena_printf(g->w->a, "%s/" STR_FMT, g->dir, STR_ARG(*commit)).p;
    return check_out(g, commit->p, *tree, e);
}

bool git_checkout(struct workspace *w, const struct git_source *s, struct str *commit, const char **tree,
                  struct err *e)
{
    struct git g = { .w = w, .s = s };
    AUTO_FD lock = -1;

    g.dir = arena_printf(w->a, "%s/" REPOSITORIES "/%016llx", w->dirs.cache,
                         (unsigned long long)hash_fast(s->url.p, s->url.n)).p;
    g.db = arena_printf(w->a, "%s/db", g.dir).p;
    if (!program_is_there(w->a)) {
        (void)err_set(e, ERR_ENVIRONMENT, "there is no program 'git' in PATH");
        return err_hint(e, "install git, or name an archive of the source instead of the repository");
    }
    if (!file_make_dirs(AT_FDCWD, g.dir, 0777, e) ||
        !fd_open(AT_FDCWD, arena_printf(w->a, "%s/lock", g.dir).p, O_RDWR | O_CREAT, 0666, &lock, e) ||
        !fd_lock(lock, true, "lock", e) || !take(&g, commit, tree, e))
        return err_wrap(e, "get '" STR_FMT "'", STR_ARG(url_redacted(w->a, s->url)));
    return true;
}
