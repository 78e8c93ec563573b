#include "sync/trust.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "config/key.h"
#include "net/url.h"
#include "sync/trust_file.h"
#include "sync/workspace.h"

#define EXIT_DENIED 5

#define RULE(section, name, wider, stops, why) { CONFIG_KEY_##section##_##name, TRUST_WIDER_##wider, stops, why }

const struct trust_rule trust_rules[] = {
    RULE(env, python_version, PATH, false, "a program of the project's choice is run as the interpreter"),
    RULE(container, isolation_level, LEFT, false, "a weaker sandbox"),
    RULE(container, resource_limits, OFF, false, "no resource limits"),
    RULE(container, network_policy, RIGHT, false, "more of the network"),
    RULE(sandbox, network_isolation, OFF, false, "the whole network"),
    RULE(sandbox, resource_control, OFF, false, "no resource limits"),
    RULE(sandbox, filesystem_isolation, OFF, false, "all of your files"),
    RULE(sandbox, pass_environment, MORE, false, "variables of your environment"),
    RULE(sandbox_network, allow_outbound, ON, false, "connections to other machines"),
    RULE(sandbox_network, allow_inbound, ON, false, "connections from this machine"),
    RULE(sandbox_network, allowed_outbound_ports, MORE, false, "more ports of other machines"),
    RULE(sandbox_network, allowed_udp_ports, MORE, false, "datagrams, which are not looked at"),
    RULE(sandbox_network, allowed_domains, MORE, false, "more hosts"),
    RULE(sandbox_network, allowed_ips, MORE, false, "more addresses"),
    RULE(sandbox_network, bandwidth_limit, LIMIT, false, "more of the line"),
    RULE(sandbox_resources, cpu_limit, LIMIT, false, "more processor time"),
    RULE(sandbox_resources, memory_limit, LIMIT, false, "more memory"),
    RULE(sandbox_resources, disk_limit, LIMIT, false, "more of the disk"),
    RULE(sandbox_resources, iops_limit, LIMIT, false, "more disk operations"),
    RULE(sandbox_resources, process_limit, LIMIT, false, "more processes"),
    RULE(sandbox_filesystem, readonly_paths, OUTSIDE, false, "reading outside the project"),
    RULE(sandbox_filesystem, allowed_paths, OUTSIDE, false, "writing outside the project"),
    RULE(sandbox_filesystem, hidden_paths, FEWER, false, "files that you hide"),
    RULE(sandbox_filesystem, denied_paths, FEWER, false, "files that you deny"),
    RULE(sandbox_filesystem, recovery, RIGHT, false, "its files stay on your disk when it is killed"),
    RULE(sandbox_filesystem, environment, RIGHT, false, "writing into the environment"),
    RULE(sandbox_filesystem, max_file_size, LIMIT, false, "larger files"),
    RULE(security, default_policy, RIGHT, false, "running although a rule cannot be kept"),
    RULE(security, audit_logging, OFF, false, "nothing is recorded"),
    RULE(security, allow_degraded, MORE, false, "running although a rule cannot be kept"),
    RULE(security, startup_code, LEFT, false, "code of packages at every start of Python, unasked"),
    RULE(sync, pkg_layer, LEFT, false, "packages change without a command"),
    RULE(pkg_layer, auto_sync, ON, false, "packages are installed without a command"),
    RULE(resolver, index_url, CHANGED, true, "packages come from there"),
    RULE(resolver, extra_index_urls, MORE, true, "packages come from there, first"),
    RULE(resolver, find_links, OUTSIDE, true, "packages come from there"),
    RULE(resolver, verify_ssl, OFF, false, "anybody on the line can be the index"),
    RULE(cache, cache_dir, OUTSIDE, false, "files are written and deleted there"),
    RULE(hooks, import_hook, RIGHT, false, "a program that lacks a package may install it"),
    RULE(updates, auto_update, ON, false, "newer versions are installed without a command"),
    RULE(updates, force_updates, ON, false, "packages you installed by hand are replaced"),
};
const size_t trust_n_rules = COUNT(trust_rules);

