#include "base/sha256.h"

#include "base/test_dir.h"

static void hex_of(const char *p, size_t n, size_t step, char out[HASH_HEX256 + 1])
{
    unsigned char sum[HASH_SHA256];
    struct sha256 s;

    sha256_init(&s);
    for (size_t i = 0; i < n; i += step)
        sha256_add(&s, p + i, MIN(step, n - i));
    sha256_finish(&s, sum);
    hash_hex(sum, sizeof sum, out);
}

/* FIPS 180-4 examples, as published with the standard. */
static void gives_the_digests_of_the_standard(void **state)
{
    static const struct {
        const char *text, *hex;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char hex[HASH_HEX256 + 1];

        hex_of(cases[i].text, strlen(cases[i].text), 64, hex);
        assert_string_equal(hex, cases[i].hex);
    }
}

static void agrees_with_libcrypto_at_every_length_and_split(void **state)
{
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof text; n++) {
        unsigned char sum[HASH_SHA256];
        char want[HASH_HEX256 + 1], got[HASH_HEX256 + 1];
        struct err e = { 0 };

        if (!hash_sha256(text, n, sum, &e))
            fail_msg("%s", e.text);
        hash_hex(sum, sizeof sum, want);
        for (size_t step = 1; step < 130; step += 31) {
            hex_of(text, n, step, got);
            assert_string_equal(got, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_digests_of_the_standard),
        cmocka_unit_test(agrees_with_libcrypto_at_every_length_and_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
