/* blast daemon: starting, asking and stopping the one background process, all of which is optional. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/proc.h"
#include "cli/common.h"
#include "cli/daemon_link.h"
#include "cli/ui.h"
#include "codec/json.h"
#include "config/dirs.h"
#include "wire/launch.h"
#include "wire/seat.h"

#define LOG_NAME "daemon.jsonl"
#define LOG_MAX ((size_t)8 << 20) /* bytes of a log file that are read */
#define LOG_LINES 50              /* shown without -f */
#define END_MS 15000              /* a daemon lets running jobs end for 5 s */

struct daemon_cmd {
    struct cmd *c;
    struct dirs dirs;
    struct seat seat;
};

static void moment(int64_t seconds, char out[CLOCK_TEXT])
{
    if (seconds)
        clock_format(seconds, out);
    else
        (void)snprintf(out, CLOCK_TEXT, "never");
}

/* The members of status that text shows. */
struct shown {
    uint64_t pid, started, since, projects, sessions, connections;
    struct str build, state, doing, socket, log;
    bool upgrade, activated;
};

static bool read_status(struct str json, struct arena *a, struct shown *out, struct err *e)
{
    const struct {
        const char *name;
        uint64_t *count;
        struct str *text;
        bool *flag;
    } members[] = {
        { "pid", &out->pid, NULL, NULL },           { "started", &out->started, NULL, NULL },
        { "since", &out->since, NULL, NULL },       { "projects", &out->projects, NULL, NULL },
        { "sessions", &out->sessions, NULL, NULL }, { "connections", &out->connections, NULL, NULL },
        { "build", NULL, &out->build, NULL },       { "state", NULL, &out->state, NULL },
        { "doing", NULL, &out->doing, NULL },       { "socket", NULL, &out->socket, NULL },
        { "log", NULL, &out->log, NULL },           { "upgrade", NULL, NULL, &out->upgrade },
        { "activated", NULL, NULL, &out->activated },
    };
    struct json j;
    struct str key;

    *out = (struct shown){ 0 };
    json_init(&j, json, a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            for (size_t i = 0; i < COUNT(members); i++)
                if (str_eq(key, str_of(members[i].name)))
                    (void)(members[i].count  ? json_u64(&j, members[i].count) /* failures are sticky */
                           : members[i].text ? json_string(&j, members[i].text)
                                             : json_bool(&j, members[i].flag));
    return json_end(&j) || err_as(e, ERR_DAEMON, "read the daemon's status");
}

static void print_status(const struct shown *s)
{
    char started[CLOCK_TEXT], since[CLOCK_TEXT];

    moment((int64_t)s->started, started);
    moment((int64_t)s->since, since);
    ui_out("daemon    " STR_FMT ", pid %llu, blast " STR_FMT ", started %s%s\n", STR_ARG(s->state),
           (unsigned long long)s->pid, STR_ARG(s->build), started, s->activated ? " by the service manager" : "");
    ui_out("doing     " STR_FMT "  (since %s)\n", STR_ARG(s->doing), since);
    ui_out("projects  %llu, sessions %llu, connections %llu\n", (unsigned long long)s->projects,
           (unsigned long long)s->sessions, (unsigned long long)s->connections);
    ui_out("socket    " STR_FMT "\nlog       " STR_FMT "\n", STR_ARG(s->socket), STR_ARG(s->log));
    if (s->upgrade)
        ui_out("upgrade   the program was replaced; the new one takes over when nothing runs\n");
}

static void status_json(struct str result)
{
    struct json_result r;

    if (!ui.json)
        return;
    json_result_begin(&r, "blast.daemon/1");
    json_write_member_bool(&r.w, "running", result.n > 0);
    if (result.n) {
        json_write_key(&r.w, STR("status"));
        json_write_raw(&r.w, result);
    }
    json_result_end(&r);
}

static bool ask(struct wire_client *client, const char *method, struct arena *a, struct str *result, struct err *e)
{
    return wire_call(client, method, STR(""), a, result, e) || err_wrap(e, "ask the daemon for its %s", method);
}

static bool show_status(struct daemon_cmd *d, struct err *e)
{
    AUTO_WIRE client = { .fd = -1 };
    struct str result = STR("");
    struct shown shown;

    if (!wire_connect_any(&d->dirs, &client, e))
        return false;
    if (client.fd >= 0 && (!ask(&client, "status", d->c->a, &result, e) || !read_status(result, d->c->a, &shown, e)))
        return false;
    status_json(result);
    if (ui.json)
        return true;
    if (client.fd >= 0)
        print_status(&shown);
    else
        ui_out("no daemon runs; commands do without, `blast daemon start` starts one\n");
    return true;
}

static bool start(struct daemon_cmd *d, struct err *e)
{
    AUTO_WIRE client = { .fd = -1 }, before = { .fd = -1 };
    struct err ignored = { 0 };
    struct str result;

    if (!daemon_link_allowed(d->c)) {
        (void)err_set(e, ERR_CONFIG, "the daemon is switched off by --no-daemon or BLAST_NO_DAEMON");
        return err_hint(e, "unset BLAST_NO_DAEMON");
    }
    bool ran = wire_connect_any(&d->dirs, &before, &ignored) && before.fd >= 0;

    wire_close(&before);
    if (!wire_connect(&d->dirs, WIRE_START, &client, e) || !ask(&client, "status", d->c->a, &result, e))
        return false;
    status_json(result);
    ui_note(ran ? "the daemon runs already, pid %llu" : "started the daemon, pid %llu", (unsigned long long)client.pid);
    return true;
}

/* The answer comes when all is put away; the lock goes with the process, so that is waited for as well. */
static bool stop(struct daemon_cmd *d, bool *was, struct err *e)
{
    AUTO_WIRE client = { .fd = -1 };
    struct seat_holder h;
    struct str result;

    if (!wire_connect_any(&d->dirs, &client, e) || !seat_holder(&d->seat, d->c->a, &h, e))
        return false;
    *was = client.fd >= 0;
    if (!*was)
        return true;
    AUTO_FD process = h.pid ? pidfd_open(h.pid, 0) : -1;

    if (!wire_call(&client, "stop", STR(""), d->c->a, &result, e) || !wire_await_end(&client, END_MS, e))
        return err_wrap(e, "stop the daemon");
    struct pollfd p = { process, POLLIN, 0 };

    if (process >= 0 && poll(&p, 1, END_MS) == 0)
        return err_set(e, ERR_DAEMON, "the daemon (pid %d) said that it ended, and has not", (int)h.pid);
    ui_note("stopped the daemon, pid %llu", (unsigned long long)client.pid);
    return true;
}

static bool stop_command(struct daemon_cmd *d, struct err *e)
{
    bool was;

    if (!stop(d, &was, e))
        return false;
    status_json(STR(""));
    if (!was)
        ui_note("no daemon runs");
    return true;
}

static bool restart(struct daemon_cmd *d, struct err *e)
{
    bool was;

    return stop(d, &was, e) && start(d, e);
}

static bool metrics(struct daemon_cmd *d, struct err *e)
{
    AUTO_WIRE client = { .fd = -1 };
    struct str result, key, text = { 0 };
    struct json j;

    if (!wire_connect(&d->dirs, WIRE_IF_RUNNING, &client, e))
        return false;
    if (client.fd < 0) {
        (void)err_set(e, ERR_DAEMON, "no daemon runs, so there are no figures");
        return err_hint(e, "blast daemon start");
    }
    if (!ask(&client, "metrics", d->c->a, &result, e))
        return false;
    json_init(&j, result, d->c->a, e);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            if (str_eq(key, STR("text")))
                (void)json_string(&j, &text); /* failures are sticky */
    if (!json_end(&j))
        return err_as(e, ERR_DAEMON, "read the daemon's figures");
    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.daemon-metrics/1");
        json_write_member(&r.w, "text", text);
        json_result_end(&r);
    } else {
        ui_out(STR_FMT, STR_ARG(text));
    }
    return true;
}

