/* Layout of an archive, and the one shape of it that is accepted here (no bytes between the parts):
 *
 *     local header, name, extra, data [, data descriptor]    once for each entry
 *     central header, name, extra, comment                   once for each entry
 *     [zip64 end record, zip64 locator]                      the locator 20 bytes before the end record
 *     end record, comment                                    the comment reaches the last byte
 *
 * Section numbers below are those of PKWARE's APPNOTE 6.3.10. */
#include "codec/zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/utf8.h"
#include "codec/zip_bytes.h"

#define CENTRAL_SIG 0x02014b50u
#define END_SIG 0x06054b50u
#define END64_SIG 0x06064b50u
#define LOCATOR_SIG 0x07064b50u

#define CENTRAL_SIZE 46u
#define END_SIZE 22u
#define END64_SIZE 56u
#define LOCATOR_SIZE 20u
#define COMMENT_MAX 65535u
#define EXTRA_UNICODE_PATH 0x7075u

#define NAME_MAX_BYTES 4096u
#define PART_MAX_BYTES 255u
#define FREE_OF_RATIO ((uint64_t)64 << 20)

/* --- shared with zip_member.c ------------------------------------------------------------------------------ */

bool zip_find_extra(struct str extra, uint16_t id, struct str *out)
{
    *out = (struct str){ 0 };
    while (extra.n >= 4) {
        size_t n = get16(extra.p + 2);

        if (n > extra.n - 4 || (get16(extra.p) == id && out->p))
            return false;
        if (get16(extra.p) == id)
            *out = str_sub(extra, 4, 4 + n);
        extra = str_sub(extra, 4 + n, extra.n);
    }
    return true;
}

bool zip_widen(uint64_t *v, struct str *zip64)
{
    if (*v != ZIP_IN_ZIP64)
        return true;
    if (zip64->n < 8)
        return false;
    *v = get64(zip64->p);
    *zip64 = str_sub(*zip64, 8, zip64->n);
    return true;
}

struct zip_shown zip_show(struct str name)
{
    struct zip_shown s;
    size_t n = MIN(name.n, sizeof s.text - 4);
    bool text = utf8_is_valid(name, NULL);

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        s.text[i] = (char)(c < ' ' || c == 0x7F || (!text && c > 0x7F) ? '?' : c);
    }
    while (n < name.n && n > 0 && (s.text[n - 1] & 0x80)) /* not half a character before the dots */
        n--;
    (void)snprintf(s.text + n, sizeof s.text - n, "%s", n < name.n ? "..." : "");
    return s;
}

bool zip_refuse(struct err *e, struct str name, const char *why)
{
    return err_set(e, ERR_PACKAGE, "entry '%s' %s", zip_show(name).text, why);
}

/* --- names ------------------------------------------------------------------------------------------------- */

/* What is wrong with one part of a name, or NULL. */
static const char *part_fault(struct str part)
{
    if (part.n == 0)
        return "has an empty part in its name";
    if (str_eq(part, STR("..")))
        return "leaves the folder it is unpacked into";
    if (str_eq(part, STR(".")))
        return "has '.' as a part of its name";
    return part.n > PART_MAX_BYTES ? "has a part of over 255 bytes in its name" : NULL;
}

static const char *name_fault(struct str name)
{
    struct str part, rest = name;
    const char *fault = NULL;

    if (name.n == 0)
        return "has no name";
    if (name.n > NAME_MAX_BYTES)
        return "has a name of over 4096 bytes";
    if (!utf8_is_valid(name, NULL))
        return "has a name that is not UTF-8";
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7F)
            return "has a control character in its name";
        if (name.p[i] == '\\')
            return "has a backslash in its name";
    }
    if (name.p[0] == '/')
        return "has an absolute name";
    if (name.n > 1 && name.p[1] == ':' && char_is_alpha(name.p[0]))
        return "has a drive in its name";
    (void)str_cut_suffix(&rest, STR("/"));
    while (!fault && str_next(&rest, '/', &part))
        fault = part_fault(part);
    return fault;
}

static struct str without_slash(struct str name)
{
    (void)str_cut_suffix(&name, STR("/"));
    return name;
}

