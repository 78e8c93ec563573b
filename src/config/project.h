/* pyproject.toml as Blast needs it, and the edits `blast install` and `blast remove` make in it.
 *
 * [project] (PyPA "pyproject.toml specification"), [dependency-groups] (PEP 735), [build-system] (PEP 517/518: only
 * whether and what) and [tool.blast]. The settings among the latter ([resolver]'s keys) are read by
 * config/config.h; here stand those that are about requirements. Requirement texts are not parsed, only located.
 *
 * Errors are ERR_CONFIG with file, line and column. All views live in the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct arena;
struct err;
struct toml_edit;

#define PROJECT_FILE_MAX (4u << 20)

struct project_req {
    struct str text;
    unsigned line;
};

/* A directory that is installed by reference: [tool.blast] editable. */
struct project_editable {
    struct str name;  /* normalised */
    struct str path;  /* as written: relative to the file, maybe with [extras] behind it */
    unsigned line;
};

enum project_where { PROJECT_DEPENDENCIES, PROJECT_EXTRA, PROJECT_GROUP };

/* A list of requirements in the file. */
struct project_list {
    enum project_where where;
    struct str name;       /* as written; empty for the dependencies */
    struct str normalized; /* PEP 503/685/735 form */
    unsigned line;
    VEC(struct project_req) reqs; /* groups: with everything they include, in order */
};

struct project {
    const char *file;  /* for messages: "pyproject.toml" */
    struct str text;   /* what was read; p == NULL without the file */
    bool found;        /* false: there is no such file; all else is empty */
    bool has_project;  /* [project] stands there */
    struct str name, version, requires_python; /* n == 0: not given */
    unsigned requires_python_line;
    struct project_list dependencies;
    VEC(struct project_list) extras, groups;
    bool dynamic_dependencies, dynamic_extras, dynamic_version, dynamic_requires_python; /* the build says them */
    bool has_build_system;    /* the project itself can be installed */
    struct str build_backend; /* n == 0: not named */
    VEC(struct project_req) build_requires;
    VEC(struct project_req) constraints, overrides; /* [tool.blast] constraints, overrides */
    VEC(struct project_editable) editables; /* [tool.blast] editable = { name = "path" } */
    bool package_off;         /* [tool.blast] package = false: the project itself is not installed */
    VEC(struct str) default_groups; /* [tool.blast] default_groups; when not given: "dev" if there is such a group */
    VEC(struct str) warnings; /* "pyproject.toml:12: ..." */
};

/* `file` is the name for messages. */
MUST_USE bool project_parse(struct str text, const char *file, struct arena *a, struct project *out, struct err *e);
/* dir/pyproject.toml; a missing file gives found == false. */
MUST_USE bool project_load(int dir, struct arena *a, struct project *out, struct err *e);

/* By name, normalised on both sides; NULL when there is none. */
MUST_USE const struct project_list *project_find_extra(const struct project *p, struct str name);
MUST_USE const struct project_list *project_find_group(const struct project *p, struct str name);

/* A list to edit: name is the extra's or group's, ignored for the dependencies. */
struct project_target {
    enum project_where where;
    struct str name;
};

/* Puts `requirement` into the list: in place of those for the same project with the same marker, else added. The list
 * is made when missing. ERR_CONFIG when it would need a [project] table that is not there (project_ensure() adds
 * one) or that leaves the list to the build. *replaced (may be NULL) is the text that went, n == 0 for none. */
MUST_USE bool project_add_requirement(struct toml_edit *ed, struct project_target to, struct str requirement,
                                      struct str *replaced, struct err *e);
/* Removes all requirements for `name` from the list; *removed (may be NULL) counts them. */
MUST_USE bool project_remove_requirement(struct toml_edit *ed, struct project_target from, struct str name,
                                         unsigned *removed, struct err *e);
/* Puts the directory into [tool.blast] editable, and takes it out again. */
MUST_USE bool project_add_editable(struct toml_edit *ed, struct str name, struct str path, struct err *e);
MUST_USE bool project_remove_editable(struct toml_edit *ed, struct str name, bool *removed, struct err *e);
/* Adds [project] with name, version 0.1.0, requires-python when given, and no dependencies when ed->text has no such
 * table: to a text that may be empty. The name is made valid. */
MUST_USE bool project_ensure(struct toml_edit *ed, struct str name, struct str requires_python, struct err *e);

/* The project name at the head of a requirement, normalised in the arena; n == 0 when there is none. */
MUST_USE struct str project_requirement_name(struct str requirement, struct arena *a);
