#include "env/shell_init.h"

#include "base/arena.h"
#include "env/activate.h"
#include "env/shell_text.h"

bool shell_find(struct str name, enum shell_kind *out)
{
    static const struct {
        const char *name;
        enum shell_kind kind;
    } shells[] = {
        { "bash", SHELL_BASH }, { "zsh", SHELL_ZSH },   { "sh", SHELL_SH },     { "dash", SHELL_SH },
        { "ash", SHELL_SH },    { "fish", SHELL_FISH }, { "pwsh", SHELL_PWSH },
    };

    for (size_t i = 0; i < COUNT(shells); i++) {
        if (!str_eq(name, str_of(shells[i].name)))
            continue;
        *out = shells[i].kind;
        return true;
    }
    return false;
}

static enum activate_shell quoting(enum shell_kind shell)
{
    return shell == SHELL_FISH ? ACTIVATE_FISH : shell == SHELL_PWSH ? ACTIVATE_PWSH : ACTIVATE_POSIX;
}

bool shell_init_text(enum shell_kind shell, bool by_cd, struct buf *out)
{
    static const struct {
        const char *core, *own, *by_cd;
    } texts[] = {
        [SHELL_BASH] = { shell_text_core_sh, shell_text_bash_sh, "_blast_auto=1\n" },
        [SHELL_ZSH] = { shell_text_core_sh, shell_text_zsh_zsh, "_blast_auto=1\n" },
        [SHELL_SH] = { shell_text_core_sh, shell_text_sh_sh, "" }, /* has no hook to look from */
        [SHELL_FISH] = { "", shell_text_fish_fish, "set -g _blast_auto 1\n" },
        [SHELL_PWSH] = { "", shell_text_pwsh_ps1, "$global:BlastState.Auto = $true\n" },
    };

    return buf_str(out, str_of(texts[shell].core)) && buf_str(out, str_of(texts[shell].own)) &&
           (!by_cd || buf_str(out, str_of(texts[shell].by_cd)));
}

static bool quoted(enum shell_kind shell, struct str s, struct buf *out)
{
    return buf_char(out, ' ') && activate_quote(quoting(shell), s, out);
}

/* The name goes to terminals. */
static bool quoted_name(enum shell_kind shell, struct str s, struct buf *out)
{
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    char *name = arena_cstr(&a, s);

    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            name[i] = '?';
    return quoted(shell, (struct str){ name, s.n }, out);
}

bool shell_enter_text(enum shell_kind shell, const struct shell_enter *s, struct buf *out)
{
    return buf_str(out, STR("_blast_enter")) && quoted(shell, s->env, out) && quoted(shell, s->project, out) &&
           quoted_name(shell, s->name, out) &&
           buf_str(out, s->stack ? STR(" stack") : s->shims ? STR(" alone") : STR("")) &&
           buf_str(out, s->shims ? STR(" shims\n") : STR("\n"));
}

bool shell_leave_text(enum shell_kind shell, struct buf *out)
{
    (void)shell; /* one word in all of them */
    return buf_str(out, STR("_blast_leave\n"));
}
