#include "cli/report.h"

#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/ui.h"
#include "codec/json.h"
#include "codec/json_write.h"

#define REPORT_MAX ((size_t)8 << 20)

static void as_text(const struct err *e)
{
    const char *frame;
    unsigned n;

    for (unsigned i = 0; err_frame(e, i, &frame, &n); i++) {
        if (i == 0)
            ui_note("%serror%s: %.*s", ui_on(stderr, UI_RED), ui_on(stderr, UI_PLAIN), (int)n, frame);
        else /* lines of another program's output come as they are */
            ui_note("  %s%.*s", n && frame[0] == '|' ? "" : "caused by: ", (int)n, frame);
    }
    if (e->hint[0])
        ui_note("%shelp%s: %s", ui_on(stderr, UI_CYAN), ui_on(stderr, UI_PLAIN), e->hint);
}

/* The members of an object that was written before. */
static void add_members(struct json_write *w, struct str object)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct json j;
    struct str key, value;

    json_init(&j, object, &a, &ignored);
    if (!json_object_begin(&j))
        return;
    while (json_object_next(&j, &key)) {
        struct str name = arena_str(&a, key);

        if (!json_raw(&j, &value))
            return;
        json_write_key(w, name);
        json_write_raw(w, value);
    }
}

void report_json(const struct err *e, struct str details, struct buf *out)
{
    struct json_write w;
    const char *frame;
    unsigned n;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_member_cstr(&w, "schema", "blast.error/1");
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
    if (details.n)
        add_members(&w, details);
    json_write_object_end(&w);
    json_write_object_end(&w);
    (void)json_write_end(&w); /* an error fits: its text is bounded */
}

static void as_json(const struct err *e, struct str details)
{
    AUTO_BUF b;

    buf_init(&b, REPORT_MAX);
    report_json(e, details, &b);
    ui_out(STR_FMT "\n", STR_ARG(buf_done(&b)));
}

int report_error(const struct err *e, struct str details)
{
    bool quiet = ui.quiet;

    ui.quiet = false; /* -q silences everything but errors */
    if (ui.json)
        as_json(e, details);
    as_text(e);
    ui.quiet = quiet;
    return err_exit_code(e);
}
