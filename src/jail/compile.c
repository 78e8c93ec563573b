#include "jail/compile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "config/config.h"
#include "jail/outlet.h"
#include "jail/reach.h"

#define LINKS_MAX 40 /* as the kernel's own bound */

struct maker {
    struct arena *a;
    enum jail_level level;
    VEC(struct str) writable; /* directories that a program in the sandbox may change, and the next one too */
    VEC(struct str) fixed;    /* what it may not change, even in one of those */
    VEC(struct jail_path) list;
    VEC(struct str) variables;
};

/* What every program may expect to find. On distributions with a merged /usr all but two are links. */
static const char *const system_dirs[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc" };

/* Of /etc, what the C library and TLS need; the rest of a container's /etc is made up. */
static const char *const etc_of_container[] = {
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl",
    "/etc/ca-certificates", "/etc/pki", "/etc/localtime", "/etc/mime.types", "/etc/protocols", "/etc/services",
};

/* Device nodes and the like that stay reachable where the host's /dev is the only one. */
static const char *const devices[] = { "/dev/null", "/dev/zero",    "/dev/full", "/dev/random", "/dev/urandom",
                                       "/dev/tty",  "/dev/pts", "/dev/ptmx", "/dev/shm" };

/* ------------------------------------------------------------ the list */

static void put(struct maker *m, struct jail_path p)
{
    VEC_PUSH_IN(m->a, &m->list, p);
}

static struct str join(struct arena *a, struct str dir, struct str name)
{
    return dir.n == 1 ? arena_printf(a, "/" STR_FMT, STR_ARG(name))
                      : arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name));
}

/* Follows every link on the way of an absolute path: *real is where it ends, each link becomes an entry of its own, so
 * that the old name works inside too. What is not there is taken as it is written. */
static bool resolve(struct maker *m, struct str path, bool needed, struct str *real)
{
    struct str at = STR("/"), rest = path, part;

    for (unsigned links = 0; str_next(&rest, '/', &part);) {
        char target[PATH_MAX];

        if (part.n == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            size_t cut = str_rfind(at, '/');

            at = cut == 0 ? STR("/") : arena_str(m->a, str_sub(at, 0, cut));
            continue;
        }
        struct str next = join(m->a, at, part);
        ssize_t n = readlink(next.p, target, sizeof target - 1);

        if (n <= 0) {
            at = next;
            continue;
        }
        if (++links > LINKS_MAX)
            return false;
        struct str to = arena_str(m->a, (struct str){ target, (size_t)n });

        put(m, (struct jail_path){ .path = next, .access = JAIL_LINK, .target = to, .needed = needed });
        if (to.p[0] == '/')
            at = STR("/");
        rest = rest.p ? join(m->a, to, rest) : to;
    }
    *real = at;
    return true;
}

/* A path that Blast itself needs: shown in any case. */
static void need(struct maker *m, const char *path, enum jail_access access, bool keep_owner)
{
    struct str real;

    if (path && resolve(m, str_of(path), true, &real))
        put(m, (struct jail_path){ .path = real, .access = access, .needed = true, .may_lack = true,
                                   .keep_owner = keep_owner });
}

static void base_system(struct maker *m)
{
    for (size_t i = 0; i < COUNT(system_dirs); i++) {
        struct str dir = str_of(system_dirs[i]), real;

        if (m->level == JAIL_CONTAINER && str_eq(dir, STR("/etc")))
            continue;
        if (resolve(m, dir, false, &real))
            put(m, (struct jail_path){ .path = real, .access = JAIL_READ, .may_lack = true });
    }
}

/* ------------------------------------------------------------ by level */

static void text_file(struct maker *m, const char *path, struct str text)
{
    put(m, (struct jail_path){ .path = str_of(path), .access = JAIL_TEXT, .target = text });
}

