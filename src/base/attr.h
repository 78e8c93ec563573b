/* Compiler attributes and the few macros that every file may use. */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define NOT_NULL __attribute__((returns_nonnull))
#define NORETURN __attribute__((noreturn))
#define AUTO(clear) __attribute__((cleanup(clear)))
#define FALLTHROUGH __attribute__((fallthrough))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#ifndef MIN /* <sys/param.h>, which <uv.h> includes, has the same */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