/* No name twice, and nothing inside of what another entry says is a file. */
static bool check_tree(const struct zip *z, struct err *e)
{
    AUTO_MAP names = { 0 };
    struct str last = { 0 };

    for (size_t i = 0; i < z->n; i++) {
        bool added;
        uint32_t other = map_get_or_add(&names, without_slash(z->entry[i].name), (uint32_t)i, &added);

        if (!added)
            return zip_refuse(e, z->entry[i].name, z->entry[other].is_dir == z->entry[i].is_dir
                                                   ? "is in the archive twice"
                                                   : "is both a file and a folder");
    }
    for (size_t i = 0; i < z->n; i++) {
        struct str folder = without_slash(z->entry[i].name);

        folder.n = str_rfind(folder, '/') == folder.n ? 0 : str_rfind(folder, '/');
        if (str_eq(folder, last)) /* neighbours mostly share their folder */
            continue;
        last = folder;
        while (folder.n) {
            uint32_t found = map_find(&names, folder);

            if (found != MAP_NONE && !z->entry[found].is_dir)
                return zip_refuse(e, z->entry[i].name, "is inside of what another entry says is a file");
            folder.n = str_rfind(folder, '/') == folder.n ? 0 : str_rfind(folder, '/');
        }
    }
    return true;
}

/* --- the end of the archive -------------------------------------------------------------------------------- */

/* Position of the end record in tail, or tail.n: 4.3.16. Its comment has to reach the last byte. */
static size_t find_end(struct str tail)
{
    for (size_t comment = 0; comment <= COMMENT_MAX && END_SIZE + comment <= tail.n; comment++) {
        const char *p = tail.p + tail.n - END_SIZE - comment;

        if (get32(p) == END_SIG && get16(p + 20) == comment)
            return (size_t)(p - tail.p);
    }
    return tail.n;
}

static bool need(struct zip_central *out, uint64_t bytes)
{
    *out = (struct zip_central){ .missing = bytes };
    return true;
}

/* The records agree: one part, and the directory ends where the records begin. */
static bool check_central(const struct zip_central *c, uint64_t records, struct err *e)
{
    if (c->size > records || c->offset != records - c->size)
        return err_set(e, ERR_PACKAGE,
                       "the zip archive's directory of %" PRIu64 " bytes is not right before its end record", c->size);
    if (c->entries > c->size / CENTRAL_SIZE)
        return err_set(e, ERR_PACKAGE,
                       "the zip archive's directory of %" PRIu64 " bytes cannot hold %" PRIu64 " entries", c->size,
                       c->entries);
    return true;
}

/* at: position of the end record in tail; a zip64 locator stands before it: 4.3.14, 4.3.15. */
static bool find_end64(struct str tail, size_t at, uint64_t total, struct zip_central *out, struct err *e)
{
    const char *end = tail.p + at, *locator = end - LOCATOR_SIZE;
    uint64_t locator_at = total - tail.n + at - LOCATOR_SIZE, record_at = get64(locator + 8);

    if (get32(locator + 4) != 0 || get32(locator + 16) > 1)
        return err_set(e, ERR_PACKAGE, "the zip archive is one of several parts");
    if (locator_at < END64_SIZE || record_at > locator_at - END64_SIZE)
        return err_set(e, ERR_PACKAGE, "the zip archive's zip64 record is not where its locator says");
    if (record_at < total - tail.n)
        return need(out, total - record_at);
    const char *p = tail.p + (record_at - (total - tail.n));
    struct zip_central c = { .entries = get64(p + 32), .size = get64(p + 40), .offset = get64(p + 48) };

    if (get32(p) != END64_SIG || get64(p + 4) != locator_at - record_at - 12)
        return err_set(e, ERR_PACKAGE, "the zip archive's zip64 record is not where its locator says");
    if (get32(p + 16) != 0 || get32(p + 20) != 0 || get64(p + 24) != c.entries)
        return err_set(e, ERR_PACKAGE, "the zip archive is one of several parts");
    if ((get16(end + 10) != 0xFFFF && get16(end + 10) != c.entries) ||
        (get32(end + 12) != ZIP_IN_ZIP64 && get32(end + 12) != c.size) ||
        (get32(end + 16) != ZIP_IN_ZIP64 && get32(end + 16) != c.offset))
        return err_set(e, ERR_PACKAGE, "the zip archive's two end records disagree");
    if (!check_central(&c, record_at, e))
        return false;
    *out = c;
    return true;
}