static void etc_made_up(struct maker *m, const char *home)
{
    text_file(m, "/etc/passwd",
              arena_printf(m->a, "root:x:0:0:root:/:/bin/sh\nblast:x:1000:1000:blast:%s:/bin/sh\n", home));
    text_file(m, "/etc/group", STR("root:x:0:\nblast:x:1000:\n"));
    text_file(m, "/etc/hosts", STR("127.0.0.1 localhost blast\n::1 localhost\n"));
    text_file(m, "/etc/nsswitch.conf", STR("passwd: files\ngroup: files\nhosts: files dns\n"));
    text_file(m, "/etc/resolv.conf", STR("# the sandbox has no name server\n")); /* see use_name_server() */
    for (size_t i = 0; i < COUNT(etc_of_container); i++)
        put(m, (struct jail_path){ .path = str_of(etc_of_container[i]), .access = JAIL_READ, .may_lack = true });
}

static void own_places(struct maker *m, const char *home)
{
    if (m->level == JAIL_PROCESS) { /* no view of its own: the launcher makes a directory for HOME and TMPDIR */
        for (size_t i = 0; i < COUNT(devices); i++)
            put(m, (struct jail_path){ .path = str_of(devices[i]), .access = JAIL_WRITE, .may_lack = true });
        put(m, (struct jail_path){ .path = STR("/proc"), .access = JAIL_READ, .may_lack = true });
        return;
    }
    put(m, (struct jail_path){ .path = STR("/tmp"), .access = JAIL_PRIVATE });
    put(m, (struct jail_path){ .path = STR("/var/tmp"), .access = JAIL_PRIVATE });
    if (home && home[0] == '/' && home[1])
        put(m, (struct jail_path){ .path = arena_str(m->a, str_of(home)), .access = JAIL_PRIVATE });
}

static bool is_one_of(struct str path, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(path, str_of(list[i])))
            return true;
    return false;
}

/* The system's files are for everybody to read: no need to translate their owner. */
static bool is_system(struct str path)
{
    for (size_t i = 0; i < COUNT(system_dirs); i++)
        if (jail_path_within(path, str_of(system_dirs[i])))
            return true;
    return false;
}

/* ------------------------------------------------------------ what blast.toml names */

/* Relative to the project, "~" is the home directory. */
static bool absolute(struct maker *m, struct str word, const struct jail_place *at, const char *key, struct str *out,
                     struct err *e)
{
    if (word.n == 0 || memchr(word.p, '\0', word.n) || word.n >= PATH_MAX)
        return err_set(e, ERR_CONFIG, "%s: '" STR_FMT "' is no path", key, STR_ARG(word));
    if (word.p[0] == '/')
        *out = arena_str(m->a, word);
    else if (word.p[0] == '~' && (word.n == 1 || word.p[1] == '/'))
        *out = arena_printf(m->a, "%s" STR_FMT, at->home, STR_ARG(str_sub(word, 1, word.n)));
    else
        *out = arena_printf(m->a, "%s/" STR_FMT, at->project, STR_ARG(word));
    return true;
}

/* Showing these would hand over the machine: its devices, its processes, the sockets of its services. */
static bool may_be_shown(struct str path, const char *key, struct err *e)
{
    static const char *const never[] = { "/", "/run", "/var/run", "/proc", "/sys", "/dev" };
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    bool bad = is_one_of(path, never, COUNT(never)) || (runtime && str_eq(path, str_of(runtime)));

    for (size_t i = 1; i < COUNT(never) && !bad; i++)
        bad = jail_path_within(path, str_of(never[i])) && !str_eq(path, STR("/dev/shm"));
    if (!bad)
        return true;
    (void)err_set(e, ERR_CONFIG, "%s: '" STR_FMT "' cannot be shown in a sandbox: it holds the %s of this machine", key,
                  STR_ARG(path), path.n == 1 ? "whole" : "devices, processes or sockets");
    return err_hint(e, "name the directories that are needed, or set [sandbox] filesystem_isolation = false");
}

/* A program could have made the link in an earlier run, or put it in the place of what was there: to follow it would
 * show to the next one whatever it chose. The links on the way to `real` are the entries from `first` on. */
