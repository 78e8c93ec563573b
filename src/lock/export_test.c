#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "lock/export.h"
#include "lock/lock.h"

#define A64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B64 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "lock-version = '1.0'\ncreated-by = 'x'\n"

static const char demo[] = HEAD "[[packages]]\nname = 'b'\nversion = '2.0'\nmarker = \"os_name == 'posix'\"\n"
                                "sdist = {url = 'https://x.example/b-2.0.zip', hashes = {sha256 = '" B64 "'}}\n"
                                "wheels = [{url = 'https://x.example/b-2.0-py3-none-any.whl', "
                                "hashes = {sha256 = '" A64 "'}}]\n"
                                "[[packages]]\nname = 'a'\nversion = '1'\n"
                                "archive = {url = 'https://u:p@x.example/a.zip', subdirectory = 's', "
                                "hashes = {sha256 = '" A64 "'}}\n";

static void check(const char *text, struct export_options options, const char *want)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct lock l;
    struct err e = { 0 };

    buf_init(&b, 4096);
    if (!lock_parse(&a, str_of(text), &l, &e))
        fail_msg("%s", e.text);
    if (export_requirements(&l, &options, &b, &e))
        assert_string_equal(buf_done(&b).p, want);
    else if (!strstr(e.text, want))
        fail_msg("%s", e.text);
}

static void writes_sorted_pins(void **state)
{
    (void)state;
    check(demo, (struct export_options){ 0 }, "a @ https://x.example/a.zip#subdirectory=s\nb==2.0\n");
    check(HEAD "[[packages]]\nname = 'd'\ndirectory = {path = './d', editable = true}\n"
               "[[packages]]\nname = 'c'\nvcs = {type = 'git', url = 'https://x.example/c', commit-id = 'ab'}\n",
          (struct export_options){ 0 }, "c @ git+https://x.example/c@ab\n-e ./d\n");
}

static void writes_markers_and_hashes_on_request(void **state)
{
    (void)state;
    check(demo, (struct export_options){ .markers = true, .hashes = true },
          "a @ https://x.example/a.zip#subdirectory=s \\\n    --hash=sha256:" A64 "\n"
          "b==2.0; os_name == \"posix\" \\\n    --hash=sha256:" A64 " \\\n    --hash=sha256:" B64 "\n");
}

static void refuses_what_the_format_cannot_say(void **state)
{
    (void)state;
    check(HEAD "[[packages]]\nname = 'd'\ndirectory = {path = 'd'}\n", (struct export_options){ .hashes = true },
          "'d' has no file that could be hashed");
    check(HEAD "[[packages]]\nname = 'd'\nmarker = \"'x' in extras\"\ndirectory = {path = 'd'}\n",
          (struct export_options){ .markers = true }, "'d' is for an extra or a group");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_sorted_pins),
        cmocka_unit_test(writes_markers_and_hashes_on_request),
        cmocka_unit_test(refuses_what_the_format_cannot_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
