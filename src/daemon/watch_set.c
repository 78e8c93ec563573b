/* Which folders of a project are watched: found anew by a scan, put in place beside the old set, then exchanged.
 *
 * A scan works in slices, because the loop has others to answer. Its set is a list that grows while it is walked: the
 * folders known from the start come first, each folder of a watch path that is looked into adds those in it at the end.
 * A folder that both sets have keeps its watch (inotify gives the same descriptor for the same inode), so nothing that
 * happens during a scan is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "daemon/ignore.h"
#include "daemon/watch_priv.h"

/* The same for every folder: adding a watch to an inode that has one replaces its mask. */
#define MASK                                                                                                           \
    (IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |            \
     IN_ONLYDIR | IN_EXCL_UNLINK)
#define SLICE 64 /* folders looked into in one step */
#define IGNORE_FILE_MAX (256u << 10)

/* ------------------------------------------------------------ wd -> folders */

static size_t home_of(const struct watch *w, int wd)
{
    return ((uint32_t)wd * 2654435769u) & (w->places_cap - 1);
}

static void place_insert(struct watch *w, struct watch_place p)
{
    size_t i = home_of(w, p.wd);

    while (w->places[i].root)
        i = (i + 1) & (w->places_cap - 1);
    w->places[i] = p;
}

static void place_add(struct watch *w, struct watch_place p)
{
    if ((w->places_n + 1) * 4 > w->places_cap * 3) {
        struct watch_place *old = w->places;
        size_t cap = w->places_cap;

        w->places_cap = cap ? cap * 2 : 64;
        w->places = mem_zero(w->places_cap, sizeof *w->places);
        for (size_t i = 0; i < cap; i++)
            if (old[i].root)
                place_insert(w, old[i]);
        free(old);
    }
    place_insert(w, p);
    w->places_n++;
}

struct watch_place *watch_place_next(const struct watch *w, int wd, size_t *at)
{
    if (!w->places_cap)
        return NULL;
    /* *at is 0 or one more than the steps from home that were taken. */
    for (size_t step = *at; step < w->places_cap; step++) {
        struct watch_place *p = &w->places[(home_of(w, wd) + step) & (w->places_cap - 1)];

        if (!p->root)
            return NULL;
        if (p->wd == wd) {
            *at = step + 1;
            return p;
        }
    }
    return NULL;
}

/* Entries behind the gap move up where that brings them nearer to their home. */
static void place_remove(struct watch *w, struct watch_place *p)
{
    size_t mask = w->places_cap - 1, gap = (size_t)(p - w->places);

    for (size_t i = (gap + 1) & mask; w->places[i].root; i = (i + 1) & mask) {
        size_t home = home_of(w, w->places[i].wd);

        if (((i - home) & mask) >= ((i - gap) & mask)) {
            w->places[gap] = w->places[i];
            gap = i;
        }
    }
    w->places[gap] = (struct watch_place){ 0 };
    w->places_n--;
}

void watch_place_remove_all(struct watch *w, int wd)
{
    struct watch_place *p;
    size_t at = 0;
    bool found = false;

    while ((p = watch_place_next(w, wd, &at))) {
        struct watch_set *set = p->generation == p->root->generation ? &p->root->set : &p->root->next;

        if (p->node < set->nodes.n)
            set->nodes.p[p->node].wd = -1;
        place_remove(w, p);
        w->figures.watches -= !found;
        found = true;
        at = 0;
    }
}

void watch_set_release(struct watch_root *root, struct watch_set *set, bool generation)
{
    struct watch *w = root->w;

    for (uint32_t i = 0; i < set->nodes.n; i++) {
        struct watch_place *p;
        size_t at = 0, others = 0;
        struct watch_place *mine = NULL;

        if (set->nodes.p[i].wd < 0)
            continue;
        while ((p = watch_place_next(w, set->nodes.p[i].wd, &at))) {
            if (p->root == root && p->node == i && p->generation == generation)
                mine = p;
            else
                others++;
        }
        if (mine)
            place_remove(w, mine);
        if (mine && !others) {
            (void)inotify_rm_watch(w->fd, set->nodes.p[i].wd);
            w->figures.watches--;
        }
    }
    VEC_CLEAR(&set->nodes);
    VEC_CLEAR(&set->names);
    VEC_CLEAR(&set->wanted);
    *set = (struct watch_set){ 0 };
}

