#include "env/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/json.h"
#include "codec/json_write.h"

#define OWNER "env.json"
#define OWNER_LIMIT (64u << 10)

void state_manifest_name(uint32_t seq, char out[STATE_NAME])
{
    (void)snprintf(out, STATE_NAME, "gen-%u.json", seq);
}

uint32_t state_manifest_seq(const char *name)
{
    struct str s = str_of(name);
    uint64_t v;

    if (!str_cut_prefix(&s, STR("gen-")) || !str_cut_suffix(&s, STR(".json")) || !str_to_u64(s, &v) || v > UINT32_MAX)
        return 0;
    return (uint32_t)v;
}

static bool write_owner(int dir, const char *path, struct err *e)
{
    struct stat st = { 0 };
    struct json_write w;
    AUTO_BUF b;

    /* The device says later whether a vanished environment was deleted or its disk is not mounted. */
    if (stat(path, &st) < 0)
        st.st_dev = 0;
    buf_init(&b, OWNER_LIMIT);
    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_member_u64(&w, "device", (uint64_t)st.st_dev);
    json_write_member(&w, "path", str_of(path));
    json_write_member_u64(&w, "schema", 1);
    json_write_object_end(&w);
    if (!json_write_end(&w))
        return err_set(e, ERR_ENVIRONMENT, "the path of the environment has %zu bytes", strlen(path));
    return file_replace(dir, OWNER, buf_done(&b), 0644, FILE_NO_SYNC, e);
}

static bool check_owner(int dir, const char *path, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str text, owner = { 0 }, key;
    struct err bad = { 0 };
    struct json j;

    arena_init(&a);
    if (!fd_read_if_there(dir, OWNER, OWNER_LIMIT, &a, &text, e))
        return false;
    if (!text.p)
        return write_owner(dir, path, e);
    json_init(&j, text, &a, &bad);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            if (str_eq(key, STR("path")))
                (void)json_string(&j, &owner);
    if (!json_end(&j))
        return write_owner(dir, path, e); /* cut short by a power failure; the name of the directory is the key */
    if (!str_eq(owner, str_of(path)))
        return err_set(e, ERR_ENVIRONMENT, "the history directory of '%s' belongs to '" STR_FMT "'", path,
                       STR_ARG(owner));
    return true;
}

bool state_open(const char *state, const char *path, int *out, struct err *e)
{
    char name[PATH_MAX];
    AUTO_FD dir = -1;
    bool there;
    int n = snprintf(name, sizeof name, "%s/envs/%016llx", state, (unsigned long long)hash_fast(path, strlen(path)));

    if (n < 0 || (size_t)n >= sizeof name)
        return err_set(e, ERR_ENVIRONMENT, "the path of the state directory is too long");
    if (!fd_open_if_there(AT_FDCWD, name, O_RDONLY | O_DIRECTORY, &dir, &there, e))
        return false;
    if (!there && (!file_make_dirs(AT_FDCWD, name, 0700, e) || !fd_open_dir(AT_FDCWD, name, &dir, e)))
        return false;
    if (!check_owner(dir, path, e))
        return false;
    *out = dir;
    dir = -1;
    return true;
}

void state_sweep(int state)
{
    AUTO_FILE_LIST list = { NULL };
    struct err ignored = { 0 }; /* a remain costs nothing but its few bytes */
    const struct dirent *d;

    if (!file_list_open(state, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored))
        if (d->d_name[0] == '.' && str_ends(str_of(d->d_name), STR(".tmp")))
            (void)unlinkat(state, d->d_name, 0);
}

static uint32_t number_link(int dir, const char *path, struct str prefix)
{
    char target[64];
    ssize_t n = readlinkat(dir, path, target, sizeof target);
    struct str s = { target, n > 0 ? (size_t)n : 0 };
    uint64_t v;

    if (n <= 0 || (size_t)n >= sizeof target || !str_cut_prefix(&s, prefix) || !str_to_u64(s, &v) || v > UINT32_MAX)
        return 0;
    return (uint32_t)v;
}

void state_read_current(int env_dir, uint32_t *seq, uint32_t *tree)
{
    char path[STATE_NAME];

    *seq = number_link(env_dir, ".current", STR(".gen/"));
    *tree = *seq;
    if (*seq == 0)
        return;
    (void)snprintf(path, sizeof path, ".gen/%u", *seq);
    uint32_t older = number_link(env_dir, path, STR(""));

    if (older)
        *tree = older;
}
