#include "sync/learn_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "jail/policy.h"

/* "~" is the home directory. Nobody's program is shown these because it asked. */
static const char *const secrets[] = {
    "~/.ssh", "~/.gnupg", "~/.pki", "~/.password-store", "~/.local/share/keyrings", "~/.netrc", "~/.pypirc",
    "~/.git-credentials", "~/.config/git/credentials", "~/.config/gh", "~/.config/hub", "~/.config/pip",
    "~/.config/uv", "~/.config/blast", "~/.pip", "~/.npmrc", "~/.yarnrc.yml", "~/.cargo/credentials",
    "~/.cargo/credentials.toml", "~/.gem/credentials", "~/.m2/settings.xml", "~/.gradle/gradle.properties", "~/.aws",
    "~/.azure", "~/.config/gcloud", "~/.oci", "~/.kube", "~/.docker", "~/.config/containers", "~/.terraform.d",
    "~/.vault-token", "~/.config/rclone", "~/.s3cfg", "~/.boto", "~/.pgpass", "~/.my.cnf", "~/.mysql_history",
    "~/.psql_history", "~/.bash_history", "~/.zsh_history", "~/.python_history", "~/.local/share/fish", "~/.mozilla",
    "~/.thunderbird", "~/.config/google-chrome", "~/.config/chromium", "~/.config/BraveSoftware", "~/.huggingface",
    "~/.cache/huggingface/token", "~/.kaggle", "~/.config/op", "~/.config/sops", "~/.age", "~/.Xauthority",
    "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh", "/etc/ssl/private", "/root",
    "/var/lib/docker", "/var/lib/containerd", "/var/spool/cron", "/boot", "/lost+found",
};

