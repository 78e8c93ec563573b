/* Events, settling, holding while version control is at work, losing and finding projects. */
#include "daemon/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "daemon/ignore.h"
#include "daemon/watch_priv.h"

#define BURST_EVENTS 8
#define LOST_FREE 3          /* looks at everything before they are spaced: as watchman does */
#define LOST_FIRST_MS 100
#define LOST_MOST_MS 10000
#define LOST_FORGET_MS 60000
#define HOLD_FIRST_MS 1000
#define HOLD_MOST_MS 30000
#define HOLD_LOCK_MS 600000  /* an index.lock that is older was left by a crash */
#define MATCHES_MAX 16       /* places of one watch descriptor */

struct watch *watch_open(const struct watch_options *options)
{
    struct watch *w = mem_zero(1, sizeof *w);

    w->options = *options;
    w->fd = options->poll ? -1 : inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return w;
}

static void clear_sources(struct watch_root *root)
{
    for (size_t i = 0; i < root->sources.n; i++)
        free(root->sources.p[i]);
    VEC_CLEAR(&root->sources);
    root->too_many = false;
}

static void clear_want(struct watch_root *root)
{
    for (size_t i = 0; i < root->files; i++)
        free(root->file[i]);
    for (size_t i = 0; i < root->trees; i++)
        free(root->tree[i]);
    free(root->file);
    free(root->tree);
    free(root->env);
    root->file = root->tree = NULL;
    root->env = NULL;
    root->files = root->trees = 0;
}

static void free_root(struct watch_root *root)
{
    watch_set_release(root, &root->set, root->generation);
    watch_set_release(root, &root->next, !root->generation);
    clear_sources(root);
    clear_want(root);
    free(root->vcs);
    free(root->path);
    free(root);
}

static void clear_given(struct watch *w)
{
    for (size_t i = 0; i < w->given.n; i++)
        free(w->given.p[i]);
    w->given.n = 0;
}

void watch_close(struct watch *w)
{
    for (size_t i = 0; i < w->roots.n; i++)
        free_root(w->roots.p[i]);
    VEC_CLEAR(&w->roots);
    clear_given(w);
    VEC_CLEAR(&w->given);
    free(w->places);
    fd_close(&w->fd);
    free(w);
}

int watch_fd(const struct watch *w)
{
    return w->fd;
}

struct watch_root *watch_add(struct watch *w, const char *path, void *user)
{
    struct watch_root *root = mem_zero(1, sizeof *root);

    root->w = w;
    root->user = user;
    root->path = mem_dup(path, strlen(path));
    root->first_scan = true;
    VEC_PUSH(&w->roots, root);
    return root;
}

void watch_remove(struct watch_root *root)
{
    struct watch *w = root->w;

    for (size_t i = 0; i < w->roots.n; i++)
        if (w->roots.p[i] == root) {
            w->roots.p[i] = w->roots.p[--w->roots.n];
            break;
        }
    free_root(root);
}

static char **copy_texts(const char *const *text, size_t n)
{
    char **out = mem_zero(n, sizeof *out);

    for (size_t i = 0; i < n; i++)
        out[i] = mem_dup(text[i], strlen(text[i]));
    return out;
}

/* ------------------------------------------------------------ noting */

static void begin_scan_again(struct watch_root *root)
{
    watch_set_release(root, &root->next, !root->generation);
    root->scanning = false;
    root->want_scan = true;
}

void watch_set(struct watch_root *root, const struct watch_want *want, uint64_t now)
{
    clear_want(root);
    root->file = copy_texts(want->file, want->files);
    root->files = want->files;
    root->tree = copy_texts(want->tree, want->trees);
    root->trees = want->trees;
    root->env = want->env ? mem_dup(want->env, strlen(want->env)) : NULL;
    root->files_signature = 0;
    begin_scan_again(root);
    root->scan_after = MAX(root->scan_after, now);
}

static void note(struct watch_root *root, unsigned what, uint64_t now)
{
    if (!root->pending) {
        root->first = now;
        root->events = 0;
        root->burst = false;
        root->held = false;
        root->collect_since = clock_now() - 1;
    }
    root->pending |= what;
    root->last = now;
    root->burst |= ++root->events > BURST_EVENTS;
}

/* Something may have been missed: look at everything, at once the first times, then ever later. */
static void lose(struct watch_root *root, uint64_t now)
{
    if (now - root->lost_since > LOST_FORGET_MS) {
        root->lost = 0;
        root->lost_since = now;
    }
    if (!root->want_scan) {
        unsigned over = root->lost++ < LOST_FREE ? 0 : MIN(root->lost - LOST_FREE, 8u);
        uint64_t wait = over ? MIN((uint64_t)LOST_FIRST_MS << (over - 1), (uint64_t)LOST_MOST_MS) : 0;

        begin_scan_again(root);
        root->scan_after = now + wait;
    }
    note(root, WATCH_FILES | WATCH_SITE | WATCH_ENV | PENDING_SCAN, now);
    if (root->scanned)
        root->collect_since = root->scanned - 1;
}