static bool stays_within(const struct maker *m, size_t first, struct str real, const char *key, struct err *e)
{
    for (size_t i = first; i < m->list.n; i++) {
        struct str link = m->list.p[i].path;

        for (size_t k = 0; k < m->writable.n; k++) {
            if (!jail_path_within(link, m->writable.p[k]) || jail_path_within(real, m->writable.p[k]))
                continue;
            (void)err_set(e, ERR_CONFIG,
                          "%s: '" STR_FMT "' is a link that leads out of the writable '" STR_FMT "', to '" STR_FMT "'",
                          key, STR_ARG(link), STR_ARG(m->writable.p[k]), STR_ARG(real));
            return err_hint(e, "a program in the sandbox can make such a link; if it is yours, write '" STR_FMT
                            "' in its place", STR_ARG(real));
        }
    }
    return true;
}

/* The deepest of the directories that hold the path; n == 0: none does. */
static struct str deepest(const struct str *dir, size_t n, struct str path)
{
    struct str found = STR("");

    for (size_t i = 0; i < n; i++)
        if (dir[i].n > found.n && jail_path_within(path, dir[i]))
            found = dir[i];
    return found;
}

/* A program could lead such a link elsewhere: the next one would find that protected, and this open. What is protected
 * by its own name is a mount, which nobody can move away. */
static bool stays_protected(const struct maker *m, size_t first, struct str real, const char *key, struct err *e)
{
    for (size_t i = first; i < m->list.n; i++) {
        struct str link = m->list.p[i].path, in = deepest(m->writable.p, m->writable.n, link);

        if (in.n == 0 || deepest(m->fixed.p, m->fixed.n, link).n > in.n)
            continue;
        (void)err_set(e, ERR_CONFIG,
                      "%s: '" STR_FMT "' is a link in the writable '" STR_FMT "': a program in the sandbox can lead it "
                      "elsewhere, and the next one finds '" STR_FMT "' open", key, STR_ARG(link), STR_ARG(in),
                      STR_ARG(real));
        return err_hint(e, "write '" STR_FMT "' in its place", STR_ARG(real));
    }
    return true;
}

static bool add_paths(struct maker *m, const struct config_list *list, enum jail_access access,
                      const struct jail_place *at, const char *key, struct err *e)
{
    static const char *const shared[] = { "/tmp", "/var/tmp", "/dev/shm" };
    static const char *const own[] = { "/proc", "/sys", "/dev" };
    bool shows = access == JAIL_READ || access == JAIL_WRITE;

    for (size_t i = 0; i < list->n; i++) {
        struct str path, real;
        size_t first = m->list.n;

        if (!absolute(m, list->item[i], at, key, &path, e))
            return false;
        if (!resolve(m, path, false, &real))
            return err_set(e, ERR_CONFIG, "%s: '" STR_FMT "' has too many symbolic links", key, STR_ARG(path));
        if (shows && (!may_be_shown(real, key, e) || !stays_within(m, first, real, key, e)))
            return false;
        if (access != JAIL_WRITE && !stays_protected(m, first, real, key, e))
            return false;
        if (!shows && real.n == 1)
            return err_set(e, ERR_CONFIG, "%s: '/' would leave nothing to run", key);
        if (!shows && m->level != JAIL_PROCESS && is_one_of(real, own, COUNT(own)))
            continue; /* the host's are never there; the sandbox has its own, smaller ones */
        if (access == JAIL_WRITE && m->level != JAIL_PROCESS && is_one_of(real, shared, COUNT(shared)))
            put(m, (struct jail_path){ .path = real, .access = JAIL_PRIVATE }); /* never the host's: sockets */
        else
            put(m, (struct jail_path){ .path = real, .access = access, .may_lack = true,
                                       .keep_owner = shows && !is_system(real) });
    }
    return true;
}

static bool names(const struct config_list *list, const char *path)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->item[i], str_of(path)))
            return true;
    return false;
}

/* ------------------------------------------------------------ order and doubles */

/* Of two entries for one path the one with the higher rank stays: a cover before all that the user lists, what nothing
 * runs without before a cover. */
