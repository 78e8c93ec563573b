#include "base/test_dir.h"

#include <sched.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/proc.h"
#include "base/str.h"
#include "daemon/watch.h"

/* A project in the test's directory. Events of the kernel are there when the call that caused them returns, and time
 * is an argument: nothing here waits. */
struct fixture {
    const struct test_dir *t;
    char path[300], file[4][400], tree[400], env[400];
    struct watch *w;
    struct watch_root *root;
    uint64_t now;
    struct watch_change c;
    char said[4][600];
    unsigned said_n;
};

static struct fixture *speaking;

static void say(void *user, const char *text)
{
    struct fixture *f = speaking;

    (void)user;
    if (f->said_n < COUNT(f->said))
        (void)snprintf(f->said[f->said_n], sizeof f->said[0], "%.599s", text);
    f->said_n++;
}

static void put(const char *path, const char *text)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *below(const struct fixture *f, const char *name)
{
    static char path[8][800];
    static unsigned i;
    char *p = path[i++ % 8];

    (void)snprintf(p, 800, "%.300s/%.400s", f->path, name);
    return p;
}

static void make_dirs(const struct fixture *f, const char *name)
{
    struct err e = { 0 };

    assert_true(file_make_dirs(AT_FDCWD, below(f, name), 0755, &e));
}

static void want(struct fixture *f)
{
    const char *const files[] = { f->file[0], f->file[1], f->file[2], f->file[3] };
    const char *const trees[] = { f->tree };
    struct watch_want w = { files, 4, trees, 1, f->env };

    watch_set(f->root, &w, f->now);
}

/* True: f->c says what changed. */
static bool changed(struct fixture *f)
{
    watch_read(f->w, f->now);
    f->now += WATCH_LONGEST_MS;
    for (unsigned i = 0; i < 300; i++)
        if (watch_next(f->w, f->now, &f->c))
            return true;
    return false;
}

static void settle(struct fixture *f)
{
    for (unsigned i = 0; i < 10 && changed(f); i++)
        ;
}

static void begin_with(struct fixture *f, void **state, const struct watch_options *options)
{
    static const char *const names[] = { "pyproject.toml", "pylock.toml", "blast.toml", "reqs/base.txt" };

    *f = (struct fixture){ .t = *state, .now = 1000000 };
    speaking = f;
    (void)snprintf(f->path, sizeof f->path, "%s/project", f->t->path);
    make_dirs(f, "src/pkg/deep");
    put(below(f, "pyproject.toml"), "[project]\n");
    for (size_t i = 0; i < COUNT(names); i++)
        (void)snprintf(f->file[i], sizeof f->file[i], "%s", below(f, names[i]));
    (void)snprintf(f->tree, sizeof f->tree, "%s/src", f->path);
    (void)snprintf(f->env, sizeof f->env, "%s/.venv", f->path);
    f->w = watch_open(options);
    f->root = watch_add(f->w, f->path, f);
    want(f);
    settle(f);
}

static void begin(struct fixture *f, void **state)
{
    begin_with(f, state, &(struct watch_options){ .say = say });
}

static void assert_idle(struct fixture *f)
{
    assert_false(changed(f));
    assert_int_equal(watch_deadline(f->w, f->now), WATCH_NEVER);
}

static void assert_files_changed(struct fixture *f, const char *how)
{
    if (!changed(f) || !(f->c.flags & WATCH_FILES))
        fail_msg("%s: flags %x", how, f->c.flags);
    assert_ptr_equal(f->c.user, f);
    assert_idle(f);
}

/* ------------------------------------------------------------ saves */

static void rename_over(const struct fixture *f, const char *from, const char *to)
{
    assert_int_equal(rename(below(f, from), below(f, to)), 0);
}

static void save_vim(const struct fixture *f)
{
    put(below(f, "4913"), "");
    (void)unlink(below(f, "4913"));
    put(below(f, ".pyproject.toml.swp"), "swap");
    rename_over(f, "pyproject.toml", "pyproject.toml~");
    put(below(f, "pyproject.toml"), "vim");
    (void)unlink(below(f, "pyproject.toml~"));
    (void)unlink(below(f, ".pyproject.toml.swp"));
}

