#include "install/roots.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/file.h"
#include "env/env.h"

#define PREFIX ".current/"

bool roots_add(struct env *env, int tree, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    char target[NAME_MAX + sizeof PREFIX];
    const struct dirent *d;

    if (!file_list_open(tree, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        if (strcmp(d->d_name, "bin") == 0 || strcmp(d->d_name, "lib") == 0 || d->d_name[0] == '.')
            continue;
        (void)snprintf(target, sizeof target, PREFIX "%s", d->d_name);
        if (symlinkat(target, env->dir, d->d_name) < 0 && errno != EEXIST)
            return err_sys(e, "link %s", d->d_name);
    }
    return e->kind == ERR_NONE;
}

void roots_tidy(struct env *env)
{
    AUTO_FILE_LIST list = { NULL };
    struct err ignored = { 0 }; /* a link that leads nowhere harms nobody */
    const struct dirent *d;

    if (!file_list_open(env->dir, ".", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        char target[sizeof PREFIX + 1];
        struct stat st;

        if (d->d_type != DT_LNK || d->d_name[0] == '.')
            continue;
        ssize_t n = readlinkat(env->dir, d->d_name, target, sizeof PREFIX - 1);

        if (n == (ssize_t)sizeof PREFIX - 1 && memcmp(target, PREFIX, sizeof PREFIX - 1) == 0 &&
            fstatat(env->dir, d->d_name, &st, 0) < 0 && errno == ENOENT)
            (void)unlinkat(env->dir, d->d_name, 0);
    }
}
