/* blast shell-init: the text that lets start and kill act on the shell at hand. Static: nothing is looked up. */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/ui.h"
#include "env/shell_init.h"

#define TEXT_MAX ((size_t)1 << 20)

bool cmd_shell_init(struct cmd *c, struct err *e)
{
    struct str name = c->options.words.n == 1 ? c->options.words.p[0] : STR("");
    enum shell_kind shell;
    AUTO_BUF b;

    buf_init(&b, TEXT_MAX);
    if (ui.json)
        return err_set(e, ERR_CONFIG, "shell-init is text for a shell, not JSON");
    if (!shell_find(name, &shell)) {
        (void)err_set(e, ERR_CONFIG, "blast shell-init wants bash, zsh, fish, sh or pwsh");
        return err_hint(e, "in ~/.bashrc: eval \"$(blast shell-init bash)\"");
    }
    if (!shell_init_text(shell, option_flag(&c->options, OPT_AUTO), &b))
        BUG("the text of a shell is larger than %zu bytes", TEXT_MAX);
    ui_out(STR_FMT, STR_ARG(buf_done(&b)));
    return true;
}