static void save_emacs(const struct fixture *f)
{
    assert_int_equal(symlink("user@host.1:2", below(f, ".#pyproject.toml")), 0);
    put(below(f, "#pyproject.toml#"), "auto");
    rename_over(f, "pyproject.toml", "pyproject.toml~");
    put(below(f, "pyproject.toml"), "emacs");
    (void)unlink(below(f, "#pyproject.toml#"));
    (void)unlink(below(f, ".#pyproject.toml"));
}

static void save_in_place(const struct fixture *f)
{
    put(below(f, "pyproject.toml"), "code");
}

static void save_jetbrains(const struct fixture *f)
{
    put(below(f, "pyproject.toml___jb_tmp___"), "jb");
    rename_over(f, "pyproject.toml", "pyproject.toml___jb_old___");
    rename_over(f, "pyproject.toml___jb_tmp___", "pyproject.toml");
    (void)unlink(below(f, "pyproject.toml___jb_old___"));
}

static void save_gnome(const struct fixture *f)
{
    put(below(f, ".goutputstream-ABC123"), "gedit");
    rename_over(f, ".goutputstream-ABC123", "pyproject.toml");
}

static void save_by_deleting(const struct fixture *f)
{
    (void)unlink(below(f, "pyproject.toml"));
    put(below(f, "pyproject.toml"), "new");
}

static void every_editor_is_heard_once(void **state)
{
    static const struct {
        const char *name;
        void (*save)(const struct fixture *f);
    } editors[] = {
        { "vim", save_vim },       { "emacs", save_emacs }, { "in place", save_in_place },
        { "jetbrains", save_jetbrains }, { "gnome", save_gnome }, { "delete and create", save_by_deleting },
    };
    struct fixture f;

    begin(&f, state);
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < COUNT(editors); i++) {
            editors[i].save(&f);
            assert_files_changed(&f, editors[i].name);
        }
    watch_close(f.w);
}

static void temporary_files_wake_nobody(void **state)
{
    static const char *const names[] = { "4913", ".x.swp", "x~", ".#x", "#x#", "x.tmp", ".goutputstream-1",
                                         "x___jb_tmp___", "notes.txt", "src/.a.py.swp", "src/a.py~", "src/x.txt" };
    struct fixture f;

    begin(&f, state);
    for (size_t i = 0; i < COUNT(names); i++) {
        put(below(&f, names[i]), "x");
        (void)unlink(below(&f, names[i]));
    }
    assert_idle(&f);
    watch_close(f.w);
}

static void a_save_settles_after_50_ms_a_burst_after_400(void **state)
{
    struct fixture f;

    begin(&f, state);
    put(below(&f, "pyproject.toml"), "one");
    watch_read(f.w, f.now);
    assert_int_equal(watch_deadline(f.w, f.now), f.now + 50);
    assert_false(watch_next(f.w, f.now + 49, &f.c));
    assert_true(watch_next(f.w, f.now + 50, &f.c));

    for (unsigned i = 0; i < 10; i++)
        put(below(&f, i % 2 ? "pyproject.toml" : "pylock.toml"), "burst");
    watch_read(f.w, f.now);
    assert_int_equal(watch_deadline(f.w, f.now), f.now + 400);
    uint64_t first = f.now;

    while (f.now < first + 2900) { /* it goes on: after 3 s it is told all the same */
        f.now += 300;
        put(below(&f, "pyproject.toml"), "more");
        watch_read(f.w, f.now);
        if (f.now < first + 3000)
            assert_false(watch_next(f.w, f.now, &f.c));
    }
    assert_true(watch_next(f.w, first + 3000, &f.c));
    watch_close(f.w);
}

static void inputs_in_folders_that_come_later_are_noticed(void **state)
{
    struct fixture f;

    begin(&f, state);
    make_dirs(&f, "reqs");
    settle(&f);
    put(below(&f, "reqs/base.txt"), "x");
    assert_files_changed(&f, "reqs/base.txt");
    put(below(&f, "requirements-new.txt"), "x");
    assert_files_changed(&f, "a new requirements file");
    watch_close(f.w);
}

/* ------------------------------------------------------------ sources */