/* One line of the log for people; what is no JSON is shown as it is. */
static void print_log_line(struct str line)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str key, when = { 0 }, level = { 0 }, text = { 0 };
    struct json j;

    json_init(&j, line, &a, &ignored);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("time")))
                (void)json_string(&j, &when); /* failures are sticky */
            else if (str_eq(key, STR("level")))
                (void)json_string(&j, &level);
            else if (str_eq(key, STR("text")))
                (void)json_string(&j, &text);
        }
    if (ui.json || !json_end(&j))
        ui_out(STR_FMT "\n", STR_ARG(line));
    else
        ui_out(STR_FMT "  %-7.*s  " STR_FMT "\n", STR_ARG(when), STR_ARG(level), STR_ARG(text));
}

/* The last lines that are there; *at is where the file ended. */
static bool print_tail(const char *path, struct arena *a, off_t *at, struct err *e)
{
    struct str text, line;
    size_t lines = 0, i = 0;

    if (!fd_read_if_there(AT_FDCWD, path, LOG_MAX, a, &text, e))
        return false;
    for (struct str rest = text; rest.p && str_next_line(&rest, &line);)
        lines++;
    for (struct str rest = text; rest.p && str_next_line(&rest, &line); i++)
        if (i + LOG_LINES >= lines)
            print_log_line(line);
    *at = (off_t)text.n;
    return true;
}

