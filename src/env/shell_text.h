/* The files of env/shell/ as texts that end in NUL: tools/embed-text makes shell_text.c of them when Blast is built.
 *
 * They are files, not C strings, so that an editor colours them, `sh -n` reads them and a review sees shell as shell.
 */
#pragma once

extern const char shell_text_activate_csh[]; /* bin/activate.csh, with @E and @P: env/activate.h */
extern const char shell_text_activate_fish[];
extern const char shell_text_activate_sh[];

extern const char shell_text_core_sh[]; /* what bash, zsh and sh share of shell-init: env/shell_init.h */
extern const char shell_text_bash_sh[];
extern const char shell_text_zsh_zsh[];
extern const char shell_text_sh_sh[];
extern const char shell_text_fish_fish[];
extern const char shell_text_pwsh_ps1[];
extern const char shell_text_zshenv_zsh[]; /* what a subshell's zsh reads: cli/activate_cmd.c */
extern const char shell_text_zshrc_zsh[];
