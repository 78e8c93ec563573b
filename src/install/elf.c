#include "install/elf.h"

#include <elf.h>

#define DYNAMIC_MAX 4096 /* entries; the largest seen have under 100 */
#define DEPTH_MAX 64

/* The two classes differ in the width of their fields only; everything is widened here. */
struct view {
    struct str file;
    bool wide;
};

struct segment {
    uint64_t type, offset, address, size;
};

static bool read_at(struct str file, uint64_t at, void *out, size_t n)
{
    if (at > file.n || n > file.n - at)
        return false;
    memcpy(out, file.p + at, n);
    return true;
}

static bool read_segment(const struct view *v, uint64_t at, struct segment *out)
{
    if (v->wide) {
        Elf64_Phdr h;

        if (!read_at(v->file, at, &h, sizeof h))
            return false;
        *out = (struct segment){ h.p_type, h.p_offset, h.p_vaddr, h.p_filesz };
        return true;
    }
    Elf32_Phdr h;

    if (!read_at(v->file, at, &h, sizeof h))
        return false;
    *out = (struct segment){ h.p_type, h.p_offset, h.p_vaddr, h.p_filesz };
    return true;
}

static bool read_dynamic(const struct view *v, uint64_t at, uint64_t *tag, uint64_t *value)
{
    if (v->wide) {
        Elf64_Dyn d;

        if (!read_at(v->file, at, &d, sizeof d))
            return false;
        *tag = (uint64_t)d.d_tag;
        *value = d.d_un.d_val;
        return true;
    }
    Elf32_Dyn d;

    if (!read_at(v->file, at, &d, sizeof d))
        return false;
    *tag = (uint64_t)d.d_tag;
    *value = d.d_un.d_val;
    return true;
}

struct headers {
    uint64_t at;
    unsigned n;
    size_t size;
};

static bool read_headers(struct view *v, struct headers *out)
{
    unsigned char ident[EI_NIDENT];

    if (!read_at(v->file, 0, ident, sizeof ident) || memcmp(ident, ELFMAG, SELFMAG) != 0 ||
        ident[EI_DATA] != ELFDATA2LSB)
        return false;
    v->wide = ident[EI_CLASS] == ELFCLASS64;
    if (v->wide) {
        Elf64_Ehdr h;

        if (!read_at(v->file, 0, &h, sizeof h))
            return false;
        *out = (struct headers){ h.e_phoff, h.e_phnum, sizeof(Elf64_Phdr) };
        return h.e_phentsize == sizeof(Elf64_Phdr);
    }
    Elf32_Ehdr h;

    if (!read_at(v->file, 0, &h, sizeof h))
        return false;
    *out = (struct headers){ h.e_phoff, h.e_phnum, sizeof(Elf32_Phdr) };
    return h.e_phentsize == sizeof(Elf32_Phdr);
}

/* Addresses are of memory; the segment that holds one says where it lies in the file. */
static bool offset_of(const struct view *v, const struct headers *h, uint64_t address, uint64_t *out)
{
    for (unsigned i = 0; i < h->n; i++) {
        struct segment s;

        if (!read_segment(v, h->at + i * h->size, &s))
            return false;
        if (s.type == PT_LOAD && address >= s.address && address - s.address < s.size) {
            *out = s.offset + (address - s.address);
            return true;
        }
    }
    return false;
}

static struct str text_at(struct str file, uint64_t at)
{
    if (at >= file.n)
        return STR("");
    struct str rest = str_sub(file, at, file.n);
    size_t end = str_find(rest, '\0');

    return end == rest.n ? STR("") : str_sub(rest, 0, end);
}

size_t elf_library_paths(struct str content, struct str out[ELF_PATHS_MAX])
{
    struct view v = { content, false };
    struct segment dynamic = { 0 };
    uint64_t tag, value, strings = 0, at[ELF_PATHS_MAX];
    struct headers h;
    size_t n = 0, found = 0;

    if (!read_headers(&v, &h))
        return 0;
    for (unsigned i = 0; i < h.n && dynamic.type != PT_DYNAMIC; i++)
        if (!read_segment(&v, h.at + i * h.size, &dynamic))
            return 0;
    if (dynamic.type != PT_DYNAMIC)
        return 0;
    size_t size = v.wide ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);

    for (unsigned i = 0; i < DYNAMIC_MAX && (i + 1) * size <= dynamic.size; i++) {
        if (!read_dynamic(&v, dynamic.offset + i * size, &tag, &value) || tag == DT_NULL)
            break;
        if (tag == DT_STRTAB)
            strings = value;
        if ((tag == DT_RPATH || tag == DT_RUNPATH) && n < ELF_PATHS_MAX)
            at[n++] = value;
    }
    if (!n || !strings || !offset_of(&v, &h, strings, &strings))
        return 0;
    for (size_t i = 0; i < n; i++) {
        struct str text = text_at(content, strings + at[i]);

        if (text.n)
            out[found++] = text;
    }
    return found;
}

bool elf_origin_top(struct str path, struct str entry, struct str *top, bool *outside)
{
    struct str part[DEPTH_MAX];
    size_t n = 0;

    if (!str_cut_prefix(&entry, STR("$ORIGIN")) && !str_cut_prefix(&entry, STR("${ORIGIN}")))
        return false;
    *outside = true;
    *top = STR("");
    struct str folder = str_sub(path, 0, str_rfind(path, '/') < path.n ? str_rfind(path, '/') : 0);

    for (int round = 0; round < 2; round++) {
        for (struct str p, rest = round ? entry : folder; str_next(&rest, '/', &p);) {
            if (p.n == 0 || str_eq(p, STR(".")))
                continue;
            if (str_eq(p, STR(".."))) {
                if (n == 0)
                    return true;
                n--;
            } else if (n == DEPTH_MAX) {
                return true;
            } else {
                part[n++] = p;
            }
        }
    }
    *outside = false;
    if (n)
        *top = part[0];
    return true;
}
