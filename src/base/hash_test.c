#include "base/hash.h"

#include <fcntl.h>
#include "base/test_dir.h"

static void assert_digest(const char *name, const char *text, const char *hex)
{
    AUTO_DIGEST d = NULL;
    unsigned char out[HASH_MAX];
    char got[2 * HASH_MAX + 1];
    struct err e = { 0 };
    size_t n;

    if (!digest_new(str_of(name), &d, &e))
        fail_msg("%s", e.text);
    for (int again = 0; again < 2; again++) { /* a finished one starts afresh */
        for (const char *p = text; *p; p++)
            digest_add(d, p, 1);
        digest_finish(d, out, &n);
        hash_hex(out, n, got);
        assert_string_equal(got, hex);
    }
}

/* FIPS 180-4 examples, RFC 7693 appendix A, RFC 1321. */
static void computes_the_digests_that_indexes_name(void **state)
{
    (void)state;
    assert_digest("sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest("sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest("md5", "abc", "900150983cd24fb0d6963f7d28e17f72");
    assert_digest("sha384", "abc",
                  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
    assert_digest("sha512", "abc",
                  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    assert_digest("sha3_256", "abc", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    assert_digest("blake2b", "abc",
                  "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                  "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
    assert_digest("blake2s", "abc", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

static void refuses_a_hash_it_does_not_know_by_name(void **state)
{
    static const char *const names[] = { "sha257", "", "a name that is longer than any hash could ever have" };

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct digest *d = NULL;
        struct err e = { 0 };
        char want[100];

        assert_false(digest_new(str_of(names[i]), &d, &e));
        (void)snprintf(want, sizeof want, "unknown hash '%s'", names[i]);
        assert_string_equal(e.text, want);
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_null(d);
    }
}

static void a_file_has_the_hash_of_its_bytes(void **state)
{
    struct test_dir *t = *state;
    unsigned char of_file[HASH_SHA256], of_bytes[HASH_SHA256];
    static char data[150001];
    struct err e = { 0 };
    AUTO_FD fd = -1;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    assert_true(file_replace(t->fd, "f", (struct str){ data, sizeof data }, 0600, FILE_NO_SYNC, &e));
    assert_true(fd_open(t->fd, "f", O_RDONLY, 0, &fd, &e));
    for (int again = 0; again < 2; again++) { /* wherever the file stands */
        assert_true(hash_sha256_file(fd, "f", of_file, &e));
        assert_true(hash_sha256(data, sizeof data, of_bytes, &e));
        assert_memory_equal(of_file, of_bytes, HASH_SHA256);
    }
    assert_false(hash_sha256_file(t->fd, "the folder", of_file, &e));
    assert_string_equal(e.text, "read the folder: Is a directory");
}

static void hexadecimal_goes_both_ways(void **state)
{
    unsigned char all[256], back[256];
    char hex[513];

    (void)state;
    for (size_t i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    hash_hex(all, 256, hex);
    assert_int_equal(strncmp(hex, "000102", 6), 0);
    assert_string_equal(hex + 506, "fdfeff");
    assert_true(hash_from_hex(str_of(hex), back, 256));
    assert_memory_equal(all, back, 256);
    assert_true(hash_from_hex(STR("aBcD"), back, 2));
    assert_int_equal(back[0], 0xAB);
}

static void refuses_what_is_not_hexadecimal_of_that_length(void **state)
{
    static const char *const cases[] = { "", "0", "012", "01234", "0g12", "0x12", " 123", "-123" };
    unsigned char out[2];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (hash_from_hex(str_of(cases[i]), out, 2))
            fail_msg("'%s' was taken for two bytes", cases[i]);
}

static void the_fast_hash_depends_on_all_bytes(void **state)
{
    char a[64] = { 0 };
    uint64_t zero = hash_fast(a, sizeof a);

    (void)state;
    for (size_t i = 0; i < sizeof a; i++) {
        a[i] = 1;
        assert_true(hash_fast(a, sizeof a) != zero);
        a[i] = 0;
    }
    assert_true(hash_fast(a, 63) != zero);
    assert_true(hash_fast(NULL, 0) == hash_fast(a, 0));
}

static void the_fast_hash_of_pieces_is_that_of_the_whole(void **state)
{
    static char text[5000];
    static const size_t steps[] = { 1, 7, 240, 1024, sizeof text };

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i);
    for (size_t k = 0; k < COUNT(steps); k++)
        for (size_t n = 0; n <= sizeof text; n += 625) {
            struct hash_fast *h = hash_fast_new();

            for (size_t at = 0; at < n; at += steps[k])
                hash_fast_add(h, text + at, MIN(steps[k], n - at));
            assert_true(hash_fast_finish(h) == hash_fast(text, n));
            hash_fast_free(h);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computes_the_digests_that_indexes_name),
        cmocka_unit_test(refuses_a_hash_it_does_not_know_by_name),
        TEST_IN_DIR(a_file_has_the_hash_of_its_bytes),
        cmocka_unit_test(hexadecimal_goes_both_ways),
        cmocka_unit_test(refuses_what_is_not_hexadecimal_of_that_length),
        cmocka_unit_test(the_fast_hash_depends_on_all_bytes),
        cmocka_unit_test(the_fast_hash_of_pieces_is_that_of_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
