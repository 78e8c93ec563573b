#include "jail/policy.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"

static const char *const level_word[] = { "process", "namespace", "container" };
static const char *const network_word[] = { "isolated", "allowlist", "host", "none" };
static const char *const strictness_word[] = { "strict", "standard", "permissive" };
static const char *const tracking_word[] = { "none", "package", "syscall", "fanotify" };
static const char *const access_word[] = { "read", "write", "overlay", "private", "link", "text", "hide", "deny" };

const char *jail_level_word(enum jail_level l)
{
    return level_word[l];
}

const char *jail_network_word(enum jail_network n)
{
    return network_word[n];
}

const char *jail_strictness_word(enum jail_strictness s)
{
    return strictness_word[s];
}

const char *jail_tracking_word(enum jail_tracking t)
{
    return tracking_word[t];
}

const char *jail_access_word(enum jail_access a)
{
    return access_word[a];
}

bool jail_path_within(struct str path, struct str dir)
{
    if (dir.n == 1 && dir.p[0] == '/')
        return true;
    return str_starts(path, dir) && (path.n == dir.n || path.p[dir.n] == '/');
}

bool jail_policy_allows_lack(const struct jail_policy *p, const char *setting)
{
    for (size_t i = 0; i < p->n_degraded; i++) {
        struct str name = p->degraded[i];
        size_t dot = str_rfind(name, '.'); /* "sandbox.resources.iops_limit" is as good as "iops_limit" */

        if (str_eq(str_sub(name, dot < name.n ? dot + 1 : 0, name.n), str_of(setting)))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------ writing */

/* The numbers and switches, by name: one table for both directions. */
#define NUMBERS(X)                                                                                                     \
    X(cpu_permille)                                                                                                    \
    X(memory)                                                                                                          \
    X(disk)                                                                                                            \
    X(file_size)                                                                                                       \
    X(iops)                                                                                                            \
    X(processes)                                                                                                       \
    X(bandwidth)
#define SWITCHES(X)                                                                                                    \
    X(files)                                                                                                           \
    X(limit)                                                                                                           \
    X(outbound)                                                                                                        \
    X(small_proc)                                                                                                      \
    X(no_seccomp)                                                                                                      \
    X(no_landlock)                                                                                                     \
    X(no_userns)                                                                                                       \
    X(no_cgroup)

static void write_path(struct json_write *w, const struct jail_path *p)
{
    json_write_object_begin(w);
    json_write_member(w, "path", p->path);
    json_write_member_cstr(w, "access", access_word[p->access]);
    if (p->needed)
        json_write_member_bool(w, "needed", true);
    if (p->may_lack)
        json_write_member_bool(w, "may_lack", true);
    if (p->keep_owner)
        json_write_member_bool(w, "keep_owner", true);
    if (p->target.n)
        json_write_member(w, "target", p->target);
    json_write_object_end(w);
}

static void write_list(struct json_write *w, const char *name, const struct str *list, size_t n)
{
    json_write_key(w, str_of(name));
    json_write_array_begin(w);
    for (size_t i = 0; i < n; i++)
        json_write_str(w, list[i]);
    json_write_array_end(w);
}

static void write_ports(struct json_write *w, const char *name, const uint16_t *list, size_t n)
{
    json_write_key(w, str_of(name));
    json_write_array_begin(w);
    for (size_t i = 0; i < n; i++)
        json_write_u64(w, list[i]);
    json_write_array_end(w);
}

static void write_reach(struct json_write *w, const struct jail_policy *p)
{
    write_list(w, "domains", p->allowed_name, p->n_allowed_names);
    write_list(w, "networks", p->allowed_network, p->n_allowed_networks);
    write_ports(w, "ports", p->allowed_port, p->n_allowed_ports);
    write_ports(w, "udp_ports", p->udp_port, p->n_udp_ports);
    write_ports(w, "inbound", p->inbound_port, p->n_inbound_ports);
}

bool jail_policy_format_gate(const struct jail_policy *p, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    write_reach(&w, p);
    json_write_member_u64(&w, "bandwidth", p->limits.bandwidth);
    json_write_object_end(&w);
    return json_write_end(&w);
}

bool jail_policy_format(const struct jail_policy *p, bool indent, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out, indent);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "level", level_word[p->level]);
    json_write_member_cstr(&w, "network", network_word[p->network]);
    json_write_member_cstr(&w, "strictness", strictness_word[p->strictness]);
    json_write_member_cstr(&w, "tracking", tracking_word[p->tracking]);
    json_write_member(&w, "hostname", p->hostname);
    json_write_member(&w, "home", p->home);
    if (p->keep.n)
        json_write_member(&w, "keep", p->keep);
#define X(name) json_write_member_u64(&w, #name, p->limits.name);
    NUMBERS(X)
#undef X
#define X(name) json_write_member_bool(&w, #name, p->name);
    SWITCHES(X)
#undef X
    write_list(&w, "degraded", p->degraded, p->n_degraded);
    write_list(&w, "variables", p->variable, p->n_variables);
    write_reach(&w, p);
    json_write_key(&w, STR("paths"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < p->n_paths; i++)
        write_path(&w, &p->path[i]);
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_end(&w);
}

/* ------------------------------------------------------------ reading */

/* The number of the word in the table; fails in the reader's way. */
static int read_word(struct json *j, const char *const *table, size_t n)
{
    struct str v = STR("");

    if (!json_string(j, &v))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (str_eq(v, str_of(table[i])))
            return (int)i;
    (void)json_fail(j, "'" STR_FMT "' is none of the known words", STR_ARG(v));
    return 0;
}

/* A view may point into a text that dies; a copy with a NUL behind it may be given to a system call. */
static bool read_text(struct json *j, struct arena *a, struct str *out)
{
    struct str v;

    if (!json_string(j, &v))
        return false;
    if (v.n && memchr(v.p, '\0', v.n))
        return json_fail(j, "a text with a NUL in it");
    *out = arena_str(a, v);
    return true;
}

static bool is_normal(struct str p)
{
    if (p.n == 0 || p.p[0] != '/' || (p.n > 1 && p.p[p.n - 1] == '/'))
        return false;
    struct str part, rest = str_sub(p, 1, p.n);

    while (p.n > 1 && str_next(&rest, '/', &part))
        if (part.n == 0 || str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return false;
    return true;
}

static bool read_path(struct json *j, struct arena *a, struct jail_path *out)
{
    struct str key;

    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("path"))) {
            if (read_text(j, a, &out->path) && !is_normal(out->path))
                (void)json_fail(j, "'" STR_FMT "' is not an absolute, normal path", STR_ARG(out->path));
        } else if (str_eq(key, STR("access"))) {
            out->access = (enum jail_access)read_word(j, access_word, COUNT(access_word));
        } else if (str_eq(key, STR("needed"))) {
            (void)json_bool(j, &out->needed);
        } else if (str_eq(key, STR("may_lack"))) {
            (void)json_bool(j, &out->may_lack);
        } else if (str_eq(key, STR("keep_owner"))) {
            (void)json_bool(j, &out->keep_owner);
        } else if (str_eq(key, STR("target"))) {
            (void)read_text(j, a, &out->target);
        } else {
            (void)json_fail(j, "unknown member '" STR_FMT "' of a path", STR_ARG(key));
        }
    }
    return json_ok(j) && (out->path.n || json_fail(j, "a path without name"));
}

