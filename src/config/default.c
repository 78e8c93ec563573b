/* The blast.toml that a project starts with, made from config/keys.def: required sections in full, the network's list
 * because network_policy needs one, the others as comments to pick from. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "codec/toml_edit.h"
#include "config/config.h"
#include "config/key.h"

#define DEFAULT_TEXT_MAX (64u << 10)

/* A comment of at most 100 columns a line. */
static void put_comment(struct buf *out, const char *mark, const char *text)
{
    size_t column = 0;

    for (struct str word, rest = str_of(text); str_next(&rest, ' ', &word); column += word.n + 1) {
        if (column == 0 || column + word.n > 96) {
            (void)buf_printf(out, "%s%s#", column ? "\n" : "", mark); /* the caller looks at out->full once */
            column = 0;
        }
        (void)buf_printf(out, " " STR_FMT, STR_ARG(word));
    }
    (void)buf_char(out, '\n');
}

static struct str value_of(const struct config_key_info *k, const struct config_start *s, struct arena *a)
{
    struct config c = { 0 };
    size_t i = (size_t)(k - config_keys);

    if (i == CONFIG_KEY_env_name && s->name.n)
        return toml_quote(a, s->name);
    if (i == CONFIG_KEY_env_version && s->version.n)
        return toml_quote(a, s->version);
    if (i == CONFIG_KEY_env_python_version && s->python_version.n)
        return toml_quote(a, s->python_version);
    if (!key_from_text(k, str_of(k->preset), a, &c))
        BUG("the default of %s does not fit", k->name);
    return key_format(k, &c, a);
}

static void put_key(struct buf *out, const struct config_key_info *k, const struct config_start *s, bool active)
{
    AUTO_ARENA a = { 0 };
    struct str words = k->type == TYPE_WORD ? key_wants(k, &a) : STR("");
    const char *unit = k->type != TYPE_WORD && k->unit[0] ? k->unit : NULL;
    struct str text = arena_printf(&a, "%s%s" STR_FMT "%s%s%s", k->sentence, words.n ? ": " : "", STR_ARG(words),
                                   unit ? " (" : "", unit ? unit : "", unit ? ")" : "");
    struct str value = value_of(k, s, &a);

    put_comment(out, active ? "" : "#", text.p);
    (void)buf_printf(out, "%s%s = " STR_FMT "\n", active ? "" : "# ", k->name, STR_ARG(value));
}

void config_default_text(const struct config_start *s, struct buf *out)
{
    (void)buf_str(out, STR("# How Blast keeps this project's environment, and what may run in it.\n"
                           "# `blast config list` shows every setting in force and where it comes from.\n"));
    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        bool active = config_sections[i].required || i == SECTION_sandbox_network;

        (void)buf_printf(out, "\n# %s%s\n%s[%s]\n", config_sections[i].sentence,
                         config_sections[i].required ? "" : " (optional)", active ? "" : "# ", config_sections[i].name);
        for (size_t k = 0; k < CONFIG_KEYS; k++)
            if (config_keys[k].section == i)
                put_key(out, &config_keys[k], s, active);
    }
}

bool config_write_default(int dir, const struct config_start *s, struct err *e)
{
    AUTO_BUF text = { 0 };

    buf_init(&text, DEFAULT_TEXT_MAX);
    if (file_exists(dir, "blast.toml"))
        return err_set(e, ERR_CONFIG, "blast.toml is already there");
    config_default_text(s, &text);
    if (text.full)
        return err_set(e, ERR_CONFIG, "the name or version is too long for blast.toml");
    return file_replace(dir, "blast.toml", buf_done(&text), 0666, FILE_NO_SYNC, e) ||
           err_as(e, ERR_CONFIG, "write blast.toml");
}