/* ------------------------------------------------------------ is it wider? */

static const void *field(const struct config *c, enum config_key key)
{
    return (const char *)c + config_keys[key].offset;
}

static bool in_list(const struct config_list *l, struct str item)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_eq(l->item[i], item))
            return true;
    return false;
}

static bool has_port(const struct config_ports *l, uint16_t port)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->port[i] == port)
            return true;
    return false;
}

/* Something in x that y does not have. */
static bool list_has_more(enum config_type type, const void *x, const void *y)
{
    if (type == TYPE_PORTS) {
        const struct config_ports *p = x;

        for (size_t i = 0; i < p->n; i++)
            if (!has_port(y, p->port[i]))
                return true;
        return false;
    }
    const struct config_list *l = x;

    for (size_t i = 0; i < l->n; i++)
        if (!in_list(y, l->item[i]))
            return true;
    return false;
}

/* Not below the project: absolute, of a home directory, climbing, a URL. */
static bool is_outside(struct str path)
{
    if (path.n == 0)
        return false;
    if (path.p[0] == '/' || path.p[0] == '~' || path.p[0] == '$' || url_is(path))
        return true;
    for (struct str part, rest = path; str_next(&rest, '/', &part);)
        if (str_eq(part, STR("..")))
            return true;
    return false;
}

static bool reaches_outside(enum config_type type, const void *x, const void *y)
{
    if (type == TYPE_TEXT)
        return is_outside(*(const struct str *)x) && !str_eq(*(const struct str *)x, *(const struct str *)y);
    const struct config_list *l = x;

    for (size_t i = 0; i < l->n; i++)
        if (is_outside(l->item[i]) && !in_list(y, l->item[i]))
            return true;
    return false;
}

static bool limit_is_wider(enum config_type type, const void *x, const void *y)
{
    double now = type == TYPE_FLOAT ? *(const double *)x : (double)*(const int64_t *)x;
    double before = type == TYPE_FLOAT ? *(const double *)y : (double)*(const int64_t *)y;

    return before > 0 && (now <= 0 || now > before);
}

/* isolated and none are equal: no way out. */
static int word_rank(enum config_key key, int word)
{
    return key == CONFIG_KEY_container_network_policy && word == CONFIG_NETWORK_NONE ? CONFIG_NETWORK_ISOLATED : word;
}

static bool is_wider(const struct trust_rule *rule, const struct config *c, const struct config *below)
{
    const void *x = field(c, rule->key), *y = field(below, rule->key);
    enum config_type type = config_keys[rule->key].type;

    switch (rule->wider) {
    case TRUST_WIDER_OFF:
        return !*(const bool *)x && *(const bool *)y;
    case TRUST_WIDER_ON:
        return *(const bool *)x && !*(const bool *)y;
    case TRUST_WIDER_LEFT:
        return word_rank(rule->key, *(const int *)x) < word_rank(rule->key, *(const int *)y);
    case TRUST_WIDER_RIGHT:
        return word_rank(rule->key, *(const int *)x) > word_rank(rule->key, *(const int *)y);
    case TRUST_WIDER_MORE:
        return list_has_more(type, x, y);
    case TRUST_WIDER_FEWER:
        return list_has_more(type, y, x);
    case TRUST_WIDER_OUTSIDE:
        return reaches_outside(type, x, y);
    case TRUST_WIDER_LIMIT:
        return limit_is_wider(type, x, y);
    case TRUST_WIDER_CHANGED:
        return !str_eq(*(const struct str *)x, *(const struct str *)y);
    case TRUST_WIDER_PATH:
        return str_find(*(const struct str *)x, '/') < ((const struct str *)x)->n;
    }
    return false;
}