static void read_paths(struct json *j, struct arena *a, struct jail_policy *p)
{
    VEC(struct jail_path) list = { 0 };
    struct jail_path one = { 0 };

    if (!json_array_begin(j))
        return;
    for (; json_array_next(j) && read_path(j, a, &one); one = (struct jail_path){ 0 }) {
        if (list.n == JAIL_PATHS_MAX) {
            (void)json_fail(j, "more than %d paths", JAIL_PATHS_MAX);
            return;
        }
        VEC_PUSH_IN(a, &list, one);
    }
    p->path = list.p;
    p->n_paths = list.n;
}

static void read_list(struct json *j, struct arena *a, const struct str **out, size_t *n)
{
    VEC(struct str) list = { 0 };
    struct str v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && read_text(j, a, &v))
        VEC_PUSH_IN(a, &list, v);
    *out = list.p;
    *n = list.n;
}

static void read_ports(struct json *j, struct arena *a, const uint16_t **out, size_t *n)
{
    VEC(uint16_t) list = { 0 };
    uint64_t v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_u64(j, &v)) {
        if (v == 0 || v > UINT16_MAX)
            (void)json_fail(j, "%llu is no port", (unsigned long long)v);
        VEC_PUSH_IN(a, &list, (uint16_t)v);
    }
    *out = list.p;
    *n = list.n;
}

