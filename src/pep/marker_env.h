/* The environment markers of one interpreter on one machine (dependency specifiers, "Environment Markers").
 *
 * A plain value: python/ fills it from the interpreter's facts, pep/marker.h reads it. A field whose p is NULL is not
 * known; a comparison with it is undefined, never false. An empty text is known and empty.
 */
#pragma once

#include "base/str.h"

struct marker_env {
    struct str os_name;                        /* "posix" */
    struct str sys_platform;                   /* "linux" */
    struct str platform_machine;               /* "x86_64"; of the interpreter, not of the kernel */
    struct str platform_python_implementation; /* "CPython" */
    struct str platform_release;               /* uname -r */
    struct str platform_system;                /* "Linux" */
    struct str platform_version;               /* uname -v */
    struct str python_version;                 /* "3.12" */
    struct str python_full_version;            /* "3.12.1", "3.13.0rc1" */
    struct str implementation_name;            /* "cpython" */
    struct str implementation_version;         /* "3.12.1" */
};