/* ------------------------------------------------------------ folders */

bool watch_node_path(const struct watch_set *set, uint32_t node, char out[4096])
{
    uint32_t up[PATH_MAX / 2];
    size_t depth = 0, n = 0;

    for (uint32_t i = node; i != NODE_NONE; i = set->nodes.p[i].parent) {
        if (depth == COUNT(up))
            return false;
        up[depth++] = i;
    }
    while (depth > 0) {
        const char *name = set->names.p + set->nodes.p[up[--depth]].name;
        int wrote = snprintf(out + n, 4096 - n, "%s%s", n ? "/" : "", name);

        if (wrote < 0 || (size_t)wrote >= 4096 - n)
            return false;
        n += (size_t)wrote;
    }
    return true;
}

void watch_say(struct watch_root *root, enum watch_said kind, const char *fmt, ...)
{
    char text[600];
    va_list args;

    if (root->said & kind)
        return;
    root->said |= kind;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (root->w->options.say)
        root->w->options.say(root->user, text);
}

static unsigned long read_limit(void)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text;
    uint64_t n = 0;

    if (fd_read_if_there(AT_FDCWD, "/proc/sys/fs/inotify/max_user_watches", 64, &a, &text, &e) && text.p)
        (void)!str_to_u64(str_trim(text), &n);
    return (unsigned long)n;
}

static void no_watches(struct watch_root *root)
{
    unsigned long allowed = read_limit();

    watch_say(root, SAID_NO_WATCHES,
              "no inotify watches are left: %s has more than %zu folders to watch, all programs of this user together "
              "may have %lu; the rest is polled. `sudo sysctl fs.inotify.max_user_watches=%lu` allows more",
              root->path, root->next.dirs, allowed, MAX(allowed * 2, 524288ul));
}

/* The watch of a folder: -1 when there is none; *polled says it must be polled, *usable that it can be looked at. */
static int place_watch(struct watch_root *root, const char *path, bool follow, bool *polled, bool *usable)
{
    struct watch *w = root->w;
    unsigned budget = w->options.budget ? w->options.budget : WATCH_BUDGET;

    *usable = true;
    *polled = true;
    if (w->fd < 0 || root->poll_fs)
        return -1;
    if (root->next.dirs >= budget) {
        watch_say(root, SAID_BUDGET,
                  "%s has more than %u folders to watch; the rest is polled. Name fewer in [monitor] watch_paths of "
                  "blast.toml", root->path, budget);
        return -1;
    }
    int wd = inotify_add_watch(w->fd, path, MASK | (follow ? 0 : IN_DONT_FOLLOW));

    if (wd >= 0) {
        *polled = false;
        return wd;
    }
    if (errno == ENOSPC || errno == ENOMEM) {
        no_watches(root);
        return -1;
    }
    *polled = *usable = false;
    if (errno == EACCES || errno == EPERM)
        watch_say(root, SAID_UNREADABLE, "cannot read %s: what changes there is not noticed", path);
    return -1;
}

