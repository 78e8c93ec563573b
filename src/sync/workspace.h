/* Where an operation takes place: the project, its configuration, the directories of Blast, the interpreter. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"
#include "config/dirs.h"
#include "config/find.h"
#include "config/project.h"
#include "python/discover.h"
#include "python/facts.h"
#include "sync/request.h"

struct arena;
struct env;
struct err;
struct origin;
struct trust;

struct workspace {
    struct arena *a;
    const struct request *request;
    struct dirs dirs;
    struct find_project where;
    int dir;               /* of the project */
    struct config config;
    struct project project; /* found == false without pyproject.toml */
    const char *env_path;  /* absolute: <project>/.venv or --env */
    bool foreign_env;      /* --env: no project is needed */
    struct py_facts python;
    bool python_known;
    bool python_kept; /* the files ask for another one; [sync] env_layer keeps the environment's */
    bool python_held; /* likewise, although requires-python does not take it: the user has to decide */
    struct trust *trust; /* settings of the project that widen power; NULL: none. sync/trust.h */
    VEC(struct origin *) origins; /* sync/origin.h: what was looked at in this run */
    VEC(struct str) warnings;
};

/* Finds and reads everything but the interpreter. ERR_CONFIG for what is wrong in the files. */
MUST_USE bool workspace_open(const struct request *r, struct arena *a, struct workspace *out, struct err *e);
void workspace_close(struct workspace *w);
void workspace_auto(struct workspace *w);
#define AUTO_WORKSPACE AUTO(workspace_auto) struct workspace

/* The interpreter: --python, .python-version, [env] python_version, Requires-Python; else that of the environment
 * that is there; else the best found. Its facts come from the cache when they can. */
MUST_USE bool workspace_python(struct workspace *w, struct err *e);
/* The interpreter that an environment was made for. */
MUST_USE bool workspace_python_of(struct workspace *w, const struct env *env, struct err *e);

MUST_USE struct str workspace_name(const struct workspace *w); /* [env] name, the project's, the folder's */
void workspace_warn(struct workspace *w, const char *fmt, ...) PRINTF(2, 3);
MUST_USE struct py_search workspace_search(const struct workspace *w);
