#include "wire/seat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "build_config.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "config/dirs.h"
#include "wire/protocol.h"

#define SOCKET_NAME "daemon.sock"
#define BACKLOG 512
#define PATIENCE_S 10 /* for a daemon whose backlog is full */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* <home>/.local/state/blast/<machine>; the machine's word is the one that config/dirs.c found. */
static const char *state_of(const struct dirs *dirs, const char *home, struct arena *a)
{
    if (!home || dirs_variable(NULL, "BLAST_STATE_DIR") || dirs_variable(NULL, "BLAST_HOME"))
        return dirs->state;
    return arena_printf(a, "%s/.local/state/blast/%s", strcmp(home, "/") == 0 ? "" : home, last_part(dirs->state)).p;
}

static bool is_private(const char *dir)
{
    struct stat st;

    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

bool seat_find_in(const struct dirs *dirs, const char *home, const char *runtime, struct arena *a, struct seat *out,
                  struct err *e)
{
    struct seat s = { .state = state_of(dirs, home, a) };
    bool moved = dirs_variable(NULL, "BLAST_STATE_DIR") || dirs_variable(NULL, "BLAST_HOME");

    s.own = arena_printf(a, "%s/daemon", s.state).p;
    s.socket_dir = !moved && runtime && is_private(runtime) ? arena_printf(a, "%s/blast", runtime).p : s.own;
    s.socket = arena_printf(a, "%s/" SOCKET_NAME, s.socket_dir).p;
    s.log = arena_printf(a, "%s/log", s.state).p;
    s.crash = arena_printf(a, "%s/crash", s.state).p;
    if (strlen(s.socket) >= PATH_MAX)
        return err_set(e, ERR_DAEMON, "the path of the socket has %zu bytes, the limit is %d", strlen(s.socket),
                       PATH_MAX - 1);
    *out = s;
    return true;
}

bool seat_find(const struct dirs *dirs, struct arena *a, struct seat *out, struct err *e)
{
    struct passwd pw, *found = NULL;
    char *room = arena_alloc(a, 16384);
    const char *home = NULL;

    if (getpwuid_r(geteuid(), &pw, room, 16384, &found) == 0 && found && pw.pw_dir && pw.pw_dir[0] == '/')
        home = pw.pw_dir;
    return seat_find_in(dirs, home, arena_printf(a, "/run/user/%u", (unsigned)geteuid()).p, a, out, e);
}

/* Root would leave files behind in a user's home that this user can then not write to. */
static bool root_stays_out(const char *path, struct err *e)
{
    char up[PATH_MAX];
    struct stat st;

    if (geteuid() != 0 || strlen(path) >= sizeof up)
        return true;
    memcpy(up, path, strlen(path) + 1);
    while (lstat(up, &st) < 0) {
        char *slash = strrchr(up, '/');

        if (!slash || slash == up)
            return true;
        *slash = '\0';
    }
    if (st.st_uid == 0)
        return true;
    (void)err_set(e, ERR_DAEMON, "'%s' belongs to uid %u, and this is root", up, (unsigned)st.st_uid);
    return err_hint(e, "run the command as that user, without sudo");
}

static bool check_dir(const char *path, mode_t forbidden, struct err *e)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return err_sys(e, "stat %s", path);
    if (!S_ISDIR(st.st_mode)) {
        (void)err_set(e, ERR_DAEMON, "'%s' is %s, not a directory", path, S_ISLNK(st.st_mode) ? "a link" : "a file");
        return err_hint(e, "rm '%s'", path);
    }
    if (st.st_uid != geteuid()) {
        (void)err_set(e, ERR_DAEMON, "'%s' belongs to uid %u, not to uid %u", path, (unsigned)st.st_uid,
                      (unsigned)geteuid());
        return err_hint(e, "sudo chown -R %u '%s'", (unsigned)geteuid(), path);
    }
    if (st.st_mode & forbidden) {
        (void)err_set(e, ERR_DAEMON, "'%s' is open to other users (mode %04o)", path, (unsigned)(st.st_mode & 07777));
        return err_hint(e, "chmod %s '%s'", forbidden == 077 ? "700" : "go-w", path);
    }
    return true;
}

bool seat_prepare(const struct seat *s, struct err *e)
{
    const struct {
        const char *path;
        mode_t forbidden;
    } dirs[] = { { s->state, 022 }, { s->own, 077 }, { s->socket_dir, 077 }, { s->log, 022 }, { s->crash, 022 } };

    for (size_t i = 0; i < COUNT(dirs); i++)
        if (!root_stays_out(dirs[i].path, e) || !file_make_dirs(AT_FDCWD, dirs[i].path, 0700, e) ||
            !check_dir(dirs[i].path, dirs[i].forbidden, e))
            return err_as(e, ERR_DAEMON, "prepare the daemon's directories");
    return true;
}

uint64_t seat_process_start(pid_t pid)
{
    AUTO_ARENA a = { 0 };
    char path[64];
    struct str text, part[64];
    struct err ignored = { 0 };
    uint64_t ticks;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!fd_read_file(AT_FDCWD, path, 4096, &a, &text, &ignored))
        return 0;
    /* the second field is a name in brackets, with any character in it: count behind the last bracket */
    size_t close = str_rfind(text, ')');

    if (close + 2 >= text.n || str_split(str_sub(text, close + 2, text.n), ' ', part, COUNT(part)) < 20)
        return 0;
    return str_to_u64(part[19], &ticks) ? ticks : 0;
}