bool zip_find_central(struct str tail, uint64_t total, struct zip_central *out, struct err *e)
{
    if (tail.n > total)
        BUG("%zu bytes are the tail of %" PRIu64, tail.n, total);
    size_t at = find_end(tail);

    if (at == tail.n) {
        uint64_t most = MIN(total, (uint64_t)END_SIZE + COMMENT_MAX);

        if (tail.n < most)
            return need(out, most);
        return err_set(e, ERR_PACKAGE, "no end record found: not a zip archive, or cut short");
    }
    if (at < LOCATOR_SIZE && tail.n < total) /* whether a locator stands there decides what to read */
        return need(out, MIN(total, (uint64_t)tail.n - at + LOCATOR_SIZE));
    const char *p = tail.p + at;
    struct zip_central c = { .entries = get16(p + 10), .size = get32(p + 12), .offset = get32(p + 16) };

    if (at >= LOCATOR_SIZE && get32(p - LOCATOR_SIZE) == LOCATOR_SIG)
        return find_end64(tail, at, total, out, e);
    if (get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != c.entries)
        return err_set(e, ERR_PACKAGE, "the zip archive is one of several parts");
    if (!check_central(&c, total - tail.n + at, e))
        return false;
    *out = c;
    return true;
}

/* --- the central directory --------------------------------------------------------------------------------- */

static struct zip_limits with_defaults(const struct zip_limits *given)
{
    struct zip_limits l = given ? *given : (struct zip_limits){ 0 };

    l.total = l.total ? l.total : (uint64_t)16 << 30;
    l.member = l.member ? l.member : (uint64_t)8 << 30;
    l.ratio = l.ratio ? l.ratio : 200;
    l.entries = l.entries ? l.entries : 1000000;
    return l;
}

/* mode: the high half of the external attributes; 0 where the archive was not made on Unix. */
static bool check_kind(const struct zip_entry *entry, unsigned mode, struct err *e)
{
    unsigned type = mode & S_IFMT;

    if (type == S_IFLNK)
        return zip_refuse(e, entry->name, "is a symbolic link");
    if (type && type != S_IFREG && type != S_IFDIR)
        return zip_refuse(e, entry->name, "is neither a file nor a folder");
    if (entry->flags & ZIP_FLAGS_REFUSED)
        return zip_refuse(e, entry->name, "is encrypted or a patch");
    if (entry->method == 93)
        return zip_refuse(e, entry->name, "is packed with zstd, which is not read here");
    if (entry->method != ZIP_STORED && entry->method != ZIP_DEFLATED)
        return zip_refuse(e, entry->name, "is packed with a method that is not read here");
    if (entry->method == ZIP_STORED && entry->size != entry->comp_size)
        return zip_refuse(e, entry->name, "is stored, but its two sizes differ");
    if (entry->is_dir && entry->size)
        return zip_refuse(e, entry->name, "is a folder that has data");
    return true;
}

