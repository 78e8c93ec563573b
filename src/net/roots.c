#include "net/roots.h"

#include <dirent.h>
#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define ROOTS_MAX (64u << 20)

static bool check_file(const char *path, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str text;

    if (!fd_read_file(AT_FDCWD, path, ROOTS_MAX, &a, &text, e))
        return err_as(e, ERR_CONFIG, "read the certificates of SSL_CERT_FILE");
    if (str_search(text, STR("-----BEGIN CERTIFICATE-----")) == text.n &&
        str_search(text, STR("-----BEGIN TRUSTED CERTIFICATE-----")) == text.n) {
        (void)err_set(e, ERR_CONFIG, "SSL_CERT_FILE '%s' holds no certificate", path);
        return err_hint(e, "name a file of PEM certificates, or unset SSL_CERT_FILE for the system's");
    }
    return true;
}

/* "5ad8a5d6.0": what OpenSSL looks certificates up by. */
static bool is_hashed_name(struct str name)
{
    if (name.n < 10 || name.p[8] != '.')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (i != 8 && !char_is_digit(name.p[i]) && !(i < 8 && name.p[i] >= 'a' && name.p[i] <= 'f'))
            return false;
    return true;
}

static bool dir_has_roots(const char *path, bool *has, struct err *e)
{
    AUTO_FILE_LIST list = { 0 };
    const struct dirent *entry;

    if (!file_list_open(AT_FDCWD, path, &list, e))
        return err_as(e, ERR_CONFIG, "read the certificates of SSL_CERT_DIR");
    err_clear(e);
    while (!*has && file_list_next(&list, &entry, e))
        *has = is_hashed_name(str_of(entry->d_name));
    return e->kind == ERR_NONE;
}

static bool check_dirs(const char *dirs, struct err *e)
{
    AUTO_ARENA a = { 0 };
    bool has = false;

    for (struct str part, rest = str_of(dirs); str_next(&rest, ':', &part);)
        if (part.n && !dir_has_roots(arena_cstr(&a, part), &has, e))
            return false;
    if (!has) {
        (void)err_set(e, ERR_CONFIG, "SSL_CERT_DIR '%s' holds no certificate under a hashed name", dirs);
        return err_hint(e, "run 'openssl rehash %s', or unset SSL_CERT_DIR for the system's", dirs);
    }
    return true;
}

static const char *variable(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

bool roots_find(const char *file, const char *dir, struct roots *out, struct err *e)
{
    struct roots r = { .file = file, .dir = dir };

    if (!file && !dir) {
        r.file = variable("SSL_CERT_FILE");
        r.dir = variable("SSL_CERT_DIR");
    }
    r.own = r.file || r.dir;
    if ((r.file && !check_file(r.file, e)) || (r.dir && !check_dirs(r.dir, e)))
        return false;
    *out = r;
    return true;
}
