#include "cli/shell_pid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "cli/directive.h"

static void the_variable_tells_unless_it_is_no_process_id(void **state)
{
    static const struct {
        const char *text; /* NULL: not set */
        int pid;
    } cases[] = {
        { "1234", 1234 }, { "2147483647", INT32_MAX }, { "2147483648", 0 }, { "99999999999999999999", 0 },
        { "-1", 0 },      { "12x", 0 },                { "", 0 },           { "0", 0 },
        { NULL, 0 },
    };

    (void)state;
    directive.pid = 0;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(unsetenv(SHELL_PID_VARIABLE), 0);
        assert_true(!cases[i].text || setenv(SHELL_PID_VARIABLE, cases[i].text, 1) == 0);
        if (shell_pid() != cases[i].pid)
            fail_msg("'%s' gave %d", cases[i].text ? cases[i].text : "(not set)", (int)shell_pid());
    }
}

static void the_shell_that_called_wins(void **state)
{
    (void)state;
    assert_int_equal(setenv(SHELL_PID_VARIABLE, "1234", 1), 0);
    directive.pid = 77;
    assert_int_equal(shell_pid(), 77);
    directive.pid = INT64_MAX; /* no process has that number */
    assert_int_equal(shell_pid(), 1234);
    directive.pid = 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_variable_tells_unless_it_is_no_process_id),
        cmocka_unit_test(the_shell_that_called_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