/* What may be reached; false when the member is another. */
static bool read_reach(struct json *j, struct arena *a, struct str key, struct jail_policy *p)
{
    if (str_eq(key, STR("domains")))
        read_list(j, a, &p->allowed_name, &p->n_allowed_names);
    else if (str_eq(key, STR("networks")))
        read_list(j, a, &p->allowed_network, &p->n_allowed_networks);
    else if (str_eq(key, STR("ports")))
        read_ports(j, a, &p->allowed_port, &p->n_allowed_ports);
    else if (str_eq(key, STR("udp_ports")))
        read_ports(j, a, &p->udp_port, &p->n_udp_ports);
    else if (str_eq(key, STR("inbound")))
        read_ports(j, a, &p->inbound_port, &p->n_inbound_ports);
    else
        return false;
    return true;
}

static bool read_switch(struct json *j, struct str key, struct jail_policy *p)
{
#define X(name)                                                                                                        \
    if (str_eq(key, STR(#name)))                                                                                       \
        return json_bool(j, &p->name);
    SWITCHES(X)
#undef X
#define X(name)                                                                                                        \
    if (str_eq(key, STR(#name)))                                                                                       \
        return json_u64(j, &p->limits.name);
    NUMBERS(X)
#undef X
    return json_fail(j, "unknown member '" STR_FMT "' of a policy", STR_ARG(key));
}

bool jail_policy_parse(struct str json, struct arena *a, struct jail_policy *out, struct err *e)
{
    struct jail_policy p = { 0 };
    struct json j;
    struct str key;
    bool level = false, network = false;

    json_init(&j, json, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("level"))) {
                p.level = (enum jail_level)read_word(&j, level_word, COUNT(level_word));
                level = true;
            } else if (str_eq(key, STR("network"))) {
                p.network = (enum jail_network)read_word(&j, network_word, COUNT(network_word));
                network = true;
            } else if (str_eq(key, STR("strictness"))) {
                p.strictness = (enum jail_strictness)read_word(&j, strictness_word, COUNT(strictness_word));
            } else if (str_eq(key, STR("tracking"))) {
                p.tracking = (enum jail_tracking)read_word(&j, tracking_word, COUNT(tracking_word));
            } else if (str_eq(key, STR("hostname"))) {
                (void)read_text(&j, a, &p.hostname);
            } else if (str_eq(key, STR("home"))) {
                (void)read_text(&j, a, &p.home);
            } else if (str_eq(key, STR("keep"))) {
                if (read_text(&j, a, &p.keep) && !is_normal(p.keep))
                    (void)json_fail(&j, "'" STR_FMT "' is not an absolute, normal path", STR_ARG(p.keep));
            } else if (str_eq(key, STR("degraded"))) {
                read_list(&j, a, &p.degraded, &p.n_degraded);
            } else if (str_eq(key, STR("variables"))) {
                read_list(&j, a, &p.variable, &p.n_variables);
            } else if (str_eq(key, STR("paths"))) {
                read_paths(&j, a, &p);
            } else if (!read_reach(&j, a, key, &p)) {
                (void)read_switch(&j, key, &p);
            }
        }
    }
    if (!json_end(&j))
        return err_as(e, ERR_CONFIG, "read the policy of a sandbox");
    if (!level || !network)
        return err_set(e, ERR_CONFIG, "a policy without level or network");
    *out = p;
    return true;
}
