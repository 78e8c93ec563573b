#include "env/activate.h"

static bool quote_posix(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++)
        ok = s.p[i] == '\'' ? buf_str(out, STR("'\\''")) : buf_char(out, s.p[i]);
    return ok && buf_char(out, '\'');
}

static bool quote_fish(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\')
            ok = buf_char(out, '\\');
        ok = buf_char(out, s.p[i]);
    }
    return ok && buf_char(out, '\'');
}

/* In csh an exclamation mark starts a history word even inside quotes, and a newline must be escaped there. */
static bool quote_csh(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'')
            ok = buf_str(out, STR("'\\''"));
        else if (s.p[i] == '!' || s.p[i] == '\n')
            ok = buf_char(out, '\\') && buf_char(out, s.p[i]);
        else
            ok = buf_char(out, s.p[i]);
    }
    return ok && buf_char(out, '\'');
}

bool activate_quote(enum activate_shell shell, struct str s, struct buf *out)
{
    switch (shell) {
    case ACTIVATE_FISH:
        return quote_fish(s, out);
    case ACTIVATE_CSH:
        return quote_csh(s, out);
    case ACTIVATE_POSIX:
        break;
    }
    return quote_posix(s, out);
}

/* @E stands for the quoted environment, @P for the quoted prompt. Shell variables that keep the old values are not
 * exported: they must not leak into children. Sourcing twice must not stack, so each begins by leaving. */
static const char posix_text[] =
    "# Source this file: . bin/activate (bash, zsh, dash)\n"
    "deactivate () {\n"
    "    if [ \"${_BLAST_OLD_PATH+set}\" = set ]; then\n"
    "        PATH=$_BLAST_OLD_PATH\n"
    "        export PATH\n"
    "        unset _BLAST_OLD_PATH\n"
    "    fi\n"
    "    if [ \"${_BLAST_OLD_PYTHONHOME+set}\" = set ]; then\n"
    "        PYTHONHOME=$_BLAST_OLD_PYTHONHOME\n"
    "        export PYTHONHOME\n"
    "        unset _BLAST_OLD_PYTHONHOME\n"
    "    fi\n"
    "    if [ \"${_BLAST_OLD_PS1+set}\" = set ]; then\n"
    "        PS1=$_BLAST_OLD_PS1\n"
    "        unset _BLAST_OLD_PS1\n"
    "    fi\n"
    "    hash -r 2>/dev/null\n"
    "    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT\n"
    "    if [ \"${1-}\" != nondestructive ]; then\n"
    "        unset -f deactivate\n"
    "    fi\n"
    "}\n"
    "deactivate nondestructive\n"
    "VIRTUAL_ENV=@E\n"
    "export VIRTUAL_ENV\n"
    "VIRTUAL_ENV_PROMPT=@P\n"
    "export VIRTUAL_ENV_PROMPT\n"
    "_BLAST_OLD_PATH=$PATH\n"
    "PATH=$VIRTUAL_ENV/bin:$PATH\n"
    "export PATH\n"
    "if [ \"${PYTHONHOME+set}\" = set ]; then\n"
    "    _BLAST_OLD_PYTHONHOME=$PYTHONHOME\n"
    "    unset PYTHONHOME\n"
    "fi\n"
    "if [ -z \"${VIRTUAL_ENV_DISABLE_PROMPT-}\" ] && [ \"${PS1+set}\" = set ]; then\n"
    "    _BLAST_OLD_PS1=$PS1\n"
    "    PS1=\"($VIRTUAL_ENV_PROMPT) $PS1\"\n"
    "fi\n"
    "hash -r 2>/dev/null\n";

static const char fish_text[] =
    "# Source this file: source bin/activate.fish\n"
    "function deactivate -d 'leave the environment'\n"
    "    if set -q _BLAST_OLD_PATH\n"
    "        set -gx PATH $_BLAST_OLD_PATH\n"
    "        set -e _BLAST_OLD_PATH\n"
    "    end\n"
    "    if set -q _BLAST_OLD_PYTHONHOME\n"
    "        set -gx PYTHONHOME $_BLAST_OLD_PYTHONHOME\n"
    "        set -e _BLAST_OLD_PYTHONHOME\n"
    "    end\n"
    "    if functions -q _blast_old_prompt\n"
    "        functions -e fish_prompt\n"
    "        functions -c _blast_old_prompt fish_prompt\n"
    "        functions -e _blast_old_prompt\n"
    "    end\n"
    "    set -e VIRTUAL_ENV\n"
    "    set -e VIRTUAL_ENV_PROMPT\n"
    "    if test \"$argv[1]\" != nondestructive\n"
    "        functions -e deactivate\n"
    "    end\n"
    "end\n"
    "deactivate nondestructive\n"
    "set -gx VIRTUAL_ENV @E\n"
    "set -gx VIRTUAL_ENV_PROMPT @P\n"
    "set -g _BLAST_OLD_PATH $PATH\n"
    "set -gx PATH \"$VIRTUAL_ENV/bin\" $PATH\n"
    "if set -q PYTHONHOME\n"
    "    set -g _BLAST_OLD_PYTHONHOME $PYTHONHOME\n"
    "    set -e PYTHONHOME\n"
    "end\n"
    "if test -z \"$VIRTUAL_ENV_DISABLE_PROMPT\"; and functions -q fish_prompt\n"
    "    functions -c fish_prompt _blast_old_prompt\n"
    "    function fish_prompt\n"
    "        set -l last $status\n"
    "        printf '(%s) ' $VIRTUAL_ENV_PROMPT\n"
    "        sh -c \"exit $last\"\n"
    "        _blast_old_prompt\n"
    "    end\n"
    "end\n";

static const char csh_text[] =
    "# Source this file: source bin/activate.csh\n"
    "alias deactivate 'test $?_BLAST_OLD_PATH != 0 && setenv PATH \"$_BLAST_OLD_PATH:q\" && unset _BLAST_OLD_PATH; "
    "rehash; test $?_BLAST_OLD_PROMPT != 0 && set prompt=\"$_BLAST_OLD_PROMPT:q\" && unset _BLAST_OLD_PROMPT; "
    "unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; test \"\\!:*\" != nondestructive && unalias deactivate'\n"
    "deactivate nondestructive\n"
    "setenv VIRTUAL_ENV @E\n"
    "setenv VIRTUAL_ENV_PROMPT @P\n"
    "set _BLAST_OLD_PATH=\"$PATH:q\"\n"
    "setenv PATH \"$VIRTUAL_ENV:q/bin:$PATH:q\"\n"
    "unsetenv PYTHONHOME\n"
    "if ( ! $?VIRTUAL_ENV_DISABLE_PROMPT && $?prompt ) then\n"
    "    set _BLAST_OLD_PROMPT=\"$prompt:q\"\n"
    "    set prompt=\"($VIRTUAL_ENV_PROMPT:q) $prompt:q\"\n"
    "endif\n"
    "rehash\n";

bool activate_script(enum activate_shell shell, struct str env, struct str prompt, struct buf *out)
{
    struct str text = shell == ACTIVATE_FISH ? str_of(fish_text) : shell == ACTIVATE_CSH ? str_of(csh_text)
                                                                                         : str_of(posix_text);

    for (;;) {
        size_t at = str_find(text, '@');

        (void)buf_str(out, str_sub(text, 0, at)); /* `full` tells at the end */
        if (at == text.n)
            return !out->full;
        (void)activate_quote(shell, text.p[at + 1] == 'E' ? env : prompt, out);
        text = str_sub(text, at + 2, text.n);
    }
}