static int rank(const struct jail_path *p)
{
    static const int by_access[] = {
        [JAIL_PRIVATE] = 1, [JAIL_WRITE] = 2, [JAIL_OVERLAY] = 3, [JAIL_READ] = 4,
        [JAIL_LINK] = 5,    [JAIL_TEXT] = 6,  [JAIL_HIDE] = 7,    [JAIL_DENY] = 8,
    };

    return by_access[p->access] + (p->needed && p->access != JAIL_LINK ? 10 : 0);
}

static int by_path(const void *x, const void *y)
{
    const struct jail_path *a = x, *b = y;
    size_t n = MIN(a->path.n, b->path.n);

    for (size_t i = 0; i < n; i++) { /* '/' sorts before every other byte: a directory's contents come right after it */
        int c = a->path.p[i] == '/' ? 0 : (unsigned char)a->path.p[i];
        int d = b->path.p[i] == '/' ? 0 : (unsigned char)b->path.p[i];

        if (c != d)
            return c - d;
    }
    if (a->path.n != b->path.n)
        return a->path.n < b->path.n ? -1 : 1;
    return rank(b) - rank(a);
}

/* Denied means denied, also for what blast.toml allows deeper down. What is hidden may be shown again by name. */
static bool is_under_denied(const struct maker *m, const struct jail_path *p)
{
    for (size_t i = 0; i < m->list.n; i++)
        if (m->list.p[i].access == JAIL_DENY && p != &m->list.p[i] && jail_path_within(p->path, m->list.p[i].path))
            return true;
    return false;
}

/* What a read-only directory shows already needs no mount of its own. */
static bool is_shown_by(const struct jail_path *kept, size_t n, const struct jail_path *p)
{
    while (n-- > 0)
        if (kept[n].access != JAIL_LINK && jail_path_within(p->path, kept[n].path))
            return kept[n].access == JAIL_READ && p->access == JAIL_READ && (kept[n].keep_owner || !p->keep_owner);
    return false;
}

static bool finish(struct maker *m, struct jail_policy *out, struct err *e)
{
    size_t n = 0;
    struct jail_path *list = m->list.p;

    if (m->list.n > JAIL_PATHS_MAX)
        return err_set(e, ERR_CONFIG, "%zu paths in the sandbox, at most %d are possible", m->list.n, JAIL_PATHS_MAX);
    qsort(list, m->list.n, sizeof *list, by_path);
    struct jail_path *kept = ARENA_ARRAY(m->a, struct jail_path, m->list.n + 1);

    for (size_t i = 0; i < m->list.n; i++) {
        bool shows = list[i].access != JAIL_DENY && list[i].access != JAIL_HIDE;

        if (n && str_eq(kept[n - 1].path, list[i].path))
            continue;
        if (shows && !list[i].needed && is_under_denied(m, &list[i]))
            continue;
        if (is_shown_by(kept, n, &list[i]))
            continue;
        kept[n++] = list[i];
    }
    out->path = kept;
    out->n_paths = n;
    out->variable = m->variables.p;
    out->n_variables = m->variables.n;
    return true;
}

bool jail_policy_with(const struct jail_policy *p, const char *const *ro, const char *const *rw, struct arena *a,
                      struct jail_policy *out, struct err *e)
{
    struct maker m = { .a = a, .level = p->level };
    struct jail_policy more = *p;

    for (size_t i = 0; i < p->n_paths; i++)
        put(&m, p->path[i]);
    for (size_t i = 0; ro && ro[i]; i++)
        need(&m, ro[i], JAIL_READ, true);
    for (size_t i = 0; rw && rw[i]; i++)
        need(&m, rw[i], JAIL_WRITE, true);
    if (!finish(&m, &more, e))
        return false;
    more.variable = p->variable;
    more.n_variables = p->n_variables;
    *out = more;
    return true;
}

