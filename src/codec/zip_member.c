/* Members of an archive: the local header has to say what the directory said, then the data is unpacked. Section
 * numbers are those of PKWARE's APPNOTE 6.3.10. */
#include "codec/zip.h"

#include <inttypes.h>
#include <libdeflate.h>
#include "base/err.h"
#include "base/mem.h"
#include "codec/igzip.h"
#include "codec/zip_bytes.h"

#define LOCAL_SIG 0x04034b50u
#define DESCRIPTOR_SIG 0x08074b50u
#define FLAG_DESCRIPTOR 0x0008u

/* rest: what is left of the member behind its packed data, which is the descriptor: 4.3.9. The signature is
 * optional and the sizes have 4 or 8 bytes; as nothing else may stand there, its length says which. */
static bool descriptor_agrees(struct str rest, const struct zip_entry *entry)
{
    if (rest.n == 16 || rest.n == 24) {
        if (get32(rest.p) != DESCRIPTOR_SIG)
            return false;
        rest = str_sub(rest, 4, rest.n);
    }
    if (rest.n == 12)
        return get32(rest.p) == entry->crc && get32(rest.p + 4) == entry->comp_size && get32(rest.p + 8) == entry->size;
    return rest.n == 20 && get32(rest.p) == entry->crc && get64(rest.p + 4) == entry->comp_size &&
           get64(rest.p + 12) == entry->size;
}

/* The local header (4.3.7) agrees with the directory. *data: the packed bytes. */
static bool check_local(struct str member, const struct zip_entry *entry, struct str *data, struct err *e)
{
    const char *p = member.p;

    if (member.n != entry->end - entry->offset || member.n < ZIP_LOCAL_SIZE || get32(p) != LOCAL_SIG)
        return zip_refuse(e, entry->name, "is not where the archive's directory says");
    size_t name_end = ZIP_LOCAL_SIZE + get16(p + 26), at = name_end + get16(p + 28);

    if (at > member.n || entry->comp_size > member.n - at)
        return zip_refuse(e, entry->name, "overlaps what follows it");
    struct str extra = str_sub(member, name_end, at), zip64;
    struct str rest = str_sub(member, at + entry->comp_size, member.n);
    uint64_t crc = get32(p + 14), comp_size = get32(p + 18), size = get32(p + 22);
    bool described = get16(p + 6) & FLAG_DESCRIPTOR;

    if (!str_eq(str_sub(member, ZIP_LOCAL_SIZE, name_end), entry->name))
        return zip_refuse(e, entry->name, "has another name in its own header");
    if (get16(p + 6) & ZIP_FLAGS_REFUSED)
        return zip_refuse(e, entry->name, "is encrypted or a patch");
    if (get16(p + 8) != entry->method)
        return zip_refuse(e, entry->name, "has another method in its own header");
    if (!zip_find_extra(extra, ZIP_EXTRA_ZIP64, &zip64) || !zip_widen(&size, &zip64) || !zip_widen(&comp_size, &zip64))
        return zip_refuse(e, entry->name, "has no valid zip64 sizes");
    if (described && !descriptor_agrees(rest, entry))
        return zip_refuse(e, entry->name, "has another size or checksum in its data descriptor");
    if (!described && rest.n)
        return err_set(e, ERR_PACKAGE, "entry '%s' is followed by %zu bytes that belong to no entry",
                       zip_show(entry->name).text, rest.n);
    /* What the descriptor says later may be zero here. */
    if ((size != entry->size && !(described && size == 0)) ||
        (comp_size != entry->comp_size && !(described && comp_size == 0)) ||
        (crc != entry->crc && !(described && crc == 0)))
        return zip_refuse(e, entry->name, "has another size or checksum in its own header");
    *data = str_sub(member, at, at + entry->comp_size);
    return true;
}

static struct str member_of(const struct zip *z, const struct zip_entry *entry)
{
    if (!z->file.n)
        BUG("a zip member was asked of a directory alone");
    return str_sub(z->file, entry->offset, entry->end);
}

bool zip_open_directory(struct str file, const struct zip_limits *limits, struct arena *arena, struct zip *out,
                        struct err *e)
{
    struct zip_central c;
    struct zip z;

    if (!zip_find_central(file, file.n, &c, e) ||
        !zip_parse_central(str_sub(file, c.offset, c.offset + c.size), &c, limits, arena, &z, e))
        return false;
    z.file = file;
    *out = z;
    return true;
}

bool zip_open(struct str file, const struct zip_limits *limits, struct arena *arena, struct zip *out, struct err *e)
{
    struct zip z;
    struct str data;

    if (!zip_open_directory(file, limits, arena, &z, e))
        return false;
    for (size_t i = 0; i < z.n; i++)
        if (!check_local(member_of(&z, &z.entry[i]), &z.entry[i], &data, e))
            return false;
    *out = z;
    return true;
}

const struct zip_entry *zip_find(const struct zip *z, struct str name)
{
    for (size_t i = 0; i < z->n; i++)
        if (str_eq(z->entry[i].name, name))
            return &z->entry[i];
    return NULL;
}

struct zip_inflater {
    struct libdeflate_decompressor *d;
    struct igzip *igzip; /* once a member was streamed, if there is one */
    char *whole;         /* else: the last such member */
};

