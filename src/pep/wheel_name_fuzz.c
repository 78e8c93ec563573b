/* The parts of a wheel's name, put together again, are the name; a source distribution's end in its version. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "pep/sdist_name.h"
#include "pep/wheel_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str file = { (const char *)data, size };
    struct err e = { 0 };
    struct wheel_name w;
    struct sdist_name s, again;

    if (wheel_name_parse(file, &w, &e)) {
        struct str made = arena_printf(&a, STR_FMT "-" STR_FMT "%s" STR_FMT "-" STR_FMT "-" STR_FMT "-" STR_FMT ".whl",
                                       STR_ARG(w.project), STR_ARG(w.version), w.build.n ? "-" : "", STR_ARG(w.build),
                                       STR_ARG(w.python), STR_ARG(w.abi), STR_ARG(w.platform));

        if (!str_eq(made, file) || wheel_build_cmp(w.build, w.build) != 0)
            abort();
    }
    if (sdist_name_parse(file, &s, &e) &&
        (!sdist_name_parse_for(file, s.project, &again, &e) || !str_eq(s.version, again.version)))
        abort();
    return 0;
}