void jail_policy_as_process(const struct jail_policy *p, struct arena *a, struct jail_policy *out)
{
    struct maker m = { .a = a, .level = JAIL_PROCESS };
    struct jail_policy less = *p;
    struct err never = { 0 }; /* only a list that is too long, and this one gets at most ten more */

    for (size_t i = 0; i < p->n_paths; i++) {
        struct jail_path one = p->path[i];

        if (one.access == JAIL_PRIVATE || one.access == JAIL_LINK || one.access == JAIL_TEXT)
            continue;
        if (one.access == JAIL_OVERLAY)
            one.access = JAIL_READ; /* nothing can be laid over it: the safer of the others */
        put(&m, one);
    }
    own_places(&m, NULL);
    if (!finish(&m, &less, &never))
        BUG("%s", never.text);
    less.level = JAIL_PROCESS;
    less.hostname = less.keep = STR("");
    less.variable = p->variable;
    less.n_variables = p->n_variables;
    *out = less;
}

/* ------------------------------------------------------------ the whole */

static void use_limits(const struct config *c, struct jail_policy *out)
{
    out->limit = c->container_resource_limits && c->sandbox_resource_control;
    if (out->limit)
        out->limits = (struct jail_limits){
            .cpu_permille = (uint64_t)(c->sandbox_resources_cpu_limit * 10 + 0.5),
            .memory = (uint64_t)c->sandbox_resources_memory_limit,
            .disk = (uint64_t)c->sandbox_resources_disk_limit,
            .iops = (uint64_t)c->sandbox_resources_iops_limit,
            .processes = (uint64_t)c->sandbox_resources_process_limit,
        };
    if (c->sandbox_filesystem_isolation)
        out->limits.file_size = (uint64_t)c->sandbox_filesystem_max_file_size;
}

/* Where a path is on disk. What is wrong with it is said when it is added. */
static bool find_real(struct arena *a, struct str word, const struct jail_place *at, struct str *real)
{
    struct maker apart = { .a = a }; /* the links on the way are not wanted here */
    struct err ignored = { 0 };
    struct str path;

    return absolute(&apart, word, at, "", &path, &ignored) && resolve(&apart, path, false, real);
}

/* What can be changed, and what of it cannot: the level does not matter, the next run may have another. */
static void find_places(struct maker *m, const struct config *c, const struct jail_place *at)
{
    const struct config_list *allowed = &c->sandbox_filesystem_allowed_paths;
    const struct config_list *readonly = &c->sandbox_filesystem_readonly_paths;
    struct err ignored = { 0 };
    struct str real;

    if (at->project && find_real(m->a, str_of(at->project), at, &real))
        VEC_PUSH_IN(m->a, &m->writable, real);
    for (size_t i = 0; i < allowed->n; i++)
        if (find_real(m->a, allowed->item[i], at, &real) && may_be_shown(real, "", &ignored))
            VEC_PUSH_IN(m->a, &m->writable, real);
    if (at->environment && c->sandbox_filesystem_environment != CONFIG_INSIDE_WRITABLE &&
        find_real(m->a, str_of(at->environment), at, &real))
        VEC_PUSH_IN(m->a, &m->fixed, real);
    for (size_t i = 0; i < readonly->n; i++)
        if (find_real(m->a, readonly->item[i], at, &real))
            VEC_PUSH_IN(m->a, &m->fixed, real);
}

static bool add_config(struct maker *m, const struct config *c, const struct jail_place *at, struct err *e)
{
    find_places(m, c, at);
    return add_paths(m, &c->sandbox_filesystem_readonly_paths, JAIL_READ, at, "readonly_paths", e) &&
           add_paths(m, &c->sandbox_filesystem_allowed_paths, JAIL_WRITE, at, "allowed_paths", e) &&
           add_paths(m, &c->sandbox_filesystem_hidden_paths, JAIL_HIDE, at, "hidden_paths", e) &&
           add_paths(m, &c->sandbox_filesystem_denied_paths, JAIL_DENY, at, "denied_paths", e);
}

