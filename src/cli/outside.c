#include "cli/outside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "build_config.h"
#include "cli/common.h"
#include "cli/sockets.h"
#include "cli/ui.h"
#include "codec/json.h"
#include "lock/lock.h"
#include "net/url.h"
#include "sync/audit.h"
#include "sync/lockfile.h"

#define TABLE_MAX (1u << 20)
#define ANSWER_S 2

/* ------------------------------------------------------------ hosts of the indexes */

struct hosts {
    struct arena *a;
    VEC(const char *) list;
};

static void add_host(struct hosts *h, struct str text)
{
    struct err ignored = { 0 }; /* what is no URL with a host is no host */
    struct url u;

    if (!url_is_http(text) || !url_parse(text, &u, &ignored) || u.host.n == 0)
        return;
    for (size_t i = 0; i < h->list.n; i++)
        if (str_eq_nocase(str_of(h->list.p[i]), u.host))
            return;
    char *host = arena_cstr(h->a, u.host);

    for (char *p = host; *p; p++)
        *p = char_lower(*p);
    VEC_PUSH_IN(h->a, &h->list, host);
}

static void add_lock(struct hosts *h, const struct workspace *w)
{
    struct err ignored = { 0 }; /* a lock that cannot be read names no hosts; who needs it complains */
    struct str text;
    struct lock l;

    if (!fd_read_if_there(w->dir, LOCKFILE, LOCK_MAX, h->a, &text, &ignored) || !text.p ||
        !lock_parse(h->a, text, &l, &ignored))
        return;
    for (size_t i = 0; i < l.n_package; i++) {
        const struct lock_package *p = &l.package[i];

        add_host(h, p->index);
        if (p->sdist)
            add_host(h, p->sdist->url);
        for (size_t k = 0; k < p->n_wheel; k++)
            add_host(h, p->wheel[k].url);
    }
}

const char *const *outside_index_hosts(struct cmd *c, const struct workspace *w)
{
    struct hosts h = { .a = c->a };
    const struct config_list *extra = &w->config.resolver_extra_index_urls;

    if (w->config.container_network_policy != CONFIG_NETWORK_ALLOWLIST)
        return NULL;
    add_host(&h, w->config.resolver_index_url.n ? w->config.resolver_index_url : STR(BLAST_DEFAULT_INDEX));
    for (size_t i = 0; i < extra->n; i++)
        add_host(&h, extra->item[i]);
    add_lock(&h, w);
    VEC_PUSH_IN(c->a, &h.list, NULL);
    return h.list.p;
}

/* ------------------------------------------------------------ the control socket */

/* False: there can be none. */
static bool find_place(const struct workspace *w, bool make, int *dir, char name[SOCKETS_NAME])
{
    char mark[SOCKETS_MARK];

    sockets_mark(w, mark);
    (void)snprintf(name, SOCKETS_NAME, "%s-%d.sock", mark, (int)getpid());
    return sockets_open_dir(w, "gate", make, dir);
}

int outside_listen(const struct workspace *w)
{
    struct sockaddr_un at;
    char name[SOCKETS_NAME];
    AUTO_FD dir = -1;

    if (!find_place(w, true, &dir, name))
        return -1;
    (void)unlinkat(dir, name, 0); /* of a process that had this number before */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (!sockets_address(dir, name, &at) || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
                    fchmodat(dir, name, 0600, 0) < 0 || listen(fd, 8) < 0))
        fd_close(&fd);
    return fd;
}

void outside_remove(const struct workspace *w)
{
    char name[SOCKETS_NAME];
    AUTO_FD dir = -1;

    if (find_place(w, false, &dir, name))
        (void)unlinkat(dir, name, 0);
}

/* ------------------------------------------------------------ the audit log */

void outside_record(struct workspace *w, struct str event)
{
    AUTO_BUF b = { .limit = AUDIT_LINE_MAX / 2 };
    struct err e = { 0 };
    bool whole = event.n && event.p[0] == '{' && json_write_minified(event, &b, &e);

    audit_record(w, AUDIT_CONNECTION, 0, whole ? buf_done(&b) : STR("{\"verdict\":\"unreadable\"}"));
}

