/* Wheel tags that an interpreter on Linux accepts, best first (PEP 425, 600, 656; order of `packaging`).
 *
 * The list for a current CPython and glibc has about a thousand tags, so it is never walked: the tags are blocks of
 * (python, abi) over one list of platforms, and the rank of a tag is block start plus platform index. tag_set_rank()
 * costs a few small hash look-ups for each part of a wheel's compressed tags. Everything lives in the arena given to
 * tag_set_init().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;

enum tag_libc { TAG_LIBC_NONE, TAG_GLIBC, TAG_MUSL };

/* What the tags are made from; texts are copied. */
struct tag_input {
    struct str implementation;  /* sys.implementation.name: "cpython", "pypy" */
    unsigned major, minor;      /* Python's */
    bool free_threaded, debug;
    bool no_pymalloc;           /* CPython before 3.8 built without: no "m" */
    struct str soabi;           /* "cpython-311-x86_64-linux-gnu", "pypy310-pp73-x86_64-linux-gnu"; CPython: unused */
    struct str machine;         /* of the kernel: "x86_64", "aarch64"; the interpreter's width below corrects it */
    bool is_32bit;
    bool arm_hard_float;        /* 32-bit ARM: ELF flags say EABI5 hard float */
    enum tag_libc libc;
    unsigned libc_major, libc_minor;
    struct str manylinux_denied; /* "2_5 2_12": what a _manylinux module vetoes; empty: nothing */
};

struct tag {
    struct str python, abi, platform;
};

struct tag_set;

/* Why no tag of a wheel fits: the first part that nothing matches. TAG_MISS_PLATFORM is the nearest miss. */
enum tag_miss { TAG_FITS, TAG_MISS_PYTHON, TAG_MISS_ABI, TAG_MISS_PLATFORM };

MUST_USE struct tag_set *tag_set_new(const struct tag_input *in, struct arena *a);

/* Compressed parts as a wheel name has them ("py2.py3", "none", "any"). True and *rank the best tag's (0 is best), or
 * false and *miss the reason. `miss` may be NULL. ASCII case is ignored. */
MUST_USE bool tag_set_rank(const struct tag_set *s, struct str python, struct str abi, struct str platform,
                           uint32_t *rank, enum tag_miss *miss);
MUST_USE const char *tag_miss_word(enum tag_miss miss); /* "python", "abi", "platform", "fits" */

/* All tags in order, for printing: how many (some may be equal: packaging lists them twice), and the i-th. */
MUST_USE size_t tag_set_count(const struct tag_set *s);
MUST_USE struct tag tag_set_at(const struct tag_set *s, size_t i);
/* The platforms alone, best first, without "any". */
MUST_USE size_t tag_set_platforms(const struct tag_set *s, const struct str **out);
