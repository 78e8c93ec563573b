#include "cli/timings_report.h"

#include <fcntl.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/trace.h"
#include "build_config.h"
#include "cli/cli.h"
#include "cli/ui.h"
#include "codec/json_write.h"

#define REPORT_MAX ((size_t)64 << 20)
#define WIDTH 900.0 /* of the chart, in its own units */
#define LABEL 260.0
#define LABEL_CHARS 38
#define ROW 18.0
#define ROWS_MAX 2000

static uint64_t command_begun; /* one command a process */

void timings_report_begin(const struct cmd *c)
{
    if (!option_value(&c->options, OPT_TIMINGS_HTML).p && !option_value(&c->options, OPT_TIMINGS_JSON).p)
        return;
    trace_start();
    command_begun = trace_now();
}

/* ------------------------------------------------------------ order */

static int by_begin(const void *a, const void *b)
{
    const struct trace_span *x = a, *y = b;

    if (x->begun != y->begun)
        return (x->begun > y->begun) - (x->begun < y->begun);
    return (x->end < y->end) - (x->end > y->end);
}

static bool is_work(const struct trace_span *s)
{
    return s->kind != TRACE_PHASE && s->kind != TRACE_WAVE && s->kind != TRACE_HIT;
}

struct timings_chain timings_critical(const struct trace_span *s, size_t n, struct arena *a)
{
    const struct trace_span **p = ARENA_ARRAY(a, const struct trace_span *, n);
    const struct trace_span *last = NULL;
    size_t k = n;

    for (size_t i = 0; i < n; i++)
        if (is_work(&s[i]) && (!last || s[i].end > last->end))
            last = &s[i];
    while (last) {
        const struct trace_span *before = NULL;

        p[--k] = last;
        for (size_t i = 0; i < n; i++)
            if (is_work(&s[i]) && s[i].end <= last->begun && s[i].begun < last->begun &&
                (!before || s[i].end > before->end))
                before = &s[i];
        last = before;
    }
    return (struct timings_chain){ p + k, n - k };
}

/* ------------------------------------------------------------ HTML */

static void html_text(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '<': (void)buf_str(b, STR("&lt;")); break;
        case '>': (void)buf_str(b, STR("&gt;")); break;
        case '&': (void)buf_str(b, STR("&amp;")); break;
        case '"': (void)buf_str(b, STR("&quot;")); break;
        default: (void)buf_char(b, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
        }
    }
}

static const char *const color[TRACE_KIND_COUNT] = {
    [TRACE_PHASE] = "#9aa5b1", [TRACE_WAVE] = "#c3cad3", [TRACE_PAGE] = "#7b61c9", [TRACE_METADATA] = "#b38be0",
    [TRACE_FETCH] = "#2f7ed8", [TRACE_UNPACK] = "#e08a2e", [TRACE_HIT] = "#4caf7d", [TRACE_LINK] = "#2a9d8f",
    [TRACE_COMMIT] = "#d64550",
};

struct chart {
    struct buf *b;
    uint64_t from, to;
    struct timings_chain critical;
    struct arena *a;
};

static double x_of(const struct chart *c, uint64_t t)
{
    return LABEL + (double)(t - c->from) * WIDTH / (double)MAX(c->to - c->from, (uint64_t)1);
}

static bool is_critical(const struct chart *c, const struct trace_span *s)
{
    for (size_t i = 0; i < c->critical.n; i++)
        if (c->critical.p[i]->kind == s->kind && c->critical.p[i]->begun == s->begun &&
            str_eq(c->critical.p[i]->name, s->name))
            return true;
    return false;
}

/* Name and version of a wheel's file name; other names as they are, but not too long. */
static struct str short_name(struct str name)
{
    struct str version = STR("");
    size_t dash = str_find(name, '-');

