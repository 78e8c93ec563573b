#include "net/auth.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "net/url.h"

#define NETRC_MAX (1u << 20)

struct login {
    struct str place; /* an origin (with "://"), a host, or empty for netrc's "default" */
    struct str user, password;
};

struct auth {
    struct arena arena;
    VEC(struct login) logins; /* the first that fits counts */
};

static void add(struct auth *a, struct str place, struct str user, struct str password)
{
    struct login l = { arena_str(&a->arena, place), arena_str(&a->arena, user), arena_str(&a->arena, password) };

    VEC_PUSH(&a->logins, l);
}

static void wipe(struct str s)
{
    if (s.n)
        explicit_bzero((void *)(uintptr_t)s.p, s.n);
}

void auth_close(struct auth *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->logins.n; i++) {
        wipe(a->logins.p[i].user);
        wipe(a->logins.p[i].password);
    }
    VEC_CLEAR(&a->logins);
    arena_clear(&a->arena);
    free(a);
}

void auth_auto(struct auth **a)
{
    auth_close(*a);
}

/* -- netrc ------------------------------------------------------------------------------------------------- */

struct reader {
    struct str rest;
    unsigned line;
    struct arena *arena; /* for words with escapes */
};

static void skip_line(struct reader *r)
{
    r->rest = str_sub(r->rest, str_find(r->rest, '\n'), r->rest.n);
}

static bool plain_word(struct reader *r, struct str *out)
{
    size_t end = 0;

    while (end < r->rest.n && !char_is_space(r->rest.p[end]))
        end++;
    *out = str_sub(r->rest, 0, end);
    r->rest = str_sub(r->rest, end, r->rest.n);
    return true;
}

