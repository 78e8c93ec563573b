/* Wheel file names: name-version[-build]-python-abi-platform.whl (binary distribution format, "File name convention")
 *
 * Pure: no I/O, nothing is kept. The views in the result point into the input
 * and live as long as it does. Tag sets stay compressed ("py2.py3"); pep/tag.h
 * expands them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

struct wheel_name {
    struct str project;               /* as written; compare with name_eq() */
    struct str version;               /* a valid version, as written */
    struct str build;                 /* n == 0 when the name has none */
    struct str python, abi, platform; /* compressed tag sets */
};

/* Fails with ERR_PACKAGE, naming the part that is wrong. */
MUST_USE bool wheel_name_parse(struct str file, struct wheel_name *out, struct err *e);

/* The build tag in its two parts: "1x" is 1 and "x". No tag at all is 0 and "", and sorts before every tag. Digits
 * past 64 bits count as the largest number. */
struct wheel_build {
    bool present;
    uint64_t number;
    struct str text;
};
MUST_USE struct wheel_build wheel_build_of(struct str build);
/* Negative, 0, positive: the higher one is preferred among files that are otherwise equal. */
MUST_USE int wheel_build_cmp(struct str a, struct str b);
