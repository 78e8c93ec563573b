#include "cli/daemon_link.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/ui.h"
#include "codec/json_write.h"
#include "sync/workspace.h"

/* Set and not empty; for the switches among them "0" and "false" mean no. */
static bool is_set(const char *name)
{
    const char *v = getenv(name);

    return v && *v && strcmp(v, "0") != 0 && strcmp(v, "false") != 0;
}

bool daemon_link_allowed(const struct cmd *c)
{
    return !option_flag(&c->options, OPT_NO_DAEMON) && !is_set("BLAST_NO_DAEMON");
}

bool daemon_link_may_start(const struct cmd *c)
{
    return daemon_link_allowed(c) && !is_set("CI") && (isatty(STDIN_FILENO) || isatty(STDERR_FILENO));
}

/* What is a warning for one who asked for the daemon's work is of no interest to one who did not. */
static void without(const struct err *e, enum wire_start start)
{
    const char *hint = e->hint[0] ? e->hint : "blast --no-daemon does without";

    if (start == WIRE_START)
        ui_warn("no daemon: %s (%s)", e->text, hint);
    else
        ui_detail("no daemon: %s", e->text);
}

bool daemon_link(const struct cmd *c, const struct workspace *w, enum wire_start start, struct wire_client *out)
{
    struct err e = { 0 };

    *out = (struct wire_client){ .fd = -1 };
    if (!daemon_link_allowed(c))
        return false;
    if (start == WIRE_START && !daemon_link_may_start(c))
        start = WIRE_IF_RUNNING;
    if (!wire_connect(&w->dirs, start, out, &e)) {
        without(&e, start);
        wire_close(out);
        return false;
    }
    return out->fd >= 0;
}

/* One request with the members that most have: the project's path, without links, and a pid. */
static bool ask(struct wire_client *client, const char *method, const char *path, int64_t pid, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF params = { .limit = 16384 };
    struct json_write w;
    struct str result;
    char real[PATH_MAX];

    json_write_init(&w, &params, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "path", realpath(path, real) ? real : path);
    json_write_key(&w, STR("pid"));
    json_write_i64(&w, pid);
    json_write_object_end(&w);
    return json_write_end(&w) ? wire_call(client, method, buf_done(&params), &a, &result, e)
                              : err_set(e, ERR_DAEMON, "the project's path is too long for a request");
}

void daemon_foreground(const struct cmd *c, const struct workspace *w)
{
    static struct wire_client held = { .fd = -1 }; /* closed by the end of the process, which is what releases it */
    struct err e = { 0 };

    if (held.fd >= 0 || !daemon_link(c, w, WIRE_IF_RUNNING, &held))
        return;
    if (!ask(&held, "foreground", w->where.dir, getpid(), &e)) {
        without(&e, WIRE_IF_RUNNING);
        wire_close(&held);
    }
}

static bool session(const struct cmd *c, const struct workspace *w, const char *method, enum wire_start start,
                    int64_t pid)
{
    AUTO_WIRE client = { .fd = -1 };
    struct err e = { 0 };

    if (!daemon_link(c, w, start, &client))
        return false;
    if (!ask(&client, method, w->where.dir, pid, &e)) {
        without(&e, start);
        return false;
    }
    return true;
}

bool daemon_session_begin(const struct cmd *c, const struct workspace *w, int64_t pid)
{
    return session(c, w, "session.begin", WIRE_START, pid);
}

bool daemon_session_end(const struct cmd *c, const struct workspace *w, int64_t pid)
{
    return session(c, w, "session.end", WIRE_IF_RUNNING, pid);
}

void daemon_forget(const struct cmd *c, const struct workspace *w)
{
    (void)session(c, w, "project.remove", WIRE_IF_RUNNING, getpid());
}