struct zip_inflater *zip_inflater_new(void)
{
    struct zip_inflater *inflater = mem_zero(1, sizeof *inflater);

    inflater->d = libdeflate_alloc_decompressor();
    if (!inflater->d)
        BUG("out of memory for a decompressor");
    return inflater;
}

void zip_inflater_free(struct zip_inflater *inflater)
{
    if (!inflater)
        return;
    libdeflate_free_decompressor(inflater->d);
    igzip_free(inflater->igzip);
    free(inflater->whole);
    free(inflater);
}

void zip_inflater_auto(struct zip_inflater **inflater)
{
    zip_inflater_free(*inflater);
}

static bool judge_crc(uint32_t crc, const struct zip_entry *entry, struct err *e)
{
    if (crc != entry->crc)
        return err_set(e, ERR_PACKAGE, "entry '%s' is damaged: its CRC is %08" PRIx32 ", not %08" PRIx32,
                       zip_show(entry->name).text, crc, entry->crc);
    return true;
}

static bool check_crc(const void *p, const struct zip_entry *entry, struct err *e)
{
    return judge_crc(libdeflate_crc32(0, p, entry->size), entry, e);
}

static bool refuse_size(const struct zip_entry *entry, struct err *e)
{
    return err_set(e, ERR_PACKAGE, "entry '%s' does not unpack to %" PRIu64 " bytes", zip_show(entry->name).text,
                   entry->size);
}

static bool refuse_data(const struct zip_entry *entry, struct err *e)
{
    return zip_refuse(e, entry->name, "is damaged: its packed data cannot be unpacked");
}

bool zip_read_member(struct str member, const struct zip_entry *entry, void *out, struct zip_inflater *inflater,
                     struct err *e)
{
    struct str data;
    char none;
    size_t taken, made;

    if (!check_local(member, entry, &data, e))
        return false;
    if (entry->size == 0) /* out may be NULL */
        out = &none;
    if (entry->method == ZIP_STORED) {
        memcpy(out, data.p, data.n);
        return check_crc(out, entry, e);
    }
    enum libdeflate_result r =
        libdeflate_deflate_decompress_ex(inflater->d, data.p, data.n, out, entry->size, &taken, &made);

    if (r == LIBDEFLATE_INSUFFICIENT_SPACE || (r == LIBDEFLATE_SUCCESS && made != entry->size))
        return refuse_size(entry, e);
    if (r != LIBDEFLATE_SUCCESS || taken != data.n)
        return refuse_data(entry, e);
    return check_crc(out, entry, e);
}

bool zip_read(const struct zip *z, const struct zip_entry *entry, void *out, struct zip_inflater *inflater,
              struct err *e)
{
    return zip_read_member(member_of(z, entry), entry, out, inflater, e);
}

bool zip_view(const struct zip *z, const struct zip_entry *entry, struct str *out, struct err *e)
{
    struct str data;

    if (entry->method != ZIP_STORED)
        BUG("a view of a packed zip member");
    if (!check_local(member_of(z, entry), entry, &data, e) || !check_crc(data.p, entry, e))
        return false;
    *out = data;
    return true;
}

static bool unpack_whole(const struct zip *z, struct zip_inflater *inflater, struct zip_stream *s, struct err *e)
{
    const struct zip_entry *entry = s->entry;

    free(inflater->whole);
    inflater->whole = mem_alloc(entry->size);
    s->whole = (struct str){ inflater->whole, entry->size };
    s->taken = s->data.n;
    return zip_read(z, entry, inflater->whole, inflater, e);
}

bool zip_stream_open(const struct zip *z, const struct zip_entry *entry, struct zip_inflater *inflater,
                     struct zip_stream *out, struct err *e)
{
    struct zip_stream s = { .entry = entry };

    if (!check_local(member_of(z, entry), entry, &s.data, e))
        return false;
    if (entry->method == ZIP_STORED) {
        s.whole = s.data;
    } else if (inflater->igzip || (inflater->igzip = igzip_new())) {
        s.igzip = inflater->igzip;
        igzip_begin(s.igzip, s.data);
    } else if (!unpack_whole(z, inflater, &s, e)) {
        return false;
    }
    *out = s;
    return true;
}

/* *piece stays empty at the end. */
static bool next_piece(struct zip_stream *s, struct str *piece, struct err *e)
{
    if (s->igzip) {
        if (igzip_next(s->igzip, piece) == IGZIP_DAMAGED)
            return refuse_data(s->entry, e);
        s->taken = igzip_taken(s->igzip);
        return true;
    }
    *piece = str_sub(s->whole, s->made, MIN(s->whole.n, s->made + IGZIP_PIECE));
    if (s->entry->method == ZIP_STORED)
        s->taken += piece->n;
    return true;
}

bool zip_stream_next(struct zip_stream *s, struct str *piece, struct err *e)
{
    const struct zip_entry *entry = s->entry;

    if (!next_piece(s, piece, e))
        return false;
    s->made += piece->n;
    if (s->made > entry->size || (piece->n == 0 && s->made != entry->size))
        return refuse_size(entry, e);
    if (piece->n == 0)
        return (s->taken == s->data.n || refuse_data(entry, e)) && judge_crc(s->crc, entry, e);
    s->crc = libdeflate_crc32(s->crc, piece->p, piece->n);
    return true;
}
