#include "cli/shell_pid.h"

#include <stdint.h>
#include <stdlib.h>
#include "base/str.h"
#include "cli/directive.h"

pid_t shell_pid(void)
{
    const char *text = getenv(SHELL_PID_VARIABLE);
    uint64_t n;

    if (directive.pid > 0 && directive.pid <= INT32_MAX)
        return (pid_t)directive.pid;
    return text && str_to_u64(str_of(text), &n) && n <= INT32_MAX ? (pid_t)n : 0;
}