static bool quoted_word(struct reader *r, struct str *out)
{
    size_t end = 1, n = 0;

    while (end < r->rest.n && r->rest.p[end] != '"' && r->rest.p[end] != '\n')
        end += r->rest.p[end] == '\\' ? 2u : 1u;
    if (end >= r->rest.n || r->rest.p[end] != '"')
        return false;
    char *text = arena_alloc(r->arena, end);

    for (size_t i = 1; i < end; i++) {
        char c = r->rest.p[i];

        if (c == '\\') {
            c = r->rest.p[++i];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
        text[n++] = c;
    }
    r->rest = str_sub(r->rest, end + 1, r->rest.n);
    *out = (struct str){ text, n };
    return true;
}

/* The next word: up to a blank, or in double quotes with \" \\ \n \r \t in it. A '#' where a word would begin
 * starts a comment, unless the word is a value: passwords may begin so. */
static bool word_next(struct reader *r, bool value, struct str *out)
{
    for (;;) {
        while (r->rest.n && char_is_space(r->rest.p[0])) {
            r->line += r->rest.p[0] == '\n';
            r->rest = str_sub(r->rest, 1, r->rest.n);
        }
        if (value || !r->rest.n || r->rest.p[0] != '#')
            break;
        skip_line(r);
    }
    if (!r->rest.n)
        return false;
    return r->rest.p[0] == '"' ? quoted_word(r, out) : plain_word(r, out);
}

/* "macdef name" goes on to the first empty line. */
static void skip_macro(struct reader *r)
{
    size_t end = str_search(r->rest, STR("\n\n"));

    for (size_t i = 0; i < end; i++)
        r->line += r->rest.p[i] == '\n';
    r->rest = str_sub(r->rest, end, r->rest.n);
}

static bool netrc_fault(const struct reader *r, const char *name, const char *what, struct err *e)
{
    return err_set(e, ERR_CONFIG, "%s:%u: %s", name, r->line, what);
}

bool auth_parse_netrc(struct auth *a, struct str text, const char *name, struct err *e)
{
    AUTO_ARENA scratch = { 0 };
    struct reader r = { text, 1, &scratch };
    struct login l = { 0 };
    bool open = false;

    for (struct str w, v; word_next(&r, false, &w);) {
        bool machine = str_eq(w, STR("machine"));

        if (str_eq(w, STR("macdef"))) {
            skip_macro(&r);
            continue;
        }
        if (machine || str_eq(w, STR("default"))) {
            if (open)
                add(a, l.place, l.user, l.password);
            l = (struct login){ 0 };
            open = true;
            if (machine && !word_next(&r, true, &l.place))
                return netrc_fault(&r, name, "'machine' without a host name", e);
            continue;
        }
        bool login = str_eq(w, STR("login"));

        if (!login && !str_eq(w, STR("password")) && !str_eq(w, STR("account")))
            return netrc_fault(&r, name, "neither machine, default, login, password, account nor macdef", e);
        if (!open)
            return netrc_fault(&r, name, "a login or password before the first machine", e);
        if (!word_next(&r, true, &v))
            return netrc_fault(&r, name, "a value is missing or a quote is not closed", e);
        if (login)
            l.user = v;
        else if (str_eq(w, STR("password")))
            l.password = v;
    }
    if (r.rest.n)
        return netrc_fault(&r, name, "a quote is not closed", e);
    if (open)
        add(a, l.place, l.user, l.password);
    return true;
}

/* The path of the netrc file, or n == 0 for none. */
static struct str netrc_path(struct arena *a)
{
    const char *named = getenv("NETRC");
    const char *home = getenv("HOME");

    if (named)
        return str_of(named);
    if (!home || !*home) {
        const struct passwd *pw = getpwuid(getuid());

        home = pw ? pw->pw_dir : NULL;
    }
    return home ? arena_printf(a, "%s/.netrc", home) : STR("");
}

static bool check_mode(int fd, const char *path, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, "look at %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_CONFIG, "'%s' is no regular file", path);
    if (st.st_uid == getuid() && (st.st_mode & 077) != 0) {
        (void)err_set(e, ERR_CONFIG, "'%s' holds passwords and has mode %03o", path, st.st_mode & 0777u);
        return err_hint(e, "chmod 600 %s", path);
    }
    return true;
}

static bool load_netrc(struct auth *a, struct err *e)
{
    AUTO_ARENA scratch = { 0 };
    struct str path = netrc_path(&scratch);
    AUTO_FD fd = -1;
    AUTO_BUF text;
    bool there;

    buf_init(&text, NETRC_MAX);
    if (path.n == 0)
        return true;
    if (!fd_open_if_there(AT_FDCWD, path.p, O_RDONLY | O_NONBLOCK, &fd, &there, e))
        return err_as(e, ERR_CONFIG, "read credentials");
    if (!there)
        return true;
    if (!fd_read_all(fd, &text, path.p, e))
        return err_as(e, ERR_CONFIG, "read credentials");
    bool secret = str_search(buf_done(&text), STR("password")) < text.n;
    bool good = (!secret || check_mode(fd, path.p, e)) && auth_parse_netrc(a, buf_done(&text), path.p, e);

    wipe(buf_done(&text));
    return good;
}

bool auth_open(struct auth **out, struct err *e)
{
    struct auth *a = mem_zero(1, sizeof *a);

    if (!load_netrc(a, e)) {
        auth_close(a);
        return false;
    }
    *out = a;
    return true;
}

/* -- by URL ------------------------------------------------------------------------------------------------ */

static bool is_origin(struct str place)
{
    return str_search(place, STR("://")) < place.n;
}

bool auth_add_url(struct auth *a, struct str url, struct err *e)
{
    AUTO_ARENA scratch = { 0 };
    struct str bare, user, password, origin;

    if (!url_split_credentials(&scratch, url, &bare, &user, &password, e) || !url_origin(&scratch, bare, &origin, e))
        return false;
    if (!user.p && !password.p)
        return true;
    /* before netrc's: what was said for one index is meant for it */
    add(a, origin, user, password);
    struct login last = a->logins.p[a->logins.n - 1];
    size_t at = a->logins.n - 1;

    for (; at > 0 && !is_origin(a->logins.p[at - 1].place); at--)
        a->logins.p[at] = a->logins.p[at - 1];
    a->logins.p[at] = last;
    return true;
}

bool auth_find(const struct auth *a, struct str url, struct str *user, struct str *password)
{
    AUTO_ARENA scratch = { 0 };
    struct err ignored = { 0 }; /* a bad URL has no credentials; the request says what is wrong with it */
    struct str origin;
    struct url u;

    if (!a || a->logins.n == 0 || !url_parse(url, &u, &ignored) || !url_origin(&scratch, url, &origin, &ignored))
        return false;
    for (size_t i = 0; i < a->logins.n; i++) {
        const struct login *l = &a->logins.p[i];

        if (l->place.n == 0 || str_eq(l->place, origin) || str_eq_nocase(l->place, u.host)) {
            *user = l->user;
            *password = l->password;
            return l->user.n || l->password.n;
        }
    }
    return false;
}