/* The pid namespace, as a link's text. A pid means something inside one only. */
static struct str pid_namespace(char out[64])
{
    ssize_t n = readlink("/proc/self/ns/pid", out, 64);

    return (struct str){ out, n > 0 ? (size_t)n : 0 };
}

struct str seat_lock_text(const char *socket, struct arena *a)
{
    AUTO_BUF b = { .limit = SEAT_LOCK_MAX };
    struct json_write w;
    char ns[64];

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "socket", socket);
    json_write_member_u64(&w, "pid", (uint64_t)getpid());
    json_write_member_u64(&w, "start", seat_process_start(getpid()));
    json_write_member(&w, "namespace", pid_namespace(ns));
    json_write_member_u64(&w, "proto", WIRE_PROTO);
    json_write_member_cstr(&w, "build", BLAST_VERSION);
    json_write_object_end(&w);
    (void)json_write_end(&w); /* what the limit cuts is no JSON, and the default place is used */
    (void)buf_char(&b, '\n');
    return arena_str(a, buf_done(&b));
}

static void read_lock_text(struct str text, struct arena *a, struct seat_holder *out)
{
    struct err ignored = { 0 };
    struct str key, socket = { 0 }, namespace = { 0 };
    uint64_t pid = 0, start = 0;
    struct json j;
    char ns[64];

    json_init(&j, text, a, &ignored);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("socket")))
                (void)json_string(&j, &socket);
            else if (str_eq(key, STR("namespace")))
                (void)json_string(&j, &namespace);
            else if (str_eq(key, STR("pid")))
                (void)json_u64(&j, &pid);
            else if (str_eq(key, STR("start")))
                (void)json_u64(&j, &start);
        }
    if (!json_end(&j))
        return; /* torn or foreign: nothing is said */
    out->socket = socket;
    if (pid > 0 && pid <= INT_MAX && start && str_eq(namespace, pid_namespace(ns)) &&
        seat_process_start((pid_t)pid) == start)
        out->pid = (pid_t)pid;
}

bool seat_holder(const struct seat *s, struct arena *a, struct seat_holder *out, struct err *e)
{
    const char *path = arena_printf(a, "%s/" SEAT_LOCK, s->state).p;
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct seat_holder h = { 0 };
    struct str text;
    AUTO_FD fd = -1;
    bool there;

    if (!fd_open_if_there(AT_FDCWD, path, O_RDONLY, &fd, &there, e) ||
        !fd_read_if_there(AT_FDCWD, path, SEAT_LOCK_MAX, a, &text, e))
        return err_as(e, ERR_DAEMON, "find the daemon");
    if (there) {
        if (fcntl(fd, F_OFD_GETLK, &whole) < 0)
            return err_sys(e, "look at the lock of %s", path);
        h.held = whole.l_type != F_UNLCK;
        read_lock_text(text, a, &h);
    }
    *out = h;
    return true;
}

/* An address of a path of any length: a long one goes through the descriptor of its directory, which stays in *dir. */
static bool address_of(const char *socket, struct sockaddr_un *out, int *dir, struct err *e)
{
    size_t n = strlen(socket);
    struct arena a = { 0 };

    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (n < sizeof out->sun_path) {
        memcpy(out->sun_path, socket, n + 1);
        return true;
    }
    const char *name = last_part(socket);
    const char *parent = arena_cstr(&a, (struct str){ socket, (size_t)(name - socket) });
    bool ok = fd_open(AT_FDCWD, parent, O_PATH | O_DIRECTORY, 0, dir, e);

    arena_clear(&a);
    if (ok)
        (void)snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/%.60s", *dir, name);
    return ok;
}

bool seat_peer_is_ours(int fd, struct err *e)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
        return err_sys(e, "ask who is at the other end of the socket");
    if (peer.uid != geteuid())
        return err_set(e, ERR_DAEMON, "the process at the other end of the socket is of uid %u, not %u",
                       (unsigned)peer.uid,
                       (unsigned)geteuid());
    return true;
}

bool seat_connect(const char *socket_path, int *fd, struct err *e)
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    struct sockaddr_un address;
    struct err why = { 0 };
    AUTO_FD dir = -1;
    AUTO_FD s = -1;

    *fd = -1;
    if (!address_of(socket_path, &address, &dir, &why)) {
        if (why.sys == ENOENT || why.sys == ENOTDIR)
            return true;
        *e = why;
        return err_as(e, ERR_DAEMON, "connect to the daemon");
    }
    s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return err_sys(e, "make a socket");
    (void)setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* without it we wait longer */
    int rc;

    do
        rc = connect(s, (const struct sockaddr *)&address, sizeof address);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR))
        return true;
    if (rc < 0) {
        (void)err_sys(e, "connect to %s", socket_path);
        return err_as(e, ERR_DAEMON, "connect to the daemon");
    }
    if (!seat_peer_is_ours(s, e))
        return err_as(e, ERR_DAEMON, "connect to the daemon");
    *fd = s;
    s = -1;
    return true;
}

bool seat_listen(const char *socket_path, int *fd, struct err *e)
{
    struct sockaddr_un address;
    AUTO_FD dir = -1;
    AUTO_FD s = -1;

    if (!address_of(socket_path, &address, &dir, e))
        return false;
    s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return err_sys(e, "make a socket");
    mode_t before = umask(0177); /* bind makes the file: there is no moment in which others may connect */
    int rc = bind(s, (const struct sockaddr *)&address, sizeof address);

    (void)umask(before);
    if (rc < 0 || listen(s, BACKLOG) < 0)
        return err_sys(e, "listen on %s", socket_path);
    *fd = s;
    s = -1;
    return true;
}