static void saved_sources_are_named(void **state)
{
    struct fixture f;

    begin(&f, state);
    put(below(&f, "src/pkg/deep/a.py"), "import x\n");
    assert_true(changed(&f));
    assert_int_equal(f.c.flags, WATCH_SOURCES);
    assert_int_equal(f.c.sources, 1);
    assert_string_equal(f.c.source[0], below(&f, "src/pkg/deep/a.py"));

    make_dirs(&f, "src/fresh/below"); /* the file is there before the folder is watched */
    put(below(&f, "src/fresh/below/b.py"), "import y\n");
    assert_true(changed(&f));
    bool named = false;

    for (size_t i = 0; i < f.c.sources; i++) /* a.py may be told again: it is not older than a second */
        named |= strcmp(f.c.source[i], below(&f, "src/fresh/below/b.py")) == 0;
    assert_true(named);
    put(below(&f, "src/fresh/below/b.py"), "import z\n");
    assert_true(changed(&f));
    assert_int_equal(f.c.sources, 1);
    watch_close(f.w);
}

static void folders_without_sources_are_not_watched(void **state)
{
    static const char *const dirs[] = { "src/node_modules/a", "src/__pycache__", "src/.git", "src/build/lib",
                                        "src/venv/lib", "src/out", "src/myenv/lib", "src/cachedir/x" };
    struct fixture f;
    char text[WATCH_TEXT];

    begin(&f, state);
    watch_describe(f.root, text);
    assert_string_equal(text, "inotify, 4 dirs"); /* the project, src, pkg, deep */
    put(below(&f, "src/.gitignore"), "# x\n/out/\n!keep\na/b\n");
    for (size_t i = 0; i < COUNT(dirs); i++)
        make_dirs(&f, dirs[i]);
    put(below(&f, "src/myenv/pyvenv.cfg"), "home = /usr\n");
    put(below(&f, "src/cachedir/CACHEDIR.TAG"), "Signature");
    assert_int_equal(symlink("/usr", below(&f, "src/link")), 0);
    settle(&f);
    watch_describe(f.root, text);
    assert_string_equal(text, "inotify, 6 dirs"); /* and the environment's and the cache's own, not below them */
    watch_close(f.w);
}

static void too_many_sources_are_not_named(void **state)
{
    struct fixture f;
    char name[32];

    begin(&f, state);
    for (unsigned i = 0; i <= WATCH_SOURCES_MAX; i++) {
        (void)snprintf(name, sizeof name, "src/m%u.py", i);
        put(below(&f, name), "");
    }
    assert_true(changed(&f));
    assert_true(f.c.too_many);
    assert_int_equal(f.c.sources, 0);
    watch_close(f.w);
}

/* ------------------------------------------------------------ the environment */

static void drift_and_new_generations_are_told_apart(void **state)
{
    struct fixture f;

    begin(&f, state);
    make_dirs(&f, ".venv/.gen/1/lib/python3.12/site-packages");
    make_dirs(&f, ".venv/.gen/2/lib/python3.12/site-packages");
    assert_int_equal(symlink(".gen/1", below(&f, ".venv/.current")), 0);
    assert_int_equal(symlink(".current/lib", below(&f, ".venv/lib")), 0);
    settle(&f);
    make_dirs(&f, ".venv/.gen/1/lib/python3.12/site-packages/x-1.dist-info");
    assert_true(changed(&f));
    assert_int_equal(f.c.flags, WATCH_SITE);

    assert_int_equal(symlink(".gen/2", below(&f, ".venv/.next")), 0);
    rename_over(&f, ".venv/.next", ".venv/.current");
    assert_true(changed(&f));
    assert_true(f.c.flags & WATCH_ENV);
    settle(&f);
    make_dirs(&f, ".venv/.gen/1/lib/python3.12/site-packages/y-1.dist-info"); /* the old one is of no interest */
    assert_idle(&f);
    make_dirs(&f, ".venv/.gen/2/lib/python3.12/site-packages/y-1.dist-info");
    assert_true(changed(&f));
    assert_int_equal(f.c.flags, WATCH_SITE);
    watch_close(f.w);
}

/* ------------------------------------------------------------ version control */

