/* What the head of an ELF executable says about the machine it is for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

#define ELF_LOADER_MAX 256

struct elf {
    bool is_32bit;
    bool arm_hard_float;         /* EABI version 5 with hard float */
    char loader[ELF_LOADER_MAX]; /* PT_INTERP: "/lib/ld-musl-x86_64.so.1"; "" for a static executable */
};

/* False when the file cannot be read or is no ELF file for this byte order; a script for instance. */
MUST_USE bool elf_read(const char *path, struct elf *out);