    if (str_search(name, STR(".whl")) < name.n && dash < name.n) {
        version = str_sub(name, dash + 1, name.n);
        return str_sub(name, 0, MIN(dash + 1 + str_find(version, '-'), (size_t)LABEL_CHARS));
    }
    return str_sub(name, 0, MIN(name.n, (size_t)LABEL_CHARS));
}

static void label(const struct chart *c, const struct trace_span *s, size_t row, bool critical)
{
    (void)buf_printf(c->b, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\"%s>", LABEL - 8,
                     36 + (double)row * ROW, critical ? " font-weight=\"bold\"" : "");
    html_text(c->b, short_name(s->name));
    (void)buf_str(c->b, STR("</text>"));
}

static void bar(const struct chart *c, const struct trace_span *s, size_t row)
{
    double y = 24 + (double)row * ROW, x = x_of(c, s->begun), w = x_of(c, s->end) - x;
    bool critical = is_critical(c, s), wave = s->kind == TRACE_WAVE;

    (void)buf_printf(c->b, "<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\" rx=\"2\" fill=\"%s\"%s><title>",
                     x, y + 2, MAX(w, 1.5), ROW - 5, color[s->kind],
                     critical ? " stroke=\"#111\" stroke-width=\"1.5\"" : "");
    (void)buf_printf(c->b, "%s ", trace_word(s->kind));
    html_text(c->b, s->name);
    (void)buf_printf(c->b, ": %.2f ms from %.2f ms on", (double)(s->end - s->begun) / 1e3,
                     (double)(s->begun - c->from) / 1e3);
    if (s->bytes)
        (void)buf_printf(c->b, ", %.1f kB", (double)s->bytes / 1e3);
    (void)buf_printf(c->b, "</title></rect>\n");
    bool left = x + w > LABEL + WIDTH - 70;

    if (!wave) /* all of them share a row */
        (void)buf_printf(c->b, "<text class=\"t\" x=\"%.1f\" y=\"%.0f\"%s>%.1f</text>\n",
                         left ? x - 4 : x + MAX(w, 1.5) + 4,
                     y + 12, left ? " text-anchor=\"end\"" : "", (double)(s->end - s->begun) / 1e3);
}

