/* The certificates that servers are judged by.
 *
 * A file or directory that is named replaces the system's and must hold certificates: an empty or unreadable one
 * is an error and never means "no check" or "the system's after all".
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;

struct roots {
    bool own;           /* false: the system's */
    const char *file;   /* or NULL */
    const char *dir;    /* or NULL; may be a list parted by ':' */
};

/* `file` and `dir` as configured; where both are NULL, SSL_CERT_FILE and SSL_CERT_DIR (an empty value counts as not
 * set). ERR_CONFIG names what is wrong. The strings are kept as pointers. */
MUST_USE bool roots_find(const char *file, const char *dir, struct roots *out, struct err *e);
