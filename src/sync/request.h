/* What the user asked of the engine: the options of a command, as plain values. Views outlive the operation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

struct failure;

struct str_list {
    const struct str *p;
    size_t n;
};

struct request {
    struct str project; /* directory; n == 0: found from the working directory */
    struct str env;     /* directory of an environment without project; n == 0: the project's .venv */
    struct str python;
    struct str index_url;
    struct str_list extra_index_url, find_links, no_binary;
    struct str_list requirement, constraint; /* files */
    struct str_list package;                 /* requirements of the command line */
    struct str_list editable;
    struct str_list extra, group;
    struct str_list upgrade_only; /* names whose pins of the lock do not count */
    struct str_list allow_startup; /* packages whose start-up code is allowed; sync/startup.h */
    struct str actor; /* who acts: cli | daemon | pip | import-hook */
    struct str why;   /* what made it happen, for the history and the audit log; n == 0: the command says it */
    struct str prerelease, resolution, exclude_newer, link_mode;
    struct failure *failure; /* a resolve without solution leaves its facts there; may be NULL; sync/failure.h */
    unsigned lock_wait_ms;   /* how long another changer of the environment is waited for; 0: five minutes */
    bool (*ask)(const char *question); /* yes or no; NULL: nobody can be asked */
    void (*waiting)(const char *env); /* another process changes that environment; may be NULL */
    const char *build_state; /* where builds for builds leave their logs; NULL: in the state directory */
    unsigned build_depth; /* builds that this one is for; sync/build.h */
    bool no_build_sandbox;
    bool no_index, no_build, require_hashes, no_deps;
    bool offline, refresh, upgrade, frozen, dry_run;
    bool remake;         /* the environment is made anew for the interpreter asked for, whatever env_layer says */
    bool project_inputs; /* with --env: the inputs are the project's all the same (sync) */
};

/* How far the engine is, for whoever shows it. Called often; must return quickly. */
struct watch {
    void (*show)(void *ctx, const char *phase, size_t done, size_t total, uint64_t bytes, uint64_t of_bytes);
    void *ctx;
};

void watch_show(const struct watch *w, const char *phase, size_t done, size_t total, uint64_t bytes,
                uint64_t of_bytes);

/* Milliseconds of each phase, for --timings. */
enum phase { PHASE_PREPARE, PHASE_RESOLVE, PHASE_FETCH, PHASE_INSTALL, PHASES };

struct timings {
    uint64_t us[PHASES];
    uint64_t bytes; /* that came over the network */
    uint32_t pages, metadata, wheels;
    uint32_t hits;  /* wheels that were in the store */
};