/* A step of 1, 2 or 5 times a power of ten that gives at most ten of them. */
static double tick_ms(double total)
{
    double step = 0.01;

    for (unsigned i = 0; total / step > 10; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    return step;
}

static void axis(const struct chart *c, size_t rows)
{
    double total = (double)(c->to - c->from) / 1e3, step = tick_ms(total), bottom = 24 + (double)rows * ROW;

    for (unsigned i = 0; i * step <= total; i++) {
        double t = i * step, x = LABEL + t * WIDTH / MAX(total, 0.001);

        (void)buf_printf(c->b, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"18\" y2=\"%.0f\" stroke=\"#e3e7eb\"/>"
                         "<text class=\"t\" x=\"%.1f\" y=\"12\" text-anchor=\"middle\">%g ms</text>\n", x, x, bottom,
                         x, t);
    }
}

static void chart(const struct chart *c, const struct trace_span *s, size_t n)
{
    size_t rows = 0, waves = 0, wave_row = ROWS_MAX;

    for (size_t i = 0; i < n; i++) {
        rows += s[i].kind != TRACE_HIT && (s[i].kind != TRACE_WAVE || !waves);
        waves += s[i].kind == TRACE_WAVE;
    }
    rows = MIN(rows, (size_t)ROWS_MAX);
    (void)buf_printf(c->b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" role=\"img\">\n",
                     LABEL + WIDTH + 20, 30 + (double)rows * ROW);
    axis(c, rows);
    for (size_t i = 0, row = 0; i < n && row < rows; i++) {
        if (s[i].kind == TRACE_WAVE && wave_row < ROWS_MAX) {
            bar(c, &s[i], wave_row);
        } else if (s[i].kind != TRACE_HIT) {
            wave_row = s[i].kind == TRACE_WAVE ? row : wave_row;
            label(c, &s[i], row, is_critical(c, &s[i]));
            bar(c, &s[i], row++);
        }
    }
    (void)buf_str(c->b, STR("</svg>\n"));
}

static void legend(struct buf *b)
{
    (void)buf_str(b, STR("<p>"));
    for (unsigned k = 0; k < TRACE_KIND_COUNT; k++)
        if (k != TRACE_HIT)
            (void)buf_printf(b, "<span class=\"k\"><i style=\"background:%s\"></i>%s</span> ", color[k],
                             trace_word((enum trace_kind)k));
    (void)buf_str(b, STR("<span class=\"k\"><i style=\"background:#fff;border:2px solid #111\"></i>critical path</span>"
                         "</p>\n"));
}

static void sums(struct buf *b, const struct trace_span *s, size_t n)
{
    (void)buf_str(b, STR("<h2>Sums</h2>\n<table><tr><th>what<th>how many<th>time, ms<th>kB</tr>\n"));
    for (unsigned k = 0; k < TRACE_KIND_COUNT; k++) {
        uint64_t count = 0, us = 0, bytes = 0;

        for (size_t i = 0; i < n; i++) {
            if (s[i].kind != (enum trace_kind)k)
                continue;
            count++;
            us += s[i].end - s[i].begun;
            bytes += s[i].bytes;
        }
        if (count)
            (void)buf_printf(b, "<tr><td>%s<td>%llu<td>%.1f<td>%.1f</tr>\n",
                             k == TRACE_HIT ? "in the store already (cache hit)" : trace_word((enum trace_kind)k),
                             (unsigned long long)count, (double)us / 1e3, (double)bytes / 1e3);
    }
    (void)buf_str(b, STR("</table>\n<p>Times of one row run side by side; their sum is more than the clock "
                         "shows.</p>\n"));
}

static void critical_list(const struct chart *c)
{
    (void)buf_str(c->b, STR("<h2>Critical path</h2>\n<p>From the end back, always to what ended last before: making "
                            "one of these faster makes the whole faster.</p>\n<ol>\n"));
    for (size_t i = 0; i < c->critical.n; i++) {
        const struct trace_span *s = c->critical.p[i];

        (void)buf_printf(c->b, "<li>%s <b>", trace_word(s->kind));
        html_text(c->b, s->name);
        (void)buf_printf(c->b, "</b>: %.1f ms</li>\n", (double)(s->end - s->begun) / 1e3);
    }
    (void)buf_str(c->b, STR("</ol>\n"));
}

static void hits(struct buf *b, const struct trace_span *s, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        if (s[i].kind != TRACE_HIT)
            continue;
        (void)buf_str(b, any ? STR(", ") : STR("<h2>In the store already</h2>\n<p>"));
        html_text(b, s[i].name);
        any = true;
    }
    if (any)
        (void)buf_str(b, STR("</p>\n"));
}

static void html(const struct cmd *c, const struct trace_span *s, size_t n, struct buf *b)
{
    struct chart ch = { .b = b, .from = command_begun, .to = command_begun + 1, .a = c->a };
    char when[CLOCK_TEXT];

    for (size_t i = 0; i < n; i++)
        ch.to = MAX(ch.to, s[i].end);
    ch.critical = timings_critical(s, n, c->a);
    clock_format(clock_now(), when);
    (void)buf_printf(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                     "<title>blast %s: timings</title>\n"
                     "<style>body{font:14px sans-serif;margin:24px;color:#1d2733}svg text{font-size:11px}svg "
                     ".t{fill:#6b7683;font-size:10px}table{border-collapse:collapse}td,th{padding:2px 12px;"
                     "text-align:right}td:first-child,th:first-child{text-align:left}.k{margin-right:14px}"
                     ".k i{display:inline-block;"
                     "width:12px;height:12px;border-radius:2px;margin-right:5px;box-sizing:border-box;"
                     "vertical-align:-1px}"
                     "h2{font-size:16px;margin-top:28px}</style></head><body>\n", c->command->name);
    (void)buf_printf(b, "<h1>blast %s: %.1f ms</h1>\n<p>%s, blast " BLAST_VERSION "</p>\n", c->command->name,
                     (double)(ch.to - ch.from) / 1e3, when);
    legend(b);
    chart(&ch, s, n);
    critical_list(&ch);
    sums(b, s, n);
    hits(b, s, n);
    (void)buf_str(b, STR("</body></html>\n"));
}