/* ------------------------------------------------------------ what the project asks for */

static bool is_of_project(const struct config *c, enum config_key key)
{
    enum config_layer layer = c->origin[key].layer;

    return layer == CONFIG_PYPROJECT || layer == CONFIG_PROJECT;
}

static bool any_of_project(const struct config *c)
{
    for (size_t i = 0; i < COUNT(trust_rules); i++)
        if (is_of_project(c, trust_rules[i].key))
            return true;
    return false;
}

/* Root's files are nobody's trick: root can do what the file would only ask for. */
static bool belongs_to_other(const struct stat *st)
{
    return st->st_uid != geteuid() && st->st_uid != 0;
}

static bool file_is_foreign(const struct workspace *w, enum config_layer layer)
{
    struct stat st;

    return fstatat(w->dir, layer == CONFIG_PYPROJECT ? "pyproject.toml" : "blast.toml", &st, 0) == 0 &&
           belongs_to_other(&st);
}

static struct str digest_of(struct arena *a, struct str value)
{
    unsigned char sum[HASH_SHA256];
    char hex[HASH_HEX256 + 1];
    struct sha256 s;

    sha256_init(&s);
    sha256_add(&s, value.p, value.n);
    sha256_finish(&s, sum);
    hash_hex(sum, sizeof sum, hex);
    return arena_str(a, str_of(hex));
}

/* As it is shown and recorded: URLs without their credentials. */
static struct str shown(struct workspace *w, const struct config *c, enum config_key key)
{
    const struct config_key_info *k = &config_keys[key];
    struct config copy = *c;

    if (k->type == TYPE_TEXT) {
        struct str *text = (struct str *)(void *)((char *)&copy + k->offset);

        if (url_is(*text))
            *text = url_redacted(w->a, *text);
    } else if (k->type == TYPE_LIST) {
        struct config_list *l = (struct config_list *)(void *)((char *)&copy + k->offset);
        struct str *item = ARENA_ARRAY(w->a, struct str, l->n);

        for (size_t i = 0; i < l->n; i++)
            item[i] = url_is(l->item[i]) ? url_redacted(w->a, l->item[i]) : l->item[i];
        l->item = item;
    }
    return key_format(k, &copy, w->a);
}

static bool load_below(struct workspace *w, struct config *out, struct err *e)
{
    struct config_input in = { 0 };

    in.user_name = arena_printf(w->a, "%s/config.toml", w->dirs.config).p;
    return fd_read_if_there(AT_FDCWD, in.user_name, CONFIG_FILE_MAX, w->a, &in.user, e) &&
           config_read(&in, w->a, out, e);
}

static bool gather(struct workspace *w, const struct config *below, struct trust *t, struct err *e)
{
    struct config *c = &w->config;
    struct stat st;

    if (fstat(w->dir, &st) < 0)
        return err_sys(e, "stat %s", w->where.dir);
    t->foreign = belongs_to_other(&st);
    t->p = ARENA_ARRAY(w->a, struct trust_setting, COUNT(trust_rules));
    for (size_t i = 0; i < COUNT(trust_rules); i++) {
        const struct trust_rule *rule = &trust_rules[i];
        const struct config_key_info *k = &config_keys[rule->key];

        if (!is_of_project(c, rule->key) || !is_wider(rule, c, below))
            continue;
        t->p[t->n++] = (struct trust_setting){
            .key = rule->key,
            .name = arena_printf(w->a, "%s.%s", config_sections[k->section].name, k->name),
            .why = rule->why,
            .value = shown(w, c, rule->key),
            .origin = c->origin[rule->key].text,
            .instead = rule->stops ? STR("") : shown(w, below, rule->key),
            .digest = digest_of(w->a, key_format(k, c, w->a)),
            .foreign = t->foreign || file_is_foreign(w, c->origin[rule->key].layer),
        };
    }
    return true;
}

/* ------------------------------------------------------------ against the record */