/* Takes one central header off the front of *rest: 4.3.12. */
static bool parse_entry(struct str *rest, struct zip_entry *out, struct err *e)
{
    const char *p = rest->p;

    if (rest->n < CENTRAL_SIZE || get32(p) != CENTRAL_SIG)
        return err_set(e, ERR_PACKAGE, "the zip archive's directory is damaged");
    size_t name_end = CENTRAL_SIZE + get16(p + 28), extra_end = name_end + get16(p + 30);
    size_t end = extra_end + get16(p + 32);

    if (end > rest->n)
        return err_set(e, ERR_PACKAGE, "the zip archive's directory is damaged");
    struct str extra = str_sub(*rest, name_end, extra_end), zip64, unicode;
    unsigned mode = get32(p + 38) >> 16;
    struct zip_entry entry = {
        .name = str_sub(*rest, CENTRAL_SIZE, name_end),
        .flags = get16(p + 8),
        .method = get16(p + 10),
        .crc = get32(p + 16),
        .comp_size = get32(p + 20),
        .size = get32(p + 24),
        .offset = get32(p + 42),
    };
    const char *fault = name_fault(entry.name);

    if (fault)
        return zip_refuse(e, entry.name, fault);
    /* Info-ZIP's second name (4.6.9): a reader that knows it would unpack to another place. */
    if (!zip_find_extra(extra, EXTRA_UNICODE_PATH, &unicode) ||
        (unicode.p && (unicode.n < 5 || !str_eq(str_sub(unicode, 5, unicode.n), entry.name))))
        return zip_refuse(e, entry.name, "has a second, different name");
    if (!zip_find_extra(extra, ZIP_EXTRA_ZIP64, &zip64) || !zip_widen(&entry.size, &zip64) ||
        !zip_widen(&entry.comp_size, &zip64) || !zip_widen(&entry.offset, &zip64))
        return zip_refuse(e, entry.name, "has no valid zip64 sizes");
    entry.is_dir = str_ends(entry.name, STR("/"));
    entry.executable = !entry.is_dir && (mode & 0111);
    if (get16(p + 34) != 0)
        return zip_refuse(e, entry.name, "is in another part of the archive");
    if (!check_kind(&entry, mode, e))
        return false;
    *out = entry;
    *rest = str_sub(*rest, end, rest->n);
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const struct zip_entry *const *x = a, *const *y = b;

    return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

/* Entries lie one behind the other from the first byte to the directory: fills in `end`. */
static bool check_layout(struct zip *z, uint64_t central, struct arena *arena, struct err *e)
{
    struct zip_entry **order = arena_alloc(arena, z->n * sizeof *order + 1);
    bool sorted = true;

    for (size_t i = 0; i < z->n; i++) {
        order[i] = &z->entry[i];
        sorted &= i == 0 || order[i - 1]->offset <= order[i]->offset;
    }
    if (!sorted)
        qsort(order, z->n, sizeof *order, by_offset);
    if ((z->n ? order[0]->offset : central) != 0)
        return err_set(e, ERR_PACKAGE, "the zip archive has %" PRIu64 " bytes before its first entry",
                       z->n ? order[0]->offset : central);
    for (size_t i = 0; i < z->n; i++) {
        struct zip_entry *entry = order[i];
        uint64_t header = ZIP_LOCAL_SIZE + entry->name.n;

        entry->end = i + 1 < z->n ? order[i + 1]->offset : central;
        if (entry->offset > entry->end || header > entry->end - entry->offset ||
            entry->comp_size > entry->end - entry->offset - header)
            return zip_refuse(e, entry->name,
                              i + 1 < z->n ? "overlaps another one" : "overlaps the archive's directory");
    }
    return true;
}

static bool check_sizes(const struct zip *z, const struct zip_limits *l, uint64_t packed, struct err *e)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < z->n; i++) {
        if (z->entry[i].size > l->member)
            return err_set(e, ERR_PACKAGE, "entry '%s' unpacks to %" PRIu64 " bytes, the limit is %" PRIu64,
                           zip_show(z->entry[i].name).text, z->entry[i].size, l->member);
        if (z->entry[i].size > l->total - sum)
            return err_set(e, ERR_PACKAGE, "the zip archive unpacks to more than %" PRIu64 " bytes", l->total);
        sum += z->entry[i].size;
    }
    if (sum > FREE_OF_RATIO && sum / l->ratio > packed)
        return err_set(e, ERR_PACKAGE, "the zip archive unpacks to %" PRIu64 " bytes, over %" PRIu32 " times its size",
                       sum, l->ratio);
    return true;
}

bool zip_parse_central(struct str bytes, const struct zip_central *central, const struct zip_limits *limits,
                       struct arena *arena, struct zip *out, struct err *e)
{
    struct zip_limits l = with_defaults(limits);
    struct zip z = { .n = (size_t)central->entries };

    if (central->missing)
        BUG("a zip directory was parsed before it was found");
    if (bytes.n != central->size)
        return err_set(e, ERR_PACKAGE, "the zip archive's directory has %" PRIu64 " bytes, %zu arrived", central->size,
                       bytes.n);
    if (central->entries > l.entries)
        return err_set(e, ERR_PACKAGE, "the zip archive has %" PRIu64 " entries, the limit is %" PRIu32,
                       central->entries, l.entries);
    z.entry = arena_alloc(arena, z.n * sizeof *z.entry + 1);
    for (size_t i = 0; i < z.n; i++)
        if (!parse_entry(&bytes, &z.entry[i], e))
            return false;
    if (bytes.n)
        return err_set(e, ERR_PACKAGE, "the zip archive's directory has %zu bytes too many", bytes.n);
    if (!check_sizes(&z, &l, central->offset + central->size, e) || !check_layout(&z, central->offset, arena, e) ||
        !check_tree(&z, e))
        return false;
    for (size_t i = 0; i < z.n; i++)
        z.unpacked += z.entry[i].size;
    *out = z;
    return true;
}
