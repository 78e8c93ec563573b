# Source this file: . bin/activate (bash, zsh, dash)
if [ -n "${_blast_env-}" ]; then
    _blast_leave # what blast start entered in this shell: never two at once
fi
deactivate () {
    if [ "${_BLAST_OLD_PATH+set}" = set ]; then
        PATH=$_BLAST_OLD_PATH
        export PATH
        unset _BLAST_OLD_PATH
    fi
    if [ "${_BLAST_OLD_PYTHONHOME+set}" = set ]; then
        PYTHONHOME=$_BLAST_OLD_PYTHONHOME
        export PYTHONHOME
        unset _BLAST_OLD_PYTHONHOME
    fi
    if [ "${_BLAST_OLD_PS1+set}" = set ]; then
        PS1=$_BLAST_OLD_PS1
        unset _BLAST_OLD_PS1
    fi
    hash -r 2>/dev/null
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    if [ "${1-}" != nondestructive ]; then
        unset -f deactivate
    fi
}
deactivate nondestructive
VIRTUAL_ENV=@E
export VIRTUAL_ENV
VIRTUAL_ENV_PROMPT=@P
export VIRTUAL_ENV_PROMPT
_BLAST_OLD_PATH=$PATH
PATH=$VIRTUAL_ENV/bin:$PATH
export PATH
if [ "${PYTHONHOME+set}" = set ]; then
    _BLAST_OLD_PYTHONHOME=$PYTHONHOME
    unset PYTHONHOME
fi
if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ] && [ "${PS1+set}" = set ]; then
    _BLAST_OLD_PS1=$PS1
    if [ -n "${ZSH_VERSION-}" ]; then # neither shell may expand or run what is in the name
        eval 'psvar[97]=$VIRTUAL_ENV_PROMPT'
        PS1="(%97v) $PS1"
    else
        PS1='(${VIRTUAL_ENV_PROMPT-}) '$PS1
    fi
fi
hash -r 2>/dev/null
