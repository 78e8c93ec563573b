/* User namespaces: whose number stands for whom.
 *
 * An ordinary user keeps the own number inside. Root takes a number that nobody else has (userns_spare_id()), so
 * that what runs inside is nobody to the host; its files are shown through mounts that translate the owner.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include "base/attr.h"

struct err;

struct userns_map {
    uid_t inside, outside;
    gid_t gid_inside, gid_outside;
    bool keep_groups; /* setgroups() stays possible there, which takes root's capabilities */
};

/* A user and group number that no account and no other sandbox of this machine has; for `pid`, our own. */
MUST_USE uid_t userns_spare_id(pid_t pid);

/* Writes the maps of a process that waits in a new user namespace. */
MUST_USE bool userns_write_maps(pid_t pid, const struct userns_map *m, struct err *e);

/* A user namespace for an idmapped mount: files of `uid`:`gid` are seen as those of `to`. Root only. The descriptor is
 * the caller's. */
MUST_USE bool userns_for_owner(uid_t uid, gid_t gid, uid_t to, int *fd, struct err *e);