void watch_again(struct watch_root *root, uint64_t now)
{
    note(root, WATCH_FILES | WATCH_SITE | WATCH_ENV | PENDING_SCAN, now);
    begin_scan_again(root);
    root->scan_after = now;
}

void watch_attend(struct watch_root *root, bool somebody, uint64_t now)
{
    if (somebody && !root->attended) {
        root->poll_files_at = now + WATCH_POLL_MS;
        root->poll_sources_at = now + WATCH_POLL_SOURCES_MS;
    }
    root->attended = somebody;
}

/* ------------------------------------------------------------ events */

static bool is_wanted(const struct watch_root *root, struct str name)
{
    uint64_t h = hash_fast(name.p, name.n);

    for (size_t i = 0; i < root->set.wanted.n; i++)
        if (root->set.wanted.p[i] == h)
            return true;
    for (size_t i = 0; i < root->next.wanted.n; i++)
        if (root->next.wanted.p[i] == h)
            return true;
    return false;
}

static void file_event(struct watch_root *root, uint8_t role, uint32_t mask, struct str name, uint64_t now)
{
    bool list = role == ROLE_ROOT && str_starts(name, STR("requirements")) && str_ends(name, STR(".txt"));

    if (!list && !is_wanted(root, name))
        return;
    /* A file that is only created will be written and closed; a link or a renamed file comes whole. */
    if (mask & IN_ISDIR || mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE)) {
        note(root, WATCH_FILES, now);
        if (mask & IN_ISDIR) {
            note(root, WATCH_ENV | PENDING_SCAN, now);
            root->want_scan = true;
        }
    }
}

static void tree_event(struct watch_root *root, const struct watch_set *set, uint32_t node, uint32_t mask,
                       struct str name, uint64_t now)
{
    char path[4096];

    if (mask & IN_ISDIR) {
        if (ignore_is_folder(name) || !(mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)))
            return;
        note(root, PENDING_SCAN, now);
        root->want_scan = true;
        return;
    }
    if (!(mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) || !str_ends(name, STR(".py")) || !watch_node_path(set, node, path))
        return;
    size_t n = strlen(path);

    if (n + name.n + 2 > sizeof path)
        return;
    path[n++] = '/';
    memcpy(path + n, name.p, name.n);
    path[n + name.n] = 0;
    watch_add_source(root, path);
    note(root, WATCH_SOURCES, now);
}

static void vcs_event(struct watch_root *root, uint64_t now)
{
    if (!root->pending)
        return; /* `git status` writes its index too */
    root->last = now;
    root->burst = true;
    root->held = false;
}

static void named_event(struct watch_root *root, const struct watch_set *set, uint32_t node, uint32_t mask,
                        struct str name, uint64_t now)
{
    uint8_t role = set->nodes.p[node].role;

    if (role & (ROLE_ROOT | ROLE_FILES))
        file_event(root, role, mask, name, now);
    if (role & ROLE_TREE)
        tree_event(root, set, node, mask, name, now);
    if (role & ROLE_VCS)
        vcs_event(root, now);
    if (role & ROLE_SITE && ignore_is_distribution(name))
        note(root, WATCH_SITE, now);
    if (role & ROLE_ENV &&
        (str_eq(name, STR(".current")) || str_eq(name, STR("pyvenv.cfg")) || str_eq(name, STR("lib")))) {
        note(root, WATCH_ENV | PENDING_SCAN, now);
        root->want_scan = true;
    }
    if (role & ROLE_ANCESTOR && mask & IN_ISDIR)
        lose(root, now);
}

static void self_event(struct watch_root *root, const struct watch_set *set, uint32_t node, uint64_t now)
{
    if (set->nodes.p[node].parent != NODE_NONE) /* the folder above tells that one went */
        return;
    note(root, PENDING_SCAN | (set->nodes.p[node].role & (ROLE_ENV | ROLE_SITE) ? (unsigned)WATCH_ENV : 0u), now);
    root->want_scan = true;
}

