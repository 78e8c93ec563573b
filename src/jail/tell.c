#include "jail/tell.h"

#include <sys/wait.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/json_write.h"
#include "jail/asked.h"
#include "jail/outlet.h"
#include "jail/report.h"
#include "jail/visit.h"
#include "jail/visits.h"

static void tell(int to, struct buf *b)
{
    struct err ignored = { 0 };

    (void)buf_char(b, '\n');
    (void)!fd_write_all(to, b->p, b->n, "status", &ignored);
}

/* What is JSON already. */
static void tell_as(int to, const char *name, struct str json, size_t max)
{
    AUTO_BUF b = { .limit = max + 64 };

    if (buf_printf(&b, "{\"%s\":" STR_FMT "}", name, STR_ARG(json)))
        tell(to, &b);
}

bool tell_format_report(const struct jail_report *r, struct buf *b)
{
    struct json_write w;

    json_write_init(&w, b, false);
    jail_report_write(r, &w);
    return json_write_end(&w);
}

void tell_report(int to, const struct jail_report *r)
{
    AUTO_BUF b = { .limit = VISIT_REPORT_MAX };

    if (tell_format_report(r, &b))
        tell_as(to, "report", buf_done(&b), VISIT_REPORT_MAX);
}

void tell_connection(int to, struct str json)
{
    tell_as(to, "connection", json, OUTLET_EVENT_MAX);
}

void tell_access(int to, struct str json)
{
    tell_as(to, "access", json, ASKED_LINE_MAX);
}

void tell_limit(int to, const char *name, uint64_t times)
{
    AUTO_BUF b = { .limit = 256 };

    if (buf_printf(&b, "{\"limit\":{\"limit\":\"%s\",\"times\":%llu}}", name, (unsigned long long)times))
        tell(to, &b);
}

void tell_over(int to, const struct visits_one *one)
{
    AUTO_BUF b = { .limit = 1u << 14 };
    struct json_write w;
    bool signalled = WIFSIGNALED(one->status);

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_key(&w, STR("over"));
    json_write_object_begin(&w);
    json_write_member(&w, "command", str_of(one->name));
    json_write_member_u64(&w, "exit", (uint64_t)(signalled ? 128 + WTERMSIG(one->status) : WEXITSTATUS(one->status)));
    json_write_member_cstr(&w, "limit", one->limit);
    json_write_member_u64(&w, "ms", (clock_us() - one->begun_us) / 1000);
    json_write_object_end(&w);
    json_write_object_end(&w);
    if (json_write_end(&w))
        tell(to, &b);
}

void tell_end(int to, const char *end, int code, const char *limit, const struct visit_message *failure)
{
    AUTO_BUF b = { .limit = 1u << 14 };
    struct json_write w;

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_key(&w, STR("end"));
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "end", end);
    json_write_member_u64(&w, "code", (uint64_t)code);
    json_write_member_cstr(&w, "limit", limit);
    if (failure) {
        json_write_member_cstr(&w, "text", failure->text);
        json_write_member_cstr(&w, "hint", failure->hint);
        json_write_member_u64(&w, "sys", (uint64_t)failure->sys);
    }
    json_write_object_end(&w);
    json_write_object_end(&w);
    if (json_write_end(&w))
        tell(to, &b);
}
