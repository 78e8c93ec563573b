/* What a child prints: no crash, and a result is one line. */
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "daemon/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_ARENA a = { 0 };
    struct str text = { (const char *)data, n };
    struct job_result r = { 0 };
    struct job_progress p = { 0 };
    struct err e = { 0 };

    if (job_result_parse(text, &a, &r, &e) && (!r.json.n || str_find(r.json, '\n') < r.json.n || !r.word.n))
        BUG("a result without a word, or of several lines");
    (void)!job_progress_parse(text, &a, &p);
    return 0;
}
