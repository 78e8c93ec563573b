/* Repositories of git: fetched by the program git into the cache, outside of any sandbox, and checked out there.
 *
 * <cache>/git-v1/<hash of the URL>/db is a bare copy, fetched again only when it lacks what is asked for or the
 * revision may have moved; <commit> beside it is a checkout with submodules, which nobody changes.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct workspace;

struct git_source {
    struct str url;      /* as git takes it */
    struct str revision; /* branch, tag, commit; n == 0: the default branch */
    struct str commit;   /* the one that must be taken; n == 0: what the revision says now */
};

/* "git+https://host/repo@rev", without fragment. ERR_PACKAGE for other transports than https, http, ssh, git, file. */
MUST_USE bool git_source_parse(struct str url, struct git_source *out, struct err *e);
/* *commit and *tree (the checkout) in the workspace's arena. ERR_NETWORK when it cannot be fetched, ERR_ENVIRONMENT
 * when there is no program git. */
MUST_USE bool git_checkout(struct workspace *w, const struct git_source *s, struct str *commit, const char **tree,
                           struct err *e);