static enum jail_access environment_access(const struct config *c, enum jail_level level)
{
    if (level == JAIL_CONTAINER)
        return JAIL_OVERLAY;
    switch ((enum config_inside)c->sandbox_filesystem_environment) {
    case CONFIG_INSIDE_OVERLAY:
        return level == JAIL_PROCESS ? JAIL_READ : JAIL_OVERLAY; /* without mounts: the safer of the others */
    case CONFIG_INSIDE_WRITABLE:
        return JAIL_WRITE;
    case CONFIG_INSIDE_READONLY:
        break;
    }
    return JAIL_READ;
}

static void own_program(struct maker *m, const struct config *c, const struct jail_place *at)
{
    need(m, at->project, m->level == JAIL_CONTAINER ? JAIL_OVERLAY : JAIL_WRITE, true);
    need(m, at->environment, environment_access(c, m->level), true);
    need(m, at->store, JAIL_READ, true);
    for (size_t i = 0; at->interpreter && at->interpreter[i]; i++)
        need(m, at->interpreter[i], JAIL_READ, !str_eq(str_of(at->interpreter[i]), STR("/usr")));
}

/* The host's name servers cannot be reached from inside; the gateway answers instead. */
static void use_name_server(struct maker *m, const struct jail_policy *p)
{
    static const struct {
        struct str path, text;
    } files[] = {
        { STR_INIT("/etc/resolv.conf"), STR_INIT("nameserver " REACH_ROUTER "\n") },
        /* The host's names with their true addresses would be asked first. */
        { STR_INIT("/etc/hosts"), STR_INIT("127.0.0.1 localhost blast\n::1 localhost\n") },
    };

    for (size_t i = 0; i < COUNT(files) && outlet_is_wanted(p); i++) {
        struct str real;

        if (resolve(m, files[i].path, true, &real))
            put(m, (struct jail_path){ .path = real, .access = JAIL_TEXT, .needed = true, .target = files[i].text });
    }
}

static enum jail_network network_of(const struct config *c)
{
    static const enum jail_network of[] = {
        [CONFIG_NETWORK_ISOLATED] = JAIL_NET_ISOLATED,
        [CONFIG_NETWORK_ALLOWLIST] = JAIL_NET_ALLOWLIST,
        [CONFIG_NETWORK_HOST] = JAIL_NET_HOST,
        [CONFIG_NETWORK_NONE] = JAIL_NET_NONE,
    };

    return c->sandbox_network_isolation ? of[c->container_network_policy] : JAIL_NET_HOST;
}

/* Not by default: it costs, and somebody must want to know. */
static enum jail_tracking tracking_of(const struct config *c)
{
    static const enum jail_tracking of[] = {
        [CONFIG_TRACKING_PACKAGE] = JAIL_TRACK_PACKAGE,
        [CONFIG_TRACKING_SYSCALL] = JAIL_TRACK_SYSCALL,
        [CONFIG_TRACKING_FANOTIFY] = JAIL_TRACK_FANOTIFY,
    };

    return c->origin[CONFIG_KEY_sandbox_filesystem_tracking].layer == CONFIG_DEFAULT
               ? JAIL_TRACK_NONE
               : of[c->sandbox_filesystem_tracking];
}

/* Only where something is laid over: else there is nothing to lose. */
static bool use_recovery(struct maker *m, const struct config *c, const struct jail_place *at, struct jail_policy *p,
                         struct err *e)
{
    struct maker apart = { .a = m->a }; /* the links on the way are not wanted here */
    bool has_overlay = false;

    for (size_t i = 0; i < p->n_paths; i++)
        has_overlay |= p->path[i].access == JAIL_OVERLAY;
    if (!has_overlay || !at->keep || (enum config_killed)c->sandbox_filesystem_recovery != CONFIG_KILLED_KEEP)
        return true;
    return resolve(&apart, str_of(at->keep), false, &p->keep) ||
           err_set(e, ERR_CONFIG, "recovery: '%s' has too many symbolic links", at->keep);
}

