/* The architecture as filters of system calls see it (seccomp(2)), for whoever writes such a program.
 *
 * The numbers of system calls mean nothing without it: a filter asks for SYSARCH first and ends, or lets alone, whoever
 * calls in another way. On x86-64 the calls of x32 come under the same SYSARCH, with bit 30 set in their numbers: to a
 * list of numbers that are let through they are unknown, and a list of refused ones must refuse all above its newest.
 */
#pragma once

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* 0: no filter is written for this machine. */
#if defined __x86_64__
#define SYSARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define SYSARCH AUDIT_ARCH_AARCH64
#else
#define SYSARCH 0
#endif

/* Where the halves of an argument lie in struct seccomp_data: a program loads 32 bits at a time. */
static inline size_t sysarch_low_word(unsigned argument)
{
    size_t at = offsetof(struct seccomp_data, args) + argument * sizeof(__u64);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    at += sizeof(__u32);
#endif
    return at;
}

static inline size_t sysarch_high_word(unsigned argument)
{
    return sysarch_low_word(argument) ^ sizeof(__u32);
}