static bool git(const struct fixture *f, const char *const *words)
{
    const char *argv[16] = { "git", "-c", "user.name=t", "-c", "user.email=t@example", "-c", "commit.gpgsign=false" };
    struct proc_spec spec = { .argv = argv, .dir = f->path, .timeout_ms = 30000 };
    struct err e = { 0 };
    int status;
    size_t n = 7;

    while (*words)
        argv[n++] = *words++;
    return proc_run(&spec, &status, &e) && status == 0;
}

#define GIT(f, ...) git(f, (const char *const[]){ __VA_ARGS__, NULL })

static void a_branch_switch_is_one_change(void **state)
{
    struct fixture f;
    char name[32];

    begin(&f, state);
    if (!GIT(&f, "init", "-q", "-b", "main")) {
        watch_close(f.w);
        print_message("SKIP: there is no git\n");
        skip();
    }
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof name, "src/pkg/m%u.py", i);
        put(below(&f, name), "x = 1\n");
    }
    assert_true(GIT(&f, "add", "-A") && GIT(&f, "commit", "-q", "-m", "one"));
    assert_true(GIT(&f, "checkout", "-q", "-b", "feature"));
    put(below(&f, "pyproject.toml"), "[project]\nname = 'x'\n");
    put(below(&f, "pylock.toml"), "lock");
    make_dirs(&f, "src/other");
    put(below(&f, "src/other/new.py"), "import new\n");
    assert_true(GIT(&f, "add", "-A") && GIT(&f, "commit", "-q", "-m", "two"));
    settle(&f);
    for (unsigned round = 0; round < 4; round++) {
        assert_true(GIT(&f, "checkout", "-q", round % 2 ? "feature" : "main"));
        assert_files_changed(&f, "git checkout");
    }
    watch_close(f.w);
}

static void changes_wait_for_the_end_of_a_checkout(void **state)
{
    struct fixture f;

    begin(&f, state);
    make_dirs(&f, ".git");
    settle(&f);
    put(below(&f, ".git/index.lock"), "");
    put(below(&f, "pyproject.toml"), "half");
    assert_false(changed(&f));
    assert_string_equal(watch_waits_for(f.root), "git");
    assert_true(watch_deadline(f.w, f.now) != WATCH_NEVER); /* a crash may have left the lock */
    put(below(&f, "pylock.toml"), "whole");
    assert_false(changed(&f));
    rename_over(&f, ".git/index.lock", ".git/index");
    assert_files_changed(&f, "after the checkout");
    watch_close(f.w);
}

static void changes_wait_for_the_end_of_a_rebase(void **state)
{
    static const char *const marks[] = { "rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD" };
    struct fixture f;
    struct err e = { 0 };

    begin(&f, state);
    make_dirs(&f, ".git");
    settle(&f);
    for (size_t i = 0; i < COUNT(marks); i++) {
        char mark[64];

        (void)snprintf(mark, sizeof mark, ".git/%s", marks[i]);
        make_dirs(&f, mark);
        put(below(&f, "pyproject.toml"), "half");
        assert_false(changed(&f));
        assert_int_equal(watch_deadline(f.w, f.now), WATCH_NEVER); /* its end is an event */
        assert_true(file_remove_tree(AT_FDCWD, below(&f, mark), &e));
        assert_files_changed(&f, marks[i]);
    }
    watch_close(f.w);
}

static void a_lock_left_by_a_crash_holds_nothing_up_for_ever(void **state)
{
    struct fixture f;
    struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

    begin(&f, state);
    make_dirs(&f, ".git");
    put(below(&f, ".git/index.lock"), "");
    assert_int_equal(utimensat(AT_FDCWD, below(&f, ".git/index.lock"), old, 0), 0);
    settle(&f);
    put(below(&f, "pyproject.toml"), "x");
    assert_files_changed(&f, "an old index.lock");
    watch_close(f.w);
}

/* ------------------------------------------------------------ trouble */

static void a_lost_event_leads_to_a_look_at_everything(void **state)
{
    const struct inotify_event lost = { .wd = -1, .mask = IN_Q_OVERFLOW };
    struct fixture f;
    struct watch_figures before, after;

    begin(&f, state);
    watch_figures(f.w, &before);
    watch_feed(f.w, &lost, sizeof lost, f.now);
    assert_true(changed(&f));
    assert_int_equal(f.c.flags, WATCH_FILES | WATCH_SITE | WATCH_ENV);
    watch_figures(f.w, &after);
    assert_int_equal(after.overflows, before.overflows + 1);
    assert_int_equal(after.scans, before.scans + 1);
    assert_idle(&f);
    watch_close(f.w);
}

