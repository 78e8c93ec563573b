/* What the solver asks, and how it is answered: the only way facts about packages reach it.
 *
 * A source is pure look-up into what is known so far. It may answer "not yet" (SOLVE_PENDING): it has then noted
 * what it lacks, solve_step() returns SOLVE_WANTS, and the same question is asked again later. Answers must not
 * change during a solve: the same question gets SOLVE_PENDING or always the same reply, and the list of versions of
 * a package does not grow. Everything handed out (texts, arrays, the intervals of sets) is kept by reference and
 * must live as long as the solver.
 *
 * Packages are numbers chosen by the source. 0 is the root: the project, with one version (rank 0) whose
 * dependencies are the requirements to satisfy. An extra is a package of its own, "flask[async]", that shares the
 * ranks of its base: solve_package.proxy_of says so, and the solver itself keeps both at the same version, so the
 * dependencies of (flask[async], r) need only be those that the extra adds (stating flask at r does no harm).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"
#include "resolve/set.h"

#define PKG_ROOT 0u
#define PKG_NONE UINT32_MAX
#define RANK_NONE UINT32_MAX

enum solve_answer {
    SOLVE_HAVE,
    SOLVE_PENDING,  /* ask again: the source has noted what it lacks */
    SOLVE_UNUSABLE, /* deps only: this version can never be chosen */
};

/* One requirement: of the root, of a version of a package, or a constraint. */
struct solve_dep {
    uint32_t pkg;
    struct set allowed; /* may be empty: no known version fits */
    struct set same;    /* more versions of the dependent known to state this very requirement; may be empty. Saves
                         * work when the metadata of many versions is at hand; leave it empty otherwise. */
    bool pins;          /* it names one version (==, ===): decided before others. Not when its bounds merely happen to
                         * leave one: that says nothing of how firm the requirement is */
    struct str text;    /* as written, for messages: "werkzeug>=3.0.0" */
    struct str origin;  /* where the user wrote it: "pyproject.toml:8"; empty for a package's own metadata */
};

struct solve_deps {
    const struct solve_dep *dep; /* SOLVE_HAVE */
    size_t n;
    struct str reason; /* SOLVE_UNUSABLE: "needs Python >=3.12", "has no wheel for this platform", ... */
    struct set same;   /* SOLVE_UNUSABLE: more versions that the same reason rules out; may be empty */
};

/* Facts about a package; asked once, when it is first mentioned, so its listing must be known before a
 * requirement on it is stated. */
struct solve_package {
    struct str name;     /* "flask", "flask[async]"; the root's name as it opens a sentence: "your project" */
    uint32_t versions;   /* ranks 0 .. versions-1, oldest first; 0 when none is known */
    uint32_t proxy_of;   /* the base package of an extra, else PKG_NONE */
    bool url;            /* comes from a direct URL, path or repository: decided early */
    struct str problem;  /* when versions is 0, why: "was not found in the index"; may be empty */
    const struct solve_dep *constraint; /* limits that do not require the package; .pkg and .same are unused */
    size_t constraints;
};

struct solve_choice {
    uint32_t rank;   /* a member of the set asked about, or RANK_NONE when none of it is to be chosen */
    struct str none; /* with RANK_NONE, why: "only pre-releases are left"; may be empty */
};

struct solve_source {
    void *ctx;
    void (*package)(void *ctx, uint32_t pkg, struct solve_package *out);
    /* The candidate to try among `allowed` (never empty). Policy lives here: highest or lowest, preference of a
     * lock, stable before pre-release. A version that turns out unusable should be offered, so that deps() can say
     * why. For an extra, `allowed` is already limited to what its base may still be. */
    enum solve_answer (*choose)(void *ctx, uint32_t pkg, const struct set *allowed, struct solve_choice *out);
    /* The requirements of pkg at rank, or why that version cannot be used. */
    enum solve_answer (*deps)(void *ctx, uint32_t pkg, uint32_t rank, struct solve_deps *out);
    /* For messages only. */
    struct str (*version_text)(void *ctx, uint32_t pkg, uint32_t rank);
};
