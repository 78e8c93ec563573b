#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/err.h"
#include "cli/report.h"

static void assert_json(const struct err *e, const char *want)
{
    AUTO_BUF b;

    buf_init(&b, 1 << 16);
    report_json(e, STR(""), &b);
    assert_string_equal(buf_done(&b).p, want);
}

static void an_error_as_json_has_kind_frames_help_and_exit_code(void **state)
{
    struct err e = { 0 };

    (void)state;
    (void)err_set(&e, ERR_IO, "open '%s'", "a \"b\"");
    assert_json(&e, "{\"schema\":\"blast.error/1\","
                    "\"error\":{\"kind\":\"io\",\"frames\":[\"open 'a \\\"b\\\"'\"],\"exit\":1}}");
    (void)err_as(&e, ERR_CONFIG, "read blast.toml");
    (void)err_hint(&e, "blast init");
    assert_json(&e, "{\"schema\":\"blast.error/1\","
                    "\"error\":{\"kind\":\"config\",\"frames\":[\"read blast.toml\",\"open 'a \\\"b\\\"'\"],"
                    "\"help\":\"blast init\",\"exit\":2}}");
    (void)err_exit(&e, 7);
    assert_json(&e, "{\"schema\":\"blast.error/1\","
                    "\"error\":{\"kind\":\"config\",\"frames\":[\"read blast.toml\",\"open 'a \\\"b\\\"'\"],"
                    "\"help\":\"blast init\",\"exit\":7}}");
}

static void a_full_error_still_fits(void **state)
{
    struct err e = { 0 };
    AUTO_BUF b;

    (void)state;
    (void)err_set(&e, ERR_NETWORK, "%2000s", "\x01");
    (void)err_hint(&e, "%500s", "\x02");
    buf_init(&b, 1 << 16);
    report_json(&e, STR(""), &b);
    assert_false(b.full);
    assert_true(str_ends(buf_done(&b), STR("\"exit\":6}}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_as_json_has_kind_frames_help_and_exit_code),
        cmocka_unit_test(a_full_error_still_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