static void looks_at_everything_become_rarer(void **state)
{
    const struct inotify_event lost = { .wd = -1, .mask = IN_Q_OVERFLOW };
    static const uint64_t after[] = { 50, 50, 50, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
    struct fixture f;

    begin(&f, state);
    for (size_t i = 0; i < COUNT(after); i++) {
        uint64_t from = f.now;

        watch_feed(f.w, &lost, sizeof lost, f.now);
        if (watch_deadline(f.w, f.now) != from + after[i])
            fail_msg("loss %zu: after %llu ms, wanted %llu", i,
                     (unsigned long long)(watch_deadline(f.w, f.now) - from), (unsigned long long)after[i]);
        f.now += after[i];
        bool told = false;

        for (unsigned k = 0; k < 100 && !told; k++)
            told = watch_next(f.w, f.now, &f.c);
        assert_true(told);
    }
    watch_close(f.w);
}

static void events_that_are_cut_short_do_no_harm(void **state)
{
    const struct inotify_event ev = { .wd = 1, .mask = IN_CLOSE_WRITE, .len = 16 };
    char bytes[sizeof ev + 16] = { 0 };
    struct fixture f;

    begin(&f, state);
    memcpy(bytes, &ev, sizeof ev);
    memcpy(bytes + sizeof ev, "pyproject.toml", 14);
    for (size_t n = 0; n < sizeof bytes; n++)
        watch_feed(f.w, bytes, n, f.now);
    assert_idle(&f);
    watch_close(f.w);
}

static void a_project_that_is_deleted_or_moved_is_gone_and_comes_back(void **state)
{
    struct fixture f;
    struct err e = { 0 };
    char away[400], text[WATCH_TEXT];

    begin(&f, state);
    (void)snprintf(away, sizeof away, "%s/elsewhere", f.t->path);
    assert_int_equal(rename(f.path, away), 0);
    assert_true(changed(&f));
    assert_true(f.c.flags & WATCH_GONE);
    watch_describe(f.root, text);
    assert_string_equal(text, "waiting for the folder");
    assert_idle(&f);
    assert_int_equal(rename(away, f.path), 0);
    assert_true(changed(&f));
    assert_true(f.c.flags & WATCH_BACK && f.c.flags & WATCH_FILES);
    settle(&f);
    put(below(&f, "pyproject.toml"), "again");
    assert_files_changed(&f, "after it came back");

    assert_true(file_remove_tree(AT_FDCWD, f.path, &e));
    bool gone = false;

    for (unsigned i = 0; i < 20 && !gone; i++)
        gone = changed(&f) && f.c.flags & WATCH_GONE;
    assert_true(gone);
    settle(&f);
    assert_int_equal(watch_deadline(f.w, f.now), WATCH_NEVER);
    make_dirs(&f, "src");
    put(below(&f, "pyproject.toml"), "x");
    assert_true(changed(&f));
    assert_true(f.c.flags & WATCH_BACK);
    watch_close(f.w);
}

static void a_project_below_a_folder_that_is_moved_is_gone_too(void **state)
{
    const struct inotify_event lost = { .wd = -1, .mask = IN_Q_OVERFLOW };
    struct fixture f;
    char outer[400], away[400];

    begin(&f, state);
    watch_close(f.w);
    (void)snprintf(outer, sizeof outer, "%s/outer", f.t->path);
    (void)snprintf(away, sizeof away, "%s/away", f.t->path);
    (void)snprintf(f.path, sizeof f.path, "%s/inner", outer);
    make_dirs(&f, "src");
    (void)snprintf(f.file[0], sizeof f.file[0], "%s/pyproject.toml", f.path);
    f.w = watch_open(&(struct watch_options){ .say = say });
    f.root = watch_add(f.w, f.path, &f);
    want(&f);
    settle(&f);
    assert_int_equal(rename(outer, away), 0);
    watch_feed(f.w, &lost, sizeof lost, f.now); /* the kernel tells nothing of that: seen at the next event */
    assert_true(changed(&f));
    assert_true(f.c.flags & WATCH_GONE);
    assert_int_equal(rename(away, outer), 0);
    assert_true(changed(&f));
    assert_true(f.c.flags & WATCH_BACK);
    settle(&f);

    assert_int_equal(rename(outer, away), 0);
    make_dirs(&f, "src"); /* another folder in its place: the next event leads to it */
    put(below(&f, "pyproject.toml"), "not heard yet");
    watch_feed(f.w, &lost, sizeof lost, f.now);
    settle(&f);
    put(below(&f, "pyproject.toml"), "heard");
    assert_files_changed(&f, "in the other folder");
    watch_close(f.w);
}

static void past_the_budget_folders_are_polled(void **state)
{
    struct fixture f;
    char text[WATCH_TEXT], name[64];

    begin_with(&f, state, &(struct watch_options){ .say = say, .budget = 5 });
    assert_int_equal(f.said_n, 0);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof name, "src/d%u", i);
        make_dirs(&f, name);
    }
    settle(&f);
    assert_int_equal(f.said_n, 1);
    assert_non_null(strstr(f.said[0], "more than 5 folders"));
    assert_non_null(strstr(f.said[0], "watch_paths"));
    watch_describe(f.root, text);
    assert_string_equal(text, "inotify, 5 dirs, 5 polled");
    assert_int_equal(watch_deadline(f.w, f.now), WATCH_NEVER); /* nobody works there */

    watch_attend(f.root, true, f.now);
    assert_int_equal(watch_deadline(f.w, f.now), f.now + WATCH_POLL_SOURCES_MS);
    f.now += WATCH_POLL_SOURCES_MS;
    assert_false(changed(&f)); /* the first look only remembers */
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(name, sizeof name, "src/d%u/a.py", i);
        put(below(&f, name), "x");
    }
    f.now += WATCH_POLL_SOURCES_MS;
    settle(&f);
    assert_true(f.c.sources > 0);
    watch_attend(f.root, false, f.now);
    assert_int_equal(watch_deadline(f.w, f.now), WATCH_NEVER);
    put(below(&f, "pyproject.toml"), "still by events");
    assert_files_changed(&f, "pyproject.toml");
    watch_close(f.w);
}