static void compare(struct trust *t, const struct trust_record *r)
{
    for (size_t i = 0; i < t->n; i++) {
        struct trust_setting *s = &t->p[i];

        for (size_t k = 0; k < r->n; k++) {
            if (!str_eq(r->p[k].name, s->name))
                continue;
            s->before = r->p[k].value;
            s->accepted = !s->foreign && str_eq(r->p[k].digest, s->digest);
        }
    }
}

static enum trust_level level_of(const struct trust *t)
{
    if (!t->recorded)
        return TRUST_NONE;
    for (size_t i = 0; i < t->n; i++)
        if (!t->p[i].accepted)
            return TRUST_CHANGED;
    return t->full ? TRUST_FULL : TRUST_SYNC;
}

static bool join_record(struct workspace *w, struct trust *t, struct err *e)
{
    struct trust_record r;

    if (!trust_record_load(w, &r, e))
        return false;
    t->recorded = r.there && !t->foreign;
    t->replaced = r.other;
    t->full = r.full;
    t->given = r.given;
    t->startup = r.startup;
    t->n_startup = r.n_startup;
    if (t->recorded)
        compare(t, &r);
    t->level = level_of(t);
    return true;
}

bool trust_state(struct workspace *w, struct trust *out, struct err *e)
{
    struct trust t = { 0 };
    struct stat st;

    if (w->trust)
        t = *w->trust;
    else if (fstat(w->dir, &st) < 0)
        return err_sys(e, "stat %s", w->where.dir);
    else
        t.foreign = belongs_to_other(&st);
    if (!join_record(w, &t, e))
        return err_as(e, ERR_CONFIG, "read what is trusted of '%s'", w->where.dir);
    *out = t;
    return true;
}

/* ------------------------------------------------------------ putting it out of force */

static void copy_field(struct config *to, const struct config *from, enum config_key key)
{
    static const size_t size[] = {
        [TYPE_BOOL] = sizeof(CONFIG_BOOL),   [TYPE_INT] = sizeof(CONFIG_INT),
        [TYPE_FLOAT] = sizeof(CONFIG_FLOAT), [TYPE_TEXT] = sizeof(CONFIG_TEXT),
        [TYPE_WORD] = sizeof(CONFIG_WORD),   [TYPE_LIST] = sizeof(CONFIG_LIST),
        [TYPE_PORTS] = sizeof(CONFIG_PORTS), [TYPE_SIZE] = sizeof(CONFIG_SIZE),
        [TYPE_DURATION] = sizeof(CONFIG_DURATION), [TYPE_MOMENT] = sizeof(CONFIG_MOMENT),
    };

    memcpy((char *)to + config_keys[key].offset, field(from, key), size[config_keys[key].type]);
    to->origin[key] = from->origin[key];
}

static struct str join_names(struct arena *a, const struct trust *t, bool stops)
{
    struct str all = STR("");

    for (size_t i = 0; i < t->n; i++)
        if (!t->p[i].accepted && (t->p[i].instead.n == 0) == stops)
            all = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(all), all.n ? ", " : "", STR_ARG(t->p[i].name));
    return all;
}

bool trust_apply(struct workspace *w, struct err *e)
{
    struct config below;
    struct trust *t;

    if (!any_of_project(&w->config))
        return true;
    t = ARENA_NEW(w->a, struct trust);
    if (!load_below(w, &below, e) || !gather(w, &below, t, e))
        return false;
    if (t->n == 0)
        return true;
    if (!join_record(w, t, e))
        return err_as(e, ERR_CONFIG, "read what is trusted of '%s'", w->where.dir);
    w->trust = t;
    for (size_t i = 0; i < t->n; i++)
        if (!t->p[i].accepted && t->p[i].instead.n)
            copy_field(&w->config, &below, t->p[i].key);
    struct str names = join_names(w->a, t, false);

    if (names.n)
        workspace_warn(w, "not trusted and not in force: " STR_FMT "; blast trust shows and accepts %s", STR_ARG(names),
                       str_find(names, ',') < names.n ? "them" : "it");
    return true;
}