static void event(struct watch *w, const struct inotify_event *ev, struct str name, uint64_t now)
{
    struct watch_place match[MATCHES_MAX];
    size_t n = 0, at = 0;

    if (ev->mask & IN_Q_OVERFLOW) {
        w->figures.overflows++;
        for (size_t i = 0; i < w->roots.n; i++)
            lose(w->roots.p[i], now);
        return;
    }
    for (struct watch_place *p; n < MATCHES_MAX && (p = watch_place_next(w, ev->wd, &at));)
        match[n++] = *p;
    if (n == MATCHES_MAX) /* more projects than fit share this folder: tell all of them */
        for (size_t i = 0; i < w->roots.n; i++)
            lose(w->roots.p[i], now);
    for (size_t i = 0; i < n; i++) {
        struct watch_root *root = match[i].root;
        const struct watch_set *set = match[i].generation == root->generation ? &root->set : &root->next;

        /* A scan that was begun again took the set away. */
        if (match[i].node >= set->nodes.n || set->nodes.p[match[i].node].wd != ev->wd)
            continue;
        bool needed = set->nodes.p[match[i].node].parent == NODE_NONE;

        if (ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
            self_event(root, set, match[i].node, now);
        else if (ev->mask & (IN_IGNORED | IN_UNMOUNT) && needed)
            lose(root, now);
        else if (name.n && !(ignore_is_temporary(name) && !(ev->mask & IN_ISDIR)))
            named_event(root, set, match[i].node, ev->mask, name, now);
        else if (name.n && set->nodes.p[match[i].node].role & ROLE_VCS)
            vcs_event(root, now);
    }
    if (ev->mask & IN_IGNORED)
        watch_place_remove_all(w, ev->wd);
}

void watch_feed(struct watch *w, const void *p, size_t n, uint64_t now)
{
    const char *at = p;

    while (n >= sizeof(struct inotify_event)) {
        struct inotify_event ev;

        memcpy(&ev, at, sizeof ev);
        if (ev.len > n - sizeof ev)
            return;
        const char *name = at + sizeof ev;

        w->figures.events++;
        event(w, &ev, (struct str){ name, strnlen(name, ev.len) }, now);
        at += sizeof ev + ev.len;
        n -= sizeof ev + ev.len;
    }
}

void watch_read(struct watch *w, uint64_t now)
{
    char p[16384] __attribute__((aligned(8)));
    ssize_t n;

    /* Bounded: events that come faster than they are read must not keep the loop from everything else. */
    for (unsigned i = 0; w->fd >= 0 && i < 64; i++) {
        n = read(w->fd, p, sizeof p);
        if (n <= 0)
            return;
        watch_feed(w, p, (size_t)n, now);
    }
}

/* ------------------------------------------------------------ version control at work */

static bool is_there(const char *dir, const char *name, int64_t *age)
{
    char path[4096];
    struct stat st;

    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path || lstat(path, &st) < 0)
        return false;
    *age = clock_now() - st.st_mtim.tv_sec;
    return true;
}

/* *lock: by a command that is running, which takes no time, unless it crashed. */
static bool vcs_is_busy(const struct watch_root *root, bool *lock)
{
    static const char *const git[] = { "rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD",
                                       "REVERT_HEAD" };
    int64_t age;

    *lock = false;
    if (!root->vcs)
        return false;
    if (root->vcs_is_hg)
        return *lock = is_there(root->vcs, "wlock", &age) && age < HOLD_LOCK_MS / 1000;
    if (is_there(root->vcs, "index.lock", &age) && age < HOLD_LOCK_MS / 1000)
        return *lock = true;
    for (size_t i = 0; i < COUNT(git); i++)
        if (is_there(root->vcs, git[i], &age))
            return true;
    return false;
}

/* The end of a command comes as an event, where there are events; a lock is also looked at now and then, because
 * the one who left it behind will never take it away. */
static bool is_held(struct watch_root *root, uint64_t now)
{
    bool lock;

    if (root->held && now < root->hold_check)
        return true;
    if (!vcs_is_busy(root, &lock)) {
        if (root->held)
            root->burst = true;
        root->held = false;
        return false;
    }
    root->hold_step = root->held ? MIN(root->hold_step * 2, (uint64_t)HOLD_MOST_MS) : HOLD_FIRST_MS;
    root->held = true;
    root->hold_check = lock || (!root->vcs_watched && root->attended) ? now + root->hold_step : WATCH_NEVER;
    return true;
}

const char *watch_waits_for(const struct watch_root *root)
{
    return root->pending && root->held ? root->vcs_is_hg ? "hg" : "git" : NULL;
}

bool watch_is_settling(const struct watch_root *root)
{
    return root->pending && !root->held;
}

/* ------------------------------------------------------------ what is due */

static uint64_t settled_at(const struct watch_root *root)
{
    uint64_t quiet = root->burst ? WATCH_QUIET_BURST_MS : WATCH_QUIET_MS;

    return MIN(root->last + quiet, root->first + WATCH_LONGEST_MS);
}

static bool is_polled(const struct watch_root *root)
{
    return root->attended && !root->gone && (root->poll_fs || root->w->fd < 0);
}