static bool write_word(const char *path, const char *word)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word);
}

/* In a user namespace, whose own limit can be set without touching the machine's. */
static int run_out_of_watches(struct fixture *f, void **state)
{
    char map[64], text[WATCH_TEXT];

    (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
    if (unshare(CLONE_NEWUSER) < 0 || !write_word("/proc/self/uid_map", map) ||
        !write_word("/proc/sys/user/max_inotify_watches", "6"))
        return 77;
    begin(f, state);
    for (char name[] = "src/a"; name[4] < 'i'; name[4]++)
        make_dirs(f, name);
    settle(f);
    watch_describe(f->root, text);
    if (strcmp(text, "inotify, 6 dirs, 6 polled") != 0 || f->said_n != 1 ||
        !strstr(f->said[0], "sudo sysctl fs.inotify.max_user_watches=")) {
        print_message("'%s', said %u: %s\n", text, f->said_n, f->said[0]);
        return 1;
    }
    put(below(f, "pyproject.toml"), "still heard");
    if (!changed(f) || !(f->c.flags & WATCH_FILES))
        return 2;
    watch_close(f->w);
    return 0;
}

static void without_watches_left_the_rest_is_polled_and_the_way_out_told(void **state)
{
    struct fixture f;
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run_out_of_watches(&f, state));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("SKIP: no user namespaces here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void without_inotify_everything_is_polled_while_somebody_works(void **state)
{
    struct fixture f;
    char text[WATCH_TEXT];

    begin_with(&f, state, &(struct watch_options){ .say = say, .poll = true });
    watch_describe(f.root, text);
    assert_string_equal(text, "polling (no inotify)");
    assert_int_equal(watch_fd(f.w), -1);
    assert_idle(&f);
    watch_attend(f.root, true, f.now);
    assert_int_equal(watch_deadline(f.w, f.now), f.now + WATCH_POLL_MS);
    f.now += WATCH_POLL_MS;
    settle(&f);
    put(below(&f, "pyproject.toml"), "seen by looking");
    f.now += WATCH_POLL_MS;
    bool seen = false;

    for (unsigned i = 0; i < 5 && !seen; i++)
        seen = changed(&f) && f.c.flags & WATCH_FILES;
    assert_true(seen);
    watch_close(f.w);
}

static void a_folder_that_cannot_be_read_is_told_once(void **state)
{
    struct fixture f;

    if (geteuid() == 0) {
        print_message("SKIP: root reads everything\n");
        skip();
    }
    begin(&f, state);
    make_dirs(&f, "src/secret");
    assert_int_equal(chmod(below(&f, "src/secret"), 0), 0);
    settle(&f);
    make_dirs(&f, "src/more");
    settle(&f);
    assert_int_equal(f.said_n, 1);
    assert_non_null(strstr(f.said[0], "cannot read"));
    assert_int_equal(chmod(below(&f, "src/secret"), 0755), 0);
    watch_close(f.w);
}

static void projects_share_folders_and_part_again(void **state)
{
    struct fixture f;
    struct watch_figures before, after;
    struct watch_root *second;
    int users[2];

    begin(&f, state);
    watch_figures(f.w, &before);
    second = watch_add(f.w, f.path, &users[1]);
    struct fixture g = f;

    g.root = second;
    want(&g);
    f.now = g.now;
    settle(&f);
    watch_figures(f.w, &after);
    assert_int_equal(after.watches, before.watches);
    put(below(&f, "pyproject.toml"), "both");
    assert_true(changed(&f));
    assert_true(changed(&f)); /* the other one */
    watch_remove(f.root);
    put(below(&f, "pyproject.toml"), "one");
    assert_true(changed(&f));
    assert_ptr_equal(f.c.user, &users[1]);
    assert_idle(&f);
    watch_remove(second);
    watch_figures(f.w, &after);
    assert_int_equal(after.watches, 0);
    watch_close(f.w);
}

static void the_set_of_folders_can_change(void **state)
{
    struct fixture f;

    begin(&f, state);
    make_dirs(&f, "tests/unit");
    (void)snprintf(f.tree, sizeof f.tree, "%s/tests", f.path);
    want(&f);
    put(below(&f, "pyproject.toml"), "meanwhile");
    assert_files_changed(&f, "while the set is exchanged");
    put(below(&f, "src/pkg/a.py"), "x");
    assert_idle(&f);
    put(below(&f, "tests/unit/a.py"), "x");
    assert_true(changed(&f));
    assert_int_equal(f.c.flags, WATCH_SOURCES);
    watch_close(f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(every_editor_is_heard_once),
        TEST_IN_DIR(temporary_files_wake_nobody),
        TEST_IN_DIR(a_save_settles_after_50_ms_a_burst_after_400),
        TEST_IN_DIR(inputs_in_folders_that_come_later_are_noticed),
        TEST_IN_DIR(saved_sources_are_named),
        TEST_IN_DIR(folders_without_sources_are_not_watched),
        TEST_IN_DIR(too_many_sources_are_not_named),
        TEST_IN_DIR(drift_and_new_generations_are_told_apart),
        TEST_IN_DIR(a_branch_switch_is_one_change),
        TEST_IN_DIR(changes_wait_for_the_end_of_a_checkout),
        TEST_IN_DIR(changes_wait_for_the_end_of_a_rebase),
        TEST_IN_DIR(a_lock_left_by_a_crash_holds_nothing_up_for_ever),
        TEST_IN_DIR(a_lost_event_leads_to_a_look_at_everything),
        TEST_IN_DIR(looks_at_everything_become_rarer),
        TEST_IN_DIR(events_that_are_cut_short_do_no_harm),
        TEST_IN_DIR(a_project_that_is_deleted_or_moved_is_gone_and_comes_back),
        TEST_IN_DIR(a_project_below_a_folder_that_is_moved_is_gone_too),
        TEST_IN_DIR(past_the_budget_folders_are_polled),
        TEST_IN_DIR(without_watches_left_the_rest_is_polled_and_the_way_out_told),
        TEST_IN_DIR(without_inotify_everything_is_polled_while_somebody_works),
        TEST_IN_DIR(a_folder_that_cannot_be_read_is_told_once),
        TEST_IN_DIR(projects_share_folders_and_part_again),
        TEST_IN_DIR(the_set_of_folders_can_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
