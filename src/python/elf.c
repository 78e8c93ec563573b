#include "python/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/fd.h"

#define ARM_ABI_MASK 0xFF000000u
#define ARM_ABI_5 0x05000000u
#define ARM_HARD_FLOAT 0x00000400u
#define HEADERS_MAX 64u /* program headers looked at */

struct table {
    uint64_t at;
    unsigned n, size;
};

static bool read_at(int fd, void *to, size_t n, uint64_t at)
{
    return at < INT64_MAX && pread(fd, to, n, (off_t)at) == (ssize_t)n;
}

static bool read_header(int fd, bool small, struct table *t, struct elf *out)
{
    union {
        Elf32_Ehdr h32;
        Elf64_Ehdr h64;
    } u;

    if (!read_at(fd, &u, small ? sizeof u.h32 : sizeof u.h64, 0))
        return false;
    if (small)
        *t = (struct table){ u.h32.e_phoff, u.h32.e_phnum, u.h32.e_phentsize };
    else
        *t = (struct table){ u.h64.e_phoff, u.h64.e_phnum, u.h64.e_phentsize };
    out->arm_hard_float = small && u.h32.e_machine == EM_ARM && (u.h32.e_flags & ARM_ABI_MASK) == ARM_ABI_5 &&
                          (u.h32.e_flags & ARM_HARD_FLOAT) != 0;
    return true;
}

/* Place and length of PT_INTERP when this header is it. */
static bool is_interp(int fd, bool small, uint64_t at, uint64_t *place, uint64_t *n)
{
    Elf32_Phdr p32;
    Elf64_Phdr p64;

    if (small) {
        if (!read_at(fd, &p32, sizeof p32, at) || p32.p_type != PT_INTERP)
            return false;
        *place = p32.p_offset;
        *n = p32.p_filesz;
    } else {
        if (!read_at(fd, &p64, sizeof p64, at) || p64.p_type != PT_INTERP)
            return false;
        *place = p64.p_offset;
        *n = p64.p_filesz;
    }
    return true;
}

bool elf_read(const char *path, struct elf *out)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned char ident[EI_NIDENT];
    struct elf elf = { 0 };
    struct table t;
    uint64_t place, n;
    unsigned char ours = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

    if (fd < 0 || !read_at(fd, ident, sizeof ident, 0) || memcmp(ident, ELFMAG, SELFMAG) != 0 ||
        ident[EI_DATA] != ours || (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64))
        return false;
    elf.is_32bit = ident[EI_CLASS] == ELFCLASS32;
    if (!read_header(fd, elf.is_32bit, &t, &elf))
        return false;
    for (unsigned i = 0; i < t.n && i < HEADERS_MAX; i++) {
        if (!is_interp(fd, elf.is_32bit, t.at + (uint64_t)i * t.size, &place, &n))
            continue;
        if (n == 0 || n > sizeof elf.loader || !read_at(fd, elf.loader, (size_t)n, place))
            return false;
        elf.loader[n - 1] = '\0';
        break;
    }
    *out = elf;
    return true;
}