static void poll_files(struct watch_root *root, uint64_t now)
{
    uint64_t h = watch_poll_files(root);

    root->poll_files_at = now + WATCH_POLL_MS;
    if (root->files_signature && h != root->files_signature)
        note(root, WATCH_FILES | WATCH_ENV | WATCH_SITE, now);
    root->files_signature = h;
}

static void poll_sources(struct watch_root *root, uint64_t now)
{
    char path[4096];
    bool changed = false;

    root->poll_sources_at = now + WATCH_POLL_SOURCES_MS;
    for (uint32_t i = 0; i < root->set.nodes.n; i++) {
        struct watch_node *n = &root->set.nodes.p[i];

        if (!n->polled || !watch_node_path(&root->set, i, path))
            continue;
        uint64_t h = watch_poll_folder(path);

        changed |= n->signature && n->signature != h;
        n->signature = h;
    }
    if (changed) {
        note(root, PENDING_SCAN, now);
        root->want_scan = true;
        root->collect_since = clock_now() - (WATCH_POLL_SOURCES_MS / 1000 + 2);
    }
}

static void poll(struct watch_root *root, uint64_t now)
{
    if (is_polled(root) && now >= root->poll_files_at)
        poll_files(root, now);
    if (root->attended && root->set.polled && now >= root->poll_sources_at)
        poll_sources(root, now);
}

/* Gone, moved, or exchanged for another folder of that name; events do not tell when a folder above was renamed. */
static void check_path(struct watch_root *root)
{
    dev_t device;
    ino_t inode;
    bool there = watch_identify(root->path, &device, &inode);

    if (there == root->gone || (there && (device != root->device || inode != root->inode)))
        root->want_scan = true;
}

static void hand_out(struct watch_root *root, struct watch_change *out)
{
    struct watch *w = root->w;

    clear_given(w);
    for (size_t i = 0; i < root->sources.n; i++)
        VEC_PUSH(&w->given, root->sources.p[i]);
    *out = (struct watch_change){
        .user = root->user,
        .flags = root->pending & ~PENDING_SCAN,
        .source = (const char *const *)w->given.p,
        .sources = w->given.n,
        .too_many = root->too_many,
    };
    VEC_CLEAR(&root->sources);
    root->too_many = false;
    root->pending = 0;
    root->held = false;
}

/* True when *out was written. */
static bool advance(struct watch_root *root, uint64_t now, struct watch_change *out)
{
    if (root->scanning) {
        watch_scan_step(root);
        if (root->scanning)
            return false;
    }
    poll(root, now);
    bool due = root->pending && now >= settled_at(root);

    if (due && is_held(root, now))
        return false;
    if (due)
        check_path(root);
    if (root->want_scan && now >= root->scan_after && (due || !root->pending)) {
        watch_scan_begin(root);
        return false;
    }
    if (!due || root->want_scan)
        return false;
    hand_out(root, out);
    return out->flags != 0;
}

bool watch_next(struct watch *w, uint64_t now, struct watch_change *out)
{
    for (size_t i = 0; i < w->roots.n; i++)
        if (advance(w->roots.p[i], now, out))
            return true;
    return false;
}

static uint64_t root_deadline(const struct watch_root *root, uint64_t now)
{
    uint64_t at = WATCH_NEVER;

    if (root->scanning)
        return now;
    if (is_polled(root))
        at = MIN(at, root->poll_files_at);
    if (root->attended && root->set.polled)
        at = MIN(at, root->poll_sources_at);
    if (root->pending && root->held)
        return MIN(at, root->hold_check);
    if (root->pending)
        at = MIN(at, MAX(settled_at(root), root->want_scan ? root->scan_after : 0));
    else if (root->want_scan)
        at = MIN(at, root->scan_after);
    return at;
}

uint64_t watch_deadline(const struct watch *w, uint64_t now)
{
    uint64_t at = WATCH_NEVER;

    for (size_t i = 0; i < w->roots.n; i++)
        at = MIN(at, root_deadline(w->roots.p[i], now));
    return at;
}

/* ------------------------------------------------------------ telling */

void watch_describe(const struct watch_root *root, char out[WATCH_TEXT])
{
    const struct watch_set *set = &root->set;

    if (root->gone)
        (void)snprintf(out, WATCH_TEXT, "waiting for the folder");
    else if (root->poll_fs)
        (void)snprintf(out, WATCH_TEXT, "polling (%s)", root->poll_fs);
    else if (root->w->fd < 0)
        (void)snprintf(out, WATCH_TEXT, "polling (no inotify)");
    else if (set->polled)
        (void)snprintf(out, WATCH_TEXT, "inotify, %zu dirs, %zu polled", set->dirs, set->polled);
    else
        (void)snprintf(out, WATCH_TEXT, "inotify, %zu dirs", set->dirs);
}

void watch_figures(const struct watch *w, struct watch_figures *out)
{
    *out = w->figures;
}
