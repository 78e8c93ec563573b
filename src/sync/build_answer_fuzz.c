/* What a build writes for us to read: its answers, and [build-system] of its pyproject.toml. */
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "sync/build_answer.h"
#include "sync/build_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str text = arena_str(&a, (struct str){ (const char *)data, size }), name;
    struct str_list list;
    struct build_system system;
    bool missing;
    struct err e = { 0 };

    if (build_answer_name(text, &a, &name, &missing, &e) && !missing && str_find(name, '/') < name.n)
        BUG("a name with a '/' was taken");
    err_clear(&e);
    if (build_answer_list(text, &a, &list, &e) && list.n && !list.p)
        BUG("a list without elements");
    err_clear(&e);
    if (build_system_read(text, &a, &system, &e) && system.backend.n == 0)
        BUG("a build without a backend");
    return 0;
}
