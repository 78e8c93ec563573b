#include "cli/report.h"

#include <stdio.h>
#include "base/buf.h"
#include "base/err.h"
#include "cli/ui.h"
#include "codec/json_write.h"

#define REPORT_MAX ((size_t)64 << 10)

static void as_text(const struct err *e)
{
    const char *frame;
    unsigned n;

    for (unsigned i = 0; err_frame(e, i, &frame, &n); i++) {
        if (i == 0)
            ui_note("%serror%s: %.*s", ui_on(stderr, UI_RED), ui_on(stderr, UI_PLAIN), (int)n, frame);
        else
            ui_note("  caused by: %.*s", (int)n, frame);
    }
    if (e->hint[0])
        ui_note("%shelp%s: %s", ui_on(stderr, UI_CYAN), ui_on(stderr, UI_PLAIN), e->hint);
}

void report_json(const struct err *e, struct buf *out)
{
    struct json_write w;
    const char *frame;
    unsigned n;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_key(&w, STR("error"));
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "kind", err_word(e->kind));
    json_write_key(&w, STR("frames"));
    json_write_array_begin(&w);
    for (unsigned i = 0; err_frame(e, i, &frame, &n); i++)
        json_write_str(&w, (struct str){ frame, n });
    json_write_array_end(&w);
    if (e->hint[0])
        json_write_member_cstr(&w, "help", e->hint);
    json_write_member_u64(&w, "exit", (uint64_t)err_exit_code(e));
    json_write_object_end(&w);
    json_write_object_end(&w);
    (void)json_write_end(&w); /* an error fits: its text is bounded */
}

static void as_json(const struct err *e)
{
    AUTO_BUF b;

    buf_init(&b, REPORT_MAX);
    report_json(e, &b);
    ui_out(STR_FMT "\n", STR_ARG(buf_done(&b)));
}

int report_error(const struct err *e)
{
    bool quiet = ui.quiet;

    ui.quiet = false; /* -q silences everything but errors */
    if (ui.json)
        as_json(e);
    as_text(e);
    ui.quiet = quiet;
    return err_exit_code(e);
}
