#include "base/copy.h"

#include <errno.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"

#define AT_ONCE ((size_t)1 << 30) /* bytes asked of one call */

bool copy_content(int in, int out, const char *name, struct err *e)
{
    char chunk[1 << 14];

    for (;;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, AT_ONCE, 0);

        if (n == 0)
            break; /* the end, or a file that says it is empty (of /proc, or a network's): reading tells */
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
            return err_sys(e, "copy %s", name);
        if (n < 0)
            break;
    }
    for (ssize_t n; (n = read(in, chunk, sizeof chunk)) != 0;) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, "read %s", name);
        if (!fd_write_all(out, chunk, (size_t)n, name, e))
            return false;
    }
    return true;
}
