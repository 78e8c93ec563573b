#include "env/status_file.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define LINE_MAX_BYTES 4096u

static const char *const words[] = { "ok", "sync", "decide", "failed", "pinned" };

const char *status_word(enum status_word word)
{
    return words[word];
}

/* Not within a character of UTF-8: those go on with bytes 10xxxxxx. */
static struct str cut(struct str s)
{
    size_t n = MIN(s.n, (size_t)STATUS_NOTICE_MAX);

    while (n && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    return str_sub(s, 0, n);
}

bool status_file_write(int env_dir, const struct status_file *s, struct err *e)
{
    struct str notice = cut(str_trim(s->notice));
    AUTO_BUF b;

    buf_init(&b, LINE_MAX_BYTES);
    (void)buf_printf(&b, "%u %s", s->seq, words[s->word]);
    if (notice.n)
        (void)buf_char(&b, ' ');
    for (size_t i = 0; i < notice.n; i++) {
        unsigned char c = (unsigned char)notice.p[i];

        (void)buf_char(&b, c < ' ' || c == 0x7f ? ' ' : notice.p[i]);
    }
    (void)buf_char(&b, '\n');
    return file_replace(env_dir, STATUS_FILE, buf_done(&b), 0644, FILE_NO_SYNC, e) ||
           err_as(e, ERR_ENVIRONMENT, "tell the prompt the state of the environment");
}

static bool word_find(struct str text, enum status_word *out)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_eq(text, str_of(words[i])))
            continue;
        *out = (enum status_word)i;
        return true;
    }
    return false;
}

bool status_file_read(int env_dir, struct arena *a, struct status_file *out, bool *there, struct err *e)
{
    struct str text, line, seq, word;
    enum status_word found;
    uint64_t n;

    *out = (struct status_file){ 0 };
    *there = false;
    if (!fd_read_if_there(env_dir, STATUS_FILE, LINE_MAX_BYTES, a, &text, e))
        return err_as(e, ERR_ENVIRONMENT, "read the state of the environment");
    if (!text.p || !str_next_line(&text, &line) || !str_next(&line, ' ', &seq) || !str_next(&line, ' ', &word) ||
        !str_to_u64(seq, &n) || n > UINT32_MAX || !word_find(word, &found))
        return true;
    *out = (struct status_file){ (uint32_t)n, found, str_trim(line) };
    *there = true;
    return true;
}
