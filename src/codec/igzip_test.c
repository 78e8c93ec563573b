#include "codec/igzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <libdeflate.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/mem.h"

#define SIZE (3u << 20) /* a dozen pieces */
#define ROOM (1u << 18) /* more than what a damaged text of 5000 bytes becomes */

/* Header and library come from one package, so that a machine that builds this has both. */
static struct igzip *begin(struct str packed)
{
    struct igzip *g = igzip_new();

    if (!g)
        fail_msg("the library of igzip is missing");
    igzip_begin(g, packed);
    return g;
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Text whose bytes come again at all distances, up to the largest and with the longest lengths. */
static struct str make_text(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n);
    uint32_t seed = 7;

    for (size_t i = 0; i < n;) {
        size_t length = 3 + next_random(&seed) % 300, distance = 1 + next_random(&seed) % (i % 5 ? 32768 : 20);

        if (distance <= i && next_random(&seed) % 4) {
            for (; length && i < n; length--, i++)
                p[i] = p[i - distance];
        } else {
            for (length %= 40; length && i < n; length--, i++)
                p[i] = (char)(next_random(&seed) % (i % 3 ? 24 : 256));
        }
    }
    return (struct str){ p, n };
}

static struct str pack(struct arena *a, struct str text, int level)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    size_t room = libdeflate_deflate_compress_bound(c, text.n);
    char *out = arena_alloc(a, room);
    size_t n = libdeflate_deflate_compress(c, text.p, text.n, out, room);

    libdeflate_free_compressor(c);
    assert_true(n > 0);
    return (struct str){ out, n };
}

/* All pieces behind each other; step is the last. */
static struct str unpack(struct arena *a, struct str packed, size_t room, enum igzip_step *step, size_t *taken)
{
    struct igzip *g = begin(packed);
    char *out = arena_alloc(a, room);
    struct str piece;
    size_t n = 0;

    while ((*step = igzip_next(g, &piece)) == IGZIP_MORE && piece.n <= room - n) {
        memcpy(out + n, piece.p, piece.n);
        n += piece.n;
    }
    *taken = igzip_taken(g);
    igzip_free(g);
    return (struct str){ out, n };
}

static void what_was_packed_comes_back_in_pieces(void **state)
{
    static const int levels[] = { 0, 1, 6, 12 }; /* 0: stored blocks */
    static const size_t sizes[] = { 0, 1, 100, IGZIP_PIECE - 1, IGZIP_PIECE, IGZIP_PIECE + 1, SIZE };

    (void)state;
    for (size_t k = 0; k < COUNT(sizes); k++)
        for (size_t i = 0; i < COUNT(levels); i++) {
            AUTO_ARENA a = { 0 };
            struct str text = make_text(&a, sizes[k]), packed = pack(&a, text, levels[i]);
            enum igzip_step step;
            size_t taken;
            struct str got = unpack(&a, packed, SIZE + 1, &step, &taken);

            if (step != IGZIP_END || !str_eq(got, text) || taken != packed.n)
                fail_msg("%zu bytes at level %d: step %d, %zu bytes from %zu of %zu", sizes[k], levels[i], (int)step,
                         got.n, taken, packed.n);
        }
}

