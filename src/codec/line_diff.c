/* The lines that both texts begin and end with are set aside. For the rest, length[i][k] is the length of the longest
 * common part of the old lines from i on and the new ones from k on; walking from (0, 0) along it gives the diff:
 *
 *     old  a b c      length  2 1 0      (0,0) a = a, keep      (1,1) length[2][1] >= length[1][2], remove b
 *     new  a c                1 1 0      (2,1) c = c, keep
 *                             1 1 0
 */
#include "codec/line_diff.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

#define CONTEXT 3
#define CELLS_MAX (1u << 22)

struct lines {
    VEC(struct str) list; /* each with its line end, if it has one */
};

struct change {
    char mark; /* ' ', '-', '+' */
    struct str line;
};

struct script {
    VEC(struct change) list;
};

static void split(struct str text, struct arena *a, struct lines *out)
{
    *out = (struct lines){ 0 };
    while (text.n) {
        size_t n = MIN(str_find(text, '\n') + 1, text.n);

        VEC_PUSH_IN(a, &out->list, str_sub(text, 0, n));
        text = str_sub(text, n, text.n);
    }
}

static void add(struct script *s, struct arena *a, char mark, const struct str *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        VEC_PUSH_IN(a, &s->list, (struct change){ mark, line[i] });
}

/* Old lines x and new ones y that neither begin nor end alike. */
static void compare(const struct str *x, size_t n, const struct str *y, size_t m, struct arena *a, struct script *s)
{
    size_t width = m + 1, i = 0, k = 0;

    if (n && m && n + 1 <= CELLS_MAX / width) {
        uint32_t *length = ARENA_ARRAY(a, uint32_t, (n + 1) * width);

        for (i = n; i-- > 0;)
            for (k = m; k-- > 0;)
                length[i * width + k] = str_eq(x[i], y[k])
                                            ? length[(i + 1) * width + k + 1] + 1
                                            : MAX(length[(i + 1) * width + k], length[i * width + k + 1]);
        for (i = k = 0; i < n && k < m;) {
            if (str_eq(x[i], y[k])) {
                add(s, a, ' ', &x[i++], 1);
                k++;
            } else if (length[(i + 1) * width + k] >= length[i * width + k + 1]) {
                add(s, a, '-', &x[i++], 1);
            } else {
                add(s, a, '+', &y[k++], 1);
            }
        }
    }
    add(s, a, '-', x + i, n - i);
    add(s, a, '+', y + k, m - k);
}

static void put_line(struct buf *out, const struct change *c)
{
    (void)buf_char(out, c->mark);
    (void)buf_str(out, c->line);
    if (!str_ends(c->line, STR("\n")))
        (void)buf_str(out, STR("\n\\ No newline at end of file\n"));
}

/* "12,3": the first line counts from 1, but where there is none it is the line before. */
static void put_range(struct buf *out, char mark, size_t before, size_t n)
{
    (void)buf_printf(out, " %c%zu", mark, n ? before + 1 : before);
    if (n != 1)
        (void)buf_printf(out, ",%zu", n);
}

/* The hunk from..to of the script; old and new lines stood before it. */
static void put_hunk(struct buf *out, const struct script *s, size_t from, size_t to, size_t before[2])
{
    size_t n[2] = { 0, 0 };

    for (size_t i = from; i < to; i++) {
        n[0] += s->list.p[i].mark != '+';
        n[1] += s->list.p[i].mark != '-';
    }
    (void)buf_str(out, STR("@@"));
    put_range(out, '-', before[0], n[0]);
    put_range(out, '+', before[1], n[1]);
    (void)buf_str(out, STR(" @@\n"));
    for (size_t i = from; i < to; i++)
        put_line(out, &s->list.p[i]);
    before[0] += n[0];
    before[1] += n[1];
}

/* Where the hunk with the change at `i` ends: changes with at most twice the context between them share one. */
static size_t hunk_end(const struct script *s, size_t i)
{
    size_t last = i;

    for (; i < s->list.n && i - last <= 2 * CONTEXT + 1; i++)
        if (s->list.p[i].mark != ' ')
            last = i;
    return MIN(last + 1 + CONTEXT, s->list.n);
}

static void put_hunks(struct buf *out, const struct script *s)
{
    size_t before[2] = { 0, 0 }, done = 0;

    for (size_t i = 0; i < s->list.n; i++) {
        if (s->list.p[i].mark == ' ')
            continue;
        size_t from = i - MIN(i - done, (size_t)CONTEXT), to = hunk_end(s, i);

        before[0] += from - done; /* all of them are kept lines */
        before[1] += from - done;
        put_hunk(out, s, from, to, before);
        done = to;
        i = to - 1;
    }
}

bool line_diff(struct str old, struct str new, const char *old_name, const char *new_name, struct arena *a,
               struct buf *out)
{
    struct lines x, y;
    struct script s = { 0 };
    size_t head = 0, tail = 0;

    if (str_eq(old, new))
        return true;
    split(old, a, &x);
    split(new, a, &y);
    size_t n = x.list.n, m = y.list.n;

    while (head < n && head < m && str_eq(x.list.p[head], y.list.p[head]))
        head++;
    while (tail < n - head && tail < m - head && str_eq(x.list.p[n - 1 - tail], y.list.p[m - 1 - tail]))
        tail++;
    add(&s, a, ' ', x.list.p, head);
    compare(x.list.p + head, n - head - tail, y.list.p + head, m - head - tail, a, &s);
    add(&s, a, ' ', x.list.p + n - tail, tail);
    (void)buf_printf(out, "--- %s\n+++ %s\n", old_name, new_name);
    put_hunks(out, &s);
    return !out->full;
}