static const char *const secret_names[] = { ".env", ".netrc", ".pgpass", ".git-credentials", ".htpasswd", "credentials",
                                            "credentials.json", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519" };
static const char *const secret_ends[] = { ".key", ".p12", ".pfx", ".kdbx", ".jks" };

/* Full of what many programs keep. */
static const char *const broad[] = { "~/.cache", "~/.config", "~/.local", "~/.local/share", "~/.local/state",
                                     "~/Documents", "~/Desktop", "~/Downloads", "/var/cache", "/var/lib", "/var/log",
                                     "/var/tmp" };

/* The sandbox has its own, or none at all. */
static const char *const own_views[] = { "/proc", "/sys", "/dev" };
static const char *const services[] = { "/run", "/var/run" };
static const char *const shared[] = { "/tmp", "/var/tmp" };
static const char *const systems[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc" };

/* ------------------------------------------------------------ names */

/* A home directory whose name leaves no room for what is in it holds none of them. */
static struct str expand(const struct learn_case *c, const char *name, char room[PATH_MAX])
{
    if (name[0] != '~')
        return str_of(name);
    int n = snprintf(room, PATH_MAX, "%s%s", c->at->home, name + 1);

    return (struct str){ room, n > 0 && n < PATH_MAX ? (size_t)n : 0 };
}

static bool is_below_any(struct str path, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (jail_path_within(path, str_of(list[i])))
            return true;
    return false;
}

static struct str parent_of(struct str path)
{
    size_t cut = str_rfind(path, '/');

    return cut == 0 || cut == path.n ? STR("/") : str_sub(path, 0, cut);
}

static struct str leaf_of(struct str path)
{
    size_t cut = str_rfind(path, '/');

    return str_sub(path, cut < path.n ? cut + 1 : 0, path.n);
}

static bool has_secret_name(struct str path)
{
    struct str leaf = leaf_of(path);

    for (size_t i = 0; i < COUNT(secret_names); i++)
        if (str_eq(leaf, str_of(secret_names[i])))
            return true;
    for (size_t i = 0; i < COUNT(secret_ends); i++)
        if (str_ends(leaf, str_of(secret_ends[i])))
            return true;
    return false;
}

/* Below a secret; with `around`: or above one. */
static bool touches_secret(const struct learn_case *c, struct str path, bool around)
{
    char room[PATH_MAX];

    for (size_t i = 0; i < COUNT(secrets); i++) {
        struct str dir = expand(c, secrets[i], room);
        bool above = around && jail_path_within(dir, path); /* NOLINT(readability-suspicious-call-argument) */

        if (dir.n && (above || jail_path_within(path, dir)))
            return true;
    }
    return !around && has_secret_name(path);
}

static bool touches_own(const struct learn_case *c, struct str path, bool around)
{
    for (const char *const *own = c->at->own; own && *own; own++)
        if (jail_path_within(path, str_of(*own)) || (around && jail_path_within(str_of(*own), path)))
            return true;
    return false;
}

bool learn_is_broad(const struct learn_case *c, struct str dir)
{
    char room[PATH_MAX];

    if (str_rfind(dir, '/') == 0 || jail_path_within(str_of(c->at->home), dir) ||
        jail_path_within(str_of(c->at->project), dir) || touches_secret(c, dir, true) || touches_own(c, dir, true))
        return true;
    for (size_t i = 0; i < COUNT(broad); i++)
        if (str_eq(dir, expand(c, broad[i], room)))
            return true;
    return false;
}

/* ------------------------------------------------------------ this machine */

struct there {
    struct str path; /* without links, as far as it is there */
    bool exists, directory;
    struct str nearest; /* the deepest directory on its way that is there */
    bool own; /* what is there belongs to this user */
};

/* Follows links; what is not there is taken as it is written. */
static struct there look(const struct learn_case *c, struct str path)
{
    struct there t = { .path = path };
    char real[PATH_MAX];
    struct stat st;

    for (struct str head = path;; head = parent_of(head)) {
        if (head.n < PATH_MAX && realpath(arena_cstr(c->a, head), real)) {
            struct str tail = str_sub(path, head.n, path.n);
            const char *base = real[1] || !tail.n ? real : ""; /* a link may lead to the root */
            bool known = stat(real, &st) == 0;

            t.exists = head.n == path.n;
            t.own = known && st.st_uid == geteuid();
            t.directory = known && S_ISDIR(st.st_mode);
            t.nearest = t.directory ? arena_str(c->a, str_of(real)) : parent_of(arena_str(c->a, str_of(real)));
            t.path = head.n <= 1 ? path : arena_printf(c->a, "%s" STR_FMT, base, STR_ARG(tail));
            return t;
        }
        if (head.n <= 1)
            return t;
    }
}

/* ------------------------------------------------------------ the policy */

/* The deepest entry that the path lies in. */
static const struct jail_path *deepest(const struct jail_policy *p, struct str path)
{
    for (size_t i = p->n_paths; i-- > 0;)
        if (p->path[i].access != JAIL_LINK && jail_path_within(path, p->path[i].path))
            return &p->path[i];
    return NULL;
}

/* A home directory that is a link is a directory inside. */
static const struct jail_path *entry_of(const struct jail_policy *p, const struct there *t, struct str asked)
{
    const struct jail_path *entry = deepest(p, t->path), *named = entry ? NULL : deepest(p, asked);

    return named && named->access == JAIL_PRIVATE ? named : entry;
}

/* The way to something that is shown is there inside, too. */
static bool leads_to_shown(const struct jail_policy *p, struct str path)
{
    for (size_t i = 0; i < p->n_paths; i++)
        if (jail_path_within(p->path[i].path, path))
            return true;
    return false;
}

static bool was_made_inside(const struct learn_case *c, struct str path)
{
    return asked_find(c->asked, ASKED_WRITE, path) != NULL;
}

static struct learn_verdict fine(void)
{
    return (struct learn_verdict){ .fate = LEARN_FINE };
}

static struct learn_verdict keep(const char *why)
{
    return (struct learn_verdict){ .fate = LEARN_KEEP, .why = why };
}

static struct learn_verdict propose(struct str path)
{
    return (struct learn_verdict){ .fate = LEARN_PROPOSE, .path = path };
}

/* What nobody is shown because it asked, whatever it is wanted for; NULL: it may be. */
static const char *why_never(const struct learn_case *c, struct str path, bool own, bool writes)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (is_below_any(path, services, COUNT(services)) || (runtime && jail_path_within(path, str_of(runtime))))
        return "it is of the services of this machine";
    if (touches_own(c, path, false))
        return "it is Blast's own";
    if (touches_secret(c, path, false))
        return "it may hold secrets";
    if (jail_path_within(path, STR("/home")) && !jail_path_within(path, str_of(c->at->home)) &&
        !jail_path_within(path, str_of(c->at->project)))
        return "it is another user's";
    if (is_below_any(path, shared, COUNT(shared)) && !own)
        return "it is another user's";
    if (writes && is_below_any(path, systems, COUNT(systems)))
        return "it is of the system";
    return NULL;
}

/* Where something is to be made or changed: a directory that is there. */
static struct learn_verdict to_write(const struct learn_case *c, const struct there *t)
{
    struct str dir = t->exists && t->directory ? t->path : parent_of(t->path);

    if (learn_is_broad(c, dir))
        return t->exists && !t->directory ? propose(t->path)
                                          : keep("it lies in a directory that holds too much else: make one for it");
    if (!str_eq(t->nearest, dir))
        return learn_is_broad(c, t->nearest) ? keep("its directory is not there: make it first") : propose(t->nearest);
    return propose(dir);
}

static struct learn_verdict to_read(const struct learn_case *c, const struct there *t)
{
    struct str dir = t->directory ? t->path : parent_of(t->path);

    if (access(arena_cstr(c->a, t->path), R_OK) < 0)
        return keep("this user may not read it");
    if (!learn_is_broad(c, dir))
        return propose(dir);
    return t->directory ? keep("it holds too much else") : propose(t->path);
}

static struct learn_verdict not_shown(const struct learn_case *c, const struct there *t, struct str asked, bool writes)
{
    const char *why = why_never(c, t->path, t->own, writes); /* a link may lead to a secret, or be in its place */

    why = why ? why : why_never(c, asked, t->own, writes);
    if (!writes && (!t->exists || leads_to_shown(c->p, t->path)))
        return fine();
    if (why)
        return keep(why);
    return writes ? to_write(c, t) : to_read(c, t);
}

/* In memory, empty at first: what the program makes there it finds there. */
static struct learn_verdict in_private(const struct learn_case *c, const struct jail_path *entry, const struct there *t,
                                       struct str asked, bool writes)
{
    struct str dir = parent_of(t->path);

    if (str_eq(asked, entry->path) || (!writes && was_made_inside(c, asked)) || was_made_inside(c, parent_of(asked)))
        return fine();
    if (writes && (str_eq(parent_of(asked), entry->path) || !str_eq(t->nearest, dir)))
        return fine(); /* it works, or fails outside too */
    return not_shown(c, t, asked, writes);
}

/* Bytecode is written where it can be: nobody misses it. */
static bool is_bytecode(struct str path)
{
    return str_search(path, STR("/__pycache__")) < path.n;
}

static struct learn_verdict read_only(const struct learn_case *c, const struct jail_path *entry, const struct there *t)
{
    if (is_bytecode(t->path))
        return fine();
    if (jail_path_within(t->path, str_of(c->at->environment)))
        return keep("the environment is read-only; [sandbox.filesystem] environment decides");
    if (entry->needed)
        return keep("it is part of Python or of Blast's store");
    if (is_below_any(t->path, systems, COUNT(systems)))
        return keep("it is of the system");
    return keep("readonly_paths names it");
}

static struct learn_verdict to_socket(const struct jail_path *entry, const struct there *t)
{
    if (!t->exists || (entry && entry->access != JAIL_READ && entry->access != JAIL_WRITE))
        return fine();
    return keep("it is of the services of this machine");
}

struct learn_verdict learn_judge_path(const struct learn_case *c, enum asked_how how, struct str path)
{
    bool writes = how == ASKED_WRITE;

    if (!c->p->files || path.n == 0 || path.p[0] != '/' || is_below_any(path, own_views, COUNT(own_views)))
        return fine();
    struct there t = look(c, path);
    const struct jail_path *entry = entry_of(c->p, &t, path);

    if (how == ASKED_SOCKET)
        return to_socket(entry, &t);
    if (!entry)
        return not_shown(c, &t, path, writes);
    switch (entry->access) {
    case JAIL_READ:
        return writes ? read_only(c, entry, &t) : fine();
    case JAIL_WRITE:
    case JAIL_OVERLAY:
    case JAIL_TEXT:
    case JAIL_LINK:
        return fine();
    case JAIL_PRIVATE:
        return in_private(c, entry, &t, path, writes);
    case JAIL_HIDE:
        return keep("hidden_paths names it");
    case JAIL_DENY:
        return keep("denied_paths names it");
    }
    return fine();
}