/* RFC 1951, 3.2.6: what no compressor here writes of its own accord. */
static void reads_streams_written_by_hand(void **state)
{
    const struct {
        struct str packed;
        const char *text; /* NULL: damaged */
    } cases[] = {
        { STR("\x4b\x04\x00"), "a" },                          /* fixed codes */
        { STR("\x4b\x4c\x84\x01\x00"), "aaaaaaaaaa" },             /* a match that overlaps itself: distance 1 */
        { STR("\x01\x02\x00\xfd\xffhi"), "hi" },               /* stored */
        { STR("\x00\x00\x00\xff\xff\x01\x01\x00\xfe\xff!"), "!" }, /* an empty block before it */
        { STR("\x03\x00"), "" },
        { STR(""), NULL },
        { STR("\x4b\x04"), NULL },                             /* cut off in the end of the block */
        { STR("\x01\x02\x00\xfd\xffh"), NULL },
        { STR("\x01\x02\x00\xfc\xffhi"), NULL },               /* the two lengths differ */
        { STR("\x07\x00"), NULL },                             /* the third kind of block, which is none */
        { STR("\x03\x02\x00"), NULL },                         /* a match before there is anything */
        { STR("\x05\xe0\x93\x24\x49\x92\x24\x49\x92\x00"), NULL }, /* more codes than words */
        { STR("\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac\xeb\x5f\x06"), NULL }, /* cut off within a word */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        enum igzip_step step;
        size_t taken;
        struct str got = unpack(&a, cases[i].packed, 1000, &step, &taken);

        if (step != (cases[i].text ? IGZIP_END : IGZIP_DAMAGED) ||
            (cases[i].text && !str_eq(got, str_of(cases[i].text))) || taken > cases[i].packed.n)
            fail_msg("case %zu: step %d, '" STR_FMT "', %zu taken", i, (int)step, STR_ARG(got), taken);
    }
}

static void what_follows_the_stream_is_not_taken(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str packed = STR("\x4b\x04\x00 and more of it");
    enum igzip_step step;
    size_t taken;

    (void)state;
    assert_true(str_eq(unpack(&a, packed, 100, &step, &taken), STR("a")));
    assert_int_equal(step, IGZIP_END);
    assert_int_equal(taken, 3);
}

static void a_stream_that_is_cut_off_is_damaged_wherever_that_is(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str packed = pack(&a, make_text(&a, 3000), 6);

    (void)state;
    for (size_t n = 0; n < packed.n; n++) {
        enum igzip_step step;
        size_t taken;
        struct str cut = { mem_dup(packed.p, n), n }; /* for the sanitizer: nothing is behind it */

        (void)unpack(&a, cut, 4000, &step, &taken);
        if (step != IGZIP_DAMAGED || taken > n)
            fail_msg("%zu of %zu bytes: step %d, %zu taken", n, packed.n, (int)step, taken);
        free((char *)(uintptr_t)cut.p);
    }
}

/* Streams with wrong bits: what both take is the same, and what is refused is refused by both but for what the header
 * says. */
static void agrees_with_libdeflate_on_what_is_damaged(void **state)
{
    AUTO_ARENA a = { 0 };
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    struct str packed = pack(&a, make_text(&a, 5000), 6);
    char *bytes = arena_alloc(&a, packed.n), *whole = arena_alloc(&a, ROOM);
    unsigned good = 0, bad = 0, other = 0;
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        AUTO_ARENA one = { 0 };
        size_t taken, n, igzip_took;
        enum igzip_step step;

        memcpy(bytes, packed.p, packed.n);
        bytes[next_random(&seed) % (i % 2 ? packed.n : 60)] ^= (char)(1u << next_random(&seed) % 8);
        enum libdeflate_result r = libdeflate_deflate_decompress_ex(d, bytes, packed.n, whole, ROOM, &taken, &n);
        struct str got = unpack(&one, (struct str){ bytes, packed.n }, ROOM, &step, &igzip_took);

        if (r == LIBDEFLATE_SUCCESS && step == IGZIP_END) {
            good++;
            assert_true(str_eq(got, (struct str){ whole, n }));
            assert_int_equal(igzip_took, taken);
        } else if (r == LIBDEFLATE_BAD_DATA && step == IGZIP_DAMAGED) {
            bad++;
        } else {
            other++;
        }
    }
    libdeflate_free_decompressor(d);
    if (good < 1000 || bad < 1000 || other > 1000)
        fail_msg("taken by both %u, by none %u, by one %u", good, bad, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_back_in_pieces),
        cmocka_unit_test(reads_streams_written_by_hand),
        cmocka_unit_test(what_follows_the_stream_is_not_taken),
        cmocka_unit_test(a_stream_that_is_cut_off_is_damaged_wherever_that_is),
        cmocka_unit_test(agrees_with_libdeflate_on_what_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
