/* blast completions: made from the tables of commands and options. */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/ui.h"

static void words_of(uint64_t where, const char *lead)
{
    for (unsigned i = 0; i < OPTION_IDS; i++)
        if (option_table[i].where & where)
            ui_out("%s--%s", lead, option_table[i].name);
}

static void commands(const char *between)
{
    for (const struct command *k = command_table; k->name; k++)
        if (!(k->where & (W_RAW | W_HIDDEN)))
            ui_out("%s%s", k == command_table ? "" : between, k->name);
}

/* Is a command's first argument one of a few words ("list|get KEY|check")? */
static bool has_choices(const struct command *k)
{
    return strchr(k->arguments, '|') && *k->arguments >= 'a' && *k->arguments <= 'z';
}

static void choices(const struct command *k)
{
    if (!has_choices(k))
        return;
    for (struct str part, rest = str_of(k->arguments); str_next(&rest, '|', &part);)
        ui_out(" " STR_FMT, (int)str_find(part, ' '), part.p);
}

static void bash(void)
{
    ui_out("_blast() {\n    local cur=${COMP_WORDS[COMP_CWORD]} cmd= w\n"
           "    for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do case $w in -*) ;; *) cmd=$w; break ;; esac; done\n"
           "    local words plain=\n    case $cmd in\n    '') words='");
    commands(" ");
    ui_out("' ;;\n");
    for (const struct command *k = command_table; k->name; k++) {
        if (k->where & (W_RAW | W_HIDDEN))
            continue;
        ui_out("    %s) words='", k->name);
        words_of(k->where | W_ALL, " ");
        ui_out("' plain='");
        choices(k);
        ui_out("' ;;\n");
    }
    ui_out("    esac\n    if [[ $plain != '' && $cur != -* ]]; then words=$plain\n"
           "    elif [[ $cmd != '' && $cur != -* ]]; then COMPREPLY=( $(compgen -f -- \"$cur\") ); return; fi\n"
           "    COMPREPLY=( $(compgen -W \"$words\" -- \"$cur\") )\n}\n"
           "complete -o filenames -F _blast blast\n");
}

/* Quotes are doubled away: descriptions hold none that matter. */
static void plain(const char *text)
{
    for (; *text; text++)
        if (*text != '\'' && *text != '[' && *text != ']' && *text != ':')
            ui_out("%c", *text);
}

static void zsh(void)
{
    ui_out("#compdef blast\n_blast() {\n    local -a commands\n    commands=(\n");
    for (const struct command *k = command_table; k->name; k++) {
        if (k->where & (W_RAW | W_HIDDEN))
            continue;
        ui_out("        '%s:", k->name);
        plain(k->text);
        ui_out("'\n");
    }
    ui_out("    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n    case $words[2] in\n");
    for (const struct command *k = command_table; k->name; k++) {
        if (k->where & (W_RAW | W_HIDDEN))
            continue;
        ui_out("    %s) _arguments", k->name);
        for (unsigned i = 0; i < OPTION_IDS; i++) {
            if (!(option_table[i].where & (k->where | W_ALL)))
                continue;
            ui_out(" '--%s[", option_table[i].name);
            plain(option_table[i].text);
            ui_out("]%s'", option_table[i].value ? ":value:_files" : "");
        }
        if (has_choices(k)) { /* the command is the first argument for zsh */
            ui_out(" '2:word:(");
            choices(k);
            ui_out(")'");
        }
        ui_out(" '*:file:_files' ;;\n");
    }
    ui_out("    esac\n}\ncompdef _blast blast\n");
}

static void fish(void)
{
    for (const struct command *k = command_table; k->name; k++) {
        if (k->where & (W_RAW | W_HIDDEN))
            continue;
        ui_out("complete -c blast -n __fish_use_subcommand -a %s -d '", k->name);
        plain(k->text);
        ui_out("'\n");
        if (has_choices(k)) {
            ui_out("complete -c blast -f -n '__fish_seen_subcommand_from %s' -a '", k->name);
            choices(k);
            ui_out("'\n");
        }
    }
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        ui_out("complete -c blast");
        if (!(option_table[i].where & W_ALL)) {
            ui_out(" -n '__fish_seen_subcommand_from");
            for (const struct command *k = command_table; k->name; k++)
                if (k->where & option_table[i].where)
                    ui_out(" %s", k->name);
            ui_out("'");
        }
        ui_out(" -l %s%s -d '", option_table[i].name, option_table[i].value ? " -r" : "");
        plain(option_table[i].text);
        ui_out("'\n");
    }
}

bool cmd_completions(struct cmd *c, struct err *e)
{
    struct str shell = c->options.words.n == 1 ? c->options.words.p[0] : STR("");

    if (ui.json)
        return err_set(e, ERR_CONFIG, "completions are text for a shell, not JSON");
    if (str_eq(shell, STR("bash")))
        bash();
    else if (str_eq(shell, STR("zsh")))
        zsh();
    else if (str_eq(shell, STR("fish")))
        fish();
    else
        return err_set(e, ERR_CONFIG, "blast completions wants bash, zsh or fish") ||
               err_hint(e, "blast completions bash > ~/.local/share/bash-completion/completions/blast");
    return true;
}
