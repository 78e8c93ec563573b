# Source this file: source bin/activate.csh
alias deactivate 'test $?_BLAST_OLD_PATH != 0 && setenv PATH "$_BLAST_OLD_PATH:q" && unset _BLAST_OLD_PATH; rehash; test $?_BLAST_OLD_PROMPT != 0 && set prompt="$_BLAST_OLD_PROMPT:q" && unset _BLAST_OLD_PROMPT; unsetenv VIRTUAL_ENV; unsetenv VIRTUAL_ENV_PROMPT; test "\!:*" != nondestructive && unalias deactivate'
deactivate nondestructive
setenv VIRTUAL_ENV @E
setenv VIRTUAL_ENV_PROMPT @P
set _BLAST_OLD_PATH="$PATH:q"
setenv PATH "$VIRTUAL_ENV:q/bin:$PATH:q"
unsetenv PYTHONHOME
if ( ! $?VIRTUAL_ENV_DISABLE_PROMPT && $?prompt ) then
    set _BLAST_OLD_PROMPT="$prompt:q"
    set prompt="($VIRTUAL_ENV_PROMPT:q) $prompt:q"
endif
rehash