/* NODE_NONE when it is not there or cannot be used. */
static uint32_t add_node(struct watch_root *root, uint32_t parent, const char *name, uint8_t role)
{
    struct watch_set *set = &root->next;
    struct watch_node n = { .parent = parent, .name = (uint32_t)set->names.n, .wd = -1, .role = role };
    size_t len = strlen(name) + 1;
    char path[4096];
    bool usable, fresh = true;
    size_t at = 0;

    VEC_RESERVE(&set->names, set->names.n + len);
    memcpy(set->names.p + set->names.n, name, len);
    set->names.n += len;
    VEC_PUSH(&set->nodes, n);
    uint32_t i = (uint32_t)(set->nodes.n - 1);
    struct watch_node *node = &set->nodes.p[i];

    if (watch_node_path(set, i, path)) {
        node->wd = place_watch(root, path, parent == NODE_NONE, &node->polled, &usable);
        if (usable && node->polled)
            usable = access(path, R_OK | X_OK) == 0;
    } else
        usable = false;
    if (!usable) {
        set->nodes.n--;
        return NODE_NONE;
    }
    set->polled += node->polled;
    if (node->wd < 0)
        return i;
    bool known = false;

    for (struct watch_place *p; (p = watch_place_next(root->w, node->wd, &at));) {
        known = true;
        if (p->root == root && p->generation != root->generation)
            fresh = false; /* the same folder in another role */
    }
    set->dirs += fresh;
    root->w->figures.watches += !known;
    place_add(root->w, (struct watch_place){ root, node->wd, i, !root->generation });
    return i;
}

static void want_name(struct watch_root *root, const char *name)
{
    VEC_PUSH(&root->next.wanted, hash_fast(name, strlen(name)));
}

static bool has_files_node(const struct watch_root *root, const char *path)
{
    for (size_t i = 0; i < root->next.nodes.n; i++) {
        const struct watch_node *n = &root->next.nodes.p[i];

        if (n->parent == NODE_NONE && n->role & (ROLE_FILES | ROLE_ROOT) &&
            strcmp(root->next.names.p + n->name, path) == 0)
            return true;
    }
    return false;
}

/* Watches the folder of `path` for its name; of a path whose folder is missing, the nearest one above that is there,
 * for the name that leads on. */
static void want_path(struct watch_root *root, const char *path)
{
    char dir[4096];

    if (snprintf(dir, sizeof dir, "%s", path) >= (int)sizeof dir)
        return;
    for (char *slash; (slash = strrchr(dir, '/'));) {
        want_name(root, slash + 1);
        *slash = 0;
        const char *above = dir[0] ? dir : "/";

        if (has_files_node(root, above) || add_node(root, NODE_NONE, above, ROLE_FILES) != NODE_NONE)
            return;
    }
}

bool watch_identify(const char *path, dev_t *device, ino_t *inode)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return false;
    *device = st.st_dev;
    *inode = st.st_ino;
    return true;
}

static bool is_dir(const char *path)
{
    dev_t device;
    ino_t inode;

    return watch_identify(path, &device, &inode);
}

size_t watch_find_sites(const char *env, char out[][4096], size_t max)
{
    AUTO_FILE_LIST list = { 0 };
    struct err e = { 0 };
    const struct dirent *d;
    char lib[4096];
    size_t n = 0;

    /* "/.": lib is a link, and lists are not opened through one. */
    if (snprintf(lib, sizeof lib, "%s/lib/.", env) >= (int)sizeof lib || !file_list_open(AT_FDCWD, lib, &list, &e))
        return 0;
    while (n < max && file_list_next(&list, &d, &e)) {
        if (!str_starts(str_of(d->d_name), STR("py")))
            continue;
        int wrote = snprintf(out[n], 4096, "%s/lib/%s/site-packages", env, d->d_name);

        n += wrote > 0 && wrote < 4096 && is_dir(out[n]);
    }
    return n;
}

/* ------------------------------------------------------------ version control */