/* An index of the command line or of a variable stands in for the project's. */
static bool is_in_use(const struct workspace *w, enum config_key key)
{
    const struct request *r = w->request;

    if (key == CONFIG_KEY_resolver_find_links)
        return true;
    return !r->no_index && !(key == CONFIG_KEY_resolver_index_url && r->index_url.n);
}

bool trust_check_sources(const struct workspace *w, struct err *e)
{
    for (size_t i = 0; w->trust && i < w->trust->n; i++) {
        const struct trust_setting *s = &w->trust->p[i];

        if (s->accepted || s->instead.n || !is_in_use(w, s->key))
            continue;
        (void)err_set(e, ERR_CONFIG, STR_FMT ": " STR_FMT " = " STR_FMT " is not trusted, and without it packages "
                      "would come from elsewhere", STR_ARG(s->origin), STR_ARG(s->name), STR_ARG(s->value));
        (void)err_hint(e, s->foreign ? "the file belongs to another user; give --index-url, or own the file"
                                     : "blast trust shows what the project asks for and accepts it");
        return err_exit(e, EXIT_DENIED);
    }
    return true;
}

/* ------------------------------------------------------------ recording */

static bool check_own(const struct trust *t, const char *dir, struct err *e)
{
    if (t->foreign) {
        (void)err_set(e, ERR_CONFIG, "'%s' belongs to another user and is not trusted", dir);
        (void)err_hint(e, "whoever owns the folder can change what it asks for at any time");
        return err_exit(e, EXIT_DENIED);
    }
    for (size_t i = 0; i < t->n; i++) {
        if (!t->p[i].foreign)
            continue;
        (void)err_set(e, ERR_CONFIG, STR_FMT ": the file belongs to another user, its " STR_FMT " is not trusted",
                      STR_ARG(t->p[i].origin), STR_ARG(t->p[i].name));
        (void)err_hint(e, "make the file yours, or put the setting into your own config.toml");
        return err_exit(e, EXIT_DENIED);
    }
    return true;
}

bool trust_note(struct workspace *w, struct err *e)
{
    struct trust_record r;
    struct trust t;

    if (w->foreign_env)
        return true;
    if (!trust_state(w, &t, e))
        return false;
    if (t.recorded || t.foreign)
        return true;
    r = (struct trust_record){ 0 };
    return trust_record_save(w, &r, e);
}

bool trust_accept(struct workspace *w, struct err *e)
{
    struct trust_record r;
    struct trust t;

    if (!trust_state(w, &t, e) || !check_own(&t, w->where.dir, e))
        return false;
    r = (struct trust_record){ .full = true, .startup = t.recorded ? t.startup : NULL,
                               .n_startup = t.recorded ? t.n_startup : 0 };
    r.p = ARENA_ARRAY(w->a, struct trust_accepted, t.n);
    for (size_t i = 0; i < t.n; i++)
        r.p[r.n++] = (struct trust_accepted){ t.p[i].name, t.p[i].value, t.p[i].digest };
    return trust_record_save(w, &r, e);
}

bool trust_allow_startup(struct workspace *w, const struct str *digest, size_t n, struct err *e)
{
    struct trust_record r;
    struct str *all;

    if (!trust_record_load(w, &r, e))
        return false;
    if (!r.there)
        r = (struct trust_record){ 0 };
    all = ARENA_ARRAY(w->a, struct str, r.n_startup + n);
    for (size_t i = 0; i < r.n_startup; i++)
        all[i] = r.startup[i];
    for (size_t i = 0; i < n; i++)
        all[r.n_startup + i] = digest[i];
    r.startup = all;
    r.n_startup += n;
    return trust_record_save(w, &r, e);
}