/* The switches of the tests: a layer alone must hold too. The report names what is off, so strict refuses it. */
static void use_switches(struct jail_policy *p)
{
    const char *v = getenv("BLAST_JAIL_WITHOUT");

    for (struct str word, rest = str_of(v); v && str_next(&rest, ',', &word);) {
        p->no_seccomp |= str_eq(word, STR("seccomp"));
        p->no_landlock |= str_eq(word, STR("landlock"));
        p->no_userns |= str_eq(word, STR("userns"));
        p->no_cgroup |= str_eq(word, STR("cgroup"));
    }
}

bool jail_is_wanted(const struct config *c)
{
    return c->found && (c->sandbox_network_isolation || c->sandbox_resource_control || c->sandbox_filesystem_isolation);
}

bool jail_compile(const struct config *c, const struct jail_place *at, struct arena *a, struct jail_policy *out,
                  struct err *e)
{
    struct maker m = { .a = a, .level = (enum jail_level)c->container_isolation_level };
    struct jail_policy p = {
        .level = m.level,
        .network = network_of(c),
        .strictness = (enum jail_strictness)c->security_default_policy,
        .degraded = c->security_allow_degraded.item,
        .n_degraded = c->security_allow_degraded.n,
        .hostname = m.level == JAIL_PROCESS ? STR("") : STR("blast"),
        .home = m.level == JAIL_CONTAINER ? STR("/home/blast") : arena_str(a, str_of(at->home ? at->home : "/tmp")),
        .files = c->sandbox_filesystem_isolation,
        .tracking = tracking_of(c),
        .outbound = c->sandbox_network_allow_outbound,
        .small_proc = m.level == JAIL_CONTAINER || names(&c->sandbox_filesystem_hidden_paths, "/proc") ||
                      names(&c->sandbox_filesystem_denied_paths, "/proc"),
    };

    use_limits(c, &p);
    use_switches(&p);
    if (!reach_compile(c, at, a, &p, e))
        return err_as(e, ERR_CONFIG, "read [sandbox.network]");
    if (p.files) {
        base_system(&m);
        own_places(&m, p.home.p);
        if (m.level == JAIL_CONTAINER)
            etc_made_up(&m, p.home.p);
        if (!add_config(&m, c, at, e))
            return err_as(e, ERR_CONFIG, "read [sandbox.filesystem]");
    } else if (m.level != JAIL_PROCESS) {
        put(&m, (struct jail_path){ .path = STR("/"), .access = JAIL_WRITE });
        need(&m, at->home, JAIL_WRITE, true);
    }
    use_name_server(&m, &p);
    own_program(&m, c, at);
    for (size_t i = 0; i < c->sandbox_pass_environment.n; i++)
        VEC_PUSH_IN(a, &m.variables, c->sandbox_pass_environment.item[i]);
    if (!finish(&m, &p, e) || !use_recovery(&m, c, at, &p, e))
        return false;
    *out = p;
    return true;
}

bool jail_compile_build(const struct jail_build *b, struct arena *a, struct jail_policy *out, struct err *e)
{
    struct maker m = { .a = a, .level = JAIL_NAMESPACE };
    struct jail_policy p = {
        .level = JAIL_NAMESPACE,
        .network = JAIL_NET_ISOLATED,
        .strictness = JAIL_STANDARD,
        .hostname = STR("blast"),
        .home = STR("/home/build"),
        .files = true,
        .limit = true,
        .limits = b->limits,
    };

    use_switches(&p);
    base_system(&m);
    own_places(&m, p.home.p);
    if (b->home && b->home[0] == '/' && b->home[1]) /* other projects' files are none of its business */
        put(&m, (struct jail_path){ .path = arena_str(a, str_of(b->home)), .access = JAIL_HIDE });
    need(&m, b->source, JAIL_WRITE, true);
    need(&m, b->output, JAIL_WRITE, true);
    need(&m, b->requires, JAIL_READ, true);
    need(&m, b->store, JAIL_READ, true);
    for (size_t i = 0; b->interpreter && b->interpreter[i]; i++)
        need(&m, b->interpreter[i], JAIL_READ, !str_eq(str_of(b->interpreter[i]), STR("/usr")));
    if (!finish(&m, &p, e))
        return false;
    *out = p;
    return true;
}