/* Its folder: `.git`, or what a `.git` file of a worktree leads to; in the project or above it. */
static bool find_vcs(const char *root, char out[4096], bool *hg)
{
    char dir[4096];

    if (snprintf(dir, sizeof dir, "%s", root) >= (int)sizeof dir)
        return false;
    for (;;) {
        struct stat st;

        *hg = false;
        if (snprintf(out, 4096, "%s/.git", dir) < 4096 && stat(out, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                return true;
            AUTO_ARENA a = { 0 };
            struct err e = { 0 };
            struct str text;

            if (!fd_read_file(AT_FDCWD, out, 8192, &a, &text, &e) || !str_cut_prefix(&text, STR("gitdir: ")))
                return false;
            text = str_trim(text);
            bool absolute = str_starts(text, STR("/"));

            const char *above = absolute ? "" : dir;

            return snprintf(out, 4096, "%s%s" STR_FMT, above, *above ? "/" : "", STR_ARG(text)) < 4096 && is_dir(out);
        }
        *hg = true;
        if (snprintf(out, 4096, "%s/.hg", dir) < 4096 && is_dir(out))
            return true;
        char *slash = strrchr(dir, '/');

        if (!slash || slash == dir)
            return false;
        *slash = 0;
    }
}

static void add_vcs(struct watch_root *root)
{
    char path[4096];
    bool hg;

    free(root->vcs);
    root->vcs = NULL;
    root->vcs_watched = false;
    want_name(root, ".git");
    want_name(root, ".hg");
    if (!find_vcs(root->path, path, &hg))
        return;
    uint32_t i = add_node(root, NODE_NONE, path, ROLE_VCS);

    root->vcs = mem_dup(path, strlen(path));
    root->vcs_is_hg = hg;
    root->vcs_watched = i != NODE_NONE && !root->next.nodes.p[i].polled;
}

/* ------------------------------------------------------------ scanning */

static void add_environment(struct watch_root *root)
{
    char site[4][4096];

    if (!root->env)
        return;
    want_path(root, root->env);
    if (add_node(root, NODE_NONE, root->env, ROLE_ENV) == NODE_NONE)
        return;
    size_t n = watch_find_sites(root->env, site, COUNT(site));

    for (size_t i = 0; i < n; i++)
        (void)add_node(root, NODE_NONE, site[i], ROLE_SITE);
}

static void add_trees(struct watch_root *root)
{
    for (size_t i = 0; i < root->trees; i++) {
        want_path(root, root->tree[i]);
        if (is_dir(root->tree[i]))
            (void)add_node(root, NODE_NONE, root->tree[i], ROLE_TREE);
    }
}

/* The project is gone: wait for the nearest folder that is there to get an entry. */
static void add_ancestor(struct watch_root *root)
{
    char dir[4096];
    char *slash;

    if (snprintf(dir, sizeof dir, "%s", root->path) >= (int)sizeof dir)
        return;
    while ((slash = strrchr(dir, '/'))) {
        *slash = 0;
        if (add_node(root, NODE_NONE, dir[0] ? dir : "/", ROLE_ANCESTOR) != NODE_NONE)
            return;
    }
}

void watch_scan_begin(struct watch_root *root)
{
    bool was_gone = root->gone;

    root->w->figures.scans++;
    root->want_scan = false;
    root->scanning = true;
    root->scan_at = 0;
    root->gone = !watch_identify(root->path, &root->device, &root->inode);
    root->poll_fs = root->gone ? NULL : watch_poll_fs(root->path);
    if (root->w->fd < 0 && !root->w->options.poll)
        watch_say(root, SAID_NO_WATCHES, "inotify cannot be used, %s is polled: `sysctl fs.inotify.max_user_instances` "
                                         "says how many programs of this user may", root->path);
    if (root->gone) {
        if (!was_gone && !root->first_scan)
            root->pending |= WATCH_GONE;
        add_ancestor(root);
        return;
    }
    if (was_gone)
        root->pending |= WATCH_BACK | WATCH_FILES | WATCH_ENV | WATCH_SITE;
    (void)add_node(root, NODE_NONE, root->path, ROLE_ROOT);
    for (size_t i = 0; i < root->files; i++)
        want_path(root, root->file[i]);
    add_vcs(root);
    add_environment(root);
    add_trees(root);
}

void watch_add_source(struct watch_root *root, const char *path)
{
    if (root->too_many)
        return;
    for (size_t i = 0; i < root->sources.n; i++)
        if (strcmp(root->sources.p[i], path) == 0)
            return;
    if (root->sources.n < WATCH_SOURCES_MAX) {
        VEC_PUSH(&root->sources, mem_dup(path, strlen(path)));
        return;
    }
    root->too_many = true;
    for (size_t i = 0; i < root->sources.n; i++)
        free(root->sources.p[i]);
    VEC_CLEAR(&root->sources);
}

/* Whether the .gitignore beside a folder names it. */
static bool is_ignored(struct str text, const char *name)
{
    struct str line, rest = text, pattern;
    bool anchored;

    while (str_next_line(&rest, &line)) {
        char glob[256];

        if (!ignore_line(line, &pattern, &anchored) || pattern.n >= sizeof glob)
            continue;
        memcpy(glob, pattern.p, pattern.n);
        glob[pattern.n] = 0;
        if (fnmatch(glob, name, 0) == 0)
            return true;
    }
    return false;
}

static bool is_folder(int dir, const struct dirent *d, dev_t device)
{
    struct stat st;

    if (d->d_type != DT_DIR && d->d_type != DT_UNKNOWN)
        return false;
    return fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && st.st_dev == device;
}

static void collect(struct watch_root *root, int dir, const char *path, const char *name)
{
    struct stat st;
    char full[4096];

    if (!root->collect_since || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        MAX(st.st_ctim.tv_sec, st.st_mtim.tv_sec) < root->collect_since)
        return;
    if (snprintf(full, sizeof full, "%s/%s", path, name) < (int)sizeof full) {
        watch_add_source(root, full);
        root->pending |= WATCH_SOURCES;
    }
}

/* Adds the folders in a folder of a watch path. One that holds an environment or says it is a cache adds none. */
static void look_into(struct watch_root *root, uint32_t node)
{
    AUTO_FILE_LIST list = { 0 };
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    const struct dirent *d;
    struct stat st;
    struct str ignored;
    char path[4096];

    if (!watch_node_path(&root->next, node, path) || !file_list_open(AT_FDCWD, path, &list, &e)) {
        if (e.sys == EACCES)
            watch_say(root, SAID_UNREADABLE, "cannot read %s: what changes there is not noticed", path);
        return;
    }
    int dir = dirfd(list.handle);

    if (fstat(dir, &st) < 0 || faccessat(dir, "pyvenv.cfg", F_OK, 0) == 0 ||
        faccessat(dir, "CACHEDIR.TAG", F_OK, 0) == 0)
        return;
    if (!fd_read_if_there(dir, ".gitignore", IGNORE_FILE_MAX, &a, &ignored, &e))
        ignored = STR("");
    while (file_list_next(&list, &d, &e)) {
        struct str name = str_of(d->d_name);

        if (str_ends(name, STR(".py")))
            collect(root, dir, path, d->d_name);
        else if (!ignore_is_folder(name) && is_folder(dir, d, st.st_dev) && !is_ignored(ignored, d->d_name))
            (void)add_node(root, node, d->d_name, ROLE_TREE);
    }
}

static void scan_end(struct watch_root *root)
{
    struct watch_set old = root->set;

    root->set = root->next;
    root->next = (struct watch_set){ 0 };
    root->generation = !root->generation;
    watch_set_release(root, &old, !root->generation);
    root->scanning = false;
    root->first_scan = false;
    root->collect_since = 0;
    root->scanned = clock_now();
}

void watch_scan_step(struct watch_root *root)
{
    size_t done = 0;

    while (root->scan_at < root->next.nodes.n && done < SLICE) {
        uint32_t i = (uint32_t)root->scan_at++;

        if (root->next.nodes.p[i].role & ROLE_TREE) {
            look_into(root, i);
            done++;
        }
    }
    if (root->scan_at >= root->next.nodes.n)
        scan_end(root);
}