/* What was added since; a file that became shorter is a new one. A line that is half written waits for its rest. */
static bool print_more(const char *path, off_t *at, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str text, line;

    if (!fd_read_if_there(AT_FDCWD, path, LOG_MAX, &a, &text, e))
        return false;
    if ((off_t)text.n < *at)
        *at = 0;
    if (!text.p)
        return true;
    size_t from = (size_t)*at, end = str_rfind(text, '\n');

    if (end == text.n || end < from)
        return true;
    for (struct str rest = str_sub(text, from, end + 1); str_next_line(&rest, &line);)
        print_log_line(line);
    *at = (off_t)(end + 1);
    return true;
}

static bool logs(struct daemon_cmd *d, struct err *e)
{
    const char *path = arena_printf(d->c->a, "%s/" LOG_NAME, d->seat.log).p;
    char events[4096];
    off_t at = 0;

    if (!file_exists(AT_FDCWD, path)) {
        ui_note("there is no log yet: %s", path);
        return true;
    }
    if (!print_tail(path, d->c->a, &at, e))
        return err_as(e, ERR_DAEMON, "read the daemon's log");
    if (!option_flag(&d->c->options, OPT_FOLLOW))
        return true;
    AUTO_FD watch = inotify_init1(IN_CLOEXEC);

    if (watch < 0 || inotify_add_watch(watch, d->seat.log, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return err_sys(e, "watch %s", d->seat.log);
    do { /* until Ctrl-C, or until nobody reads */
        if (!print_more(path, &at, e))
            return err_as(e, ERR_DAEMON, "read the daemon's log");
    } while (ui_flush() && (read(watch, events, sizeof events) > 0 || errno == EINTR));
    return true;
}

static bool run(struct daemon_cmd *d, struct err *e)
{
    const char *program;

    if (!launch_program(d->c->a, &program, e))
        return false;
    (void)execl(program, program, "--verbose", (char *)NULL);
    return err_sys(e, "start %s", program);
}

/* The same texts as data/systemd, for a program that was installed without them. */
static const char socket_unit[] =
    "[Unit]\nDescription=Blast environment daemon\nDocumentation=man:blast-daemon(1)\n\n"
    "[Socket]\nListenStream=%t/blast/daemon.sock\nSocketMode=0600\nDirectoryMode=0700\n\n"
    "[Install]\nWantedBy=sockets.target\n";
static const char service_unit[] =
    "[Unit]\nDescription=Blast environment daemon\nDocumentation=man:blast-daemon(1)\n"
    "Requires=blast.socket\nAfter=blast.socket\n\n"
    "[Service]\nType=notify\nNotifyAccess=main\nExecStart=%s\nKillMode=mixed\n";

static bool systemctl(struct arena *a, const char *const *argv, struct err *e)
{
    AUTO_BUF said = { .limit = 65536 };
    const struct proc_spec spec = { .argv = argv, .timeout_ms = 30000, .out = &said, .err = &said };
    int status;

    if (!proc_run(&spec, &status, e))
        return err_as(e, ERR_DAEMON, "ask the service manager");
    if (status == 0)
        return true;
    return err_set(e, ERR_DAEMON, "systemctl ended with %d: %s", status, arena_cstr(a, str_trim(buf_done(&said))));
}

static bool install(struct daemon_cmd *d, struct err *e)
{
    static const char *const reload[] = { "systemctl", "--user", "daemon-reload", NULL };
    static const char *const enable[] = { "systemctl", "--user", "enable", "--now", "blast.socket", NULL };
    struct arena *a = d->c->a;
    const char *xdg = dirs_variable(NULL, "XDG_CONFIG_HOME"), *program;
    AUTO_FD dir = -1;

    if (!launch_program(a, &program, e))
        return false;
    const char *to = xdg && xdg[0] == '/' ? arena_printf(a, "%s/systemd/user", xdg).p
                                          : arena_printf(a, "%s/.config/systemd/user", d->dirs.home).p;
    const char *service = arena_printf(a, service_unit, program).p;

    if (option_flag(&d->c->options, OPT_DRY_RUN)) {
        ui_out("# %s/blast.socket\n%s\n# %s/blast.service\n%s", to, socket_unit, to, service);
        return true;
    }
    if (!file_make_dirs(AT_FDCWD, to, 0755, e) || !fd_open_dir(AT_FDCWD, to, &dir, e) ||
        !file_replace(dir, "blast.socket", str_of(socket_unit), 0644, FILE_NO_SYNC, e) ||
        !file_replace(dir, "blast.service", str_of(service), 0644, FILE_NO_SYNC, e))
        return err_as(e, ERR_DAEMON, "write the units");
    if (!systemctl(a, reload, e) || !systemctl(a, enable, e)) {
        (void)err_wrap(e, "enable blast.socket");
        return err_hint(e, "without a service manager commands start the daemon by themselves; "
                           "the units lie in %s", to);
    }
    ui_note("enabled blast.socket; systemctl --user disable --now blast.socket takes it back");
    return true;
}

bool cmd_daemon(struct cmd *c, struct err *e)
{
    static const struct {
        const char *word;
        bool (*run)(struct daemon_cmd *d, struct err *e);
    } verbs[] = {
        { "status", show_status }, { "start", start }, { "stop", stop_command }, { "restart", restart },
        { "logs", logs },          { "run", run },     { "install", install },   { "metrics", metrics },
    };
    struct daemon_cmd d = { .c = c };
    struct str verb = c->options.words.n ? c->options.words.p[0] : STR("status");

    if (c->options.words.n > 1)
        return err_set(e, ERR_CONFIG, "blast daemon takes one word, not %zu", c->options.words.n);
    if (!dirs_find(NULL, c->a, &d.dirs, e) || !seat_find(&d.dirs, c->a, &d.seat, e))
        return false;
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (str_eq(verb, str_of(verbs[i].word)))
            return verbs[i].run(&d, e);
    (void)err_set(e, ERR_CONFIG, "blast daemon does not know '" STR_FMT "'", STR_ARG(verb));
    return err_hint(e, "start, stop, status, logs, restart, run, install or metrics");
}
