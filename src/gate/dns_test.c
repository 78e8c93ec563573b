#include "gate/dns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/str.h"

/* A question for a name in dots, as a resolver sends it. */
static size_t ask(const char *name, uint16_t type, unsigned char out[DNS_MESSAGE_MAX])
{
    static const unsigned char header[12] = { 0x12, 0x34, 1, 0, 0, 1 };
    size_t n = sizeof header;

    memcpy(out, header, n);
    for (struct str part, rest = str_of(name); str_next(&rest, '.', &part);) {
        out[n++] = (unsigned char)part.n;
        memcpy(out + n, part.p, part.n);
        n += part.n;
    }
    out[n++] = 0;
    out[n++] = (unsigned char)(type >> 8);
    out[n++] = (unsigned char)type;
    out[n++] = 0;
    out[n++] = 1;
    return n;
}

static void reads_a_question_in_any_case(void **state)
{
    unsigned char m[DNS_MESSAGE_MAX];
    struct dns_question q;
    size_t n = ask("Good.TEST", DNS_A, m);

    (void)state;
    assert_true(dns_read(m, n, &q));
    assert_int_equal(q.code, DNS_NO_ERROR);
    assert_string_equal(q.name, "good.test");
    assert_false(q.odd);
    assert_int_equal(q.type, DNS_A);
    assert_int_equal(q.end, n);
}

static void answers_with_the_question_and_one_address(void **state)
{
    unsigned char m[DNS_MESSAGE_MAX], a[DNS_MESSAGE_MAX];
    static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, 0, 1 };
    struct dns_question q;
    size_t n = ask("Good.test", DNS_A, m), k;

    (void)state;
    assert_true(dns_read(m, n, &q));
    k = dns_answer(m, &q, DNS_NO_ERROR, 0xc6120001, a);
    assert_int_equal(k, n + sizeof record);
    assert_memory_equal(a + 12, m + 12, n - 12); /* the spelling too: resolvers compare it */
    assert_memory_equal(a + n, record, sizeof record);
    assert_int_equal(a[0] << 8 | a[1], 0x1234);
    assert_int_equal(a[2] & 0x80, 0x80);
    assert_int_equal(a[7], 1);
    k = dns_answer(m, &q, DNS_NO_NAME, 0, a);
    assert_int_equal(k, n);
    assert_int_equal(a[3] & 15, DNS_NO_NAME);
    assert_int_equal(a[7], 0);
}

static void marks_names_with_odd_bytes(void **state)
{
    unsigned char m[DNS_MESSAGE_MAX];
    struct dns_question q;

    (void)state;
    assert_true(dns_read(m, ask("go od.test", DNS_A, m), &q));
    assert_true(q.odd);
    assert_string_equal(q.name, "go?od.test");
}

static void refuses_what_is_no_question(void **state)
{
    static const struct {
        size_t at;
        unsigned char value;
        size_t cut;
        bool silent;
        enum dns_code code;
    } cases[] = {
        { 2, 0x81, 0, true, 0 },                    /* an answer */
        { 2, 0x28, 0, false, DNS_NOT_IMPLEMENTED }, /* an update */
        { 5, 2, 0, false, DNS_FORMAT_ERROR },       /* two questions */
        { 7, 1, 0, false, DNS_FORMAT_ERROR },       /* with an answer in it */
        { 12, 0xc0, 0, false, DNS_FORMAT_ERROR },   /* a pointer */
        { 12, 63, 0, false, DNS_FORMAT_ERROR },     /* a label beyond the end */
        { 0, 0x12, 1, false, DNS_FORMAT_ERROR },    /* cut off */
        { 0, 0x12, 16, true, 0 },                   /* no header */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned char m[DNS_MESSAGE_MAX];
        struct dns_question q;
        size_t n = ask("good.test", DNS_A, m) - cases[i].cut;

        m[cases[i].at] = cases[i].value;
        assert_int_equal(dns_read(m, n, &q), !cases[i].silent);
        if (!cases[i].silent)
            assert_int_equal(q.code, cases[i].code);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_question_in_any_case),
        cmocka_unit_test(answers_with_the_question_and_one_address),
        cmocka_unit_test(marks_names_with_odd_bytes),
        cmocka_unit_test(refuses_what_is_no_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