/* ------------------------------------------------------------ the table */

/* Of one sandbox; false when nobody is there any more. */
static bool ask(int dir, const char *name, struct arena *a, struct str *out)
{
    AUTO_BUF b = { .limit = TABLE_MAX };
    AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = { ANSWER_S, 0 };
    struct err ignored = { 0 };
    struct sockaddr_un at;

    if (fd < 0 || !sockets_address(dir, name, &at) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0 ||
        connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
        return false;
    if (!fd_read_all(fd, &b, name, &ignored) || b.n == 0)
        return false;
    *out = arena_str(a, buf_done(&b));
    return true;
}

static struct str member(struct json *j)
{
    struct str v = STR("");

    if (json_type(j) == JSON_STRING)
        (void)json_string(j, &v);
    else
        (void)json_raw(j, &v);
    return v;
}

#define COLUMNS 8
static const char *const column[COLUMNS] = { "protocol", "state", "from", "to", "name", "peer", "out", "in" };

struct rows {
    struct arena *a;
    VEC(struct str) cells;
};

static void read_row(struct json *j, struct rows *r)
{
    struct str cell[COLUMNS] = { { 0 } }, key;

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key))
        for (size_t i = 0; i < COLUMNS; i++)
            if (str_eq(key, str_of(column[i])))
                cell[i] = member(j);
    for (size_t i = 0; i < COLUMNS; i++)
        VEC_PUSH_IN(r->a, &r->cells, cell[i].p ? cell[i] : STR(""));
}

static void read_table(struct str text, struct rows *r)
{
    struct err ignored = { 0 }; /* what is cut off shows what it has */
    struct json j;
    struct str key;

    json_init(&j, text, r->a, &ignored);
    if (!json_object_begin(&j))
        return;
    while (json_object_next(&j, &key)) {
        if (!str_eq(key, STR("connections")) || !json_array_begin(&j))
            continue;
        while (json_array_next(&j))
            read_row(&j, r);
    }
}

static void show(const struct str *table, size_t n, struct arena *a)
{
    struct rows r = { .a = a };
    struct json_result out;

    if (ui.json) {
        json_result_begin(&out, "blast.sandbox-connections/1");
        json_write_key(&out.w, STR("sandboxes"));
        json_write_array_begin(&out.w);
        for (size_t i = 0; i < n; i++)
            json_write_raw(&out.w, table[i]);
        json_write_array_end(&out.w);
        json_result_end(&out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        read_table(table[i], &r);
    if (r.cells.n)
        ui_table(column, r.cells.p, r.cells.n / COLUMNS, COLUMNS);
    else
        ui_out("%s\n", n ? "no connections" : "no sandbox with a gateway runs here");
}

static bool is_whole_json(struct str text, struct arena *a)
{
    struct err ignored = { 0 };
    struct json j;

    json_init(&j, text, a, &ignored);
    return json_skip(&j) && json_end(&j);
}

bool outside_connections(struct cmd *c, const struct workspace *w, struct err *e)
{
    VEC(struct str) tables = { 0 };
    AUTO_FD dir = -1;
    char mark[SOCKETS_MARK];
    DIR *list = NULL;
    int copy;

    (void)e;
    sockets_mark(w, mark);
    if (sockets_open_dir(w, "gate", false, &dir) && (copy = fcntl(dir, F_DUPFD_CLOEXEC, 0)) >= 0 &&
        !(list = fdopendir(copy)))
        (void)close(copy);
    for (const struct dirent *d; list && (d = readdir(list)) != NULL;) {
        struct str text;

        if (!str_starts(str_of(d->d_name), str_of(mark)))
            continue;
        if (!ask(dir, d->d_name, c->a, &text)) {
            if (errno == ECONNREFUSED)
                (void)unlinkat(dir, d->d_name, 0); /* left by a run that was killed */
        } else if (is_whole_json(text, c->a)) {
            VEC_PUSH_IN(c->a, &tables, text);
        }
    }
    if (list)
        (void)closedir(list);
    show(tables.p, tables.n, c->a);
    return true;
}
