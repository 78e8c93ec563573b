/* Whatever an order holds: it is refused, or its texts end and can be read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/visit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FD fd = memfd_create("fuzz", MFD_CLOEXEC);
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct visit_order o;
    size_t n = 0;

    arena_init(&a);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0 ||
        !visit_order_read(fd, &a, &o, &e))
        return 0;
    for (char *const *v = o.argv; *v; v++)
        n += strlen(*v);
    for (char *const *v = o.env; *v; v++)
        n += strlen(*v);
    if (!o.argv[0] || n + strlen(o.cwd) > size)
        abort();
    return 0;
}
