/* The enforcement report: for each setting that was asked for, by which mechanism it is kept and how well.
 *
 * Made anew at each start by what was really done, not by what a kernel of this version should be able to do.
 * Under `strict` a setting that is not enforced refuses the start, unless allow_degraded names it; `standard` insists
 * on network and files, and on the level where that is container; `permissive` only warns. Texts are static or live in
 * the arena of jail_report_parse().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/policy.h"

struct arena;
struct buf;
struct err;
struct json_write;

/* id, name as in blast.toml (or what it is about), what kind of promise */
#define JAIL_SETTINGS(X)                                                                                               \
    X(ISOLATION, "isolation_level", KERNEL)                                                                            \
    X(SYSCALLS, "system_calls", KERNEL)                                                                                \
    X(PRIVILEGES, "privileges", KERNEL)                                                                                \
    X(PROCESSES, "process_isolation", KERNEL)                                                                          \
    X(NETWORK, "network_policy", NETWORK)                                                                              \
    X(OUTBOUND, "allow_outbound", SERVICE)                                                                             \
    X(INBOUND, "allow_inbound", SERVICE)                                                                               \
    X(BANDWIDTH, "bandwidth_limit", RESOURCES)                                                                         \
    X(FILES, "filesystem_isolation", FILES)                                                                            \
    X(READONLY, "readonly_paths", FILES)                                                                               \
    X(HIDDEN, "hidden_paths", FILES)                                                                                   \
    X(DENIED, "denied_paths", FILES)                                                                                   \
    X(SOCKETS, "host_sockets", FILES)                                                                                  \
    X(FILE_SIZE, "max_file_size", RESOURCES)                                                                           \
    X(CPU, "cpu_limit", RESOURCES)                                                                                     \
    X(MEMORY, "memory_limit", RESOURCES)                                                                               \
    X(PROCESS_LIMIT, "process_limit", RESOURCES)                                                                       \
    X(IOPS, "iops_limit", RESOURCES)                                                                                   \
    X(DISK, "disk_limit", RESOURCES)                                                                                   \
    X(TRACKING, "tracking", SERVICE)

enum jail_setting {
#define X(id, name, about) JAIL_SET_##id,
    JAIL_SETTINGS(X)
#undef X
    JAIL_SETTING_COUNT
};

enum jail_about { JAIL_ABOUT_KERNEL, JAIL_ABOUT_NETWORK, JAIL_ABOUT_FILES, JAIL_ABOUT_RESOURCES, JAIL_ABOUT_SERVICE };

enum jail_state {
    JAIL_NOT_ASKED,
    JAIL_HARD,        /* the kernel refuses */
    JAIL_SAMPLED,     /* looked at every few milliseconds: can be passed in between */
    JAIL_ADVISORY,    /* holds for programs that do nothing unusual */
    JAIL_NOT_ENFORCED
};

struct jail_row {
    enum jail_state state;
    const char *mechanism; /* "cgroup v2", "Landlock ABI 7"; NULL: none */
    const char *reason;    /* why it is not hard; NULL when it is */
    const char *help;      /* the sysctl, package or command that would help; NULL: none known */
};

struct jail_report {
    struct jail_row row[JAIL_SETTING_COUNT];
    enum jail_level level; /* what was reached, which may be less than asked */
};

MUST_USE const char *jail_setting_name(enum jail_setting s);
MUST_USE enum jail_about jail_setting_about(enum jail_setting s);
MUST_USE const char *jail_state_word(enum jail_state s); /* "hard", "not enforced" */

/* Sets a row. The texts are kept by reference. */
void jail_report_set(struct jail_report *r, enum jail_setting s, enum jail_state state, const char *mechanism);
/* Lowers a row (never raises it) and says why; help may be NULL. */
void jail_report_lower(struct jail_report *r, enum jail_setting s, enum jail_state state, const char *reason,
                       const char *help);

/* Does the policy refuse to start with this row? */
MUST_USE bool jail_report_refuses_row(const struct jail_report *r, const struct jail_policy *p, enum jail_setting s);
/* The same for any row. */
MUST_USE bool jail_report_refuses(const struct jail_report *r, const struct jail_policy *p);
/* ERR_ENVIRONMENT, naming each refused setting with reason and way out. */
bool jail_report_refusal(const struct jail_report *r, const struct jail_policy *p, struct err *e);

/* {"level": "namespace", "settings": [{"setting": ..., "state": ..., "mechanism": ..., "reason": ..., "help": ...}]} */
void jail_report_write(const struct jail_report *r, struct json_write *w);
struct json;
/* The same object at the reader's next value. */
MUST_USE bool jail_report_read(struct json *j, struct arena *a, struct jail_report *out);
