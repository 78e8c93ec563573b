/* The project a directory belongs to.
 *
 * Going up from where the user stands, the directory with the most meaningful marker is the project: blast.toml
 * before pyproject.toml before requirements.txt before .venv; the nearest one among equals. The climb ends
 *   - at the root of the file system;
 *   - below the home directory (it is looked at only when the user stands in it);
 *   - at a directory that another user could have prepared: not ours and not root's, or writable for all;
 *   - at the top of a repository (`.git`) once something was found, so that a stray file above does not win.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

enum find_marker { FIND_BLAST_TOML, FIND_PYPROJECT, FIND_REQUIREMENTS, FIND_VENV, FIND_NOTHING };

struct find_project {
    const char *dir;         /* absolute; `start` itself when nothing was found */
    enum find_marker marker; /* what made it the project */
    bool has_blast_toml, has_pyproject, has_requirements, has_venv; /* in dir */
};

/* `start` is where to begin (NULL: the working directory), `home` the user's home directory or NULL. ERR_IO when start
 * is no directory. Finding nothing is no error. */
MUST_USE bool find_project(const char *start, const char *home, struct arena *a, struct find_project *out,
                           struct err *e);

/* The first line of dir/.python-version that is neither empty nor a comment, trimmed; n == 0 when there is no such
 * file or line. *line (may be NULL) is its number. */
MUST_USE bool find_python_version(int dir, struct arena *a, struct str *out, unsigned *line, struct err *e);
