/* blast doctor: looks at everything that can be wrong, and says what would help. */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "build_config.h"
#include "cli/common.h"
#include "cli/daemon_link.h"
#include "cli/ui.h"
#include "env/env.h"
#include "python/discover.h"
#include "store/store.h"
#include "sync/env_layer.h"
#include "wire/seat.h"

struct finding {
    const char *what;
    struct str text;
    bool bad;
};

struct findings {
    struct finding p[64];
    size_t n, bad;
};

static void add(struct findings *f, const char *what, struct str text, bool bad)
{
    if (f->n < COUNT(f->p))
        f->p[f->n++] = (struct finding){ what, text, bad };
    f->bad += bad;
}

static void look_at_space(struct arena *a, struct findings *f, const char *what, const char *path)
{
    struct statvfs v;

    if (statvfs(path, &v) < 0)
        return; /* not made yet */
    double free_gb = (double)v.f_bavail * (double)v.f_frsize / 1e9;

    add(f, what, arena_printf(a, "%s, %.1f GB free%s", path, free_gb, v.f_flag & ST_RDONLY ? ", read-only" : ""),
        free_gb < 0.5 || v.f_flag & ST_RDONLY);
}

static void look_at_pythons(struct cmd *c, const struct workspace *w, struct findings *f)
{
    struct py_search search = workspace_search(w);
    struct py_found found;
    struct err e = { 0 };

    if (!python_list(&search, c->a, &found, &e)) {
        add(f, "python", arena_printf(c->a, "%s", e.text), true);
        return;
    }
    add(f, "python", arena_printf(c->a, "%zu interpreters found", found.n), found.n == 0);
    for (size_t i = 0; i < found.n_notes; i++)
        add(f, "python", arena_printf(c->a, "skipped " STR_FMT ": " STR_FMT, STR_ARG(found.note[i].path),
                                      STR_ARG(found.note[i].why)), false);
}

static void look_at_packages(struct cmd *c, struct env *env, struct findings *f)
{
    struct env_packages list;
    struct err e = { 0 };

    if (!env_installed(env, c->a, &list, &e)) {
        add(f, "packages", arena_printf(c->a, "%s", e.text), true);
        return;
    }
    for (size_t i = 0; i < list.n; i++) {
        unsigned odd = list.p[i].oddities;

        if (odd & (ENV_NO_METADATA | ENV_NO_RECORD | ENV_TWICE))
            add(f, "packages",
                arena_printf(c->a, STR_FMT ": %s", STR_ARG(list.p[i].dist_info),
                             odd & ENV_TWICE ? "the same package twice" : "METADATA or RECORD is missing"),
                true);
    }
    add(f, "packages", arena_printf(c->a, "%zu installed", list.n), false);
}

static void look_at_env(struct cmd *c, struct workspace *w, struct findings *f)
{
    struct err e = { 0 };
    struct env env;

    if (!env_is_there(w->env_path)) {
        add(f, "environment", STR("none; blast start makes it"), false);
        return;
    }
    if (!env_open(w->env_path, w->dirs.state, &env, &e)) {
        add(f, "environment", arena_printf(c->a, "%s", e.text), true);
        return;
    }
    if (env.repaired)
        add(f, "environment", STR("an interrupted change was found and settled"), false);
    struct str trouble = env_trouble(&env);

    add(f, "environment", trouble.n ? arena_str(c->a, trouble) : arena_printf(c->a, "%s", env.path), trouble.n > 0);
    look_at_packages(c, &env, f);
    env_close(&env);
}

/* The newest report that a crash of the daemon left, if any; their names begin with the time. */
static void look_at_crashes(struct arena *a, const char *dir, struct findings *f)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct err ignored = { 0 };
    struct str newest = STR("");
    size_t n = 0;

    if (!file_exists(AT_FDCWD, dir) || !file_list_open(AT_FDCWD, dir, &list, &ignored))
        return;
    for (; file_list_next(&list, &d, &ignored); n++)
        if (str_cmp(str_of(d->d_name), newest) > 0)
            newest = arena_str(a, str_of(d->d_name));
    if (n)
        add(f, "daemon", arena_printf(a, "crashed: %zu reports, the newest is %s/" STR_FMT, n, dir, STR_ARG(newest)),
            false);
}

static void look_at_daemon(struct cmd *c, const struct workspace *w, struct findings *f)
{
    AUTO_WIRE client = { .fd = -1 };
    struct err e = { 0 };
    struct seat seat;

    if (!seat_find(&w->dirs, c->a, &seat, &e) || (daemon_link_allowed(c) && !wire_connect_any(&w->dirs, &client, &e)))
        add(f, "daemon", arena_printf(c->a, "%s", e.text), true);
    else if (client.fd >= 0)
        add(f, "daemon", arena_printf(c->a, "runs, pid %llu, blast %s", (unsigned long long)client.pid, client.build),
            false);
    if (!e.kind)
        look_at_crashes(c->a, seat.crash, f);
}

static void print(const struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        ui_out("%s%s%s %-12s " STR_FMT "\n", ui_on(stdout, f->p[i].bad ? UI_RED : UI_GREEN),
               f->p[i].bad ? "bad " : "good", ui_on(stdout, UI_PLAIN), f->p[i].what, STR_ARG(f->p[i].text));
}

static void print_json(const struct findings *f)
{
    struct json_result r;

    json_result_begin(&r, "blast.doctor/1");
    json_write_key(&r.w, STR("findings"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < f->n; i++) {
        json_write_object_begin(&r.w);
        json_write_member_cstr(&r.w, "about", f->p[i].what);
        json_write_member(&r.w, "text", f->p[i].text);
        json_write_member_bool(&r.w, "bad", f->p[i].bad);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

bool cmd_doctor(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct findings *f = ARENA_NEW(c->a, struct findings);

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e))
        return false;
    add(f, "blast", STR(BLAST_VERSION), false);
    if (geteuid() == 0)
        add(f, "user", STR("root: packages are hard-linked, because root ignores the store's read-only modes"), false);
    look_at_space(c->a, f, "project", w.where.dir);
    look_at_space(c->a, f, "cache", w.dirs.cache);
    look_at_space(c->a, f, "store", w.dirs.store);
    look_at_pythons(c, &w, f);
    look_at_env(c, &w, f);
    look_at_daemon(c, &w, f);
    common_warnings(&w);
    if (ui.json)
        print_json(f);
    else
        print(f);
    c->exit_code = f->bad ? 1 : 0;
    return true;
}