/* ------------------------------------------------------------ Chrome trace */

/* Lane of a span: the first one of its kind that is free, so that spans side by side lie on lanes of their own. */
struct lanes {
    uint64_t until[TRACE_KIND_COUNT][64];
};

static unsigned lane(struct lanes *l, const struct trace_span *s)
{
    unsigned i = 0;

    while (i < 63 && l->until[s->kind][i] > s->begun)
        i++;
    l->until[s->kind][i] = s->end;
    return (unsigned)s->kind * 64 + i;
}

static void chrome(const struct trace_span *s, size_t n, struct buf *b)
{
    struct lanes *l = mem_zero(1, sizeof *l);
    struct json_write j;

    json_write_init(&j, b, false);
    json_write_object_begin(&j);
    json_write_member_cstr(&j, "displayTimeUnit", "ms");
    json_write_key(&j, STR("traceEvents"));
    json_write_array_begin(&j);
    for (size_t i = 0; i < n; i++) {
        json_write_object_begin(&j);
        json_write_member(&j, "name", s[i].name);
        json_write_member_cstr(&j, "cat", trace_word(s[i].kind));
        json_write_member_cstr(&j, "ph", "X");
        json_write_member_u64(&j, "ts", s[i].begun - command_begun);
        json_write_member_u64(&j, "dur", s[i].end - s[i].begun);
        json_write_member_u64(&j, "pid", 1);
        json_write_member_u64(&j, "tid", lane(l, &s[i]));
        json_write_key(&j, STR("args"));
        json_write_object_begin(&j);
        json_write_member_u64(&j, "bytes", s[i].bytes);
        json_write_object_end(&j);
        json_write_object_end(&j);
    }
    json_write_array_end(&j);
    json_write_object_end(&j);
    if (!json_write_end(&j))
        b->full = true;
    free(l);
}

/* ------------------------------------------------------------ files */

static void put(const struct cmd *c, enum option_id id, struct buf *b)
{
    struct str name = option_value(&c->options, id);
    struct err e = { 0 };
    AUTO_FD fd = -1;

    if (b->full)
        ui_warn("the report of this run is larger than %zu bytes and was not written", REPORT_MAX);
    else if (!fd_open(AT_FDCWD, arena_cstr(c->a, name), O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, &e) ||
             !fd_write_all(fd, b->p, b->n, "the report", &e))
        ui_warn("timings: %s", e.text);
    else
        ui_note("timings in " STR_FMT, STR_ARG(name));
}

void timings_report_end(const struct cmd *c)
{
    size_t n;
    const struct trace_span *s = trace_spans(&n);

    if (!trace_on)
        return;
    struct trace_span *sorted = ARENA_ARRAY(c->a, struct trace_span, n);

    for (size_t i = 0; i < n; i++)
        sorted[i] = s[i];
    if (n)
        qsort(sorted, n, sizeof *sorted, by_begin);
    if (option_value(&c->options, OPT_TIMINGS_HTML).p) {
        AUTO_BUF b = { .limit = REPORT_MAX };

        html(c, sorted, n, &b);
        put(c, OPT_TIMINGS_HTML, &b);
    }
    if (option_value(&c->options, OPT_TIMINGS_JSON).p) {
        AUTO_BUF b = { .limit = REPORT_MAX };

        chrome(sorted, n, &b);
        put(c, OPT_TIMINGS_JSON, &b);
    }
    trace_clear();
}
